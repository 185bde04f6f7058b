"""Hostile and clumsy callers in raw HTTP/2 on loopback. Each runs for some seconds and returns what it did, as text."""

import contextlib
import gzip
import socket
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
METHOD = "/halles.inventory.v1.InventoryService/GetAvailability"
CANCEL = b"\0\0\0\x08"
FRAME_BYTES_MAX = 16384


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header that is not added to the HPACK table."""

    def text(of):
        raw = of.encode()
        if len(raw) < 127:
            return bytes([len(raw)]) + raw
        left, out = len(raw) - 127, bytearray([127])
        while left >= 128:
            out.append(left % 128 + 128)
            left //= 128
        out.append(left)
        return bytes(out) + raw

    return b"\0" + text(name) + text(value)


def head(*more):
    """The headers of a call."""
    pairs = [(":method", "POST"), (":scheme", "http"), (":path", METHOD), (":authority", "x"),
             ("content-type", "application/grpc"), ("te", "trailers"), *more]
    return b"".join(literal(name, value) for name, value in pairs)


class Connection:
    """A connection that is reopened after the server has closed it, if the server accepts it."""

    def __init__(self, port):
        self.port = port
        self.opened = 0
        self.socket = None

    def send(self, data):
        """False if the server did not accept the data."""
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                self.opened += 1
                self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))
            self.socket.sendall(data)
            self.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while self.socket.recv(1 << 20):
                    pass
                raise ConnectionResetError  # the server has closed the connection
            self.socket.settimeout(5)
            return True
        except OSError:
            self.close()
            return False

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def many(port, seconds, count, bytes_of):
    """Uses `count` connections in turn; each sends the result of `bytes_of(number of its frames so far)`."""
    connections = [Connection(port) for _ in range(count)]
    steps = [0] * count
    until = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < until:
        for at, connection in enumerate(connections):
            data = bytes_of(steps[at])
            if data is None:
                data = b""
            steps[at] = steps[at] + 1 if connection.send(data) else 0
            sent += len(data)
            if time.monotonic() >= until:
                break
    return f"{sent >> 20} MiB over {sum(connection.opened for connection in connections)} connections"


def resets(port, seconds):
    """Opens calls and resets them immediately, as fast as possible, on two connections."""
    headers = head()
    body = b"\0\0\0\0\3\n\1A"

    def data(step):
        out = bytearray()
        for number in range(200):
            stream = 1 + 2 * (step * 200 + number)
            out += frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, END_STREAM, stream, body)
            out += frame(RESET, 0, stream, CANCEL)
        return bytes(out)

    return many(port, seconds, 2, data)


def halves(port, seconds):
    """A thousand connections of a hundred calls each, whose messages never end."""
    headers = head()
    half = b"\0\0\x0f\xff\xff" + bytes(50)

    def data(step):
        if step > 0:
            return None
        return b"".join(frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, 0, stream, half)
                        for stream in range(1, 200, 2))

    return many(port, seconds, 1000, data)


def large_halves(port, seconds):
    """Fifty connections of calls with nearly a mebibyte each, whose last byte never comes."""
    headers = head()
    step_bytes = frame(DATA, 0, 1, bytes(FRAME_BYTES_MAX))

    def data(step):
        stream = 1 + 2 * (step // 60)
        if stream > 2000:
            return None
        if step % 60 == 0:
            return (frame(HEADERS, END_HEADERS, stream, headers) +
                    frame(DATA, 0, stream, b"\0" + struct.pack(">I", 1_000_000)))
        return step_bytes[:5] + struct.pack(">I", stream) + step_bytes[9:]

    return many(port, seconds, 50, data)


def long_headers(port, seconds):
    """Calls with 60 KB of headers, most of which come in continuations that never end."""
    block = head(("padding", "x" * 60_000))
    parts = [block[at:at + FRAME_BYTES_MAX] for at in range(0, len(block), FRAME_BYTES_MAX)]

    def data(step):
        stream = 1 + 2 * step
        out = frame(HEADERS, 0, stream, parts[0])
        for part in parts[1:-1]:
            out += frame(9, 0, stream, part)
        return out + frame(9, END_HEADERS, stream, parts[-1])

    return many(port, seconds, 50, data)


def settings(port, seconds):
    """Only SETTINGS frames, each of which must be acknowledged."""
    burst = frame(SETTINGS, 0, 0) * 1000
    return many(port, seconds, 4, lambda step: burst)


def bombs(port, seconds):
    """Small messages that would inflate to 200 MiB."""
    packed = gzip.compress(bytes(200 << 20), 9)
    message = b"\1" + struct.pack(">I", len(packed)) + packed
    headers = head(("grpc-encoding", "gzip"))

    def data(step):
        stream = 1 + 2 * step
        out = frame(HEADERS, END_HEADERS, stream, headers)
        for at in range(0, len(message), FRAME_BYTES_MAX):
            last = END_STREAM if at + FRAME_BYTES_MAX >= len(message) else 0
            out += frame(DATA, last, stream, message[at:at + FRAME_BYTES_MAX])
        return out

    return many(port, seconds, 4, data)


def unknown_methods(port, seconds):
    """Calls of unknown methods, without reading the answers."""
    headers = head().replace(METHOD.encode(), METHOD.replace("Get", "Got").encode())
    return many(port, seconds, 4, lambda step: b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * (step * 100 + number), headers) for number in range(100)))


def connections(port, seconds):
    """As many connections as possible, more than the server has files."""
    held = []
    refused = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if len(held) >= 1500:
            held.pop(0).close()
        try:
            held.append(socket.create_connection(("127.0.0.1", port), timeout=2))
        except OSError:
            refused += 1
    return f"{len(held)} held at the end, {refused} refused"


def scrapes(port, seconds):
    """Two hundred unfinished requests for metrics, again and again."""
    held = []
    opened = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if len(held) >= 200:
            held.pop(0).close()
        with contextlib.suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=2))
            held[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
            opened += 1
    return f"{opened} requests"


ATTACKS = {function.__name__: function
           for function in (resets, halves, large_halves, long_headers, settings, bombs, unknown_methods, connections,
                            scrapes)}

if __name__ == "__main__":
    print(ATTACKS[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3])))
