#!/usr/bin/python3
"""Plays the stories of hallesctl on one real halles. Each must pass; one that cannot pass must say where it fails."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "binary"))

import program  # noqa: E402  pylint: disable=wrong-import-position

# The minimum number of calls and of passed comparisons of each story.
STORIES = {
    "T02-shoes": (12, 12),
    "T03-lipstick": (6, 9),
    "T06-ship-elsewhere": (14, 12),
    "T09-last-unit": (7, 9),
    "T14-rebuild": (0, 15),
    "T20-social": (8, 8),
}


class Stories(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-scenario-")
        cls.running = program.Program(pathlib.Path(cls.folder.name) / "data").serve()

    @classmethod
    def tearDownClass(cls):
        cls.running.end()
        cls.folder.cleanup()

    def play(self, story, *flags):
        """Plays a story that must pass."""
        code, told = self.running.ctl("story", story, *flags)
        wrong = [step for step in told["steps"] if not step["holds"]]
        self.assertEqual((code, told["passed"], wrong), (0, True, []), told.get("failed"))
        self.assertEqual(told["story"], story)
        calls = [step for step in told["steps"] if "call" in step]
        compared = [step for step in told["steps"] if "want" in step]
        for step in compared:
            self.assertEqual(step["got"], step["want"], step)
        self.assertGreaterEqual(len(calls), STORIES[story][0])
        self.assertGreaterEqual(len(compared), STORIES[story][1])
        return told

    def test_every_story_is_played(self):
        code, listed = self.running.ctl("story", "list")
        self.assertEqual(code, 0)
        self.assertEqual({story["story"] for story in listed["stories"]}, set(STORIES))

    def test_shoes(self):
        told = self.play("T02-shoes")
        arrival = told["steps"][1]
        self.assertEqual(arrival["call"], "ReceiveStock")
        self.assertIn({"what": "shoes-42 in shop-a on hand", "before": 0, "after": 1}, arrival["changed"])

    def test_lipstick(self):
        self.play("T03-lipstick")

    def test_ship_elsewhere(self):
        self.play("T06-ship-elsewhere")

    def test_last_unit(self):
        self.play("T09-last-unit")

    def test_rebuild(self):
        self.play("T14-rebuild")

    def test_social(self):
        self.play("T20-social")

    def test_a_story_that_cannot_pass_says_where(self):
        # Goods with the same name exist already, so the first number that the story checks is wrong.
        code, told = self.running.ctl("stock", "receive", "shoes-42-sold", "--location", "shop-a", "--units", 1)
        self.assertEqual(code, 0, told)
        code, told = self.running.ctl("story", "T02-shoes", "--seed", "sold")
        self.assertEqual((code, told["passed"]), (1, False))
        self.assertEqual(told["failed"], "pairs that anybody knows of: 1 instead of 0")
        self.assertEqual([step["holds"] for step in told["steps"]], [False])


if __name__ == "__main__":
    unittest.main()
