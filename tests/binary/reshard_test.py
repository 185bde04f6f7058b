#!/usr/bin/python3
"""hallesctl log reshard on the log of a killed program: unfinished work ends as on the old log."""

import concurrent.futures
import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import grpc
import program
from halles.checkout.v1 import cart_events_pb2 as carts
from halles.checkout.v1 import placement_pb2 as placement
from halles.checkout.v1 import cart_service_pb2 as cart_service
from halles.checkout.v1 import cart_service_pb2_grpc as cart_grpc
from halles.checkout.v1 import order_events_pb2 as order_events
from halles.checkout.v1 import order_service_pb2 as order_service
from halles.checkout.v1 import order_service_pb2_grpc as order_grpc
from halles.inventory.v1 import inventory_events_pb2 as stock_events
from halles.inventory.v1 import inventory_service_pb2 as inventory
from halles.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc

SKUS = [f"boot-{number}" for number in range(12)]
LOCATION = "lyon"
IMPORTS = 60
CUSTOMERS = 7
BUYERS = 8
ORDERS_BEFORE_THE_KILL = 40
HOLD_SECONDS = 2
TARGETS = {"fewer": "3", "more": "checkout=16,inventory=5"}


def importing(number):
    return program.order(number, customer=number % CUSTOMERS)


def purchase(number):
    """Cart, delivery and order of two SKUs."""
    cart_id = f"cart-{number}"
    add = cart_service.AddCartLinesRequest(
        request_id=f"{cart_id}/add",
        cart_id=cart_id,
        origin=placement.Origin(channel=program.common.CHANNEL_WEB, site_id=f"web-{number % 3}"),
        currency_code="EUR",
    )
    for line in range(2):
        sku = SKUS[(number * 5 + line * 7) % len(SKUS)]
        add.lines.add(line_id=str(line), sku=sku, units=1 + line).unit_price.unscaled = 5
    deliver = cart_service.SetCartDeliveryRequest(
        request_id=f"{cart_id}/deliver",
        cart_id=cart_id,
        delivery=placement.Delivery(pickup=placement.Pickup(location_id=LOCATION)),
    )
    return add, deliver, order_service.PlaceOrderRequest(request_id=f"{cart_id}/place", cart_id=cart_id)


def holding(hold_id, seconds):
    request = inventory.ReserveStockRequest(
        request_id=f"reserve/{hold_id}",
        sku=SKUS[0],
        hold_id=hold_id,
        lines=[inventory.ReserveLine(units=3)],
        candidate_location_ids=[LOCATION],
        purpose=stock_events.HOLD_PURPOSE_CART,
        owner=stock_events.HoldOwner(ref=f"cart/{hold_id}"),
    )
    request.expire_time.FromSeconds(int(time.time()) + seconds + 1)
    return request


class Shop:
    """A running halles with the requests of a shop."""

    def __init__(self, data, slots):
        self.running = program.Program(data, slots=slots).serve()
        self.carts = cart_grpc.CartServiceStub(self.running.channel)
        self.orders = order_grpc.OrderServiceStub(self.running.channel)
        self.stock = inventory_grpc.InventoryServiceStub(self.running.channel)

    def buy(self, number):
        add, deliver, place = purchase(number)
        self.carts.AddCartLines(add, timeout=program.PATIENCE_S)
        self.carts.SetCartDelivery(deliver, timeout=program.PATIENCE_S)
        return self.orders.PlaceOrder(place, timeout=program.PATIENCE_S).order

    def hold(self, hold_id):
        asked = inventory.GetHoldRequest(sku=SKUS[0], hold_id=hold_id)
        return self.stock.GetHold(asked, timeout=program.PATIENCE_S).hold

    def levels(self):
        """Units on hand, held and committed of each SKU."""
        found = {}
        for sku in SKUS:
            asked = inventory.GetAvailabilityRequest(sku=sku)
            answer = self.stock.GetAvailability(asked, timeout=program.PATIENCE_S)
            answer.ClearField("as_of")
            answer.ClearField("consistency_token")
            found[sku] = str(answer)
        return found

    def totals(self):
        code, totals = self.running.ctl("totals", "--by", "site")
        assert code == 0, totals
        return without_places(totals)

    def customers(self):
        found = []
        for number in range(CUSTOMERS):
            code, customer = self.running.ctl("customer", "--external", f"binary-test:customer-{number}")
            assert code == 0, customer
            found.append(without_places(customer))
        return found


