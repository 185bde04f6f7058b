#!/usr/bin/python3
"""Imports journals into the real halles: every line is accounted for, a repeat changes nothing, all customers are right.

Without arguments, the journal is generated from a seed, with all irregularities of the real one. --uci names the real one.
"""

import argparse
import decimal
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import program

sys.path.insert(0, str(program.HERE.parent))

import check_uci_customers  # noqa: E402  pylint: disable=wrong-import-position

# The published figures of the real journal.
UCI_LINES = 77_628
UCI_INVOICES = 3_501
UCI_RETURNS = 586
UCI_CUSTOMERS = 1_369
UCI_NET = decimal.Decimal("1308957.280")
UCI_REFUSED_PER_THOUSAND_MAX = 1


class Journal(unittest.TestCase):
    real = None
    figures = ("lines_read", "lines_imported", "lines_refused", "orders", "returns", "customers", "net", "refused_net")

    def import_twice(self, running, source, path):
        """Imports twice; the second import has the same summary and changes nothing. Returns the summary."""
        code, summary = running.ctl("import", source, path)
        self.assertEqual(code, 0, summary)
        before = running.settled()
        code, again = running.ctl("import", source, path)
        self.assertEqual(code, 0, again)
        self.assertEqual({name: again[name] for name in self.figures}, {name: summary[name] for name in self.figures})
        self.assertEqual(running.settled(), before, "the second import changed something")
        return summary

    def expect_verified(self, running):
        code, proof = running.ctl("verify")
        self.assertEqual((code, proof["equal"]), (0, True), proof)

    def generate(self, source, size, path, *arguments):
        done = subprocess.run(
            [program.BIN / "hallesctl", "generate", source, "--seed", "20", "--size", str(size), *arguments, path],
            check=True,
            capture_output=True,
            timeout=program.PATIENCE_S,
        )
        return json.loads(done.stdout)


class Generated(Journal):
    def test_a_journal_of_an_online_shop(self):
        with tempfile.TemporaryDirectory(prefix="halles-journal-") as folder:
            truth = self.generate("uci", 400, f"{folder}/journal")
            with program.serving(f"{folder}/data") as running:
                summary = self.import_twice(running, "uci", f"{folder}/journal")
                self.assertEqual({name: summary[name] for name in truth}, truth)
                found, customers = check_uci_customers.differences(running.channel, f"{folder}/journal")
                self.assertEqual((found, customers), ([], truth["customers"]))
                self.expect_verified(running)

    def test_a_journal_with_damaged_lines_names_each(self):
        with tempfile.TemporaryDirectory(prefix="halles-journal-") as folder:
            truth = self.generate("uci", 100, f"{folder}/journal", "--faults", "7")
            with program.serving(f"{folder}/data") as running:
                command = [program.BIN / "hallesctl", "--target", running.target, "--output", "json", "import", "uci"]
                done = subprocess.run(
                    [*command, f"{folder}/journal"], capture_output=True, text=True, timeout=program.PATIENCE_S, check=False
                )
            summary = json.loads(done.stdout)
            self.assertEqual({name: summary[name] for name in truth}, truth)
            self.assertEqual(sum(summary["lines_refused"].values()), 7)
            self.assertEqual(len([line for line in done.stderr.splitlines() if ".csv:" in line]), 7, done.stderr)

    def test_a_year_of_a_grocer(self):
        with tempfile.TemporaryDirectory(prefix="halles-journal-") as folder:
            self.generate("complete-journey", 400, f"{folder}/year.csv")
            with program.serving(f"{folder}/data") as running:
                summary = self.import_twice(running, "complete-journey", f"{folder}/year.csv")
                self.assertEqual(summary["orders"], 400)
                self.expect_verified(running)


class Real(Journal):
    def test_the_journal_of_the_online_shop(self):
        with tempfile.TemporaryDirectory(prefix="halles-journal-") as folder:
            with program.serving(f"{folder}/data", slots=64) as running:
                summary = self.import_twice(running, "uci", self.real)
                self.assertEqual(summary["lines_read"], UCI_LINES)
                imported = sum(summary["lines_imported"].values())
                refused = sum(summary["lines_refused"].values())
                self.assertEqual(imported + refused, UCI_LINES)
                self.assertLessEqual(refused * 1000, UCI_LINES * UCI_REFUSED_PER_THOUSAND_MAX)
                self.assertEqual(summary["orders"] + summary["returns"], UCI_INVOICES)
                self.assertEqual(summary["returns"], UCI_RETURNS)
                self.assertEqual(summary["customers"], UCI_CUSTOMERS)
                net = decimal.Decimal(summary["net"]["amount"]) + decimal.Decimal(summary["refused_net"]["amount"])
                self.assertEqual(net, UCI_NET)
                self.assertEqual(summary["net"]["currency"], "GBP")
                found, customers = check_uci_customers.differences(running.channel, self.real)
                self.assertEqual((found, customers), ([], UCI_CUSTOMERS))
                self.expect_verified(running)
                print({name: summary[name] for name in self.figures})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uci", type=pathlib.Path, help="folder of the real journal's daily CSV files")
    options = parser.parse_args()
    Journal.real = options.uci
    unittest.main(argv=sys.argv[:1], defaultTest="Real" if options.uci else "Generated")
