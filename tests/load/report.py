#!/usr/bin/python3
"""Prints the measured figures next to their bounds. With --check 1, fails if a figure misses its bound."""
import argparse
import json
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", choices=["table", "json"], default="table")
    parser.add_argument("--check", type=int, default=0)
    parser.add_argument("--ready-ms", type=int, required=True)
    parser.add_argument("--idle-kib", type=int, required=True)
    parser.add_argument("--disk", type=json.loads, required=True)
    options = parser.parse_args()
    r = json.load(sys.stdin)
    r.update(options.disk)
    r["ready_ms"] = options.ready_ms
    r["idle_mib"] = round(options.idle_kib / 1024, 1)
    r["view_over_append_p99_us"] = r["view_with_token_p99_us"] - r["sync_p99_us"]

    # what, measured, reference, ratio, must, ok
    rows = [
        ("durable ReserveStock, 256 in flight, 1 channel", f"{r['reserve_256_1']:,.0f}/s",
         f"echo {r['reserve_echo_256_1']:,.0f}/s", r["reserve_ratio_256_1"], ">= 0.45", r["reserve_ratio_256_1"] >= 0.45),
        ("the same over 4 channels", f"{r['reserve_256_4']:,.0f}/s", f"echo {r['reserve_echo_256_4']:,.0f}/s",
         r["reserve_ratio_256_4"], "", None),
        ("the same in one slot, which is one thread", f"{r['reserve_one_slot_per_s']:,.0f}/s",
         f"p99 {r['reserve_one_slot_p99_us'] / 1000:.1f} ms", "", "", None),
        ("the same in batches of 64 over one stream", f"{r['reserve_batches']:,.0f}/s",
         f"echo {r['reserve_batches_echo']:,.0f}/s", r["reserve_batches_ratio"], ">= 1.5",
         r["reserve_batches_ratio"] >= 1.5),
        ("durable ImportOrder, 256 in flight, 1 channel", f"{r['import_256_1']:,.0f}/s",
         f"echo {r['import_echo_256_1']:,.0f}/s", r["import_ratio_256_1"], ">= 0.35", r["import_ratio_256_1"] >= 0.35),
        ("the same over 4 channels", f"{r['import_256_4']:,.0f}/s", f"echo {r['import_echo_256_4']:,.0f}/s",
         r["import_ratio_256_4"], "", None),
        ("PlaceOrder of 2 SKUs, with its cart, 64 in flight", f"{r['orders_per_s']:,.0f}/s",
         f"p50 {r['order_p50_us'] / 1000:.1f}, p99 {r['order_p99_us'] / 1000:.1f} ms", "",
         f"{r['records_per_order']:.1f} records", None),
        ("ImportOrder at 16 in flight, p99", f"{r['import_16_p99_us'] / 1000:.2f} ms",
         f"sync {r['sync_p99_us'] / 1000:.2f} + echo {r['echo_16_p99_us'] / 1000:.2f} ms", r["ratio_16_p99"], "", None),
        (f"fact to view, p99 at {r['view_rate']:,.0f}/s", f"{r['view_with_token_p99_us'] / 1000:.2f} ms",
         f"plain read {r['view_plain_p99_us'] / 1000:.2f} ms", "", "", None),
        ("rebuild of all states and views, events/s", f"{r['rebuild_per_s']:,.0f}/s",
         f"parse + put {r['parse_put_per_s']:,.0f}/s", r["ratio_rebuild"], "", None),
        ("idle memory, all in one", f"{r['idle_mib']} MiB", "", "", "<= 150 MiB", r["idle_mib"] <= 150),
        (f"import of {r['disk_records']:,} records: log written", f"{r['disk_log_per_byte']} a byte",
         f"{r['disk_record_bytes'] / 1e6:,.0f} MB of records", "", "<= 2.2", r["disk_log_per_byte"] <= 2.2),
        ("the same: state and views, compaction included", f"{r['disk_state_per_byte']} a byte",
         f"{r['disk_import_seconds']} s", "", "<= 2.0", r["disk_state_per_byte"] <= 2.0),
        ("the same: orders and returns imported", f"{r['disk_import_per_s']:,.0f}/s",
         f"echo {r['import_echo_256_1']:,.0f}/s",
         round(r["disk_import_per_s"] / max(1, r["import_echo_256_1"]), 2), "", None),
        ("written at one command a second", f"{r['disk_idle_kib_s']} KiB/s", f"log {r['disk_idle_log_kib_s']} KiB/s", "",
         "<= 64", r["disk_idle_kib_s"] <= 64),
        ("ready after kill -9", f"{r['disk_ready_after_kill_ms']} ms", "", "", "<= 2000 ms",
         r["disk_ready_after_kill_ms"] <= 2000),
        ("ready on an empty log", f"{r['ready_ms']} ms", "", "", "<= 1000 ms", r["ready_ms"] <= 1000),
    ]
    if options.output == "json":
        print(json.dumps(r))
    else:
        print(f"requests of {r['request_bytes']} bytes; {r['rebuild_events']:,} events folded by the rebuild")
        for what, measured, reference, ratio, must, ok in rows:
            mark = "" if ok is None else ("ok" if ok else "MISSED")
            print(f"{what:<50} {measured:>12}  {reference:<28} {ratio!s:>6}  {must:<10} {mark}")
    if options.check and any(row[5] is False for row in rows):
        print("load: a figure misses its bound", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
