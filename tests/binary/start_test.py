#!/usr/bin/python3
"""The start of the real halles: it listens before its data is open and tells how far it is; everything that keeps it from
starting has a precise error and changes nothing.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import zlib

import grpc
import program
from program import admin, carts, checkout, checkout_grpc, identity, inventory, order, orders, refused

POLICY = pathlib.Path(__file__).resolve().parents[2] / "proto" / "service_config.json"
ORDERS_OF_A_SEGMENT = 1000


def crc32c(data):
    """CRC-32C, computed bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def fingerprint(folder):
    """The contents of all files of log and keys."""
    return {
        path.relative_to(folder): zlib.crc32(path.read_bytes())
        for part in ("log", "keys")
        for path in sorted((folder / part).rglob("*"))
        if path.is_file() and path.name != "LOCK"
    }


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-start-")
        cls.used = pathlib.Path(cls.folder.name) / "used"
        with program.serving(cls.used) as running:
            for number in range(20):
                running.import_order(order(number, customer=number % 3))
            cls.digests = running.digests()
            cls.install = running.install

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.data = pathlib.Path(tempfile.mkdtemp(dir=self.folder.name)) / "data"
        shutil.copytree(self.used, self.data)

    def expect_refusal(self, reason, *words, data=None, changed=False, **options):
        before = fingerprint(self.data)
        code, line = program.Program(data or self.data, **options).refusal_to_start()
        self.assertEqual((code, line.get("reason")), (1, reason), line)
        for word in words:
            self.assertIn(str(word), line["why"])
        if not changed:
            self.assertEqual(fingerprint(self.data), before, "something changed")
        return line

    def expect_whole(self):
        """Starts halles and checks that all data is there."""
        with program.serving(self.data) as running:
            self.assertEqual(running.digests(), self.digests)
            self.assertEqual(running.install, self.install)
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (0, True), proof)

    def other_install(self):
        """Creates the data directory of another install."""
        other = self.data.parent / "other"
        with program.serving(other) as running:
            for number in range(3):
                running.import_order(order(f"other-{number}", customer=9))
        return other

    def rewrite(self, path, old, new, checksum, crc):
        """Replaces text in a file with a checksum and corrects the checksum."""
        text = path.read_text()
        self.assertIn(old, text)
        body = text.replace(old, new)
        body = body[: body.rindex(checksum)]
        path.write_text(f"{body}{checksum}{crc(body.encode()):08x}\n")

    def test_a_corrupted_segment(self):
        segment = self.data / "log" / "00000001.segment"
        content = bytearray(segment.read_bytes())
        at = content.index(b"order-7")
        content[at] ^= 1
        segment.write_bytes(content)
        line = self.expect_refusal("LOG_DAMAGED", segment, "byte ")
        named = int(re.search(r"byte (\d+)", line["why"]).group(1))
        # The frame that holds the byte.
        self.assertLess(named, at)
        self.assertLess(at - named, 4096)
        content[at] ^= 1
        segment.write_bytes(content)
        self.expect_whole()

    def test_a_missing_segment(self):
        (self.data / "log" / "00000001.segment").unlink()
        self.expect_refusal("LOG_INCOMPLETE", "00000001.segment")

    def test_keys_of_another_install(self):
        shutil.rmtree(self.data / "keys")
        shutil.copytree(self.other_install() / "keys", self.data / "keys")
        self.expect_refusal("KEYS_FOREIGN", self.data / "keys")

    def test_missing_and_damaged_keys(self):
        ring = self.data / "keys" / "ring"
        text = ring.read_text()
        ring.write_text(text.replace("key request 1 ", "key request 2 "))
        self.expect_refusal("KEYS_DAMAGED", ring)
        ring.unlink()
        self.expect_refusal("KEYS_MISSING", ring)
        ring.write_text(text)
        self.expect_whole()

    def test_the_state_of_another_install_is_moved_aside_and_rebuilt(self):
        shutil.rmtree(self.data / "state")
        shutil.copytree(self.other_install() / "state", self.data / "state")
        self.expect_whole()
        self.assertEqual(len(list(self.data.glob("state.quarantined-*"))), 1)

    def test_a_state_ahead_of_its_log_is_moved_aside_and_rebuilt(self):
        with program.serving(self.data) as running:
            running.import_order(order("later"))
        shutil.rmtree(self.data / "log")
        shutil.copytree(self.used / "log", self.data / "log")
        self.expect_whole()
        self.assertEqual(len(list(self.data.glob("state.quarantined-*"))), 1)

    def test_a_missing_state_is_rebuilt(self):
        shutil.rmtree(self.data / "state")
        self.expect_whole()

    def test_a_log_of_a_newer_format(self):
        identity = self.data / "log" / "IDENTITY"
        self.rewrite(identity, "format 3", "format 7", "crc32c ", crc32c)
        self.expect_refusal("LOG_FORMAT_NEWER", "format 7", "reads format 3")

    def test_a_log_of_an_older_format(self):
        identity = self.data / "log" / "IDENTITY"
        self.rewrite(identity, "format 3", "format 2", "crc32c ", crc32c)
        self.expect_refusal("LOG_FORMAT_OLDER", "format 2", "reads format 3")

    def test_a_damaged_identity(self):
        identity = self.data / "log" / "IDENTITY"
        identity.write_text(identity.read_text().replace("slots 8", "slots 9"))
        self.expect_refusal("LOG_IDENTITY_DAMAGED", identity)

    def test_keys_of_a_newer_format(self):
        ring = self.data / "keys" / "ring"
        self.rewrite(ring, "halles-keys 1", "halles-keys 2", "crc ", crc32c)
        self.expect_refusal("KEYS_NEWER_FORMAT", ring, "halles-keys 2", "halles-keys 1")

    def test_a_state_of_a_newer_format(self):
        self.tamper("format")
        self.expect_refusal("NEWER_STORE_FORMAT", "format 3")
        self.assertEqual(list(self.data.glob("state.quarantined-*")), [])

    def test_verify_names_an_altered_row(self):
        self.tamper("row")
        with program.serving(self.data) as running:
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (1, False), proof)
            self.assertTrue(any("orders order=" in difference for difference in proof["differences"]), proof)
            code, proof = running.ctl("rebuild")
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (0, True), proof)
            self.assertEqual(running.digests(), self.digests)

    def tamper(self, what):
        subprocess.run([program.TESTS / "halles_tamper", self.data / "state", what], check=True)

    def test_a_different_number_of_slots(self):
        self.expect_refusal("LOG_SLOTS_DIFFER", "made with 8 slots a service", "log reshard", slots=16)
        self.expect_refusal("LOG_SLOTS_DIFFER", "not with 8,checkout=4", slots="checkout=4")

    def test_a_data_directory_that_is_a_file(self):
        self.expect_refusal("DATA_DIR_UNUSABLE", "IDENTITY", data=self.data / "log" / "IDENTITY")

    def test_a_second_process_on_the_same_data(self):
        with program.serving(self.data) as running:
            before = running.settled()
            code, line = program.Program(self.data).refusal_to_start()
            self.assertEqual((code, line["reason"]), (1, "LOG_IN_USE"), line)
            self.assertIn(str(self.data), line["why"])
            self.assertIn(str(running.pid), line["why"])
            self.assertEqual(running.settled(), before)

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.expect_refusal("ADDRESS_IN_USE", address, listen=address)
            self.expect_refusal("ADDRESS_IN_USE", address, metrics=address)

    def test_an_address_that_is_not_loopback(self):
        for address in ("0.0.0.0:0", "[::]:0"):
            self.expect_refusal("TLS_REQUIRED", "TLS is required", listen=address)
        self.expect_refusal("TLS_REQUIRED", "TLS is required", metrics="0.0.0.0:0")
        self.expect_refusal("MALFORMED_ADDRESS", "nowhere", listen="nowhere")


