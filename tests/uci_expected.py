#!/usr/bin/python3
"""Computes the expected result of an import of a UCI journal, from the CSV alone, in decimal arithmetic.

Shares no code with the importer: it uses Python's csv and decimal modules. Prints JSON: the totals, and for each
customer the orders, returns and net values, exact and rounded to pence line by line (halves away from zero), as the
view of a customer shows them.
"""

import csv
import decimal
import json
import pathlib
import sys

PENNY = decimal.Decimal("0.01")


def pence(amount):
    """Rounds to whole pence, halves away from zero."""
    return int(amount.quantize(PENNY, rounding=decimal.ROUND_HALF_UP) / PENNY)


def rows(path):
    """Yields each line of the journal as (file, line number, fields)."""
    folder = pathlib.Path(path)
    for file in sorted(folder.glob("*.csv")) if folder.is_dir() else [folder]:
        raw = file.read_bytes()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        reader = csv.DictReader(text.splitlines(keepends=True))
        for fields in reader:
            yield file.name, reader.line_num, fields


def expected(path):
    """The figures of one journal without damaged lines."""
    decimal.getcontext().prec = 50
    lines = 0
    net = decimal.Decimal(0)
    net_pence = 0
    invoices = {}
    for file, number, fields in rows(path):
        try:
            amount = decimal.Decimal(fields["Quantity"]) * decimal.Decimal(fields["UnitPrice"])
        except (decimal.InvalidOperation, TypeError) as error:
            sys.exit(f"{file}:{number}: {error!r}: {fields}")
        lines += 1
        net += amount
        net_pence += pence(amount)
        invoice = invoices.setdefault(
            fields["InvoiceNo"], {"customer": "", "net": decimal.Decimal(0), "pence": 0, "lines": 0, "first": ""}
        )
        customer = fields["CustomerID"].strip()
        if customer:
            invoice["customer"] = customer.split(".")[0]
        invoice["first"] = invoice["first"] or fields["InvoiceDate"]
        invoice["net"] += amount
        invoice["pence"] += pence(amount)
        invoice["lines"] += 1
    customers = {}
    for number, invoice in invoices.items():
        if not invoice["customer"]:
            continue
        customer = customers.setdefault(
            invoice["customer"],
            {"orders": 0, "returns": 0, "lines": 0, "net": decimal.Decimal(0), "net_minor_units": 0},
        )
        customer["returns" if number.upper().startswith("C") else "orders"] += 1
        customer["lines"] += invoice["lines"]
        customer["net"] += invoice["net"]
        customer["net_minor_units"] += invoice["pence"]
    for customer in customers.values():
        customer["net"] = str(customer["net"])
    returns = sum(number.upper().startswith("C") for number in invoices)
    return {
        "lines": lines,
        "invoices": len(invoices),
        "orders": len(invoices) - returns,
        "returns": returns,
        "net": str(net),
        "net_minor_units": net_pence,
        "customer_count": len(customers),
        "customers": customers,
    }


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: tests/uci_expected.py FOLDER_OR_FILE")
    json.dump(expected(sys.argv[1]), sys.stdout)
    print()
