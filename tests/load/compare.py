#!/usr/bin/python3
"""Runs scripts/load of this tree and of an older one by turns, and compares the ratios of the two."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# What slows down by more than this share is a loss.
TOLERANCE = 0.05
# What, its value in the results of one run, and whether more is better. Values are relative to a reference of the same
# run, so that a machine whose speed drifts compares like with like.
FIGURES = [
    ("durable ReserveStock / echo, 1 channel", lambda r: r["reserve_ratio_256_1"], True),
    ("durable ReserveStock / echo, 4 channels", lambda r: r["reserve_ratio_256_4"], True),
    ("ReserveStock in batches / echo", lambda r: r["reserve_batches_ratio"], True),
    ("import of a journal / echo", lambda r: r["disk_import_per_s"] / r["import_echo_256_1"], True),
    ("durable ImportOrder / echo, 1 channel", lambda r: r["import_ratio_256_1"], True),
    ("durable ImportOrder / echo, 4 channels", lambda r: r["import_ratio_256_4"], True),
    ("PlaceOrder / echo", lambda r: r["orders_per_s"] / r["reserve_echo_256_1"], True),
    ("ImportOrder p99 at 16 in flight / (sync + echo)", lambda r: r["ratio_16_p99"], False),
    ("rebuild / (parse + put)", lambda r: r["ratio_rebuild"], True),
]


def run(tree, seconds):
    command = [str(tree / "scripts" / "load"), "--no-install", "--output", "json", "--seconds", seconds]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--new", type=pathlib.Path, required=True)
    parser.add_argument("--old", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", type=int, default=0)
    options = parser.parse_args()
    results = {options.new: [], options.old: []}
    for number in range(options.rounds):
        for tree, done in results.items():
            print(f"load: round {number + 1} of {options.rounds}, {tree}", file=sys.stderr, flush=True)
            done.append(run(tree, options.seconds))
    lost = False
    print(f"{'median of ' + str(options.rounds):<50} {'new':>8} {'old':>8} {'new/old':>8}")
    for what, value, more_is_better in FIGURES:
        try:
            new, old = (statistics.median(map(value, results[tree])) for tree in (options.new, options.old))
        except KeyError as missing:  # an older tree does not measure it
            print(f"{what:<50} {'':>8} {'':>8} {'':>8} no {missing.args[0]} in one of the trees")
            continue
        worse = (old / new if more_is_better else new / old) - 1
        ok = worse <= TOLERANCE
        lost = lost or not ok
        print(f"{what:<50} {new:>8.3f} {old:>8.3f} {new / old:>8.3f} {'ok' if ok else 'SLOWER'}")
    if options.check and lost:
        print(f"load: a figure is more than {TOLERANCE:.0%} worse than that of {options.old}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