def without_places(answer):
    """The answer without tokens and positions."""
    if isinstance(answer, dict):
        return {
            key: without_places(value)
            for key, value in answer.items()
            if not any(word in key for word in ("token", "event"))
        }
    if isinstance(answer, list):
        return sorted((without_places(value) for value in answer), key=str)
    return answer


def bytes_of(log):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in log.iterdir() if path.name != "LOCK"
    }


def reshard(data, into, slots):
    command = [
        program.BIN / "hallesctl", "--output", "json", "log", "reshard",
        "--data-dir", data, "--into", into, "--slots", slots,
    ]
    return [str(word) for word in command]


def as_before(data, to):
    """Copies a data folder without the mark that it was resharded."""
    shutil.copytree(data, to, ignore=shutil.ignore_patterns("RESHARDED"))


def resharded(data, into, slots):
    done = subprocess.run(
        reshard(data, into, slots), capture_output=True, text=True, timeout=3 * program.PATIENCE_S, check=False
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


class Reshard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Creates a log that ends in the middle of carts, orders and returns."""
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-reshard-")
        cls.root = pathlib.Path(cls.folder.name)
        cls.used = cls.root / "used"
        shop = Shop(cls.used, 8)
        for sku in SKUS:
            shop.stock.ReceiveStock(
                inventory.ReceiveStockRequest(request_id=f"receive/{sku}", sku=sku, location_id=LOCATION, units=1000),
                timeout=program.PATIENCE_S,
            )
        cls.imported = {number: shop.running.import_order(importing(number)) for number in range(IMPORTS)}
        for hold_id, seconds in (("short", HOLD_SECONDS), ("long", 3600)):
            shop.stock.ReserveStock(holding(hold_id, seconds), timeout=program.PATIENCE_S)
        cls.placed = {}
        cls.asked = set()
        enough = threading.Event()

        def buyer(first):
            number = first
            while True:
                cls.asked.add(number)
                try:
                    cls.placed[number] = shop.buy(number)
                except grpc.RpcError:
                    return
                if len(cls.placed) >= ORDERS_BEFORE_THE_KILL:
                    enough.set()
                number += BUYERS

        with concurrent.futures.ThreadPoolExecutor(BUYERS) as threads:
            buyers = [threads.submit(buyer, first) for first in range(BUYERS)]
            while not enough.wait(0.1) and not any(each.done() for each in buyers):
                pass
            shop.running.process.send_signal(signal.SIGKILL)
            for each in buyers:
                each.result()
        shop.running.end()
        # The first process that opens the log of a killed one adds the missing end mark; nothing changes after that.
        code, _, errors = resharded(cls.used, cls.root / "first", 8)
        assert code == 0, errors

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.here = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        self.data = self.here / "data"
        as_before(self.used, self.data)

    def outcome(self, data, slots):
        """Starts halles, repeats every request made so far, and returns the resulting state."""
        shop = Shop(data, slots)
        try:
            for number in self.asked:
                order = shop.buy(number)
                self.assertEqual(order.state, order_events.ORDER_STATE_CONFIRMED)
                if number in self.placed:
                    self.assertEqual(order, self.placed[number])
            for number, answer in self.imported.items():
                again = shop.running.import_order(importing(number))
                self.assertEqual((again.order_id, again.net), (answer.order_id, answer.net))
            deadline = time.monotonic() + program.PATIENCE_S
            while shop.hold("short").state == stock_events.HOLD_STATE_HELD:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(shop.hold("short").state, stock_events.HOLD_STATE_EXPIRED)
            self.assertEqual(shop.hold("long").state, stock_events.HOLD_STATE_HELD)
            shop.running.settled()
            found = shop.levels(), shop.totals(), shop.customers()
            code, proof = shop.running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (0, True), proof)
            return found
        finally:
            shop.running.end()

    def test_unfinished_work_ends_as_on_the_old_log(self):
        as_it_was = self.here / "as-it-was"
        as_before(self.used, as_it_was)
        wanted = self.outcome(as_it_was, 8)
        for name, slots in TARGETS.items():
            before = bytes_of(self.data / "log")
            into = self.here / name
            code, proof, errors = resharded(self.data, into, slots)
            self.assertEqual(code, 0, errors)
            self.assertTrue(proof["equal"])
            figures = proof["figures"]
            self.assertGreaterEqual(figures["checkout events"]["new"]["count"], IMPORTS + 4 * ORDERS_BEFORE_THE_KILL)
            self.assertIn("inventory reactions to come", figures)
            self.assertEqual(bytes_of(self.data / "log"), before)
            self.assertEqual(self.outcome(into, slots), wanted)

    def test_the_old_folder_is_not_started_again_by_mistake(self):
        code, _, errors = resharded(self.data, self.here / "new", 3)
        self.assertEqual(code, 0, errors)
        self.assertEqual((self.data / "RESHARDED").read_text(), str(self.here / "new"))
        _, said = program.Program(self.data).refusal_to_start()
        self.assertEqual(said["reason"], "DATA_DIR_RESHARDED")

    def test_a_token_of_the_old_log_is_foreign(self):
        code, _, errors = resharded(self.data, self.here / "new", 3)
        self.assertEqual(code, 0, errors)
        shop = Shop(self.here / "new", 3)
        try:
            asked = cart_service.GetCartRequest(
                cart_id="cart-0", consistency_token=next(iter(self.imported.values())).consistency_token
            )
            self.assertEqual(program.refused(shop.carts.GetCart, asked).reason, "FOREIGN_TOKEN")
        finally:
            shop.running.end()

    def test_a_kill_leaves_no_folder_that_opens(self):
        into = self.here / "new"
        before = bytes_of(self.data / "log")
        kills = 0
        while kills < 3:
            step = ("fold old log", "copy", "fold new log")[kills]
            process = subprocess.Popen(reshard(self.data, into, 3), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)
            for line in process.stderr:
                if step in line:
                    break
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=program.PATIENCE_S)
            process.stderr.close()
            if into.exists():  # reshard finished before the signal arrived
                shutil.rmtree(into)
                continue
            self.assertFalse(into.exists(), step)
            unfinished = self.here / "new.unfinished"
            if unfinished.exists():
                _, said = program.Program(unfinished).refusal_to_start()
                self.assertEqual(said["reason"], "DATA_DIR_UNFINISHED")
            kills += 1
        self.assertTrue(unfinished.exists(), "the last kill came after the copy")
        self.assertEqual(bytes_of(self.data / "log"), before)
        code, proof, errors = resharded(self.data, into, 3)
        self.assertEqual((code, proof["equal"]), (0, True), errors)
        self.assertFalse(unfinished.exists())

    def test_refusals_state_the_reason(self):
        running = program.Program(self.data).serve()
        try:
            code, _, errors = resharded(self.data, self.here / "new", 3)
            self.assertEqual(code, 1)
            self.assertIn("LOG_IN_USE", errors)
        finally:
            running.end()
        (self.here / "there").mkdir()
        for data, into, reason in (
            (self.data, self.here / "there", "TARGET_EXISTS"),
            (self.here / "there", self.here / "new", "NO_LOG"),
        ):
            code, _, errors = resharded(data, into, 3)
            self.assertEqual(code, 1)
            self.assertIn(reason, errors)
        code, _, errors = resharded(self.data, self.here / "new", "till=3")
        self.assertEqual(code, 2)
        self.assertIn("checkout", errors)
        self.assertEqual(sorted(path.name for path in self.here.iterdir()), ["data", "there"])


if __name__ == "__main__":
    unittest.main()
