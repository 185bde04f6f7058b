#!/usr/bin/python3
"""Runs the real halles on a full disk and on an unwritable one: a small file system in its own mount namespace."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import grpc
import program
from program import checkout, order, orders, refused

DISK = "24m"
INSIDE = "HALLES_DISK_TEST_INSIDE"


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


class Disk(unittest.TestCase):
    def setUp(self):
        self.disk = pathlib.Path(tempfile.mkdtemp(prefix="halles-disk-"))
        mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.disk)
        self.data = self.disk / "data"
        self.filler = self.disk / "filler"

    def tearDown(self):
        subprocess.run(["umount", self.disk], check=True)
        self.disk.rmdir()

    def fill(self):
        """Fills the disk."""
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    pass

    def big(self, number):
        """An order of about 100 KB."""
        request = order(number, lines=900, customer=1)
        for line in request.order.lines:
            line.description = "d" * 100
        return request

    def test_a_full_disk_refuses_commands_and_loses_nothing(self):
        with program.serving(self.data) as running:
            acknowledged = {0: running.import_order(order(0, customer=1)).order_id}
            self.fill()
            refusal = None
            number = 0
            while refusal is None and number < 400:
                number += 1
                try:
                    acknowledged[number] = running.import_order(self.big(number)).order_id
                except grpc.RpcError as error:
                    refusal = program.Refusal(error)
                    # The log keeps the space that it has already allocated for a new segment.
                    self.fill()
            self.assertIsNotNone(refusal, "the disk never became full")
            self.assertEqual(refusal.code, grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
            self.assertIn(refusal.reason, ("LOG_DISK_FULL", "STATE_STORE_BEHIND"), refusal)
            self.assertTrue(refusal.words)
            refused_number = number

            # Queries are still answered, and so are refusals.
            for known in (0, max(acknowledged)):
                request = orders.GetOrderRequest(order_id=acknowledged[known])
                found = running.orders.GetOrder(request, timeout=program.PATIENCE_S)
                self.assertEqual(found.imported.order_id, acknowledged[known])
            view = running.identity.GetCustomerView(
                program.identity.GetCustomerViewRequest(customer=program.named(1)), timeout=program.PATIENCE_S
            ).view
            self.assertGreaterEqual(view.orders, 1)
            again = refused(running.checkout.ImportOrder, self.big(refused_number))
            self.assertEqual(again.code, grpc.StatusCode.RESOURCE_EXHAUSTED, again)

            # It continues by itself once there is space.
            self.filler.unlink()
            deadline = time.monotonic() + program.PATIENCE_S
            while refused_number not in acknowledged:
                self.assertLess(time.monotonic(), deadline, "commands are refused although there is space")
                try:
                    acknowledged[refused_number] = running.import_order(self.big(refused_number)).order_id
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
            self.expect_all(running, acknowledged)
            digests = running.digests()
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (0, True), proof)
        with program.serving(self.data) as running:
            self.expect_all(running, acknowledged)
            self.assertEqual(running.digests(), digests)
        print(f"{len(acknowledged)} orders acknowledged around a full disk: {refusal}")

    def health_becomes(self, running, service, wanted):
        """Waits until the health service reports this status for a service."""
        watch = running.channel.unary_stream("/grpc.health.v1.Health/Watch")
        updates = watch(bytes([0x0A, len(service)]) + service.encode(), timeout=program.PATIENCE_S)
        self.assertIn(wanted, updates)
        updates.cancel()

    def metrics_of(self, running):
        with urllib.request.urlopen(f"http://{running.metrics}/metrics", timeout=program.PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    def test_a_full_disk_is_reported(self):
        serving, not_serving = b"\x08\x01", b"\x08\x02"
        with program.serving(self.data) as running:
            running.import_order(order(0, customer=1))
            running.settled()
            self.health_becomes(running, "halles.checkout.v1.CheckoutService", serving)
            refusal = None
            for number in range(1, 400):
                self.fill()
                try:
                    running.import_order(self.big(number))
                except grpc.RpcError as error:
                    refusal = program.Refusal(error)
                    if refusal.reason == "LOG_DISK_FULL":
                        break
            self.assertEqual(refusal.reason, "LOG_DISK_FULL", refusal)
            line = running.await_line(lambda line: line["msg"].startswith("the log refuses records"))
            self.assertEqual((line["level"], line["reason"]), ("error", "LOG_DISK_FULL"), line)
            for service in ("", "halles.checkout.v1.CheckoutService", "halles.inventory.v1.InventoryService"):
                self.health_becomes(running, service, not_serving)
            self.health_becomes(running, "halles.admin.v1.AdminService", serving)
            code, status = running.ctl("status")
            self.assertEqual(code, 1, status)
            self.assertIn("space", status["log_error"])
            metrics = self.metrics_of(running)
            self.assertEqual(float(metrics["halles_log_healthy"]), 0)
            self.assertEqual(float(metrics["halles_lost_records_total"]), 0, "a refused record was never written")
            self.assertGreater(float(metrics["halles_shed_total"]), 0)
            self.filler.unlink()
            deadline = time.monotonic() + program.PATIENCE_S
            accepted = False
            while not accepted:
                self.assertLess(time.monotonic(), deadline, "commands are refused although there is space")
                try:
                    running.import_order(order("after"))
                    accepted = True
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
            self.health_becomes(running, "halles.checkout.v1.CheckoutService", serving)
            self.assertIsNotNone(running.await_line(lambda line: line["msg"] == "the log accepts records again"))
            code, status = running.ctl("status")
            self.assertEqual((code, status["log_error"]), (0, ""))
        print(f"reported a full disk: {line['why']}")

    def expect_all(self, running, acknowledged):
        running.settled()
        for order_id in acknowledged.values():
            request = orders.GetOrderRequest(order_id=order_id)
            running.orders.GetOrder(request, timeout=program.PATIENCE_S)
        totals = running.checkout.GetTotals(checkout.GetTotalsRequest(), timeout=program.PATIENCE_S).rows[0].totals
        self.assertEqual(totals.orders, len(acknowledged))
        view = running.identity.GetCustomerView(
            program.identity.GetCustomerViewRequest(customer=program.named(1)), timeout=program.PATIENCE_S
        ).view
        self.assertEqual(view.orders, len(acknowledged))

    def test_a_disk_too_small_for_the_first_segment(self):
        self.fill()
        code, line = program.Program(self.data).refusal_to_start()
        self.assertEqual(code, 1, line)
        self.assertEqual(line["reason"], "LOG_DISK_FULL", line)
        self.filler.unlink()
        with program.serving(self.data) as running:
            running.import_order(order(1))

    def test_a_start_on_a_full_disk(self):
        with program.serving(self.data) as running:
            running.import_order(order(1))
            digests = running.digests()
        self.fill()
        code, line = program.Program(self.data).refusal_to_start()
        self.assertEqual((code, line["reason"]), (1, "STATE_DIR_UNUSABLE"), line)
        self.assertIn("space", line["why"])
        self.filler.unlink()
        with program.serving(self.data) as running:
            self.assertEqual(running.digests(), digests)

    def test_a_directory_that_cannot_be_written(self):
        mount("-o", "remount,ro", self.disk)
        code, line = program.Program(self.data).refusal_to_start()
        self.assertEqual((code, line["reason"]), (1, "DATA_DIR_UNUSABLE"), line)
        self.assertIn(str(self.data), line["why"])
        mount("-o", "remount,rw", self.disk)
        with program.serving(self.data) as running:
            running.import_order(order(1))
            digests = running.digests()
        mount("-o", "remount,ro", self.disk)
        code, line = program.Program(self.data).refusal_to_start()
        self.assertEqual((code, line["reason"]), (1, "LOG_NOT_WRITABLE"), line)
        self.assertIn(str(self.data), line["why"])
        mount("-o", "remount,rw", self.disk)
        with program.serving(self.data) as running:
            self.assertEqual(running.digests(), digests)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        own = ["unshare", "--mount"] + (["--map-root-user"] if os.geteuid() != 0 else [])
        os.execvpe(own[0], [*own, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    unittest.main()
