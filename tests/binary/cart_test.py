#!/usr/bin/python3
"""Carts in the real halles: concurrent devices and logins, merges and their undo, and a kill."""

import concurrent.futures
import pathlib
import signal
import tempfile
import time
import unittest
import uuid

import grpc
import program
from halles.checkout.v1 import cart_events_pb2 as carts
from halles.checkout.v1 import cart_service_pb2 as cart_service
from halles.checkout.v1 import cart_service_pb2_grpc as cart_grpc
from halles.checkout.v1 import order_events_pb2 as order_events
from halles.checkout.v1 import placement_pb2 as placement
from halles.checkout.v1 import order_service_pb2 as order_service
from halles.checkout.v1 import order_service_pb2_grpc as order_grpc
from halles.inventory.v1 import inventory_events_pb2 as stock_events
from halles.inventory.v1 import inventory_service_pb2 as inventory
from halles.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc

DEVICES = 8
LINES_EACH = 8


def new_id():
    return str(uuid.uuid4())


class Carts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="halles-carts-")
        self.data = pathlib.Path(self.folder.name) / "data"
        self.start()
        self.guest, self.account = f"g-{new_id()}", f"a-{new_id()}"

    def tearDown(self):
        self.running.end()
        self.folder.cleanup()

    def start(self):
        self.running = program.Program(self.data).serve()
        self.stub = cart_grpc.CartServiceStub(self.running.channel)
        self.orders = order_grpc.OrderServiceStub(self.running.channel)
        self.stock = inventory_grpc.InventoryServiceStub(self.running.channel)

    def call(self, method, request):
        return getattr(self.stub, method)(request, timeout=program.PATIENCE_S)

    def adding(self, cart_id, *line_ids, units=1):
        request = cart_service.AddCartLinesRequest(
            request_id=new_id(),
            cart_id=cart_id,
            origin=placement.Origin(channel=program.common.CHANNEL_WEB, site_id="web"),
            currency_code="EUR",
        )
        for line_id in line_ids:
            request.lines.add(line_id=line_id, sku="boot", units=units).unit_price.unscaled = 5
        return request

    def add(self, cart_id, *line_ids, units=1):
        return self.call("AddCartLines", self.adding(cart_id, *line_ids, units=units))

    def cart(self, cart_id, token=""):
        request = cart_service.GetCartRequest(cart_id=cart_id, consistency_token=token)
        return self.call("GetCart", request).cart

    def lines(self, cart_id, token=""):
        return {line.line_id: line.units for line in self.cart(cart_id, token).lines}

    def merging(self, cart_id, into):
        return cart_service.MergeCartsRequest(request_id=new_id(), cart_id=cart_id, into_cart_id=into)

    def test_a_cart_gets_lines_a_customer_and_a_delivery(self):
        request = self.adding(self.guest, "1", "2", units=3)
        request.identifiers.add(type=program.common.IDENTIFIER_TYPE_EMAIL, value="ann@example.com")
        added = self.call("AddCartLines", request)
        self.assertEqual((added.version, added.total.minor_units), (1, 3000))
        self.assertEqual(self.call("AddCartLines", request), added)
        changed = self.call(
            "ChangeCartLine",
            cart_service.ChangeCartLineRequest(
                request_id=new_id(), cart_id=self.guest, expected_version=1, origin=request.origin, line_id="1", units=1
            ),
        )
        self.assertEqual((changed.version, changed.total.minor_units), (2, 2000))
        sent = placement.Shipment(address_token="t-1", source_location_ids=["lyon"])
        answer = self.call(
            "SetCartDelivery",
            cart_service.SetCartDeliveryRequest(
                request_id=new_id(), cart_id=self.guest, delivery=placement.Delivery(shipment=sent)
            ),
        )
        found = self.cart(self.guest, answer.consistency_token)
        self.assertEqual(found.version, 3)
        self.assertEqual(found.delivery.shipment.address_token, "t-1")
        self.assertEqual(found.identifiers[0].value, "")
        self.assertTrue(found.identifiers[0].keyed_hash)
        self.assertGreater(found.abandon_time.seconds, 0)

        refusal = program.refused(self.stub.GetCart, cart_service.GetCartRequest(cart_id="nobody"))
        self.assertEqual((refusal.code, refusal.reason), (grpc.StatusCode.NOT_FOUND, "CART_UNKNOWN"))
        stale = self.adding(self.guest, "3")
        stale.expected_version = 1
        refusal = program.refused(self.stub.AddCartLines, stale)
        self.assertEqual((refusal.reason, refusal.metadata["version"]), ("VERSION_CHANGED", "3"))
        wrong = self.adding(self.guest, "")
        self.assertEqual(program.refused(self.stub.AddCartLines, wrong).fields, ["lines[0].line_id"])

    def test_a_merge_is_undone(self):
        self.add(self.account, "1", units=2)
        self.add(self.guest, "1", units=3)
        request = self.merging(self.guest, self.account)
        merged = self.call("MergeCarts", request)
        self.assertEqual(sorted(line.units for line in merged.cart.lines), [2, 3])
        self.assertEqual(self.cart(self.guest, merged.consistency_token).into_cart_id, self.account)
        self.assertEqual(self.call("MergeCarts", request).cart, merged.cart)
        # The same login, reported by another device.
        self.assertEqual(self.call("MergeCarts", self.merging(self.guest, self.account)).cart, merged.cart)
        undone = self.call(
            "UndoMergeCarts",
            cart_service.UndoMergeCartsRequest(
                request_id=new_id(), cart_id=self.account, from_cart_id=self.guest
            ),
        )
        self.assertEqual(undone.lines, 1)
        self.assertEqual(self.lines(self.guest, undone.consistency_token), {"1": 3})
        self.assertEqual(self.lines(self.account, undone.consistency_token), {"1": 2})
        # A late copy gets the answer of its own merge, whatever has happened to the carts since.
        self.assertEqual(self.call("MergeCarts", request).cart, merged.cart)

    def test_a_hold_of_a_guest_becomes_a_sale_of_her_account(self):
        """A guest holds an item on her phone, signs in on another device and orders there: the hold survives."""
        sku = f"boot-{new_id()}"
        self.stock.ReceiveStock(
            inventory.ReceiveStockRequest(request_id=new_id(), sku=sku, location_id="lyon", units=2),
            timeout=program.PATIENCE_S,
        )
        holding = inventory.ReserveStockRequest(
            request_id=new_id(),
            sku=sku,
            hold_id=new_id(),
            lines=[inventory.ReserveLine(units=2)],
            candidate_location_ids=["lyon"],
            purpose=stock_events.HOLD_PURPOSE_CART,
            owner=stock_events.HoldOwner(ref=f"cart/{self.guest}"),
        )
        holding.expire_time.FromSeconds(int(time.time()) + 3600)
        self.stock.ReserveStock(holding, timeout=program.PATIENCE_S)
        adding = self.adding(self.guest, "1", units=2)
        adding.lines[0].sku = sku
        adding.lines[0].hold_id = holding.hold_id
        self.call("AddCartLines", adding)
        self.call("MergeCarts", self.merging(self.guest, self.account))
        delivery = placement.Delivery(pickup=placement.Pickup(location_id="lyon"))
        self.call(
            "SetCartDelivery",
            cart_service.SetCartDeliveryRequest(request_id=new_id(), cart_id=self.account, delivery=delivery),
        )
        placing = order_service.PlaceOrderRequest(request_id=new_id(), cart_id=self.account)
        placed = self.orders.PlaceOrder(placing, timeout=program.PATIENCE_S)
        self.assertEqual(placed.order.state, order_events.ORDER_STATE_CONFIRMED)
        preparing = order_service.PrepareFulfilmentRequest(
            request_id=new_id(), order_id=self.account, fulfilment_id="f1"
        )
        self.orders.PrepareFulfilment(preparing, timeout=program.PATIENCE_S)
        self.assertEqual(self.orders.PlaceOrder(placing, timeout=program.PATIENCE_S).order, placed.order)
        asked = inventory.GetHoldRequest(sku=sku, hold_id=holding.hold_id)
        self.assertEqual(
            self.stock.GetHold(asked, timeout=program.PATIENCE_S).hold.state, stock_events.HOLD_STATE_RELEASED
        )

    def test_a_cart_in_another_currency_declines_a_merge(self):
        self.add(self.guest, "1")
        other = self.adding(self.account, "1")
        other.currency_code = "GBP"
        self.call("AddCartLines", other)
        refusal = program.refused(self.stub.MergeCarts, self.merging(self.guest, self.account))
        self.assertEqual((refusal.code, refusal.reason), (grpc.StatusCode.FAILED_PRECONDITION, "MERGE_DECLINED"))
        self.assertEqual(self.cart(self.guest).state, carts.CART_STATE_OPEN)
        self.assertEqual(self.lines(self.guest), {"1": 1})

    def units_in(self, *cart_ids):
        return sum(sum(self.lines(cart_id).values()) for cart_id in cart_ids)

    def test_concurrent_logins_lose_nothing(self):
        """Many devices add to two carts while logins merge them: no line is lost."""
        self.add(self.account, "first")
        self.add(self.guest, "first")
        accepted = [2]

        def device(number):
            taken = 0
            for line in range(LINES_EACH):
                cart_id = (self.guest, self.account)[(number + line) % 2]
                try:
                    self.add(cart_id, f"d{number}-{line}")
                    taken += 1
                except grpc.RpcError as error:
                    self.assertEqual(program.Refusal(error).reason, "CART_NOT_OPEN")
            return taken

        def login(number):
            pair = (self.guest, self.account) if number % 2 else (self.account, self.guest)
            try:
                self.call("MergeCarts", self.merging(*pair))
            except grpc.RpcError as error:
                self.assertIn(program.Refusal(error).reason, ("CART_NOT_OPEN", "MERGE_DECLINED"))
            return 0

        with concurrent.futures.ThreadPoolExecutor(2 * DEVICES) as threads:
            devices = [threads.submit(device, number) for number in range(DEVICES)]
            logins = [threads.submit(login, number) for number in range(DEVICES)]
            accepted += [done.result() for done in devices + logins]
        self.assertEqual(self.units_in(self.guest, self.account), sum(accepted))

    def test_a_merge_continues_after_a_kill(self):
        for number in range(4):
            self.add(f"{self.guest}-{number}", "1", "2")
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            requests = [self.merging(f"{self.guest}-{number}", self.account) for number in range(4)]
            calls = [threads.submit(self.stub.MergeCarts, request, timeout=program.PATIENCE_S) for request in requests]
            concurrent.futures.wait(calls, return_when=concurrent.futures.FIRST_COMPLETED)
            self.running.end(signal.SIGKILL)
        self.start()
        for request in requests:
            self.call("MergeCarts", request)
        # A repeat gets the answer of its first time, when fewer carts were taken. The cart itself has them all.
        account = self.cart(self.account)
        self.assertEqual(account.total.minor_units, 8 * 500)
        self.assertEqual(len(account.taken_cart_ids), 4)
        self.assertEqual(self.units_in(*(request.cart_id for request in requests)), 0)


if __name__ == "__main__":
    unittest.main()
