#!/usr/bin/python3
"""The real halles as its operator sees it: readiness, metrics, reflection, log lines, shutdown, no personal data."""

import pathlib
import re
import signal
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc
import program
from program import admin, common, identity, order

SERVICES = (
    "halles.checkout.v1.CheckoutService",
    "halles.customer_identity.v1.CustomerIdentityService",
    "halles.inventory.v1.InventoryService",
    "halles.admin.v1.AdminService",
)
SERVING = b"\x08\x01"
SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)(\{[^{}]*\})? (-?[0-9.e+-]+|NaN|[+-]Inf)( \d+)?$', re.IGNORECASE)

# An invented person. All written files are searched for these bytes.
PHONE = "+33699887766"
EMAIL = "Marie.Secretaire@private-example.org"
CARD = "fingerprint-of-a-card-0815"
LOYALTY = "loyalty-4711-2222"
CUSTOMER = "customer-number-31415926"


def health_of(running, service):
    """The status of the health service, read from the bytes of HealthCheckResponse."""
    request = bytes([0x0A, len(service)]) + service.encode() if service else b""
    return running.channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=program.PATIENCE_S)


def scrape(running):
    """All samples of /metrics, by name and labels, and the set of names."""
    with urllib.request.urlopen(f"http://{running.metrics}/metrics", timeout=program.PATIENCE_S) as answer:
        text = answer.read().decode()
    samples = {}
    names = set()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match is not None, f"no sample: {line}"
        samples[match[1] + (match[2] or "")] = float(match[3])
        names.add(match[1])
    return samples, names


