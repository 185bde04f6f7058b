#!/usr/bin/python3
"""One customer in the real halles: past and present in one view, which is watched and rebuilt from the log."""

import pathlib
import shutil
import signal
import tempfile
import time
import unittest

import program
from halles.checkout.v1 import cart_service_pb2 as cart_service
from halles.checkout.v1 import cart_service_pb2_grpc as cart_grpc
from halles.checkout.v1 import order_events_pb2 as order_events
from halles.checkout.v1 import order_service_pb2 as order_service
from halles.checkout.v1 import order_service_pb2_grpc as order_grpc
from halles.checkout.v1 import placement_pb2 as placement
from halles.checkout.v1 import record_pb2 as record
from halles.inventory.v1 import inventory_events_pb2 as stock_events
from halles.inventory.v1 import inventory_service_pb2 as inventory
from halles.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc

PHONE = program.common.Identifier(type=program.common.IDENTIFIER_TYPE_PHONE, value="+33612345678")
NUMBER = program.named("ann").identifier
WEB = placement.Origin(channel=program.common.CHANNEL_WEB, site_id="web")
THIRD_SHOP = placement.Origin(channel=program.common.CHANNEL_SHOP, site_id="shop-3", device_id="till-1")
PATIENCE = {"timeout": program.PATIENCE_S}


