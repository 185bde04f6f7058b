#!/usr/bin/python3
"""Compares every customer's view in a running program with tests/uci_expected.py; the journal must have been imported."""

import argparse
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "clients" / "python")]

import run_client  # noqa: E402  pylint: disable=wrong-import-position
import uci_expected  # noqa: E402  pylint: disable=wrong-import-position


def differences(channel, journal):
    """Compares all customers; returns a line for each figure that differs, and the number of customers."""
    from halles.checkout.v1 import checkout_service_pb2, checkout_service_pb2_grpc
    from halles.common.v1 import common_pb2
    from halles.customer_identity.v1 import customer_identity_service_pb2, customer_identity_service_pb2_grpc

    expected = uci_expected.expected(journal)
    found = []

    def compare(what, got, due):
        if got != due:
            found.append(f"{what}: {got} instead of {due}")

    totals = checkout_service_pb2_grpc.CheckoutServiceStub(channel).GetTotals(
        checkout_service_pb2.GetTotalsRequest(site_id="uci-online"), timeout=run_client.TIMEOUT_S
    )
    compare("rows of totals", len(totals.rows), 1)
    for row in totals.rows:
        for figure in ("orders", "returns", "lines", "net_minor_units"):
            compare(f"totals {figure}", getattr(row.totals, figure), expected[figure])
    stub = customer_identity_service_pb2_grpc.CustomerIdentityServiceStub(channel)
    for number, customer in expected["customers"].items():
        name = customer_identity_service_pb2.CustomerName(
            identifier=common_pb2.Identifier(type=common_pb2.IDENTIFIER_TYPE_EXTERNAL_ID, issuer="uci", value=number)
        )
        request = customer_identity_service_pb2.GetCustomerViewRequest(customer=name)
        view = stub.GetCustomerView(request, timeout=run_client.TIMEOUT_S).view
        for figure in ("orders", "returns", "lines"):
            compare(f"customer {number} {figure}", getattr(view, figure), customer[figure])
        net = {amount.money.currency_code: amount.money.minor_units for amount in view.net}
        compare(f"customer {number} net", net, {"GBP": customer["net_minor_units"]})
    return found, len(expected["customers"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="127.0.0.1:7400", help="where halles listens")
    parser.add_argument("--googleapis", required=True, help="folder that holds google/rpc/*.proto")
    parser.add_argument("journal", help="folder of daily CSV files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_client.generate(arguments.googleapis, folder)
        found, customers = differences(run_client.channel_to(arguments.target), arguments.journal)
    for difference in found[:20]:
        print(difference)
    print(f"{customers} customers, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
