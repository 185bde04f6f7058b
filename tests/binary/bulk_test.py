#!/usr/bin/python3
"""Streams of commands at the real halles: every command of every service, order, repeats, refusals, and a restart."""

import pathlib
import queue
import signal
import tempfile
import threading
import unittest
import uuid

import grpc
import program
from google.protobuf import descriptor_pool, message_factory
from halles.bulk.v1 import bulk_service_pb2 as bulk
from halles.bulk.v1 import bulk_service_pb2_grpc as bulk_grpc
from halles.inventory.v1 import inventory_service_pb2 as inventory
from halles.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from program import admin, admin_grpc, error_details_pb2

INVENTORY = "halles.inventory.v1.InventoryService/"
# Every file with public methods.
FILES = [
    "halles/checkout/v1/checkout_service.proto",
    "halles/checkout/v1/cart_service.proto",
    "halles/checkout/v1/order_service.proto",
    "halles/inventory/v1/inventory_service.proto",
    "halles/customer_identity/v1/customer_identity_service.proto",
    "halles/admin/v1/admin_service.proto",
    "halles/bulk/v1/bulk_service.proto",
]


def methods():
    """The full name and the request type of every public method."""
    pool = descriptor_pool.Default()
    for file in FILES:
        for service in pool.FindFileByName(file).services_by_name.values():
            for method in service.methods:
                yield f"{service.full_name}/{method.name}", method.input_type


def error_of(answer):
    return program.status_pb2.Status.FromString(answer.error)


def reason(answer):
    for detail in error_of(answer).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


class Stream:
    """One stream. Messages are sent when they are given; answers are kept by tag in the order in which they came."""

    def __init__(self, channel):
        self.messages = queue.Queue()
        self.answers = {}
        self.ended = None  # the code, once it has
        self.news = threading.Condition()
        self.call = bulk_grpc.BulkServiceStub(channel).SubmitBatch(iter(self.messages.get, None))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            for message in self.call:
                with self.news:
                    for answer in message.answers:
                        assert answer.tag not in self.answers, f"{answer.tag} was answered twice"
                        self.answers[answer.tag] = answer
                    self.news.notify_all()
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            code = error.code()
        with self.news:
            self.ended = code
            self.news.notify_all()

    def send(self, *commands, first_tag=0):
        """Commands as pairs of method and request; their tags count from the first."""
        message = bulk.SubmitBatchRequest()
        for tag, (method, request) in enumerate(commands, first_tag):
            data = request if isinstance(request, bytes) else request.SerializeToString()
            message.commands.add(tag=tag, method=method, request=data)
        self.messages.put(message)

    def close(self):
        self.messages.put(None)

    def wait(self, done):
        with self.news:
            assert self.news.wait_for(done, program.PATIENCE_S), f"{len(self.answers)} answers, ended {self.ended}"

    def end(self):
        """Waits for the end."""
        self.wait(lambda: self.ended is not None)
        return self.ended


def receive(sku, units, request_id=None):
    return inventory.ReceiveStockRequest(
        request_id=request_id or str(uuid.uuid4()), sku=sku, location_id="warehouse", units=units
    )


def count(sku, units):
    return inventory.CountStockRequest(
        request_id=str(uuid.uuid4()), sku=sku, location_id="warehouse", counted_units=units
    )


