#!/usr/bin/python3
"""Kills halles while it makes a new data directory: the next start goes on from whatever is there.

usage: first_start_test.py [--count N] [--seed N]
"""

import argparse
import pathlib
import random
import signal
import sys
import tempfile
import time
import unittest

import program

COUNT = 10
SEED = 20261127


class FirstStart(unittest.TestCase):
    count = COUNT
    seed = SEED

    def test_a_kill_at_any_moment_leaves_a_directory_that_starts(self):
        print(f"seed {self.seed} (--seed), {self.count} kills (--count)")
        choose = random.Random(self.seed)
        # Each is a moment: that at which it appears. Names that differ from one directory to the next are left out.
        moments = sorted(self.paths_of_a_start() & self.paths_of_a_start())
        killed_before_serving = 0
        for number in range(self.count):
            moment = choose.choice(moments)
            with self.subTest(number=number, moment=str(moment)):
                killed_before_serving += self.kill_at(moment, number)
        print(f"{killed_before_serving} of {self.count} were killed before they served")
        self.assertGreater(killed_before_serving, self.count // 2)

    @staticmethod
    def paths_of_a_start():
        with tempfile.TemporaryDirectory(prefix="halles-first-start-") as folder:
            data = pathlib.Path(folder) / "data"
            with program.serving(data):
                return {path.relative_to(data) for path in [data, *data.rglob("*")]}

    def kill_at(self, moment, number):
        """Whether the process had not served yet."""
        with tempfile.TemporaryDirectory(prefix="halles-first-start-") as folder:
            data = pathlib.Path(folder) / "data"
            running = program.Program(data)
            deadline = time.monotonic() + program.PATIENCE_S
            while not (data / moment).exists():
                self.assertLess(time.monotonic(), deadline, f"{moment} never appeared:\n" + "\n".join(running.lines))
            running.process.kill()
            self.assertEqual(running.wait(), -signal.SIGKILL)
            served = any('"msg":"serving"' in line for line in running.lines)
            with program.serving(data) as again:
                answer = again.import_order(program.order(number))
                self.assertEqual(again.import_order(program.order(number)).order_id, answer.order_id)
        return not served


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    asked, rest = parser.parse_known_args()
    FirstStart.count = asked.count
    FirstStart.seed = asked.seed
    unittest.main(argv=[sys.argv[0], *rest])
