#!/usr/bin/python3
"""The real halles on machines with a wrong clock."""

import pathlib
import tempfile
import unittest

import program

DAY_S = 24 * 3600
MESSAGES = {
    "CLOCK_AHEAD": "more than 90 days ahead of the newest record",
    "CLOCK_BEHIND": "more than an hour behind the newest record",
}


class WrongClock(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="halles-clock-")
        self.addCleanup(folder.cleanup)
        self.data = pathlib.Path(folder.name) / "data"
        with program.serving(self.data) as running:
            running.settled()
            self.terms = self.read_terms(running)

    def start(self, wrong_by_s, **variables):
        wrong = {
            "LD_PRELOAD": str(program.TESTS / "libhalles_wrong_clock.so"),
            "HALLES_WRONG_CLOCK_SECONDS": str(wrong_by_s),
            "ASAN_OPTIONS": "verify_asan_link_order=0",  # of a build with sanitizers: the clock is loaded before them
        }
        running = program.Program(self.data, environment={**wrong, **variables})
        self.addCleanup(running.end)
        return running

    @staticmethod
    def read_terms(running):
        status = running.admin.GetStatus(program.admin.GetStatusRequest(), timeout=program.PATIENCE_S)
        return [slot.term for slot in status.slots]

    def expect_refused(self, wrong_by_s, reason):
        running = self.start(wrong_by_s)
        said = running.await_line(lambda line: line.get("reason") == reason)
        self.assertIn(MESSAGES[reason], said["why"])
        self.assertIn("--accept-clock-jump", said["why"])
        self.assertEqual(running.wait(), 1)
        with program.serving(self.data) as again:
            again.settled()
            self.assertEqual(self.read_terms(again), [term + 1 for term in self.terms], "it claimed a slot")

    def test_a_clock_far_ahead_claims_nothing(self):
        self.expect_refused(91 * DAY_S, "CLOCK_AHEAD")

    def test_a_clock_behind_claims_nothing(self):
        self.expect_refused(-2 * 3600, "CLOCK_BEHIND")

    def test_the_operator_may_accept_a_jump(self):
        running = self.start(91 * DAY_S, HALLES_ACCEPT_CLOCK_JUMP="true")
        running.serve()
        running.settled()
        self.assertEqual(self.read_terms(running), [term + 1 for term in self.terms])


if __name__ == "__main__":
    unittest.main()