class Bulk(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="halles-bulk-")
        self.data = pathlib.Path(self.folder.name) / "data"
        self.start()

    def tearDown(self):
        self.running.end()
        self.folder.cleanup()

    def start(self):
        self.running = program.Program(self.data).serve()
        self.stock = inventory_grpc.InventoryServiceStub(self.running.channel)

    def submit(self, *commands):
        """The answers to the commands of one message, in their order."""
        stream = Stream(self.running.channel)
        stream.send(*commands)
        stream.close()
        self.assertEqual(stream.end(), grpc.StatusCode.OK)
        self.assertEqual(sorted(stream.answers), list(range(len(commands))))
        return [stream.answers[tag] for tag in range(len(commands))]

    def test_takes_every_command_of_every_service_and_nothing_else(self):
        listed = list(methods())
        answers = self.submit(*((name, b"") for name, _ in listed))
        commands = 0
        for (name, request), answer in zip(listed, answers):
            with self.subTest(name):
                if "request_id" in request.fields_by_name:
                    commands += 1
                    # Its own method has looked at it.
                    self.assertEqual((error_of(answer).code, reason(answer)), (3, "INVALID_FIELD"), answer)
                else:
                    self.assertEqual((error_of(answer).code, reason(answer)), (3, "NOT_A_COMMAND"), answer)
        self.assertGreaterEqual(commands, 30)

    def test_refuses_what_is_no_public_command_and_nothing_else_in_the_batch(self):
        good = receive("tea", 3)
        unknown = receive("tea", 3).SerializeToString() + b"\xf8\x3f\x01"  # field 1023
        answers = self.submit(
            (INVENTORY + "ReceiveStock", good),
            ("halles.checkout.v1.CheckoutService/LinkReturn", b""),
            (INVENTORY + "EatStock", b""),
            ("", b""),
            (INVENTORY + "ReceiveStock", b"\xff"),
            (INVENTORY + "ReceiveStock", unknown),
            (INVENTORY + "ReceiveStock", receive("", 3)),
            (INVENTORY + "ReceiveStock", receive("tea", 3)),
        )
        self.assertEqual(
            [reason(answer) for answer in answers],
            ["", "INTERNAL_COMMAND", "UNKNOWN_METHOD", "UNKNOWN_METHOD", "MALFORMED_REQUEST", "UNKNOWN_FIELD",
             "INVALID_FIELD", ""],
        )
        self.assertEqual(self.available("tea"), 6)

    def available(self, sku):
        answer = self.stock.GetAvailability(inventory.GetAvailabilityRequest(sku=sku), timeout=program.PATIENCE_S)
        return answer.available_units

    def test_answers_as_the_method_does(self):
        invalid = receive("tea", -1)
        alone = program.refused(self.stock.ReceiveStock, invalid)
        [answer] = self.submit((INVENTORY + "ReceiveStock", invalid))
        self.assertEqual(error_of(answer).code, alone.code.value[0])
        self.assertEqual(error_of(answer).message, alone.words)
        self.assertEqual(reason(answer), alone.reason)
        bad = error_details_pb2.BadRequest()
        self.assertTrue(any(detail.Unpack(bad) for detail in error_of(answer).details))
        self.assertEqual([violation.field for violation in bad.field_violations], alone.fields)

    def test_gives_a_repeat_the_recorded_answer_in_both_directions(self):
        first, second = receive("tea", 3), receive("tea", 4)
        unary = self.stock.ReceiveStock(first, timeout=program.PATIENCE_S)
        answers = self.submit((INVENTORY + "ReceiveStock", first), (INVENTORY + "ReceiveStock", second))
        batched = [inventory.ReceiveStockResponse.FromString(answer.response) for answer in answers]
        again = self.stock.ReceiveStock(second, timeout=program.PATIENCE_S)
        for one, other in ((unary, batched[0]), (batched[1], again)):
            self.assertTrue(one.consistency_token)
            one.consistency_token = other.consistency_token = ""  # it may name a later position
            self.assertEqual(one, other)
        self.assertEqual(self.available("tea"), 7)
        [reused] = self.submit((INVENTORY + "ReceiveStock", receive("tea", 9, first.request_id)))
        self.assertEqual(reason(reused), "REQUEST_ID_REUSED")

    def test_keeps_the_order_of_each_key(self):
        # A count answers with what was there, which is what the count before it has set.
        stream = Stream(self.running.channel)
        skus = [f"sku-{number}" for number in range(20)]
        tag = 0
        for round_ in range(1, 41):
            stream.send(*((INVENTORY + "CountStock", count(sku, round_)) for sku in skus), first_tag=tag)
            tag += len(skus)
        stream.close()
        self.assertEqual(stream.end(), grpc.StatusCode.OK)
        self.assertEqual(len(stream.answers), tag)
        for tag, answer in stream.answers.items():
            counted = inventory.CountStockResponse.FromString(answer.response)
            self.assertEqual(counted.expected_units, tag // len(skus), answer)

    def test_ends_with_draining_and_answers_what_it_has_begun(self):
        stream = Stream(self.running.channel)
        sent = []
        stop = threading.Event()

        def feed():
            while not stop.is_set() and stream.ended is None:
                commands = [receive(f"sku-{number % 50}", 1) for number in range(64)]
                stream.send(*((INVENTORY + "ReceiveStock", command) for command in commands), first_tag=len(sent))
                sent.extend(commands)
                with stream.news:
                    stream.news.wait_for(lambda: stream.ended is not None or len(sent) - len(stream.answers) < 512,
                                         program.PATIENCE_S)

        feeder = threading.Thread(target=feed)
        feeder.start()
        stream.wait(lambda: len(stream.answers) > 2000)
        self.running.process.send_signal(signal.SIGTERM)
        self.assertEqual(stream.end(), grpc.StatusCode.UNAVAILABLE)
        stop.set()
        feeder.join()
        self.assertEqual(self.running.process.wait(program.PATIENCE_S), 0)
        refused = {reason(answer) for answer in stream.answers.values() if answer.HasField("error")}
        self.assertLessEqual(refused, {"DRAINING"})
        # Everything that was answered is recorded, and what is sent again is recorded once.
        self.start()
        again = Stream(self.running.channel)
        for at in range(0, len(sent), 64):
            again.send(*((INVENTORY + "ReceiveStock", command) for command in sent[at:at + 64]), first_tag=at)
        again.close()
        self.assertEqual(again.end(), grpc.StatusCode.OK)
        for tag, answer in stream.answers.items():
            if answer.HasField("error"):
                continue
            before = inventory.ReceiveStockResponse.FromString(answer.response)
            after = inventory.ReceiveStockResponse.FromString(again.answers[tag].response)
            before.consistency_token = after.consistency_token = ""
            self.assertEqual(before, after)
        self.assertEqual(sum(self.available(f"sku-{number}") for number in range(50)), len(sent))

    def test_counts_the_commands_of_each_method(self):
        self.submit(*((INVENTORY + "ReceiveStock", receive("tea", 1)) for _ in range(10)))
        counted = self.running.read_metrics()
        self.assertEqual(10, counted['grpc_server_handled_total{grpc_code="OK",grpc_method="ReceiveStock",'
                                     'grpc_service="halles.inventory.v1.InventoryService",grpc_type="unary"}'])
        self.assertEqual(1, counted['grpc_server_started_total{grpc_method="SubmitBatch",'
                                    'grpc_service="halles.bulk.v1.BulkService",grpc_type="bidi_stream"}'])

    def test_serves_one_who_leaves_and_the_next(self):
        for _ in range(20):
            stream = Stream(self.running.channel)
            stream.send(*((INVENTORY + "ReceiveStock", receive("tea", 1)) for _ in range(64)))
            stream.call.cancel()
            self.assertEqual(stream.end(), grpc.StatusCode.CANCELLED)
            stream.close()
        [answer] = self.submit((INVENTORY + "ReceiveStock", receive("coffee", 1)))
        self.assertTrue(answer.HasField("response"))
        status = admin_grpc.AdminServiceStub(self.running.channel).GetStatus(admin.GetStatusRequest(),
                                                                           timeout=program.PATIENCE_S)
        self.assertEqual(status.log_error, "")


if __name__ == "__main__":
    unittest.main()
