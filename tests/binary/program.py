"""Starts the real halles for a test, speaks to it over gRPC, and ends it by its id."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import grpc

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "clients" / "python")]

import run_client  # noqa: E402  pylint: disable=wrong-import-position

BIN = pathlib.Path(os.environ["HALLES_BIN"])
TESTS = pathlib.Path(os.environ["HALLES_TESTS"])
PATIENCE_S = 60
SLOTS = 8

_stubs = tempfile.TemporaryDirectory(prefix="halles-stubs-")
run_client.PROTOS += [
    "halles/log/v1/envelope.proto",
    "halles/admin/v1/admin_service.proto",
    "halles/bulk/v1/bulk_service.proto",
]
run_client.generate(os.environ["HALLES_GOOGLEAPIS_DIR"], _stubs.name)

# Generated above, so they can be imported only now.
# pylint: disable=wrong-import-position
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from halles.admin.v1 import admin_service_pb2 as admin  # noqa: E402
from halles.admin.v1 import admin_service_pb2_grpc as admin_grpc  # noqa: E402
from halles.checkout.v1 import record_pb2 as record  # noqa: E402
from halles.checkout.v1 import checkout_service_pb2 as checkout  # noqa: E402
from halles.checkout.v1 import checkout_service_pb2_grpc as checkout_grpc  # noqa: E402
from halles.checkout.v1 import order_service_pb2 as orders  # noqa: E402
from halles.checkout.v1 import order_service_pb2_grpc as orders_grpc  # noqa: E402
from halles.common.v1 import common_pb2 as common  # noqa: E402
from halles.checkout.v1 import cart_service_pb2 as carts  # noqa: E402
from halles.customer_identity.v1 import customer_identity_service_pb2 as identity  # noqa: E402
from halles.customer_identity.v1 import customer_identity_service_pb2_grpc as identity_grpc  # noqa: E402
from halles.inventory.v1 import inventory_service_pb2 as inventory  # noqa: E402


class Refusal:
    """The content of an error: code, reason and metadata of its ErrorInfo, fields of its BadRequest, message."""

    def __init__(self, error):
        self.code = error.code()
        self.words = error.details()
        self.reason = ""
        self.metadata = {}
        self.fields = []
        self.retry = False
        for key, value in error.trailing_metadata() or ():
            if key != "grpc-status-details-bin":
                continue
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                bad = error_details_pb2.BadRequest()
                if detail.Unpack(info):
                    assert info.domain == "halles.dev", info
                    self.reason = info.reason
                    self.metadata = dict(info.metadata)
                elif detail.Unpack(bad):
                    self.fields = [violation.field for violation in bad.field_violations]
                elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                    self.retry = True

    def __repr__(self):
        return f"{self.code} {self.reason} {self.fields} {self.metadata}: {self.words}"


def refused(call, request, timeout=PATIENCE_S):
    """Calls and returns the error; fails when there is none."""
    try:
        answer = call(request, timeout=timeout)
    except grpc.RpcError as error:
        return Refusal(error)
    raise AssertionError(f"not refused: {answer}")


class Program:
    """One halles process. Options are flags without dashes; `under` precedes the command, for example strace."""

    def __init__(self, data_dir, under=(), environment=None, **options):
        flags = {"listen": "127.0.0.1:0", "metrics": "127.0.0.1:0", "slots": SLOTS, **options, "data-dir": data_dir}
        command = [*under, str(BIN / "halles")]
        for name, value in flags.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self.lines = []
        self._news = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.channel = None

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def await_line(self, wanted):
        """The first log line for which `wanted(parsed)` holds; None when the process ends without one."""
        at = 0
        deadline = time.monotonic() + PATIENCE_S
        with self._news:
            while True:
                for line in self.lines[at:]:
                    parsed = parse(line)
                    if parsed is not None and wanted(parsed):
                        return parsed
                at = len(self.lines)
                if self._ended:
                    return None
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("no such line in time:\n" + "\n".join(self.lines))
                self._news.wait(left)

    def listen(self):
        """Waits until the process listens, which it does before it opens its data, and connects to it."""
        return self._connect("starting")

    def serve(self):
        """Waits until the process serves, and connects to it."""
        return self._connect("serving")

    def _connect(self, words):
        said = self.await_line(lambda line: line["msg"] == words)
        assert said is not None, "halles ended:\n" + "\n".join(self.lines)
        self.target = said["listen"]
        self.metrics = said["metrics"]
        self.install = said.get("install")
        self.pid = self.process.pid
        self.channel = grpc.insecure_channel(
            self.target, options=[("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        )
        self.checkout = checkout_grpc.CheckoutServiceStub(self.channel)
        self.orders = orders_grpc.OrderServiceStub(self.channel)
        self.identity = identity_grpc.CustomerIdentityServiceStub(self.channel)
        self.admin = admin_grpc.AdminServiceStub(self.channel)
        return self

    def health(self, service):
        """What the health service says of a service, "" for the process: "SERVING" or "NOT_SERVING"."""
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        answer = check(bytes([0x0A, len(service)]) + service.encode(), timeout=PATIENCE_S)
        return {b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}.get(answer, answer)

    def read_metrics(self):
        """The metrics by name and labels."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def end(self, number=signal.SIGTERM):
        """Ends the process and returns its exit code, negative for a signal."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def kill(self):
        """Kills the process, and what it runs below it, unless it has ended."""
        if self.process.poll() is None:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
            for pid in (*map(int, children.split()), self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.wait()

    def wait(self):
        """Waits for the process to end by itself; returns its exit code."""
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)
        self.process.stderr.close()
        return code

    def refusal_to_start(self):
        """Waits for a failed start; returns the exit code and the log line with the reason."""
        code = self.wait()
        errors = [line for line in map(parse, self.lines) if line is not None and line["level"] == "error"]
        assert errors, f"exit {code} and no error:\n" + "\n".join(self.lines)
        return code, errors[-1]

    def settled(self):
        """Position and digest of every fold, after all views have caught up."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status = self.admin.GetStatus(admin.GetStatusRequest(), timeout=PATIENCE_S)
            if not status.caught_up:
                continue
            folds = {f"{slot.service}/{slot.slot}": (slot.position, slot.digest) for slot in status.slots}
            for view in status.views:
                folds[f"{view.view} of {view.service}/{view.slot}"] = (view.position, view.digest)
            return folds
        raise AssertionError("the views never caught up")

    def digests(self):
        """The digests alone, because the claims of each start move the positions."""
        return {fold: digest for fold, (_, digest) in self.settled().items()}

    def import_order(self, request):
        return self.checkout.ImportOrder(request, timeout=PATIENCE_S)

    def ctl(self, *arguments):
        """Runs hallesctl --output json; returns the exit code and the output."""
        command = [str(BIN / "hallesctl"), "--target", self.target, "--output", "json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE_S, check=False)
        try:
            return done.returncode, json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"{command}: {done.returncode} {done.stdout!r} {done.stderr!r}") from error


