#!/usr/bin/python3
"""Bad input to the real halles: every kind gets a precise error and changes nothing."""

import tempfile
import unittest

import grpc
import program
from program import admin, checkout, common, decimal, identity, order, orders, record, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
LARGEST = 2**63 - 1


def with_unknown_field(message, number):
    """The same message with an undefined field: varint 1."""
    data = message.SerializeToString()
    tag = number << 3
    encoded = bytearray()
    while tag > 0x7F:
        encoded.append(tag & 0x7F | 0x80)
        tag >>= 7
    encoded.append(tag)
    return type(message).FromString(data + bytes(encoded) + b"\x01")


class BadInput(unittest.TestCase):
    """One program serves all tests; its folds must be the same before and after each test."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-input-")
        cls.program = program.Program(f"{cls.folder.name}/data").serve()
        cls.first = cls.program.import_order(order(1, customer=1))
        for number in range(2, 6):
            cls.program.import_order(order(number, customer=1))

    @classmethod
    def tearDownClass(cls):
        code = cls.program.end()
        cls.folder.cleanup()
        assert code == 0, f"exit code {code}"

    def setUp(self):
        self.before = self.program.settled()

    def tearDown(self):
        self.assertEqual(self.program.settled(), self.before, "something changed")

    def expect(self, refusal, code, reason, field=None):
        self.assertEqual((refusal.code, refusal.reason), (code, reason), refusal)
        if field is not None:
            self.assertIn(field, refusal.fields, refusal)
            self.assertEqual(refusal.metadata.get("field"), field, refusal)

    def expect_field(self, change, field):
        """A valid order that `change` makes invalid is refused for that field."""
        request = order("bad")
        change(request)
        self.expect(refused(self.program.checkout.ImportOrder, request), INVALID, "INVALID_FIELD", field)

    def test_empty_ids(self):
        def clear(*path):
            def change(request):
                holder = request
                for name in path[:-1]:
                    holder = getattr(holder, name) if isinstance(name, str) else holder[name]
                holder.ClearField(path[-1])

            return change

        for path, field in [
            (("request_id",), "request_id"),
            (("order", "external", "source"), "order.external.source"),
            (("order", "external", "external_id"), "order.external.external_id"),
            (("order", "site_id"), "order.site_id"),
            (("order", "lines", 0, "sku"), "order.lines[0].sku"),
        ]:
            with self.subTest(field):
                self.expect_field(clear(*path), field)
        request = checkout.ImportReturnRequest(request_id="r", return_record=order("bad").order)
        request.return_record.external.external_id = ""
        self.expect(
            refused(self.program.checkout.ImportReturn, request),
            INVALID,
            "INVALID_FIELD",
            "return_record.external.external_id",
        )
        self.expect(
            refused(self.program.orders.GetOrder, orders.GetOrderRequest()),
            INVALID,
            "INVALID_FIELD",
            "order_id",
        )
        self.expect(
            refused(self.program.identity.GetCustomerView, identity.GetCustomerViewRequest()),
            INVALID, "INVALID_FIELD", "customer"
        )

    def test_ids_beyond_their_limits(self):
        self.expect_field(lambda request: setattr(request, "request_id", "r" * 129), "request_id")
        self.expect_field(lambda request: setattr(request, "request_id", "two\nlines"), "request_id")
        self.expect_field(lambda request: setattr(request.order.external, "source", "Not This"), "order.external.source")
        self.expect_field(
            lambda request: setattr(request.order.external, "external_id", "x" * 129), "order.external.external_id"
        )

    def test_unknown_fields_of_commands(self):
        refusal = refused(self.program.checkout.ImportOrder, with_unknown_field(order("bad"), 4711))
        self.expect(refusal, INVALID, "UNKNOWN_FIELD")
        self.assertEqual(refusal.metadata, {"path": "", "field_number": "4711"})
        request = order("bad", lines=3)
        request.order.lines[2].CopyFrom(with_unknown_field(request.order.lines[2], 99))
        refusal = refused(self.program.checkout.ImportOrder, request)
        self.expect(refusal, INVALID, "UNKNOWN_FIELD")
        self.assertEqual(refusal.metadata, {"path": "order.lines[2]", "field_number": "99"})

    def test_unknown_fields_of_queries_are_ignored(self):
        request = with_unknown_field(orders.GetOrderRequest(order_id=self.first.order_id), 4711)
        found = self.program.orders.GetOrder(request, timeout=program.PATIENCE_S)
        self.assertEqual(found.imported.order_id, self.first.order_id)

    def test_bytes_that_do_not_parse(self):
        call = self.program.channel.unary_unary("/halles.checkout.v1.CheckoutService/ImportOrder")
        with self.assertRaises(grpc.RpcError) as caught:
            call(b"\xff\xff\xff\xff\xff", timeout=program.PATIENCE_S)
        self.assertNotEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_negative_amounts(self):
        lines = "order.lines[0]"
        self.expect_field(lambda r: r.order.lines[0].quantity.CopyFrom(decimal(-1)), f"{lines}.quantity")
        self.expect_field(lambda r: r.order.lines[0].unit_price.CopyFrom(decimal(-1)), f"{lines}.unit_price")
        self.expect_field(lambda r: r.order.lines[0].exact_amount.CopyFrom(decimal(-1)), f"{lines}.exact_amount")

        def discount(request):
            request.order.lines[0].discounts.add(
                kind=record.DISCOUNT_KIND_COUPON, amount=common.Money(currency_code="EUR", minor_units=-1)
            )

        self.expect_field(discount, f"{lines}.discounts[0].amount.minor_units")

    def test_overflowing_amounts(self):
        def price(request):
            request.order.lines[0].unit_price.CopyFrom(decimal(LARGEST))

        def exact(request):
            request.order.lines[0].exact_amount.CopyFrom(decimal(LARGEST))

        def two(request):
            line = request.order.lines[0]
            line.exact_amount.CopyFrom(decimal(LARGEST, 2))
            request.order.lines.add().CopyFrom(line)

        def scale(request):
            request.order.lines[0].unit_price.scale = 10

        self.expect_field(price, "order.lines[0].unit_price")
        self.expect_field(exact, "order.lines[0].exact_amount")
        self.expect_field(two, "order.lines")
        self.expect_field(scale, "order.lines[0].unit_price.scale")

    def test_wrong_currencies(self):
        def tender(request):
            request.order.tenders.add(
                kind=record.TENDER_KIND_CASH, amount=common.Money(currency_code="USD", minor_units=3980)
            )

        self.expect_field(lambda request: setattr(request.order, "currency_code", "EUX"), "order.currency_code")
        self.expect_field(lambda request: setattr(request.order, "currency_code", ""), "order.currency_code")
        self.expect_field(lambda request: setattr(request.order, "currency_code", "eur"), "order.currency_code")
        self.expect_field(tender, "order.tenders[0].amount.currency_code")

    def test_times_and_counts_beyond_their_limits(self):
        self.expect_field(lambda request: request.order.ClearField("recorded_time"), "order.recorded_time")
        self.expect_field(lambda request: setattr(request.order.recorded_time, "seconds", -1), "order.recorded_time")
        self.expect_field(lambda request: request.order.ClearField("lines"), "order.lines")
        self.expect_field(lambda request: request.CopyFrom(order("bad", lines=2001)), "order.lines")
        self.expect_field(lambda request: request.order.ClearField("channel"), "order.channel")

    def test_values_that_this_build_does_not_know(self):
        request = order("bad")
        request.order.channel = 77
        self.expect(refused(self.program.checkout.ImportOrder, request), INVALID, "UNKNOWN_VALUE", "order.channel")
        request = checkout.GetTotalsRequest(channel=77)
        self.expect(refused(self.program.checkout.GetTotals, request), INVALID, "UNKNOWN_VALUE", "channel")

    def test_messages_over_the_cap(self):
        # Too large for the server to read, and too large for a record.
        refusal = refused(self.program.checkout.ImportOrder, order("bad" * 600_000))
        self.assertEqual(refusal.code, grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
        request = order("bad", lines=2000)
        for line in request.order.lines:
            line.description = "d" * 120
            for _ in range(8):
                line.discounts.add(kind=record.DISCOUNT_KIND_MANUAL, amount=common.Money(currency_code="EUR", minor_units=1))
        self.assertLess(request.ByteSize(), 1024 * 1024)
        self.expect(refused(self.program.checkout.ImportOrder, request), INVALID, "INVALID_FIELD", "order")

    def test_a_request_id_with_another_body(self):
        request = order(1, cents=2000, customer=1)
        refusal = refused(self.program.checkout.ImportOrder, request)
        self.expect(refusal, INVALID, "REQUEST_ID_REUSED")

    def test_an_external_id_with_another_content(self):
        request = order(1, cents=2000, customer=1)
        request.request_id += "/other"
        self.expect(
            refused(self.program.checkout.ImportOrder, request), grpc.StatusCode.FAILED_PRECONDITION, "EXTERNAL_ID_REUSED"
        )

    def test_a_repeat_gets_the_first_answer(self):
        again = self.program.import_order(order(1, customer=1))
        self.assertEqual((again.order_id, again.net), (self.first.order_id, self.first.net))

    def test_foreign_and_malformed_tokens(self):
        with program.serving(f"{self.folder.name}/other") as other:
            foreign = other.import_order(order(1)).consistency_token
        damaged = self.first.consistency_token[:-1] + ("A" if self.first.consistency_token[-1] != "A" else "B")
        for token, reason in [(foreign, "FOREIGN_TOKEN"), ("no token", "MALFORMED_TOKEN"), (damaged, "MALFORMED_TOKEN")]:
            with self.subTest(token=token):
                for call, request in [
                    (
                        self.program.orders.GetOrder,
                        orders.GetOrderRequest(order_id="x", consistency_token=token),
                    ),
                    (self.program.checkout.GetTotals, checkout.GetTotalsRequest(consistency_token=token)),
                    (
                        self.program.identity.GetCustomerView,
                        identity.GetCustomerViewRequest(customer=program.named(1), consistency_token=token),
                    ),
                ]:
                    self.expect(refused(call, request), INVALID, reason)
                watch = self.program.identity.WatchCustomer(
                    identity.WatchCustomerRequest(customer=program.named(1), resume_token=token), timeout=program.PATIENCE_S
                )
                with self.assertRaises(grpc.RpcError) as caught:
                    next(watch)
                self.expect(program.Refusal(caught.exception), INVALID, reason)

    def test_a_page_token_of_another_request(self):
        page = self.program.identity.ListTimeline(
            identity.ListTimelineRequest(customer=program.named(1), page_size=2), timeout=program.PATIENCE_S
        )
        self.assertEqual(len(page.entries), 2)
        for customer, token in [(2, page.next_page_token), (1, page.next_page_token[:-2] + "xx"), (1, "no token")]:
            request = identity.ListTimelineRequest(customer=program.named(customer), page_size=2, page_token=token)
            self.expect(refused(self.program.identity.ListTimeline, request), INVALID, "INVALID_FIELD", "page_token")
        request = checkout.GetTotalsRequest(page_token=page.next_page_token)
        self.expect(refused(self.program.checkout.GetTotals, request), INVALID, "INVALID_FIELD", "page_token")
        request = checkout.GetTotalsRequest(page_size=-1)
        self.expect(refused(self.program.checkout.GetTotals, request), INVALID, "INVALID_FIELD", "page_size")

    def test_invalid_identifiers(self):
        def identifier(kind, value, issuer=""):
            def change(request):
                request.order.identifiers.add(type=kind, value=value, issuer=issuer)

            return change

        value = "order.identifiers[0].value"
        self.expect_field(identifier(common.IDENTIFIER_TYPE_PHONE, "0612345678"), value)
        self.expect_field(identifier(common.IDENTIFIER_TYPE_PHONE, "+33 CALL ME"), value)
        self.expect_field(identifier(common.IDENTIFIER_TYPE_EMAIL, "nobody"), value)
        self.expect_field(identifier(common.IDENTIFIER_TYPE_EXTERNAL_ID, "12"), "order.identifiers[0].issuer")
        self.expect_field(identifier(common.IDENTIFIER_TYPE_UNSPECIFIED, "12"), "order.identifiers[0].type")
        request = order("bad")
        identifier(common.IDENTIFIER_TYPE_CARD_FINGERPRINT, "4111 1111 1111 1111")(request)
        refusal = refused(self.program.checkout.ImportOrder, request)
        self.expect(refusal, INVALID, "CARD_NUMBER_REFUSED")
        self.assertEqual(refusal.metadata["field"], value)
        self.assertNotIn("4111", refusal.words)
        request = order("bad")
        request.order.identifiers.add(type=common.IDENTIFIER_TYPE_EMAIL, value="a@example.com", keyed_hash=b"h" * 32)
        self.expect(
            refused(self.program.checkout.ImportOrder, request), INVALID, "INVALID_FIELD", "order.identifiers[0].keyed_hash"
        )

    def test_unknown_ids(self):
        self.expect(
            refused(
                self.program.orders.GetOrder,
                orders.GetOrderRequest(order_id="ord-00000000000000000000000000"),
            ),
            grpc.StatusCode.NOT_FOUND,
            "ORDER_UNKNOWN",
        )
        self.expect(
            refused(self.program.identity.GetCustomerView, identity.GetCustomerViewRequest(customer=program.named(404))),
            grpc.StatusCode.NOT_FOUND,
            "CUSTOMER_UNKNOWN",
        )
        self.expect(
            refused(self.program.admin.ExplainEvent, admin.ExplainEventRequest(event="checkout/1@999999#0")),
            grpc.StatusCode.NOT_FOUND,
            "NO_SUCH_RECORD",
        )
        self.expect(
            refused(self.program.admin.ExplainEvent, admin.ExplainEventRequest(event="nonsense")),
            INVALID, "INVALID_FIELD", "event"
        )


if __name__ == "__main__":
    unittest.main()
