#!/usr/bin/python3
"""The GCC and the Clang build fold the same log to the same rows, and so did the program that wrote the log."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "binary"))

import program  # noqa: E402  pylint: disable=wrong-import-position

ROOT = HERE.parents[1]
BUILD = program.TESTS.parent
CLANG = "clang++-14"
ORDERS = 60


def clang_build():
    """Builds fold_log with Clang in a folder below the GCC build; returns the path of the program."""
    folder = BUILD / "clang"
    folder.mkdir(exist_ok=True)
    configure = [
        "cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DHALLES_DOORS=OFF", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_CXX_COMPILER={CLANG}", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG",
        f"-DHALLES_GOOGLEAPIS_DIR={os.environ['HALLES_GOOGLEAPIS_DIR']}",
    ]
    for command in (configure, ["ninja", "-C", folder, "halles_fold_log"]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-5000:]}"
    return folder / "tests"


def fold(folder, log):
    """Folds a copy of the log, because opening a log may repair its end: ({fold: (position, digest)}, compiler)."""
    with tempfile.TemporaryDirectory(prefix="halles-fold-") as scratch:
        copy = pathlib.Path(scratch) / "log"
        shutil.copytree(log, copy)
        command = [folder / "halles_fold_log", copy]
        done = subprocess.run(command, capture_output=True, text=True, timeout=program.PATIENCE_S, check=False)
    assert done.returncode == 0, f"{folder} ended with {done.returncode}: {done.stderr}"
    *lines, last = done.stdout.splitlines()
    folds = {}
    for line in lines:
        name, position, digest = line.rsplit(" ", 2)
        folds[name] = (int(position), digest)
    return folds, last.split()[2]


class Compilers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        clang = clang_build()
        with tempfile.TemporaryDirectory(prefix="halles-compilers-") as folder:
            data = pathlib.Path(folder) / "data"
            with program.serving(data) as running:
                for number in range(ORDERS):
                    running.import_order(program.order(number, lines=1 + number % 3, customer=number % 7))
                code, listed = running.ctl("story", "list")
                assert code == 0, listed
                for story in listed["stories"]:
                    code, told = running.ctl("story", story["story"])
                    assert code == 0, told
                cls.served = running.settled()
            cls.gcc, cls.gcc_name = fold(program.TESTS, data / "log")
            cls.clang, cls.clang_name = fold(clang, data / "log")

    def test_the_compilers_differ(self):
        self.assertEqual({self.gcc_name, self.clang_name}, {"gcc", "clang"})

    def test_the_rows_are_equal(self):
        self.assertEqual(self.gcc, self.clang)

    def test_the_rows_are_those_that_were_served(self):
        self.assertEqual(set(self.gcc), set(self.served))
        # Folds that advanced after the query cannot be compared.
        same = [name for name, (position, _) in self.gcc.items() if self.served[name][0] == position]
        self.assertGreater(len(same), len(self.gcc) * 0.9)
        self.assertEqual({name: self.gcc[name] for name in same}, {name: self.served[name] for name in same})

    def test_the_log_has_something_in_most_slots(self):
        # All empty folds have the same digest.
        self.assertGreater(len({digest for _, digest in self.gcc.values()}), len(self.gcc) / 3)


if __name__ == "__main__":
    unittest.main()