def parse(line):
    """Parses a log line; None for a line of a library, which is no JSON."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


@contextlib.contextmanager
def serving(data_dir, **options):
    """Starts a program and ends it after the block."""
    program = Program(data_dir, **options)
    try:
        yield program.serve()
    finally:
        program.end()


def decimal(unscaled, scale=0):
    return common.Decimal(unscaled=unscaled, scale=scale)


def order(number, cents=1990, lines=1, customer=None, source="binary-test"):
    """A valid order; `customer` gives it a customer number, a phone and an e-mail address."""
    sale = checkout.ImportRecord(
        external=record.ExternalRef(source=source, external_id=f"order-{number}"),
        channel=common.CHANNEL_WEB,
        site_id="shop-1",
        currency_code="EUR",
    )
    sale.recorded_time.FromJsonString("2024-05-17T10:20:30Z")
    for index in range(lines):
        sale.lines.add(
            kind=record.LINE_KIND_SALE, sku=f"SKU-{index}", quantity=decimal(2), unit_price=decimal(cents, 2)
        )
    if customer is not None:
        sale.identifiers.add(type=common.IDENTIFIER_TYPE_EXTERNAL_ID, issuer=source, value=f"customer-{customer}")
    return checkout.ImportOrderRequest(request_id=f"{source}/order-{number}", order=sale)


def named(external_id, source="binary-test"):
    """The customer of `order(..., customer=...)`."""
    name = identity.CustomerName()
    name.identifier.type = common.IDENTIFIER_TYPE_EXTERNAL_ID
    name.identifier.issuer = source
    name.identifier.value = f"customer-{external_id}"
    return name
