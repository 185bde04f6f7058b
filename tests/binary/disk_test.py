#!/usr/bin/python3
"""Runs the real halles on a full disk and on an unwritable one: a small file system in its own mount namespace."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import grpc
import program
from program import admin, checkout, order, orders, refused

DISK = "24m"
INSIDE = "HALLES_DISK_TEST_INSIDE"


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


class Disk(unittest.TestCase):
    def setUp(self):
        self.disk = pathlib.Path(tempfile.mkdtemp(prefix="halles-disk-"))
        mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.disk)
        self.addCleanup(self.unmount)  # after the processes that a test leaves have ended
        self.data = self.disk / "data"
        self.filler = self.disk / "filler"

    def unmount(self):
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
            metrics = running.read_metrics()
            self.assertEqual(metrics["halles_log_healthy"], 0)
            self.assertEqual(metrics["halles_lost_records_total"], 0, "a refused record was never written")
            self.assertGreater(metrics["halles_shed_total"], 0)
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

    def begin(self, *args, **options):
        """A process that does not outlive the test."""
        begun = program.Program(*args, **options)
        self.addCleanup(begun.kill)
        return begun

    def expect_known(self, running, order_id, orders_of_customer):
        """State and views are served."""
        found = running.orders.GetOrder(orders.GetOrderRequest(order_id=order_id), timeout=program.PATIENCE_S)
        self.assertEqual(found.imported.order_id, order_id)
        view = running.identity.GetCustomerView(
            program.identity.GetCustomerViewRequest(customer=program.named(1)), timeout=program.PATIENCE_S
        ).view
        self.assertEqual(view.orders, orders_of_customer)
        totals = running.checkout.GetTotals(checkout.GetTotalsRequest(), timeout=program.PATIENCE_S).rows[0].totals
        self.assertEqual(totals.orders, orders_of_customer)

    def expect_quick_end(self, running):
        began = time.monotonic()
        self.assertEqual(running.end(), 0)
        self.assertLess(time.monotonic() - began, 10, "the end waited for space")

    def test_a_start_on_a_full_disk(self):
        """State and views are served, as often as it is started; when there is space, the rows are written again."""
        with program.serving(self.data) as running:
            known = running.import_order(order(1, customer=1)).order_id
            digests = running.digests()
        self.fill()
        for _ in range(2):
            running = self.begin(self.data).serve()
            running.settled()
            self.expect_known(running, known, 1)
            code, status = running.ctl("status")
            self.assertEqual(code, 1, status)
            self.assertIn("free space", status["state_error"])
            self.assertEqual(running.read_metrics()["halles_store_healthy"], 0)
            self.assertIsNotNone(running.await_line(lambda line: line.get("reason") == "STATE_DISK_FULL"))
            # A proof needs space. Without it, nothing of what serves suffers.
            refusal = refused(lambda *args, **named: list(running.admin.Verify(*args, **named)), admin.VerifyRequest())
            self.assertEqual(refusal.reason, "STATE_DISK_FULL", refusal)
            self.expect_quick_end(running)
        running = self.begin(self.data).serve()
        running.settled()
        self.filler.unlink()
        self.assertIsNotNone(running.await_line(lambda line: line["msg"].startswith("there is space again")))
        self.await_state_written(running)
        self.expect_known(running, known, 1)
        running.import_order(order(2))
        self.assertNotEqual(running.digests(), digests)
        code, proof = running.ctl("verify")
        self.assertEqual((code, proof["equal"]), (0, True), proof)
        self.assertEqual(running.end(), 0)
        with program.serving(self.data) as running:
            self.assertEqual(len([line for line in running.lines if "STATE_DISK_FULL" in line]), 0)
            running.settled()
        print(f"on a full disk: {status['state_error']}")

    def await_state_written(self, running):
        deadline = time.monotonic() + program.PATIENCE_S
        while True:
            self.assertLess(time.monotonic(), deadline, "the rows are not written although there is space")
            code, status = running.ctl("status")
            if code == 0 and status["caught_up"] and len(status["slots"]) == 3 * program.SLOTS:
                return

    def test_a_start_whose_claims_find_the_disk_full(self):
        with program.serving(self.data) as running:
            known = running.import_order(order("known", customer=1)).order_id
            running.settled()
            refusal = None
            for number in range(400):
                self.fill()
                try:
                    running.import_order(self.big(number))
                except grpc.RpcError as error:
                    refusal = program.Refusal(error)
                    if refusal.reason == "LOG_DISK_FULL":
                        break
            self.assertEqual(refusal.reason, "LOG_DISK_FULL", refusal)
            imported = number + 1
        # The rest of the segment, up to less than one order needs.
        with program.serving(self.data) as running:
            running.settled()
            for number in range(100_000):
                self.fill()
                try:
                    running.import_order(order(f"small-{number}", customer=1))
                    imported += 1
                except grpc.RpcError as error:
                    refusal = program.Refusal(error)
                    break
            self.assertEqual(refusal.reason, "LOG_DISK_FULL", refusal)
            running.process.kill()
            running.wait()
        for _ in range(2):
            running = self.begin(self.data).serve()
            running.settled()
            self.expect_known(running, known, imported)
            line = running.await_line(lambda line: line["msg"].startswith("the log refuses the claims of slots"))
            self.assertEqual(line["reason"], "LOG_DISK_FULL", line)
            refusal = None
            for number in range(program.SLOTS * 8):
                refusal = refused(running.checkout.ImportOrder, order(f"late-{number}", customer=1))
                self.assertEqual(refusal.reason, "LOG_DISK_FULL", refusal)
            told = running.await_line(lambda line: line["msg"].startswith("the log refuses records"))
            self.assertEqual(told["reason"], "LOG_DISK_FULL", told)
            self.health_becomes(running, "halles.checkout.v1.CheckoutService", b"\x08\x02")
            self.health_becomes(running, "halles.admin.v1.AdminService", b"\x08\x01")
            code, status = running.ctl("status")
            self.assertEqual(code, 1, status)
            self.assertIn("space", status["log_error"])
            claims = running.read_metrics()["halles_refused_claims_total"]
            self.assertGreater(claims, 0)
            # Each slot pauses for 10 ms at least, then for twice as long each time: never without a pause.
            self.assertLess(claims, 3 * program.SLOTS * 500)
            lines = [line for line in running.lines if "the log refuses the claims of slots" in line]
            self.assertEqual(len(lines), 1, lines)
            self.expect_quick_end(running)
        running = self.begin(self.data).serve()
        running.settled()
        self.filler.unlink()
        self.assertIsNotNone(running.await_line(lambda line: line["msg"] == "the log accepts records again"))
        self.health_becomes(running, "halles.checkout.v1.CheckoutService", b"\x08\x01")
        self.await_state_written(running)
        running.import_order(order("after", customer=1))
        running.settled()
        self.expect_known(running, known, imported + 1)
        code, proof = running.ctl("verify")
        self.assertEqual((code, proof["equal"]), (0, True), proof)
        self.assertEqual(running.end(), 0)
        print(f"{imported} orders served on a full disk, {claims:.0f} claims refused: {line['why']}")

    def test_a_start_without_a_state_waits_for_space(self):
        with program.serving(self.data) as running:
            known = running.import_order(order(1, customer=1)).order_id
            digests = running.digests()
        shutil.rmtree(self.data / "state")
        self.fill()
        for _ in range(2):
            running = self.begin(self.data).listen()
            line = running.await_line(lambda line: line["msg"].startswith("the start waits for space"))
            self.assertEqual((line["level"], line["reason"]), ("error", "STATE_DISK_FULL"), line)
            status = running.admin.GetStatus(admin.GetStatusRequest(), timeout=program.PATIENCE_S)
            self.assertEqual(status.start.phase, "opening")
            self.assertIn("space", status.start.waits_for)
            code, told = running.ctl("status")
            self.assertEqual(code, 1, told)
            deadline = time.monotonic() + program.PATIENCE_S
            told = ""
            while "no space for the state" not in told:
                self.assertLess(time.monotonic(), deadline, "the caller is not told what the start waits for")
                refusal = refused(running.checkout.ImportOrder, order(2))
                self.assertEqual((refusal.code, refusal.reason), (grpc.StatusCode.UNAVAILABLE, "STARTING"), refusal)
                told = refusal.words
            self.expect_quick_end(running)
        running = self.begin(self.data).listen()
        self.assertIsNotNone(
            running.await_line(lambda line: line["msg"].startswith("the start waits for space"))
        )
        self.filler.unlink()
        self.assertIsNotNone(running.await_line(lambda line: line["msg"] == "ready"))
        self.assertEqual(running.digests(), digests)
        self.expect_known(running, known, 1)
        self.assertEqual(running.end(), 0)

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
