#!/usr/bin/python3
"""Restarts halles under load: with the published retry policy, every call succeeds that meets a restart.

usage: restart_test.py [--count N]
"""

import argparse
import itertools
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

import grpc
import program
from program import admin, admin_grpc, checkout_grpc, identity, identity_grpc

POLICY = pathlib.Path(__file__).resolve().parents[2] / "proto" / "service_config.json"
CALLERS = 4
CALLS_BETWEEN = 20  # calls of each caller between two restarts
COUNT = 20


def free_port():
    """A free port, on which the processes of the test listen one after the other."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Caller(threading.Thread):
    """Makes calls without pause, each with the retry policy alone."""

    def __init__(self, target, number):
        super().__init__()
        self.number = number
        self.done = 0
        self.failed = []
        self.news = threading.Condition()
        self.stopping = False
        # The client sets the pause before it reconnects; the policy does not.
        channel = grpc.insecure_channel(
            target,
            options=[
                ("grpc.service_config", POLICY.read_text()),
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_reconnect_backoff_ms", 200),
                ("grpc.initial_reconnect_backoff_ms", 50),
            ],
        )
        self.channel = channel
        self.checkout = checkout_grpc.CheckoutServiceStub(channel)
        self.identity = identity_grpc.CustomerIdentityServiceStub(channel)
        self.admin = admin_grpc.AdminServiceStub(channel)

    def run(self):
        for number in itertools.count():
            with self.news:
                if self.stopping:
                    break
            name = f"restart-{self.number}-{number}"
            try:
                if number % 4 == 3:
                    self.admin.GetStatus(admin.GetStatusRequest())
                elif number % 4 == 2:
                    request = identity.GetCustomerViewRequest(customer=program.named(self.number))
                    self.identity.GetCustomerView(request)
                else:
                    self.checkout.ImportOrder(program.order(name, customer=self.number))
            except grpc.RpcError as error:
                self.failed.append(program.Refusal(error))
            with self.news:
                self.done += 1
                self.news.notify_all()
        self.channel.close()

    def await_calls(self, more):
        """Waits until `more` further calls have ended."""
        with self.news:
            wanted = self.done + more
            assert self.news.wait_for(lambda: self.done >= wanted, timeout=2 * program.PATIENCE_S), "no call ends"

    def stop(self):
        with self.news:
            self.stopping = True
        self.join()


class Restart(unittest.TestCase):
    count = COUNT

    def test_calls_succeed_with_the_policy(self):
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="halles-restart-") as folder:
            running = program.Program(f"{folder}/data", listen=f"127.0.0.1:{port}").serve()
            running.channel.close()
            running.channel = None
            # A health watch and an idle connection, which must not delay the shutdown.
            held = [socket.create_connection(("127.0.0.1", port))]
            callers = [Caller(f"127.0.0.1:{port}", number) for number in range(CALLERS)]
            # The first order of each caller, so that queries find a customer.
            for caller in callers:
                caller.checkout.ImportOrder(program.order(f"first-{caller.number}", customer=caller.number))
                caller.start()
            ends = []
            for _ in range(self.count):
                for caller in callers:
                    caller.await_calls(CALLS_BETWEEN)
                began = time.monotonic()
                running.process.send_signal(signal.SIGTERM)
                self.assertEqual(running.wait(), 0)
                ends.append(time.monotonic() - began)
                running = program.Program(f"{folder}/data", listen=f"127.0.0.1:{port}").serve()
                running.channel.close()
                running.channel = None
                held.append(socket.create_connection(("127.0.0.1", port)))
            for caller in callers:
                caller.await_calls(CALLS_BETWEEN)
                caller.stop()
            self.assertEqual(running.end(), 0)
            for connection in held:
                connection.close()
        failed = [refusal for caller in callers for refusal in caller.failed]
        calls = sum(caller.done for caller in callers)
        ends.sort()
        print(
            f"{self.count} restarts, {calls} calls, {len(failed)} failed; from SIGTERM to the end "
            f"{ends[len(ends) // 2] * 1000:.0f} ms, at most {ends[-1] * 1000:.0f} ms"
        )
        self.assertEqual(failed, [])
        self.assertLess(ends[-1], 10, "the drain waited although there was nothing to wait for")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT, help="restarts; by default %(default)s")
    parsed, others = parser.parse_known_args()
    Restart.count = parsed.count
    unittest.main(argv=[sys.argv[0], *others])
