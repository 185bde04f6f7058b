#!/usr/bin/python3
"""Attacks a halles of its own on loopback; shows that it stays within its memory and serves other clients meanwhile."""

import argparse
import collections
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "binary"), str(HERE)]

import callers  # noqa: E402
import grpc  # noqa: E402
import program  # noqa: E402

PEAK_MIB_MAX = 512
SOFT_FILES = 1024  # soft limit for the attack that exhausts connections
POLICY = HERE.parents[1] / "proto" / "service_config.json"
# The slowest call that a client may see.
SLOWEST_S_MAX = 30


class Client(threading.Thread):
    """A well-behaved client: one call after the other with the published retry policy, and a scrape from time to time."""

    def __init__(self, target, metrics, name):
        super().__init__()
        self.metrics = metrics
        self.name = name
        self.served = 0
        self.refused = collections.Counter()
        self.slowest = 0.0
        self.scrapes = 0
        self.scrapes_failed = 0
        self.stopping = threading.Event()
        options = [("grpc.service_config", POLICY.read_text()), ("grpc.use_local_subchannel_pool", 1),
                   ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.insecure_channel(target, options=options)
        self.checkout = program.checkout_grpc.CheckoutServiceStub(self.channel)

    def run(self):
        number = 0
        scraped = time.monotonic()
        while not self.stopping.is_set():
            number += 1
            began = time.monotonic()
            try:
                self.checkout.ImportOrder(program.order(f"{self.name}-{number}"))
                self.served += 1
            except grpc.RpcError as error:
                self.refused[error.code().name] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if time.monotonic() - scraped > 1:
                scraped = time.monotonic()
                try:
                    with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
                        answer.read()
                    self.scrapes += 1
                except OSError:
                    self.scrapes_failed += 1
        self.channel.close()


def peak_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) >> 10


def closed_by_cause(metrics):
    """The connections that the server closed or refused, by cause."""
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for name, value in re.findall(r'^halles_connections_closed_total\{cause="(\w+)"\} (\S+)$', text, re.MULTILINE):
        found[name] = int(float(value))
    for cause, name in (("files", "halles_connections_refused_total"), ("unread", "halles_unread_answers_ended_total"),
                        ("unknown", "halles_unknown_methods_total")):
        counted = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        found[cause] = int(float(counted[1])) if counted else 0
    return {name: value for name, value in found.items() if value > 0}


def attack(name, seconds, folder):
    """Runs one attack; returns its row of the table."""
    few_files = name == "connections"
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if few_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_FILES, before[1]))
    try:
        running = program.Program(f"{folder}/{name}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    running.serve()
    idle = peak_mib(running.pid)
    port = (running.metrics if name == "scrapes" else running.target).rsplit(":", 1)[1]
    client = Client(running.target, running.metrics, name)
    client.start()
    did = subprocess.run([sys.executable, str(HERE / "callers.py"), name, port, str(seconds)], capture_output=True,
                         text=True, check=False)
    client.stopping.set()
    client.join()
    # The server must be alive afterwards, and serve a new client.
    after = Client(running.target, running.metrics, f"after-{name}")
    after.checkout.ImportOrder(program.order(f"after-{name}"), timeout=program.PATIENCE_S)
    after.channel.close()
    row = {
        "attack": name, "sent": did.stdout.strip() or did.stderr.strip()[-200:], "idle": idle,
        "peak": peak_mib(running.pid), "served": client.served, "refused": dict(client.refused),
        "slowest": client.slowest, "scrapes": client.scrapes, "scrapes_failed": client.scrapes_failed,
        "closed": closed_by_cause(running.metrics),
    }
    ended = running.end()
    row["good"] = (row["peak"] <= PEAK_MIB_MAX and client.served > 0 and not client.refused and
                   client.slowest < SLOWEST_S_MAX and client.scrapes_failed == 0 and ended == 0)
    return row


def words(counts):
    return ", ".join(f"{name} {value}" for name, value in sorted(counts.items())) or "none"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="seconds per attack; by default %(default)s")
    parser.add_argument("--attack", choices=sorted(callers.ATTACKS), action="append",
                        help="runs only this attack; may be repeated")
    parsed = parser.parse_args()
    names = parsed.attack or list(callers.ATTACKS)
    print("| attack | idle MiB | peak MiB | calls served | refused | slowest s | scrapes (failed) | ended, by cause |")
    print("|---|---|---|---|---|---|---|---|")
    wrong = []
    with tempfile.TemporaryDirectory(prefix="halles-attack-") as folder:
        for name in names:
            row = attack(name, parsed.seconds, folder)
            print(f"| {name} | {row['idle']} | {row['peak']} | {row['served']} | {words(row['refused'])} | "
                  f"{row['slowest']:.2f} | {row['scrapes']} ({row['scrapes_failed']}) | {words(row['closed'])} |",
                  flush=True)
            print(f"{name}: {row['sent']}", file=sys.stderr, flush=True)
            if not row["good"]:
                wrong.append(name)
    if wrong:
        sys.exit(f"attack: more than {PEAK_MIB_MAX} MiB, or other clients were not served: {', '.join(wrong)}")
    print(f"all within {PEAK_MIB_MAX} MiB, and other clients were served meanwhile")


if __name__ == "__main__":
    assert "HALLES_BIN" in os.environ, "run scripts/attack"
    main()