class Customer(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="halles-customer-")
        self.data = pathlib.Path(self.folder.name) / "data"
        self.start()
        self.requests = 0

    def tearDown(self):
        self.running.end()
        self.folder.cleanup()

    def start(self):
        self.running = program.Program(self.data).serve()
        self.carts = cart_grpc.CartServiceStub(self.running.channel)
        self.orders = order_grpc.OrderServiceStub(self.running.channel)
        self.stock = inventory_grpc.InventoryServiceStub(self.running.channel)

    def send(self, method, request):
        """Calls with a request id of its own."""
        self.requests += 1
        request.request_id = f"customer-test/{self.requests}"
        return method(request, **PATIENCE)

    def view(self, token="", who=PHONE):
        request = program.identity.GetCustomerViewRequest(consistency_token=token, include_events=True)
        request.customer.identifier.CopyFrom(who)
        return self.running.identity.GetCustomerView(request, **PATIENCE).view

    def timeline(self, token=""):
        request = program.identity.ListTimelineRequest(consistency_token=token)
        request.customer.identifier.CopyFrom(PHONE)
        entries = self.running.identity.ListTimeline(request, **PATIENCE).entries
        return [program.identity.TimelineKind.Name(entry.kind)[len("TIMELINE_KIND_"):] for entry in entries]

    def fill_cart(self):
        """Ann, so far known by her customer number, puts two boots into a cart and gives her phone number."""
        self.send(self.stock.ReceiveStock, inventory.ReceiveStockRequest(sku="boot", location_id="shop-2", units=9))
        request = cart_service.AddCartLinesRequest(
            cart_id="ann-1", origin=WEB, currency_code="EUR", identifiers=[NUMBER, PHONE]
        )
        request.lines.add(line_id="l1", sku="boot", units=2, unit_price=program.decimal(1990, 2))
        return self.send(self.carts.AddCartLines, request)

    def place(self):
        delivery = placement.Delivery(pickup=placement.Pickup(location_id="shop-2"))
        self.send(self.carts.SetCartDelivery, cart_service.SetCartDeliveryRequest(cart_id="ann-1", delivery=delivery))
        return self.send(self.orders.PlaceOrder, order_service.PlaceOrderRequest(cart_id="ann-1"))

    def test_past_and_present_are_in_one_view(self):
        imported = self.running.import_order(program.order(1, lines=2, customer="ann"))
        added = self.fill_cart()
        # A read with the token waits until the phone is linked to the customer number of the import.
        view = self.view(added.consistency_token)
        self.assertEqual((view.orders, view.net[0].money.minor_units), (1, 2 * 3980))
        found = [(cart.cart_id, cart.version, cart.total.minor_units) for cart in view.carts]
        self.assertEqual(found, [("ann-1", 1, 3980)])

        held = inventory.ReserveStockRequest(sku="boot", hold_id="h1", candidate_location_ids=["shop-2"],
                                             purpose=stock_events.HOLD_PURPOSE_DATED_PICKUP)
        held.lines.add(units=1)
        held.owner.ref = "pickup/1"
        held.owner.customer.CopyFrom(PHONE)
        held.expire_time.FromSeconds(int(time.time()) + 86400)
        view = self.view(self.send(self.stock.ReserveStock, held).consistency_token)
        self.assertEqual([(hold.sku, hold.units, hold.allocations[0].location_id) for hold in view.holds],
                         [("boot", 1, "shop-2")])

        placed = self.place()
        view = self.view(placed.consistency_token)
        self.assertEqual((view.orders, view.net[0].money.minor_units), (2, 3 * 3980))
        self.assertFalse(view.carts)
        self.assertEqual(view.placed_orders[0].number, placed.order.number)
        for method, request in (
            (self.orders.PrepareFulfilment, order_service.PrepareFulfilmentRequest),
            (self.orders.ReadyFulfilment, order_service.ReadyFulfilmentRequest),
            (self.orders.CollectFulfilment, order_service.CollectFulfilmentRequest),
        ):
            moved = self.send(method, request(order_id="ann-1", fulfilment_id="f1"))
        view = self.view(moved.consistency_token)
        self.assertEqual(view.placed_orders[0].state, order_events.ORDER_STATE_COMPLETED)
        self.assertEqual(view.placed_orders[0].fulfilments[0].location_id, "shop-2")

        # A line of the imported sale is returned in a shop that did not sell it.
        back = order_service.ReturnLinesRequest(order_id=imported.order_id, return_id="r1", origin=THIRD_SHOP,
                                                location_id="shop-3")
        back.lines.add(line_id="1", sku="SKU-0", units=1, disposition=record.DISPOSITION_RESTOCK)
        returned = self.send(self.orders.ReturnLines, back)
        view = self.view(returned.consistency_token)
        self.assertEqual((view.returns, returned.net.minor_units), (1, -1990))
        self.assertEqual(view.net[0].money.minor_units, 3 * 3980 - 1990)
        self.assertIn("shop-3", view.sites)

        # A repeat gets the same answer, the order shows the return, and no more units than bought can be returned.
        self.assertEqual(self.orders.ReturnLines(back, **PATIENCE).net, returned.net)
        name = record.ExternalRef(source="binary-test", external_id="order-1")
        shown = self.orders.GetOrder(order_service.GetOrderRequest(external=name), **PATIENCE).imported
        self.assertEqual([(taken.here.return_id, taken.here.location_id) for taken in shown.returns], [("r1", "shop-3")])
        more = order_service.ReturnLinesRequest()
        more.CopyFrom(back)
        more.request_id, more.return_id, more.lines[0].units = "customer-test/more", "r2", 2
        refusal = program.refused(self.orders.ReturnLines, more)
        self.assertEqual((refusal.reason, refusal.metadata["return_ids"]), ("RETURN_EXCEEDS_BOUGHT", "r1"))
        self.assertEqual(self.timeline(returned.consistency_token), [
            "RETURN", "FULFILMENT_COLLECTED", "FULFILMENT_READY", "FULFILMENT_PREPARED", "ORDER", "HOLD_PLACED",
            "CART_OPENED", "ORDER"])
        code, explained = self.running.ctl("explain", "customer", "--phone", PHONE.value)
        self.assertEqual((code, explained["agrees"]), (0, True))

        # The log has every event of it.
        self.running.settled()
        before = self.view()
        self.running.end(signal.SIGKILL)
        shutil.rmtree(self.data / "state")
        self.start()
        self.running.settled()
        self.assertEqual(self.view(), before)
        code, proof = self.running.ctl("verify")
        self.assertEqual((code, proof["equal"]), (0, True))

    def test_a_watch_shows_changes_as_they_happen(self):
        self.running.import_order(program.order(1, customer="ann"))
        token = self.fill_cart().consistency_token
        self.view(token)
        request = program.identity.WatchCustomerRequest()
        request.customer.identifier.CopyFrom(PHONE)
        stream = self.running.identity.WatchCustomer(request, **PATIENCE)
        self.assertEqual(next(stream).snapshot.carts[0].cart_id, "ann-1")
        self.place()
        kinds, view = [], None
        while program.identity.TIMELINE_KIND_ORDER not in kinds:
            change = next(stream).change
            kinds += [entry.kind for entry in change.entries]
            view = change.view
        self.assertEqual(view.placed_orders[0].order_id, "ann-1")
        self.assertFalse(view.carts)
        # Another line in another cart is no entry of the timeline, but the watch reports it.
        again = cart_service.AddCartLinesRequest(cart_id="ann-2", origin=WEB, currency_code="EUR", identifiers=[PHONE])
        again.lines.add(line_id="l1", sku="boot", units=1, unit_price=program.decimal(1990, 2))
        self.send(self.carts.AddCartLines, again)
        again.lines[0].line_id = "l2"
        self.send(self.carts.AddCartLines, again)
        while not (view.carts and view.carts[0].lines == 2):
            view = next(stream).change.view
        stream.cancel()


if __name__ == "__main__":
    unittest.main()