class Operate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-operate-")
        cls.data = pathlib.Path(cls.folder.name) / "data"
        cls.running = program.Program(cls.data).serve()

    @classmethod
    def tearDownClass(cls):
        cls.running.end()
        cls.folder.cleanup()

    def test_the_health_service_reports_readiness(self):
        for service in ("", *SERVICES):
            self.assertEqual(health_of(self.running, service), SERVING, service)
        with self.assertRaises(grpc.RpcError) as caught:
            health_of(self.running, "nobody")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_reflection_lists_the_services(self):
        list_services = self.running.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        )
        answers = list_services(iter([b"\x3a\x00"]), timeout=program.PATIENCE_S)
        listed = next(answers)
        for service in (*SERVICES, "grpc.health.v1.Health"):
            self.assertIn(service.encode(), listed)
        answers.cancel()

    def test_metrics_count_calls_and_records(self):
        handled = (
            'grpc_server_handled_total{grpc_code="%s",grpc_method="ImportOrder",'
            'grpc_service="halles.checkout.v1.CheckoutService",grpc_type="unary"}'
        )

        def counts():
            samples, _ = scrape(self.running)
            by_label = {sorted_labels(name): value for name, value in samples.items()}
            return [by_label.get(handled % code, 0) for code in ("OK", "InvalidArgument")]

        before = counts()
        for number in range(3):
            self.running.import_order(order(f"metrics-{number}"))
        program.refused(self.running.checkout.ImportOrder, program.checkout.ImportOrderRequest())
        after = counts()
        self.assertEqual([now - then for now, then in zip(after, before)], [3, 1])
        _, names = scrape(self.running)
        for name in (
            "grpc_server_started_total",
            "grpc_server_handled_total",
            "grpc_server_handling_seconds_bucket",
            "grpc_server_handling_seconds_count",
            "grpc_server_handling_seconds_sum",
        ):
            self.assertIn(name, names)
        self.assertGreater(len([name for name in names if name.startswith("halles_")]), 5, names)

    def test_no_personal_data_is_stored_or_shown_in_clear(self):
        personal = [PHONE, "0033699887766", PHONE[1:], EMAIL, EMAIL.lower(), EMAIL.upper(), CARD, LOYALTY, CUSTOMER]
        with tempfile.TemporaryDirectory(prefix="halles-personal-") as folder:
            running = program.Program(f"{folder}/data", log_level="debug").serve()
            request = order("personal")
            for kind, issuer, value in [
                (common.IDENTIFIER_TYPE_PHONE, "", "00 33 6.99-88 77 66"),
                (common.IDENTIFIER_TYPE_EMAIL, "", f"  {EMAIL} "),
                (common.IDENTIFIER_TYPE_CARD_FINGERPRINT, "", CARD),
                (common.IDENTIFIER_TYPE_LOYALTY_CARD, "club", LOYALTY),
                (common.IDENTIFIER_TYPE_EXTERNAL_ID, "shop", CUSTOMER),
            ]:
                request.order.identifiers.add(type=kind, issuer=issuer, value=value)
            token = running.import_order(request).consistency_token
            name = identity.CustomerName(
                identifier=common.Identifier(type=common.IDENTIFIER_TYPE_PHONE, value=PHONE.replace("+33", "+33 "))
            )
            view = running.identity.GetCustomerView(
                identity.GetCustomerViewRequest(customer=name, consistency_token=token), timeout=program.PATIENCE_S
            ).view
            self.assertEqual(view.orders, 1)
            # Error messages of refusals do not repeat it either.
            spoilt = order("spoilt")
            spoilt.order.identifiers.add(type=common.IDENTIFIER_TYPE_EMAIL, value=EMAIL.replace("@", ""))
            refusal = program.refused(running.checkout.ImportOrder, spoilt)
            unknown = identity.GetCustomerViewRequest(
                customer=identity.CustomerName(
                    identifier=common.Identifier(type=common.IDENTIFIER_TYPE_EMAIL, value="Unknown." + EMAIL)
                )
            )
            not_found = program.refused(running.identity.GetCustomerView, unknown)
            running.settled()
            code, tail = running.ctl("explain", view.net[0].events[0])
            self.assertEqual(code, 0)
            with urllib.request.urlopen(f"http://{running.metrics}/metrics", timeout=program.PATIENCE_S) as answer:
                metrics = answer.read()
            self.assertEqual(running.end(), 0)
            told = "\n".join([*running.lines, repr(refusal), repr(not_found), repr(tail), repr(view)]).encode() + metrics
            files = {path: path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}
        self.assertTrue(any(b"order-personal" in content for content in files.values()), "the scan sees the record")
        for value in personal:
            for part in (value, value.split("@")[0]):
                self.assertNotIn(part.encode(), told)
                for path, content in files.items():
                    self.assertNotIn(part.encode(), content, path)

    def test_the_end_of_a_log_is_shown_without_its_beginning(self):
        with tempfile.TemporaryDirectory(prefix="halles-tail-") as folder:
            running = program.Program(f"{folder}/data").serve()
            for number in range(40):
                running.import_order(order(number))
            running.settled()
            self.assertEqual(running.end(), 0)
            running = program.Program(f"{folder}/data").serve()
            running.settled()

            def tail(position):
                request = admin.TailLogRequest(service="checkout", slot=slot, position=position, follow=True)
                return running.admin.TailLog(request, timeout=program.PATIENCE_S)

            status = running.admin.GetStatus(admin.GetStatusRequest(service="checkout"), timeout=program.PATIENCE_S)
            slot, end = next((each.slot, each.position) for each in status.slots if each.position > 3)
            early = re.search(r'"request_id":"([^"]+)"', next(tail(1)).body_json)[1].encode()
            (segment,) = pathlib.Path(folder).glob("data/log/*1.segment")
            with open(segment, "r+b") as file:
                file.seek(file.read().index(early))
                file.write(b"?")
            with self.assertRaises(grpc.RpcError) as refused:
                next(tail(1))
            self.assertEqual(refused.exception.code(), grpc.StatusCode.DATA_LOSS)
            records = tail(end)
            for number in range(40, 160):
                running.import_order(order(number))
            self.assertEqual(next(records).position, end)
            running.end(signal.SIGKILL)

    def test_one_verify_runs_at_a_time(self):
        def verify(outcomes):
            try:
                outcomes.append(list(self.running.admin.Verify(admin.VerifyRequest(), timeout=program.PATIENCE_S))[-1])
            except grpc.RpcError as error:
                outcomes.append(program.Refusal(error).reason)

        for _ in range(20):  # until two came together
            outcomes = []
            callers = [threading.Thread(target=verify, args=(outcomes,)) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            done = [each for each in outcomes if isinstance(each, admin.VerifyResponse)]
            self.assertTrue(done and all(each.result.equal for each in done), outcomes)
            refused = {each for each in outcomes if isinstance(each, str)}
            self.assertLessEqual(refused, {"PROOF_RUNNING"})
            if refused:
                return
        self.fail("none was refused")

    def test_log_lines_are_json(self):
        for line in self.running.lines:
            parsed = program.parse(line)
            self.assertIsNotNone(parsed, line)
            for field in ("ts", "level", "component", "msg"):
                self.assertIn(field, parsed)

    def test_a_watch_shows_an_order_and_then_the_shutdown(self):
        with tempfile.TemporaryDirectory(prefix="halles-watch-") as folder:
            running = program.Program(f"{folder}/data").serve()
            running.import_order(order(1, customer=1))
            running.settled()
            updates = running.identity.WatchCustomer(identity.WatchCustomerRequest(customer=program.named(1)))
            self.assertEqual(next(updates).snapshot.orders, 1)
            running.import_order(order(2, customer=1))
            self.assertEqual(next(updates).change.view.orders, 2)
            running.process.send_signal(signal.SIGTERM)
            with self.assertRaises(grpc.RpcError) as caught:
                for _ in updates:
                    pass
            self.assertEqual(program.Refusal(caught.exception).reason, "DRAINING", caught.exception)
            self.assertEqual(running.wait(), 0)

    def test_sigterm_answers_running_calls_and_exits_with_0(self):
        """Accepted calls are answered, later calls get UNAVAILABLE, and nothing that was acknowledged is lost."""
        with tempfile.TemporaryDirectory(prefix="halles-drain-") as folder:
            data = f"{folder}/data"
            running = program.Program(data).serve()
            acknowledged = []
            outcomes = []
            enough = threading.Event()

            def import_until_refused(worker):
                for number in range(100_000):
                    request = order(f"drain-{worker}-{number}")
                    try:
                        acknowledged.append(running.import_order(request).order_id)
                    except grpc.RpcError as error:
                        outcomes.append(error.code())
                        return
                    if len(acknowledged) >= 100:
                        enough.set()

            workers = [threading.Thread(target=import_until_refused, args=(worker,)) for worker in range(8)]
            for worker in workers:
                worker.start()
            self.assertTrue(enough.wait(program.PATIENCE_S))
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            for worker in workers:
                worker.join(program.PATIENCE_S)
            self.assertEqual(running.wait(), 0)
            seconds = time.monotonic() - began
            self.assertEqual(set(outcomes), {grpc.StatusCode.UNAVAILABLE})
            self.assertIsNotNone(running.await_line(lambda line: line["msg"] == "ended"))
            with program.serving(data) as again:
                for order_id in acknowledged:
                    request = program.orders.GetOrderRequest(order_id=order_id)
                    again.orders.GetOrder(request, timeout=program.PATIENCE_S)
            print(f"drained in {seconds:.2f} s behind {len(acknowledged)} acknowledgements")


def sorted_labels(name):
    """The name with its labels sorted."""
    if "{" not in name:
        return name
    base, labels = name.rstrip("}").split("{", 1)
    return base + "{" + ",".join(sorted(labels.split(","))) + "}"


if __name__ == "__main__":
    unittest.main()
