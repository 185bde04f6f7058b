#!/usr/bin/python3
"""The real halles under strace: each acknowledgement is sent after an fdatasync that began after the write of its record."""

import os
import pathlib
import re
import signal
import tempfile
import unittest

import program
from program import order

ORDERS = 20
WRITES = ("pwrite64", "pwritev", "pwritev2", "write", "writev")
SENDS = ("sendmsg", "sendto", "write", "writev")
LINE = re.compile(r"^(?P<thread>\d+) +(?P<time>[\d.]+) (?P<what>.*)$")


class Call:
    """One system call: its arguments, and the lines of the trace on which it began and ended."""

    def __init__(self, name, text, began):
        self.name = name
        self.text = text
        self.began = began
        self.ended = None
        self.result = None

    def end(self, text, line):
        self.text += text
        self.ended = line
        self.result = re.search(r" = (-?\d+)[^=]*$", self.text)[1]


def read_trace(path):
    """Parses the calls, in the order in which they began. Lines are in strace's order of entries and exits."""
    calls = []
    open_calls = {}
    with open(path, encoding="latin-1") as trace:
        for number, text in enumerate(trace):
            match = LINE.match(text)
            if match is None:
                continue
            thread, what = match["thread"], match["what"]
            if what.startswith("<... "):
                call = open_calls.pop(thread, None)
                if call is not None and " = ?" not in what:
                    call.end(what.split(" resumed>", 1)[1], number)
                continue
            name = what.split("(", 1)[0]
            if "(" not in what:
                continue
            call = Call(name, what, number)
            calls.append(call)
            if what.endswith("<unfinished ...>"):
                open_calls[thread] = call
            elif " = ?" not in what:
                call.end("", number)
    return calls


def is_socket(call):
    """Whether the first argument is a connection, according to the annotation of -y."""
    return re.match(r"\w+\(\d+<(socket|TCP)", call.text) is not None


class Sync(unittest.TestCase):
    def test_each_acknowledgement_follows_its_fdatasync(self):
        with tempfile.TemporaryDirectory(prefix="halles-sync-") as folder:
            trace = pathlib.Path(folder) / "trace"
            strace = [
                *("strace", "-f", "-y", "-ttt", "-s", "100000", "--seccomp-bpf", "-o", trace),
                *("-e", "trace=fdatasync,fsync,pwrite64,pwritev,pwritev2,sendmsg,sendto,write,writev"),
            ]
            acknowledged = []
            # The leak check of a build with sanitizers does not run under ptrace.
            no_leak_check = {"ASAN_OPTIONS": "detect_leaks=0"}
            traced = program.Program(f"{folder}/data", under=map(str, strace), environment=no_leak_check).serve()
            for number in range(ORDERS):
                request = order(f"traced-{number}-")
                acknowledged.append((request.order.external.external_id, traced.import_order(request).order_id))
            # strace does not forward signals; it ends when its child, the process, ends.
            halles = pathlib.Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text(encoding="ascii").split()
            self.assertEqual(len(halles), 1)
            os.kill(int(halles[0]), signal.SIGTERM)
            self.assertEqual(traced.wait(), 0)
            calls = read_trace(trace)

        slowest = 0
        for external_id, order_id in acknowledged:
            with self.subTest(external_id):
                written = [c for c in calls if c.name in WRITES and ".segment>" in c.text and external_id in c.text]
                self.assertEqual(len(written), 1, "the record is written once")
                record = written[0]
                file = re.search(r"\((\d+<[^>]*\.segment>)", record.text)[1]
                self.assertGreater(int(record.result), 0)
                replies = [c for c in calls if c.name in SENDS and is_socket(c) and order_id in c.text]
                self.assertGreaterEqual(len(replies), 1, "the trace contains the answer")
                syncs = [
                    c
                    for c in calls
                    if c.name == "fdatasync" and file in c.text and c.began > record.ended and c.result == "0"
                ]
                self.assertTrue(syncs, "no fdatasync follows the record")
                first = min(call.ended for call in syncs)
                self.assertLess(first, replies[0].began, "the answer left before the record was durable")
                slowest = max(slowest, replies[0].began - record.began)
        print(f"{ORDERS} acknowledgements, each after its own fdatasync; at most {slowest} lines of the trace between")


if __name__ == "__main__":
    unittest.main()
