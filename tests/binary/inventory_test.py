#!/usr/bin/python3
"""Stock in the real halles: levels, holds that expire, late copies, watches, and a kill in between."""

import pathlib
import signal
import tempfile
import time
import unittest
import uuid

import grpc
import program
from halles.inventory.v1 import inventory_events_pb2 as events
from halles.inventory.v1 import inventory_service_pb2 as inventory
from halles.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc


def new_id():
    return str(uuid.uuid4())


class Inventory(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="halles-inventory-")
        self.data = pathlib.Path(self.folder.name) / "data"
        self.sku = f"boot-{new_id()}"
        self.start()

    def tearDown(self):
        self.running.end()
        self.folder.cleanup()

    def start(self):
        self.running = program.Program(self.data).serve()
        self.stub = inventory_grpc.InventoryServiceStub(self.running.channel)

    def call(self, method, request):
        return getattr(self.stub, method)(request, timeout=program.PATIENCE_S)

    def receive(self, location, units):
        return self.call(
            "ReceiveStock",
            inventory.ReceiveStockRequest(request_id=new_id(), sku=self.sku, location_id=location, units=units),
        )

    def reserving(self, hold, units, candidates, seconds=3600):
        request = inventory.ReserveStockRequest(
            request_id=f"do-{self.sku}-{hold}",
            sku=self.sku,
            hold_id=hold,
            lines=[inventory.ReserveLine(units=units)],
            candidate_location_ids=candidates,
            purpose=events.HOLD_PURPOSE_CART,
            owner=events.HoldOwner(ref="cart/c-1"),
        )
        request.expire_time.FromMicroseconds(int((time.time() + seconds) * 1e6))
        return request

    def level(self, location, token=""):
        answer = self.call(
            "GetAvailability",
            inventory.GetAvailabilityRequest(
                sku=self.sku,
                location_ids=[location],
                read_mode=inventory.READ_MODE_LINEARIZABLE,
                consistency_token=token,
            ),
        )
        return answer.levels[0]

    def hold(self, hold):
        return self.call("GetHold", inventory.GetHoldRequest(sku=self.sku, hold_id=hold)).hold

    def test_stock_is_held_sold_and_shipped(self):
        self.receive("A", 2)
        self.receive("B", 3)
        request = self.reserving("h", 3, ["A", "B"])
        request.owner.customer.type = program.common.IDENTIFIER_TYPE_EMAIL
        request.owner.customer.value = "ann@example.com"
        held = self.call("ReserveStock", request)
        self.assertEqual([(a.location_id, a.units) for a in held.hold.allocations], [("B", 3)])
        self.assertEqual(held.hold.owner.customer.value, "")
        self.assertEqual(self.call("ReserveStock", request), held)
        self.assertEqual(self.level("B").available_units, 0)

        name = {"sku": self.sku, "hold_id": "h"}
        self.call("CommitHold", inventory.CommitHoldRequest(request_id=new_id(), order_id="o-1", **name))
        self.assertEqual(self.level("B").committed_units, 3)
        shipped = self.call("ShipStock", inventory.ShipStockRequest(request_id=new_id(), **name))
        self.assertEqual(shipped.hold.state, events.HOLD_STATE_SHIPPED)

        asked = inventory.ExplainStockRequest(
            sku=self.sku, location_id="B", consistency_token=shipped.consistency_token
        )
        explained = self.call("ExplainStock", asked)
        kinds = [movement.kind for movement in explained.movements]
        self.assertEqual(kinds, ["stock_received", "stock_held", "hold_committed", "stock_shipped"])
        self.assertEqual(sum(movement.on_hand_delta for movement in explained.movements), 0)
        self.assertEqual(explained.level.on_hand_units, 0)

    def test_refusals_say_what_is_available(self):
        self.receive("A", 2)
        refusal = program.refused(self.stub.ReserveStock, self.reserving("h", 3, ["A"]))
        self.assertEqual(refusal.code, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(refusal.reason, "INSUFFICIENT_STOCK")
        self.assertEqual(refusal.metadata["line_0_available_units"], "2")
        refusal = program.refused(self.stub.GetHold, inventory.GetHoldRequest(sku=self.sku, hold_id="h"))
        self.assertEqual((refusal.code, refusal.reason), (grpc.StatusCode.NOT_FOUND, "HOLD_UNKNOWN"))
        refusal = program.refused(self.stub.ReserveStock, self.reserving("h", 0, ["A"]))
        self.assertEqual(refusal.fields, ["lines[0].units"])

    def test_a_hold_expires_after_a_kill(self):
        self.receive("A", 5)
        self.call("ReserveStock", self.reserving("short", 2, ["A"], seconds=2))
        self.call("ReserveStock", self.reserving("long", 1, ["A"]))
        self.running.end(signal.SIGKILL)
        self.start()
        self.assertEqual(self.level("A").on_hand_units, 5)
        deadline = time.monotonic() + program.PATIENCE_S
        while self.hold("short").state != events.HOLD_STATE_EXPIRED:
            self.assertLess(time.monotonic(), deadline, "the hold never ended")
        self.assertEqual(self.level("A").held_units, 1)

    def test_a_late_copy_of_a_cancelled_request_does_nothing(self):
        self.receive("A", 5)
        request = self.reserving("h", 2, ["A"])
        cancel = inventory.CancelReservationRequest(
            request_id=new_id(), sku=self.sku, hold_id="h", cancelled_request_id=request.request_id
        )
        self.assertFalse(self.call("CancelReservation", cancel).released)
        self.running.end(signal.SIGKILL)
        self.start()
        self.assertEqual(program.refused(self.stub.ReserveStock, request).reason, "RESERVATION_CANCELLED")
        self.assertEqual(self.level("A").held_units, 0)

    def test_a_watch_shows_every_change_and_resumes_from_a_token(self):
        self.receive("A", 5)
        watching = self.stub.WatchAvailability(
            inventory.WatchAvailabilityRequest(skus=[self.sku]), timeout=program.PATIENCE_S
        )
        first = next(watching)
        while not first.availabilities[0].levels:
            first = next(watching)
        self.assertEqual(first.availabilities[0].available_units, 5)
        token = self.call("ReserveStock", self.reserving("h", 2, ["A"])).consistency_token
        self.assertEqual(next(watching).availabilities[0].available_units, 3)
        watching.cancel()
        resumed = self.stub.WatchAvailability(
            inventory.WatchAvailabilityRequest(skus=[self.sku], resume_token=first.resume_token),
            timeout=program.PATIENCE_S,
        )
        answer = next(resumed).availabilities[0]
        self.assertEqual(answer.levels[0].held_units, 2)
        self.assertTrue(answer.as_of.startswith("inventory/"), answer.as_of)
        resumed.cancel()
        entries = self.call(
            "ListStock", inventory.ListStockRequest(location_id="A", sku_prefix="boot-", consistency_token=token)
        ).entries
        self.assertEqual([entry.level.available_units for entry in entries], [3])

    def test_state_and_view_match_the_log(self):
        self.receive("A", 5)
        self.call("ReserveStock", self.reserving("h", 2, ["A"]))
        before = self.running.digests()
        code, proof = self.running.ctl("verify")
        self.assertEqual(code, 0, proof)
        self.running.end()
        self.start()
        self.assertEqual(self.running.digests(), before)


if __name__ == "__main__":
    unittest.main()
