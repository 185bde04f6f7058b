#!/usr/bin/python3
"""Runs the generated client of tests/clients/python against the real halles."""

import subprocess
import sys
import tempfile
import unittest

import program


class Clients(unittest.TestCase):
    def test_the_python_client(self):
        with tempfile.TemporaryDirectory(prefix="halles-clients-") as folder:
            with program.serving(f"{folder}/data") as running:
                client = program.HERE.parent / "clients" / "python" / "run_client.py"
                done = subprocess.run(
                    [sys.executable, client, "--target", running.target], timeout=2 * program.PATIENCE_S, check=False
                )
                self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
