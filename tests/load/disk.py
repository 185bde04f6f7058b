#!/usr/bin/python3
"""Measures the bytes that a halles of its own writes to disk: during an import, and then at one command per second.

Prints one JSON object. The bytes are those that Linux charges to the threads of the process (/proc/PID/task/TID/io):
the threads of the log, and all others, which write state and views. Linux charges whole pages, so a small write that is
made durable immediately costs 4 KiB."""
import argparse
import glob
import json
import pathlib
import re
import struct
import subprocess
import time

FRAME_HEADER_BYTES = 28
SEGMENT_HEADER_BYTES = 64
LOG_THREADS = ("log-commit", "log-keep")


def written(pid):
    """Bytes charged to the threads of the log, and to the whole process."""
    def of(path):
        return int(re.search(r"^write_bytes: (\d+)", pathlib.Path(path).read_text(), re.M).group(1))
    log = 0
    for task in glob.glob(f"/proc/{pid}/task/*"):
        if pathlib.Path(task, "comm").read_text().strip() in LOG_THREADS:
            log += of(task + "/io")
    return log, of(f"/proc/{pid}/io")


def settled(pid):
    """Waits until nothing has been written for three seconds; returns the same as written()."""
    now, quiet = written(pid), 0
    while quiet < 3:
        time.sleep(1)
        before, now = now, written(pid)
        quiet = quiet + 1 if now == before else 0
    return now


def record_bytes(log):
    """Bytes of the records in the log's segments: headers and bodies, without frames and marks."""
    total = count = 0
    for path in sorted(log.glob("*.segment")):
        data = path.read_bytes()
        at = SEGMENT_HEADER_BYTES
        while at + FRAME_HEADER_BYTES <= len(data):
            length, checksum = struct.unpack_from("<II", data, at)
            if length == 0 and checksum == 0:
                break
            if data[at + 27] == 1:
                total += length
                count += 1
            at += (FRAME_HEADER_BYTES + length + 7) // 8 * 8
    return total, count


class Server:
    def __init__(self, binary, dir):
        self.log = dir / "halles.err"
        self.process = subprocess.Popen([binary, "--data-dir", dir / "data", "--listen", "127.0.0.1:0", "--metrics",
                                         "127.0.0.1:0"], stderr=open(self.log, "w"))
        self.target = self.await_line(r'"msg":"serving".*"listen":"([^"]*)"')
        self.ready_ms = int(self.await_line(r'"msg":"ready","start_ms":(\d+)'))

    def await_line(self, pattern):
        for _ in range(1200):
            found = re.search(pattern, self.log.read_text())
            if found:
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit("load: halles did not start:\n" + self.log.read_text())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--journal", required=True, help="transactions of a grocer's year")
    parser.add_argument("--seconds", type=int, default=65,
                        help="seconds with one command each; more than twice the maximum age of unflushed rows")
    options = parser.parse_args()
    dir = options.dir / "disk"
    dir.mkdir(parents=True, exist_ok=True)
    server = Server(options.bin / "halles", dir)
    try:
        ctl = [options.bin / "hallesctl", "--target", server.target, "--timeout", "60"]
        start = time.monotonic()
        imported = subprocess.run(ctl + ["--output", "json", "import", "complete-journey", options.journal], check=True,
                                  stdout=subprocess.PIPE, text=True)
        took = time.monotonic() - start
        told = json.loads(imported.stdout)
        # The dirty rows belong to the import. `status` flushes them, because it reports digests.
        subprocess.run(ctl + ["status"], check=True, stdout=subprocess.DEVNULL)
        log, all = settled(server.process.pid)
        records, count = record_bytes(dir / "data" / "log")
        result = {"disk_records": count, "disk_record_bytes": records, "disk_import_seconds": round(took, 1),
                  "disk_import_per_s": round((told["orders"] + told["returns"]) / max(0.001, told["seconds"])),
                  "disk_log_per_byte": round(log / records, 2), "disk_state_per_byte": round((all - log) / records, 2)}

        before = written(server.process.pid)
        start = time.monotonic()
        for n in range(options.seconds):
            subprocess.run(ctl + ["stock", "receive", f"disk-sku-{n}", "--location", "store-1", "--units", "5"], check=True,
                           stdout=subprocess.DEVNULL)
            time.sleep(max(0.0, start + n + 1 - time.monotonic()))
        after = written(server.process.pid)
        took = time.monotonic() - start
        result["disk_idle_kib_s"] = round((after[1] - before[1]) / 1024 / took, 1)
        result["disk_idle_log_kib_s"] = round((after[0] - before[0]) / 1024 / took, 1)

        server.process.kill()
        server.process.wait()
        server = Server(options.bin / "halles", dir)
        result["disk_ready_after_kill_ms"] = server.ready_ms
        print(json.dumps(result))
    finally:
        server.process.kill()
        server.process.wait()


if __name__ == "__main__":
    main()