class Listening(unittest.TestCase):
    """The process listens while it opens its data and reads its log."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-listening-")
        cls.used = pathlib.Path(cls.folder.name) / "used"
        with program.serving(cls.used) as running:
            cls.known = running.import_order(order(0, customer=1)).order_id
            # More than the first segment holds.
            for number in range(1, ORDERS_OF_A_SEGMENT):
                running.import_order(order(number, lines=50))
            cls.digests = running.digests()
        assert (cls.used / "log" / "00000002.segment").exists()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.data = pathlib.Path(tempfile.mkdtemp(dir=self.folder.name)) / "data"
        shutil.copytree(self.used, self.data)
        self.ring = self.data / "keys" / "ring"
        self.keys = self.ring.read_text()

    def begin(self, *args, **options):
        """A process that does not outlive the test."""
        begun = program.Program(*args, **options)
        self.addCleanup(begun.kill)
        return begun

    def hold(self):
        """Opening the data waits from now on, until somebody writes the keys."""
        self.ring.unlink()
        os.mkfifo(self.ring)

    def let_go(self):
        self.ring.write_text(self.keys)

    def expect_not_ready(self, running):
        """Nobody is told that the services serve, every method answers STARTING, and the metrics are there."""
        self.assertEqual(running.health(""), "NOT_SERVING")
        self.assertEqual(running.health("halles.admin.v1.AdminService"), "SERVING")
        methods = 0
        for file in (checkout, carts, orders, identity, inventory):
            for service in file.DESCRIPTOR.services_by_name.values():
                self.assertEqual(running.health(service.full_name), "NOT_SERVING")
                for method in service.methods:
                    refusal = self.call(running, f"/{service.full_name}/{method.name}")
                    self.assertEqual(refusal.code, grpc.StatusCode.UNAVAILABLE, (method.full_name, refusal))
                    self.assertEqual(refusal.reason, "STARTING", (method.full_name, refusal))
                    methods += 1
        self.assertGreater(methods, 30)
        metrics = running.read_metrics()
        self.assertEqual(metrics["halles_ready"], 0)
        self.assertEqual(metrics["halles_log_healthy"], 1)
        return methods

    def call(self, running, path):
        """Calls the method, of whatever kind, with an empty request; returns the error."""
        stream = path.rsplit("/", 1)[1].startswith("Watch")
        try:
            if stream:
                list(running.channel.unary_stream(path)(b"", timeout=program.PATIENCE_S))
            else:
                running.channel.unary_unary(path)(b"", timeout=program.PATIENCE_S)
        except grpc.RpcError as error:
            return program.Refusal(error)
        raise AssertionError(f"{path} is answered")

    def expect_end(self, running, pid):
        """SIGTERM ends it at once, with 0."""
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(running.wait(), 0)
        took = time.monotonic() - began
        self.assertLess(took, 5, "the end waited for the start")
        self.assertIsNotNone(running.await_line(lambda line: line["msg"] == "ended"))
        return took

    def expect_whole(self):
        with program.serving(self.data) as running:
            self.assertEqual(running.digests(), self.digests)
            found = running.orders.GetOrder(orders.GetOrderRequest(order_id=self.known), timeout=program.PATIENCE_S)
            self.assertEqual(found.imported.order_id, self.known)

    def test_it_listens_before_its_data_is_open(self):
        self.hold()
        running = self.begin(self.data).listen()
        methods = self.expect_not_ready(running)
        status = running.admin.GetStatus(admin.GetStatusRequest(), timeout=program.PATIENCE_S)
        self.assertEqual((status.start.phase, status.start.records_total), ("opening", 0))
        self.assertEqual((status.install_id, status.caught_up, list(status.slots)), ("", False, []))
        for method, request in (
            (running.admin.TailLog, admin.TailLogRequest(service="checkout")),
            (running.admin.Verify, admin.VerifyRequest()),
            (running.admin.Rebuild, admin.RebuildRequest()),
            (lambda *args, **named: [running.admin.ExplainEvent(*args, **named)],
             admin.ExplainEventRequest(event="checkout/0@0")),
        ):
            refusal = refused(lambda *args, method=method, **named: list(method(*args, **named)), request)
            self.assertEqual((refusal.code, refusal.reason), (grpc.StatusCode.UNAVAILABLE, "STARTING"), refusal)
        code, told = running.ctl("status")
        self.assertEqual((code, told["start"]["phase"]), (0, "opening"), told)
        refusal = refused(running.checkout.ImportOrder, order("early"))
        self.assertTrue(refusal.retry, "it says when to try again")
        self.let_go()
        serving = running.await_line(lambda line: line["msg"] == "serving")
        self.assertEqual(serving["listen"], running.target, "the same port")
        running.settled()
        running.import_order(order("after"))
        self.assertIsNotNone(running.await_line(lambda line: line["msg"] == "ready"))
        self.health_becomes(running, "", b"\x08\x01")
        self.assertFalse(
            running.admin.GetStatus(admin.GetStatusRequest(), timeout=program.PATIENCE_S).HasField("start")
        )
        metrics = running.read_metrics()
        self.assertEqual((metrics["halles_ready"], metrics["halles_start_progress_ratio"]), (1, 1))
        self.assertEqual(running.end(), 0)
        print(f"{methods} methods answered before the data was open: {refusal}")

    def health_becomes(self, running, service, wanted):
        watch = running.channel.unary_stream("/grpc.health.v1.Health/Watch")
        updates = watch(bytes([0x0A, len(service)]) + service.encode(), timeout=program.PATIENCE_S)
        self.assertIn(wanted, updates)
        updates.cancel()

    def test_the_retry_policy_mends_calls_that_come_before_the_data_is_open(self):
        self.hold()
        running = self.begin(self.data).listen()
        channel = grpc.insecure_channel(
            running.target,
            options=[("grpc.service_config", POLICY.read_text()), ("grpc.use_local_subchannel_pool", 1)],
        )
        stub = checkout_grpc.CheckoutServiceStub(channel)
        calls = [stub.ImportOrder.future(order(f"patient-{number}")) for number in range(8)]
        refused_once = (
            'grpc_server_handled_total{grpc_code="Unavailable",grpc_method="ImportOrder",'
            'grpc_service="halles.checkout.v1.CheckoutService",grpc_type="unary"}'
        )
        deadline = time.monotonic() + program.PATIENCE_S
        while running.read_metrics().get(refused_once, 0) < len(calls):
            self.assertLess(time.monotonic(), deadline, "the calls are not refused")
        self.let_go()
        self.assertEqual(len({call.result().order_id for call in calls}), len(calls))
        channel.close()
        self.assertEqual(running.end(), 0)

    def test_sigterm_ends_it_while_it_opens_its_data(self):
        self.hold()
        running = self.begin(self.data).listen()
        self.assertEqual(running.health(""), "NOT_SERVING")
        took = self.expect_end(running, running.pid)
        self.ring.unlink()
        self.let_go()
        self.expect_whole()
        print(f"from SIGTERM to the end while the data was opened: {took * 1000:.0f} ms")

    def test_it_tells_how_far_the_replay_is_and_sigterm_ends_it(self):
        shutil.rmtree(self.data / "state")
        # A disk that takes its time for each read of the first segment, which is read by the replay alone. Some 1,000 reads
        # of slots, and as many of views, each on one thread: half a minute.
        slow = [
            *("strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=pread64"),
            *("-P", str(self.data / "log" / "00000001.segment"), "-e", "inject=pread64:delay_enter=20000"),
        ]
        running = self.begin(self.data, under=slow, executors=1).listen()
        line = running.await_line(lambda line: line["msg"] == "start under way" and line["seconds_left"] >= 0)
        self.assertIsNotNone(line)
        self.assertEqual(line["phase"], "replaying")
        self.expect_not_ready(running)
        status = running.admin.GetStatus(admin.GetStatusRequest(), timeout=program.PATIENCE_S)
        self.assertEqual(status.start.phase, "replaying")
        self.assertGreaterEqual(status.start.records_total, ORDERS_OF_A_SEGMENT)
        self.assertGreater(status.start.records_done, 0)
        self.assertLess(status.start.records_done, status.start.records_total)
        self.assertTrue(status.start.HasField("seconds_left"))
        self.assertEqual(len(status.slots), 3 * program.SLOTS)
        metrics = running.read_metrics()
        self.assertGreaterEqual(metrics["halles_start_records"], status.start.records_total)
        self.assertGreater(metrics["halles_start_progress_ratio"], 0)
        self.assertLess(metrics["halles_start_progress_ratio"], 1)
        refusal = refused(running.checkout.ImportOrder, order("early"))
        self.assertRegex(refusal.words, r"replaying, \d+ of \d+ records of the log, about \d+ s left")
        # strace does not forward signals; it ends when its child, the process, ends.
        halles = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(encoding="ascii").split()
        took = self.expect_end(running, int(halles[0]))
        self.expect_whole()
        print(f"{refusal.words}; from SIGTERM to the end {took * 1000:.0f} ms; the log said {line}")


class CommandLine(unittest.TestCase):
    def run_halles(self, *arguments, **environment):
        return subprocess.run(
            [program.BIN / "halles", *arguments],
            capture_output=True,
            text=True,
            timeout=program.PATIENCE_S,
            env={"PATH": "/usr/bin:/bin", **environment},
            check=False,
        )

    def expect_usage(self, done, *words):
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_wrong_flag_is_answered_with_a_valid_one(self):
        self.expect_usage(self.run_halles("--data-dri", "x"), "--data-dri", "--data-dir")

    def test_a_wrong_value_is_answered_with_a_valid_one(self):
        self.expect_usage(self.run_halles("--log-level", "loud"), "log-level", "info")
        self.expect_usage(self.run_halles("--slots", "0"), "slots", "1")
        self.expect_usage(self.run_halles("--slots", "till=4"), "slots", "checkout")
        self.expect_usage(self.run_halles("--executors", "many"), "executors")
        self.expect_usage(self.run_halles(HALLES_SLOTS="none"), "HALLES_SLOTS")

    def test_a_wrong_configuration_key_is_answered_with_a_valid_one(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('data-dri = "x"\n')
            file.flush()
            self.expect_usage(self.run_halles("--config", file.name), "data-dri", "data-dir")
        self.expect_usage(self.run_halles("--config", "/nowhere/halles.toml"), "/nowhere/halles.toml")

    def test_flags_override_the_environment_and_that_overrides_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('data-dir = "of-file"\nslots = "3,checkout=4"\nexecutors = 4\n')
            file.flush()
            done = self.run_halles(
                "--config", file.name, "--slots", "5", "--print-config", HALLES_SLOTS="6", HALLES_EXECUTORS="7"
            )
            of_file = self.run_halles("--config", file.name, "--print-config")
        self.assertEqual(done.returncode, 0, done)
        for line in ('data-dir = "of-file"', 'slots = "5"', "executors = 7"):
            self.assertIn(line, done.stdout.replace("'", '"'))
        self.assertIn('slots = "3,checkout=4"', of_file.stdout.replace("'", '"'), of_file)

    def test_the_version(self):
        done = self.run_halles("--version")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r"^halles \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
