#!/usr/bin/python3
"""A small client in Python, as an API user would write it: import, retry, read with a token, read an ErrorInfo, sell.

Needs Debian's python3-grpcio and python3-protobuf, protoc and grpc_python_plugin. Generates the stubs into a folder of
its own. Exits with an error if anything differs from proto/README.md.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROTOS = [
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
    "halles/options/v1/limits.proto",
    "halles/common/v1/common.proto",
    "halles/saga/v1/saga.proto",
    "halles/checkout/v1/record.proto",
    "halles/checkout/v1/placement.proto",
    "halles/checkout/v1/cart_events.proto",
    "halles/checkout/v1/order_events.proto",
    "halles/checkout/v1/import_events.proto",
    "halles/checkout/v1/checkout_service.proto",
    "halles/checkout/v1/cart_service.proto",
    "halles/checkout/v1/order_service.proto",
    "halles/inventory/v1/inventory_events.proto",
    "halles/inventory/v1/inventory_service.proto",
    "halles/customer_identity/v1/customer_identity_service.proto",
]
TIMEOUT_S = 20


def generate(googleapis, folder):
    """Generates messages and stubs, and makes them importable."""
    plugin = subprocess.run(["which", "grpc_python_plugin"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(
        [
            "protoc",
            f"-I{ROOT / 'proto'}",
            f"-I{googleapis}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            f"--plugin=protoc-gen-grpc_python={plugin}",
            *PROTOS,
        ],
        check=True,
    )
    sys.path.insert(0, folder)
    # protobuf's own `google` package does not find google.rpc in another folder.
    import google  # pylint: disable=import-outside-toplevel

    google.__path__.append(os.path.join(folder, "google"))


def channel_to(target):
    """A channel with the service config that proto/README.md recommends."""
    service_config = (ROOT / "proto" / "service_config.json").read_text(encoding="utf-8")
    return grpc.insecure_channel(target, options=[("grpc.service_config", service_config), ("grpc.enable_retries", 1)])


class FlakyDoor(grpc.GenericRpcHandler):
    """Forwards calls to the program, but answers the first calls of each method with UNAVAILABLE, as in a restart."""

    def __init__(self, channel, failures):
        self.channel = channel
        self.failures = failures
        self.calls = 0

    def service(self, handler_call_details):
        method = handler_call_details.method

        def answer(request, context):
            self.calls += 1
            if self.calls <= self.failures:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            forward = self.channel.unary_unary(method)  # bytes in, bytes out
            return forward(request, timeout=TIMEOUT_S)

        return grpc.unary_unary_rpc_method_handler(answer)


class Client:
    """The steps of this client; each asserts what the API promises."""

    def __init__(self, channel, run):
        # Generated above, so they can be imported only now.
        from google.rpc import error_details_pb2, status_pb2
        from halles.checkout.v1 import cart_events_pb2, cart_service_pb2, cart_service_pb2_grpc
        from halles.checkout.v1 import checkout_service_pb2, checkout_service_pb2_grpc, record_pb2
        from halles.checkout.v1 import order_events_pb2, order_service_pb2, order_service_pb2_grpc, placement_pb2
        from halles.common.v1 import common_pb2
        from halles.customer_identity.v1 import customer_identity_service_pb2, customer_identity_service_pb2_grpc
        from halles.inventory.v1 import inventory_service_pb2, inventory_service_pb2_grpc

        self.details = error_details_pb2
        self.status = status_pb2
        self.record = record_pb2
        self.checkout = checkout_service_pb2
        self.common = common_pb2
        self.identity = customer_identity_service_pb2
        self.cart_events = cart_events_pb2
        self.carts = cart_service_pb2
        self.order_events = order_events_pb2
        self.placement = placement_pb2
        self.orders = order_service_pb2
        self.stock = inventory_service_pb2
        self.cart_stub = cart_service_pb2_grpc.CartServiceStub(channel)
        self.order_stub = order_service_pb2_grpc.OrderServiceStub(channel)
        self.stock_stub = inventory_service_pb2_grpc.InventoryServiceStub(channel)
        self.checkout_grpc = checkout_service_pb2_grpc
        self.checkout_stub = checkout_service_pb2_grpc.CheckoutServiceStub(channel)
        self.identity_stub = customer_identity_service_pb2_grpc.CustomerIdentityServiceStub(channel)
        self.run = run

    def order(self, number, cents=1990):
        """An order of this run: two articles and postage, for a customer with a customer number and an e-mail address."""
        external_id = f"{self.run}-{number}"
        record = self.checkout.ImportRecord(
            external=self.record.ExternalRef(source="python-client", external_id=external_id),
            channel=self.common.CHANNEL_WEB,
            site_id="python-shop",
            currency_code="EUR",
            identifiers=[
                self.common.Identifier(type=self.common.IDENTIFIER_TYPE_EXTERNAL_ID, issuer="python-client", value=self.run),
                self.common.Identifier(type=self.common.IDENTIFIER_TYPE_EMAIL, value=f"{self.run}@example.com"),
            ],
            lines=[
                self.checkout.ImportLine(
                    kind=self.record.LINE_KIND_SALE,
                    sku="TEA-1",
                    quantity=self.common.Decimal(unscaled=2),
                    unit_price=self.common.Decimal(unscaled=cents, scale=2),
                ),
                self.checkout.ImportLine(
                    kind=self.record.LINE_KIND_SERVICE,
                    sku="POST",
                    quantity=self.common.Decimal(unscaled=1),
                    unit_price=self.common.Decimal(unscaled=450, scale=2),
                ),
            ],
        )
        record.recorded_time.FromJsonString("2024-05-17T10:20:30Z")
        # Derived from source and external id, so a second attempt is recognised at any later time.
        return self.checkout.ImportOrderRequest(request_id=f"python-client/order/{external_id}", order=record)

    def error_info(self, error):
        """The ErrorInfo that every error carries: in the google.rpc.Status of the trailing metadata."""
        for key, value in error.trailing_metadata() or ():
            if key != "grpc-status-details-bin":
                continue
            for detail in self.status.Status.FromString(value).details:
                info = self.details.ErrorInfo()
                if detail.Unpack(info):
                    return info
        raise AssertionError(f"no ErrorInfo in {error.code()} {error.details()}")

    def refused(self, call, request, code, reason):
        """Asserts that the call fails with this reason; returns the metadata of the ErrorInfo."""
        try:
            call(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            info = self.error_info(error)
            assert error.code() == code, f"{error.code()} {error.details()} instead of {code}"
            assert info.reason == reason, f"reason {info.reason} instead of {reason}"
            assert info.domain == "halles.dev", info.domain
            return dict(info.metadata)
        raise AssertionError(f"not refused with {reason}")

    def customer(self, token):
        """The view of this run's customer, read with the token."""
        name = self.identity.CustomerName(
            identifier=self.common.Identifier(type=self.common.IDENTIFIER_TYPE_EMAIL, value=f"{self.run}@example.com")
        )
        request = self.identity.GetCustomerViewRequest(customer=name, consistency_token=token)
        return self.identity_stub.GetCustomerView(request, timeout=TIMEOUT_S).view

    def imports_and_reads_its_own_write(self):
        answer = self.checkout_stub.ImportOrder(self.order(1), timeout=TIMEOUT_S)
        assert answer.net.minor_units == 2 * 1990 + 450, answer
        found = self.order_stub.GetOrder(
            self.orders.GetOrderRequest(order_id=answer.order_id, consistency_token=answer.consistency_token),
            timeout=TIMEOUT_S,
        )
        assert found.imported.sale.net.minor_units == answer.net.minor_units, found
        assert not found.imported.sale.identifiers[0].value, "an identifier was returned in clear"
        view = self.customer(answer.consistency_token)
        assert view.orders == 1 and view.net[0].money.minor_units == answer.net.minor_units, view

    def repeats_get_the_first_answer(self):
        first = self.checkout_stub.ImportOrder(self.order(1), timeout=TIMEOUT_S)
        again = self.checkout_stub.ImportOrder(self.order(1), timeout=TIMEOUT_S)
        assert again.order_id == first.order_id
        assert self.customer(again.consistency_token).orders == 1, "an order was counted twice"

    def reads_reasons(self):
        other = self.order(1, cents=2000)
        self.refused(self.checkout_stub.ImportOrder, other, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
        other.request_id += "/corrected"
        metadata = self.refused(
            self.checkout_stub.ImportOrder, other, grpc.StatusCode.FAILED_PRECONDITION, "EXTERNAL_ID_REUSED"
        )
        assert metadata, "a refusal has metadata"
        wrong = self.order(2)
        wrong.order.lines[1].sku = ""
        metadata = self.refused(self.checkout_stub.ImportOrder, wrong, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert metadata.get("field") == "order.lines[1].sku", metadata
        read = self.checkout.GetTotalsRequest(consistency_token="not a token")
        self.refused(self.checkout_stub.GetTotals, read, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_TOKEN")

    def pages_through_a_timeline(self):
        token = ""
        for number in range(2, 6):
            token = self.checkout_stub.ImportOrder(self.order(number), timeout=TIMEOUT_S).consistency_token
        name = self.identity.CustomerName(
            identifier=self.common.Identifier(
                type=self.common.IDENTIFIER_TYPE_EXTERNAL_ID, issuer="python-client", value=self.run
            )
        )
        request = self.identity.ListTimelineRequest(customer=name, page_size=2, consistency_token=token)
        seen = []
        while True:
            page = self.identity_stub.ListTimeline(request, timeout=TIMEOUT_S)
            assert len(page.entries) <= 2
            seen += [entry.external.external_id for entry in page.entries]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        # Each entry is on exactly one page.
        assert sorted(seen) == [f"{self.run}-{number}" for number in range(1, 6)], seen

    def available(self, sku):
        """The available units of a SKU at the moment of the call."""
        request = self.stock.GetAvailabilityRequest(sku=sku, read_mode=self.stock.READ_MODE_LINEARIZABLE)
        levels = self.stock_stub.GetAvailability(request, timeout=TIMEOUT_S).levels
        return sum(level.available_units for level in levels)

    def fill_cart(self, cart_id, sku, units):
        """The first two calls of a storefront: add to the cart and set the delivery."""
        origin = self.placement.Origin(channel=self.common.CHANNEL_WEB, site_id="python-shop")
        adding = self.carts.AddCartLinesRequest(
            request_id=f"{cart_id}/add/1", cart_id=cart_id, origin=origin, currency_code="EUR"
        )
        line = adding.lines.add(line_id="1", sku=sku, units=units)
        line.unit_price.CopyFrom(self.common.Decimal(unscaled=1990, scale=2))
        added = self.cart_stub.AddCartLines(adding, timeout=TIMEOUT_S)
        assert added.total.minor_units == units * 1990, added
        sending = self.carts.SetCartDeliveryRequest(request_id=f"{cart_id}/delivery/1", cart_id=cart_id)
        sending.delivery.shipment.address_token = "vault/1"
        sending.delivery.shipment.source_location_ids.append("python-warehouse")
        sending.identifiers.add(type=self.common.IDENTIFIER_TYPE_EMAIL, value=f"{self.run}@example.com")
        self.cart_stub.SetCartDelivery(sending, timeout=TIMEOUT_S)
        return added.total

    def placing(self, cart_id, attempt, total):
        """The third call of a storefront: place the order."""
        return self.orders.PlaceOrderRequest(
            request_id=f"{cart_id}/place/{attempt}", cart_id=cart_id, expected_total=total
        )

    def sells_in_three_calls(self):
        sku, cart_id = f"cup-{self.run}", f"py-{self.run}-1"
        self.stock_stub.ReceiveStock(
            self.stock.ReceiveStockRequest(
                request_id=f"{sku}/receive", sku=sku, location_id="python-warehouse", units=5
            ),
            timeout=TIMEOUT_S,
        )
        total = self.fill_cart(cart_id, sku, 2)
        placed = self.order_stub.PlaceOrder(self.placing(cart_id, 1, total), timeout=TIMEOUT_S)
        assert placed.order.order_id == cart_id and placed.order.number > 0, placed
        assert placed.order.state == self.order_events.ORDER_STATE_CONFIRMED, placed
        assert self.available(sku) == 3
        # A cart gives one order, however often it is placed.
        again = self.order_stub.PlaceOrder(self.placing(cart_id, "again", total), timeout=TIMEOUT_S)
        assert again.order.number == placed.order.number, again
        assert self.available(sku) == 3

    def is_told_what_cannot_be_sold(self):
        sku, cart_id = f"cup-{self.run}", f"py-{self.run}-2"
        total = self.fill_cart(cart_id, sku, 4)
        self.refused(
            self.order_stub.PlaceOrder,
            self.placing(cart_id, 1, total),
            grpc.StatusCode.FAILED_PRECONDITION,
            "PLACEMENT_REJECTED",
        )
        cart = self.cart_stub.GetCart(self.carts.GetCartRequest(cart_id=cart_id), timeout=TIMEOUT_S).cart
        assert cart.state == self.cart_events.CART_STATE_OPEN, cart
        (problem,) = cart.problems
        assert problem.kind == self.placement.PROBLEM_KIND_INSUFFICIENT_STOCK, problem
        assert (problem.line_id, problem.asked_units, problem.available_units) == ("1", 4, 3), problem
        fewer = self.carts.ChangeCartLineRequest(
            request_id=f"{cart_id}/change/1", cart_id=cart_id, origin=cart.origin, line_id="1", units=3
        )
        total = self.cart_stub.ChangeCartLine(fewer, timeout=TIMEOUT_S).total
        placed = self.order_stub.PlaceOrder(self.placing(cart_id, 2, total), timeout=TIMEOUT_S)
        assert placed.order.state == self.order_events.ORDER_STATE_CONFIRMED, placed
        assert self.available(sku) == 0

    def retries_as_the_service_config_says(self, target):
        """Calls through a server that fails twice: the service config retries, and the request id makes that safe."""
        flaky = FlakyDoor(grpc.insecure_channel(target), failures=2)
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=2), handlers=(flaky,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            stub = self.checkout_grpc.CheckoutServiceStub(channel_to(f"127.0.0.1:{port}"))
            answer = stub.ImportOrder(self.order(7), timeout=TIMEOUT_S)
            assert flaky.calls == 3, f"{flaky.calls} attempts instead of 3"
            assert answer.net.minor_units == 2 * 1990 + 450, answer
        finally:
            server.stop(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="127.0.0.1:7400", help="where halles listens")
    parser.add_argument(
        "--googleapis",
        default=os.environ.get("HALLES_GOOGLEAPIS_DIR", str(ROOT / "build/third_party/googleapis")),
        help="folder that holds google/rpc/*.proto",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate(arguments.googleapis, folder)
        client = Client(channel_to(arguments.target), run=uuid.uuid4().hex[:12])
        steps = [
            (client.imports_and_reads_its_own_write, ()),
            (client.repeats_get_the_first_answer, ()),
            (client.reads_reasons, ()),
            (client.pages_through_a_timeline, ()),
            (client.sells_in_three_calls, ()),
            (client.is_told_what_cannot_be_sold, ()),
            (client.retries_as_the_service_config_says, (arguments.target,)),
        ]
        failed = 0
        for step, step_arguments in steps:
            name = step.__name__.replace("_", " ")
            try:
                step(*step_arguments)
                print(f"ok      {name}")
            except (AssertionError, grpc.RpcError) as error:
                failed += 1
                print(f"FAILED  {name}: {error}")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
