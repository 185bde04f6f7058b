#!/usr/bin/python3
"""The steps of scripts/demo against a real server: queries every figure and compares it with the expected one."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / "build" / "bin"
SOURCE = "complete-journey"
DEADLINE_S = 120
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def step(title):
    print(f"\n{paint('1;36', '== ' + title)}", flush=True)


def say(text):
    print(f"   {text}", flush=True)


class Failed(Exception):
    """A figure differs or an answer took too long; the message names it."""


def money(minor):
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02d}"


class Server:
    """One halles process on a folder of its own."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.target = None
        self.process = None
        self.logs = 0

    def start(self):
        self.logs += 1
        log_path = self.folder / f"halles-{self.logs}.log"
        begun = time.monotonic()
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [BIN / "halles", "--data-dir", self.folder / "data", "--listen", f"127.0.0.1:{self.port}", "--metrics",
                 "127.0.0.1:0"], stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        serving = None
        while time.monotonic() - begun < DEADLINE_S:
            for line in log_path.read_text(encoding="utf-8").splitlines():
                if '"msg":"serving"' in line:
                    serving = json.loads(line)
            if serving or self.process.poll() is not None:
                break
            time.sleep(0.01)
        if not serving:
            raise Failed(f"halles did not start; see {log_path}")
        self.target = serving["listen"]
        self.port = self.target.rsplit(":", 1)[1]  # keep the port after a restart
        return serving, time.monotonic() - begun

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.kill()

    def command(self, *arguments):
        return [str(BIN / "hallesctl"), "--target", self.target, "--output", "json", *map(str, arguments)]

    def ask(self, *arguments, show_progress=False):
        done = subprocess.run(self.command(*arguments), stdout=subprocess.PIPE,
                              stderr=None if show_progress else subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"hallesctl {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr or ''}")
        return json.loads(done.stdout)


class Comparison:
    """A table of figures from the server beside the expected ones."""

    def __init__(self):
        self.bad = []

    def row(self, what, got, want, shown=None):
        shown = shown or (lambda value: f"{value:,}")
        good = got == want
        mark = paint("32", "equal") if good else paint("31", "DIFFERS")
        say(f"{what:<44} {shown(got):>16} {shown(want):>16}  {mark}")
        if not good:
            self.bad.append(what)

    def check(self):
        if self.bad:
            raise Failed("these figures differ: " + ", ".join(self.bad))


def external(household):
    return f"{SOURCE}:{household}"


def net_of(view):
    amounts = view["net"]
    if len(amounts) != 1:
        raise Failed(f"expected one currency, got {amounts}")
    return amounts[0]["minor_units"]


def compare_totals(server, truth):
    total = server.ask("totals")["rows"]
    if len(total) != 1:
        raise Failed(f"expected one row of totals, got {len(total)}")
    total = total[0]
    months = {row["month"]: row for row in server.ask("totals", "--by", "month")["rows"]}
    table = Comparison()
    say(paint("2", f"{'':<44} {'from halles':>16} {'published':>16}"))
    table.row("lines", total["lines"], truth["lines"])
    table.row("baskets", total["orders"], truth["baskets"])
    table.row("shops", total["sites"], truth["stores"])
    table.row("lines with quantity 0", total["zero_quantity_lines"], truth["zero_quantity_lines"])
    table.row("lines with value 0", total["zero_value_lines"], truth["zero_value_lines"])
    if "zero_value_note" in truth:
        say(paint("2", f"  ({truth['zero_value_note']})"))
    table.row("sales, " + truth["currency"], total["net_minor_units"], truth["sales_minor_units"], money)
    table.row("discounts of the retailer", total["discount_retailer_minor_units"], truth["retail_disc_minor_units"], money)
    table.row("discounts by coupon", total["discount_coupon_minor_units"], truth["coupon_disc_minor_units"], money)
    table.row("discounts by matched coupon", total["discount_coupon_match_minor_units"],
              truth["coupon_match_disc_minor_units"], money)
    for month, sales in sorted(truth["months"].items()):
        table.row(f"sales in {month}", months[month]["net_minor_units"] if month in months else 0, sales, money)
    for best in truth["best_households"]:
        household = best["household_id"]
        view = server.ask("customer", "--external", external(household), "--timeline", 1)["customer"]
        table.row(f"household {household}: baskets", view["orders"], best["baskets"])
        table.row(f"household {household}: sales", net_of(view), best["sales_minor_units"], money)
    table.check()
    return total


def best_customer(server, truth):
    """The household with the highest value on the server, among those that the truth names."""
    values = {}
    for best in truth["best_households"]:
        household = best["household_id"]
        values[household] = net_of(server.ask("customer", "--external", external(household), "--timeline", 1)["customer"])
    return max(values, key=values.get)


def show_view(server, household):
    done = subprocess.run([str(BIN / "hallesctl"), "--target", server.target, "customer", "--external", external(household),
                           "--timeline", "4"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr)
    for line in done.stdout.rstrip().splitlines():
        say(line)


def generate_stubs(folder):
    """Generates the Python messages and stubs of the API."""
    sys.path.insert(0, str(ROOT / "tests" / "clients" / "python"))
    import run_client  # pylint: disable=import-outside-toplevel

    stubs = folder / "stubs"
    stubs.mkdir()
    run_client.generate(ROOT / "build" / "third_party" / "googleapis", str(stubs))


def grow_the_view(server, household, currency):
    """Three orders from three channels; prints for each the time until it is durable and until the view shows it."""
    # pylint: disable=import-outside-toplevel
    import grpc
    from halles.checkout.v1 import record_pb2 as record
    from halles.checkout.v1 import checkout_service_pb2 as checkout
    from halles.checkout.v1 import checkout_service_pb2_grpc as checkout_grpc
    from halles.common.v1 import common_pb2 as common
    from halles.customer_identity.v1 import customer_identity_service_pb2 as identity
    from halles.customer_identity.v1 import customer_identity_service_pb2_grpc as identity_grpc
    # pylint: enable=import-outside-toplevel

    channel = grpc.insecure_channel(server.target)
    orders = checkout_grpc.CheckoutServiceStub(channel)
    who = common.Identifier(type=common.IDENTIFIER_TYPE_EXTERNAL_ID, issuer=SOURCE, value=household)
    seen = {}
    arrived = threading.Condition()

    def watch():
        stream = identity_grpc.CustomerIdentityServiceStub(channel).WatchCustomer(
            identity.WatchCustomerRequest(customer=identity.CustomerName(identifier=who)), timeout=DEADLINE_S)
        try:
            for update in stream:
                now = time.perf_counter()
                with arrived:
                    if update.WhichOneof("update") == "snapshot":
                        seen[""] = (now, update.snapshot)
                    for entry in update.change.entries:
                        seen[entry.external.external_id] = (now, update.change.view)
                    arrived.notify_all()
        except grpc.RpcError:
            pass  # the channel was closed at the end

    def await_seen(external_id):
        with arrived:
            if not arrived.wait_for(lambda: external_id in seen, timeout=DEADLINE_S):
                raise Failed(f"the watch did not show '{external_id}' in time")
            return seen[external_id]

    threading.Thread(target=watch, daemon=True).start()
    before = await_seen("")[1]
    say(f"a watch shows the customer: {before.orders:,} orders, {money(before.net[0].money.minor_units)} {currency}")
    added = 0
    for name, number, minor in [("web", common.CHANNEL_WEB, 4990), ("app", common.CHANNEL_APP, 1275),
                                ("phone", common.CHANNEL_PHONE, 8300)]:
        external_id = f"demo-{name}"
        order = checkout.ImportRecord(
            external=record.ExternalRef(source="demo", external_id=external_id), channel=number, site_id=f"{name}-1",
            currency_code=currency, identifiers=[who],
            lines=[checkout.ImportLine(kind=record.LINE_KIND_SALE, sku="basket", quantity=common.Decimal(unscaled=1),
                                       exact_amount=common.Decimal(unscaled=minor, scale=2))])
        order.recorded_time.FromDatetime(datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None))
        sent = time.perf_counter()
        request = checkout.ImportOrderRequest(request_id=f"demo/{external_id}", order=order)
        orders.ImportOrder(request, timeout=DEADLINE_S)
        durable = time.perf_counter()
        shown, view = await_seen(external_id)
        added += minor
        say(f"{name:<6} {money(minor):>8}  durable after {1000 * (durable - sent):5.1f} ms, in the view after "
            f"{1000 * (shown - sent):5.1f} ms: {view.orders:,} orders, {money(view.net[0].money.minor_units)} {currency}")
    channel.close()
    after = server.ask("customer", "--external", external(household), "--timeline", 3)
    customer = after["customer"]
    if customer["orders"] != before.orders + 3 or net_of(customer) != before.net[0].money.minor_units + added:
        raise Failed("the view does not hold the three orders exactly once")
    channels = {place["channel"] for place in after["customer"]["places"]}
    say(f"one view over {len(channels)} channels: {', '.join(sorted(channels))}")


def order_chapter(server, household, currency):
    """The customer buys on the web an article that only another shop has, and returns a line in a third shop."""
    # pylint: disable=import-outside-toplevel
    import grpc
    from halles.checkout.v1 import cart_events_pb2 as carts
    from halles.checkout.v1 import cart_service_pb2 as cart
    from halles.checkout.v1 import cart_service_pb2_grpc as cart_grpc
    from halles.checkout.v1 import order_service_pb2 as orders
    from halles.checkout.v1 import order_service_pb2_grpc as orders_grpc
    from halles.checkout.v1 import placement_pb2 as placement
    from halles.checkout.v1 import record_pb2 as record
    from halles.common.v1 import common_pb2 as common
    from halles.inventory.v1 import inventory_service_pb2 as inventory
    from halles.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
    # pylint: enable=import-outside-toplevel

    channel = grpc.insecure_channel(server.target)
    stock = inventory_grpc.InventoryServiceStub(channel)
    who = common.Identifier(type=common.IDENTIFIER_TYPE_EXTERNAL_ID, issuer=SOURCE, value=household)
    before = server.ask("customer", "--external", external(household), "--timeline", 1)["customer"]
    visited = before["sites"]
    liked = sorted((place for place in before["places"] if place["channel"] == "shop"), key=lambda place: -place["orders"])
    shops = sorted({row["site"] for row in server.ask("totals", "--by", "site")["rows"]} - set(visited))
    near, third = [place["site"] for place in liked][:2] if len(liked) > 1 else ["shop-near", "shop-third"]
    far = shops[0] if shops else "shop-far-away"
    boots, socks = "DEMO-BOOTS-42", "DEMO-SOCKS"
    for sku, units in [(boots, 1), (socks, 5)]:
        stock.ReceiveStock(inventory.ReceiveStockRequest(
            request_id=f"demo/receive/{sku}", sku=sku, location_id=far, units=units, reference="demo delivery"),
            timeout=DEADLINE_S)

    def level(sku, location):
        answer = stock.GetAvailability(inventory.GetAvailabilityRequest(
            sku=sku, location_ids=[location], read_mode=inventory.READ_MODE_LINEARIZABLE), timeout=DEADLINE_S)
        return answer.levels[0] if answer.levels else inventory.StockLevel(location_id=location)

    say(f"boots: {level(boots, near).available_units} in shop {near}, {level(boots, far).available_units} in shop {far}, "
        "which the customer has never visited")

    carting = cart_grpc.CartServiceStub(channel)
    ordering = orders_grpc.OrderServiceStub(channel)
    web = placement.Origin(channel=common.CHANNEL_WEB, site_id="web")
    begun = time.perf_counter()
    carting.AddCartLines(cart.AddCartLinesRequest(
        request_id="demo/cart", cart_id="demo-cart", origin=web, currency_code=currency, identifiers=[who],
        lines=[carts.CartLine(line_id="1", sku=boots, units=1, unit_price=common.Decimal(unscaled=12900, scale=2)),
               carts.CartLine(line_id="2", sku=socks, units=2, unit_price=common.Decimal(unscaled=790, scale=2))]),
        timeout=DEADLINE_S)
    carting.SetCartDelivery(cart.SetCartDeliveryRequest(
        request_id="demo/delivery", cart_id="demo-cart", delivery=placement.Delivery(shipment=placement.Shipment(
            address_token="vault-4711", source_location_ids=[near, far]))), timeout=DEADLINE_S)
    order = ordering.PlaceOrder(orders.PlaceOrderRequest(request_id="demo/place", cart_id="demo-cart"),
                                timeout=DEADLINE_S).order
    took = time.perf_counter() - begun
    sources = {each.fulfilment.location_id for each in order.fulfilments}
    say(f"add to cart, set address, place order: order {order.number} of the web shop over "
        f"{money(order.total.minor_units)} {currency} in {1000 * took:.1f} ms, shipped from shop {', '.join(sources)}")
    for each in order.fulfilments:
        ordering.PrepareFulfilment(orders.PrepareFulfilmentRequest(
            request_id=f"demo/prepare/{each.fulfilment.fulfilment_id}", order_id=order.order_id,
            fulfilment_id=each.fulfilment.fulfilment_id), timeout=DEADLINE_S)
        ordering.ShipFulfilment(orders.ShipFulfilmentRequest(
            request_id=f"demo/ship/{each.fulfilment.fulfilment_id}", order_id=order.order_id,
            fulfilment_id=each.fulfilment.fulfilment_id, tracking_reference="PARCEL-1"), timeout=DEADLINE_S)
    returned = ordering.ReturnLines(orders.ReturnLinesRequest(
        request_id="demo/return", order_id=order.order_id, return_id="r1",
        origin=placement.Origin(channel=common.CHANNEL_SHOP, site_id=third, device_id="till-1"), location_id=third,
        lines=[record.ReturnedLine(
            line_id="2", units=1, disposition=record.DISPOSITION_RESTOCK, reason="too small")]),
        timeout=DEADLINE_S)
    say(f"shipped; one pair of socks is returned in shop {third}: {money(returned.net.minor_units)} {currency}")

    table = Comparison()
    say(paint("2", f"{'':<44} {'from halles':>16} {'expected':>16}"))
    table.row("the order ships from the shop that has it", sorted(sources), [far], ",".join)

    def settled(what, ask, want):
        """Stock follows the log of orders with a delay: waits for the value, then compares."""
        begun_waiting = time.monotonic()
        while (got := ask()) != want and time.monotonic() - begun_waiting < DEADLINE_S / 4:
            time.sleep(0.005)
        table.row(what, got, want)

    settled(f"boots on hand in shop {far}", lambda: level(boots, far).on_hand_units, 0)
    settled(f"socks on hand in shop {far}", lambda: level(socks, far).on_hand_units, 3)
    settled(f"socks on hand in shop {third}, which took them back", lambda: level(socks, third).on_hand_units, 1)
    settled("units held or committed anywhere", lambda: sum(
        each.held_units + each.committed_units for sku in (boots, socks) for each in stock.GetAvailability(
            inventory.GetAvailabilityRequest(sku=sku), timeout=DEADLINE_S).levels), 0)
    view = server.ask("customer", "--external", external(household), "--timeline", 5, "--token", returned.consistency_token)
    after = view["customer"]
    table.row("orders in the view", after["orders"], before["orders"] + 1)
    table.row("returns in the view", after["returns"], before["returns"] + 1)
    table.row(f"net in the view, {currency}", net_of(after),
              net_of(before) + order.total.minor_units + returned.net.minor_units, money)
    table.check()
    channel.close()
    show_view(server, household)


def race_for_the_last(server):
    """50 buyers race for 10 units; then the server is killed during a larger race. Exactly 10 units are sold each time."""
    race = server.ask("race", "--buyers", 50, "--units", 10)
    table = Comparison()
    say(paint("2", f"{'':<44} {'from halles':>16} {'expected':>16}"))
    table.row("50 buyers, 10 units: winners", race["won"], 10)
    table.row("refused", race["refused"], 40)
    say(f"up to {race['in_flight_max']} requests in flight at once")
    for attempt in range(1, 11):
        sku = f"DEMO-RACE-{attempt}"
        running = subprocess.Popen(server.command("race", "--buyers", 5000, "--units", 10, "--sku", sku),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        begun = time.monotonic()
        while taken(server, sku) == 0 and running.poll() is None and time.monotonic() - begun < DEADLINE_S:
            pass
        in_the_middle = running.poll() is None
        server.kill()
        _, seconds = server.start()
        out, _ = running.communicate(timeout=DEADLINE_S)
        if running.returncode != 0:
            raise Failed(f"the race ended with {running.returncode}: {out}")
        if in_the_middle:
            break
    else:
        raise Failed("no race could be killed before its end")
    race = json.loads(out)
    say(f"a race of 5,000 buyers; halles was killed with -9 during it and started again in {1000 * seconds:,.0f} ms")
    table.row("5,000 buyers, 10 units, one kill: winners", race["won"], 10)
    table.row("refused", race["refused"], 4990)
    table.row("units sold, from the stock", taken(server, sku), 10)
    table.check()
    return sku


def taken(server, sku):
    """Units of the SKU that are held or sold."""
    return sum(each["held_units"] + each["committed_units"] for each in server.ask("stock", sku)["levels"])


def explain_stock(server, sku):
    """The events behind a stock number, as hallesctl prints them."""
    done = subprocess.run([str(BIN / "hallesctl"), "--target", server.target, "stock", "explain", sku],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr)
    lines = done.stdout.rstrip().splitlines()
    for line in lines[:6] + (["..."] if len(lines) > 10 else []) + lines[6:][-4:]:
        say(line)


def kill_in_the_middle(server, folder):
    """kill -9 while a second journal is imported; the import continues by itself."""
    journal = folder / "second"
    generated = subprocess.run([BIN / "hallesctl", "generate", "uci", "--seed", "9", "--size", "6000", journal],
                               check=True, capture_output=True, text=True)
    expected = json.loads(generated.stdout)
    before = server.ask("totals", "--by", "channel")["rows"]

    def recorded():
        rows = server.ask("totals")["rows"]
        return sum(row["orders"] + row["returns"] for row in rows if row["currency"] == "GBP")

    running = subprocess.Popen(server.command("import", "uci", journal), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True)
    begun = time.monotonic()
    while (count := recorded()) < 500:
        if running.poll() is not None or time.monotonic() - begun > DEADLINE_S:
            raise Failed("the second import ended before it could be interrupted")
    server.kill()
    say(f"killed with -9 after {count:,} of its orders and returns were recorded, with requests in flight")
    _, seconds = server.start()
    say(f"started again in {1000 * seconds:,.0f} ms; the import continues")
    out, _ = running.communicate(timeout=DEADLINE_S)
    if running.returncode != 0:
        raise Failed(f"the interrupted import ended with {running.returncode}: {out}")
    summary = json.loads(out)
    say(f"import done: {summary['orders']:,} orders and {summary['returns']:,} returns, "
        f"{summary['retries']:,} requests sent again")
    again = server.ask("import", "uci", journal)
    table = Comparison()
    say(paint("2", f"{'':<44} {'from halles':>16} {'in the journal':>16}"))
    gbp = [row for row in server.ask("totals")["rows"] if row["currency"] == "GBP"][0]
    table.row("orders, none lost, none duplicated", gbp["orders"], expected["orders"])
    table.row("returns, none lost, none duplicated", gbp["returns"], expected["returns"])
    table.row("lines", gbp["lines"], sum(expected["lines_imported"].values()))
    table.row("the same journal once more: orders", again["orders"], expected["orders"])
    still = server.ask("totals", "--by", "channel")["rows"]
    for row in before:
        key = (row["currency"], row["channel"])
        now = [each["net_minor_units"] for each in still if (each["currency"], each["channel"]) == key]
        table.row(f"{row['channel']} as before, {row['currency']}", now[0], row["net_minor_units"], money)
    table.check()


def digests(server):
    status = server.ask("status")
    return {(slot["service"], slot["slot"]): slot["digest"] for slot in status["slots"]}


def prove(server):
    before = digests(server)
    begun = time.monotonic()
    result = server.ask("rebuild", show_progress=True)
    say(f"state and views rebuilt from the log: {result['events']:,} events, {result['rows']:,} rows, "
        f"{time.monotonic() - begun:.1f} s")
    table = Comparison()
    say(paint("2", f"{'':<44} {'rebuilt':>16} {'before':>16}"))
    equal = sum(before[slot] == digest for slot, digest in digests(server).items())
    table.row("equal digests of slots", equal, len(before))
    table.row("rows that differ", result.get("difference_count", 0), 0)
    table.check()
    if not result["equal"]:
        raise Failed("the rebuilt rows differ from the previous ones")


def run(options, folder):
    truth = json.loads(pathlib.Path(options.truth).read_text(encoding="utf-8"))
    server = Server(folder, options.port)
    try:
        generate_stubs(folder)
        step("One process, one log")
        serving, seconds = server.start()
        say(f"halles {serving['version']} serves at {server.target} after {1000 * seconds:,.0f} ms; "
            "it answers a command only after an fsync")

        step("Importing a grocer's year over gRPC")
        summary = server.ask("import", SOURCE, options.csv, show_progress=True)
        records = summary["orders"] + summary["returns"]
        say(f"{records:,} baskets with {summary['lines_read']:,} lines in {summary['seconds']:.1f} s: "
            f"{records / summary['seconds']:,.0f} durable records per second")

        step("Totals compared with the published figures")
        table = Comparison()
        compare_totals(server, truth)
        table.row("households seen by the import", summary["customers"], truth["households"])
        table.check()

        step("The best customer")
        household = best_customer(server, truth)
        show_view(server, household)

        step("Three more orders of this customer: web, app, phone")
        grow_the_view(server, household, truth["currency"])

        step("An order on the web for an article that only another shop has")
        order_chapter(server, household, truth["currency"])

        step("Many buyers race for the last units")
        raced = race_for_the_last(server)

        step("The events behind that number")
        explain_stock(server, raced)

        step("kill -9 during another import")
        kill_in_the_middle(server, folder)

        step("State and views rebuilt from the log")
        prove(server)

        step("Try next")
        household_flag = f"--external {external(household)}"
        if options.keep:
            say(f"halles keeps running at {server.target} as process {server.process.pid}; its data is in {folder / 'data'}")
        else:
            say("with --keep halles keeps running, and you can try:")
        say(f"build/bin/hallesctl --target {server.target} customer {household_flag} --watch")
        say(f"build/bin/hallesctl --target {server.target} explain customer {household_flag}")
        say(f"build/bin/hallesctl --target {server.target} totals --by channel,month")
        say(f"build/bin/hallesctl --target {server.target} verify")
        say(f"grpcurl -plaintext {server.target} list")
        say(f"grpcurl -plaintext -d '{{\"group_by\":[\"TOTALS_DIMENSION_MONTH\"]}}' {server.target} "
            "halles.checkout.v1.CheckoutService/GetTotals")
        return server if options.keep else None
    except BaseException:
        options.keep = False
        raise
    finally:
        if not options.keep:
            server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--csv", required=True)
    parser.add_argument("--truth", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="halles-demo-"))
    begun = time.monotonic()
    try:
        run(options, folder)
    except Failed as failed:
        print(f"\n{paint('31', 'demo: ' + str(failed))}\n      logs and data are in {folder}", file=sys.stderr)
        return 1
    print(f"\n{paint('32', 'All figures agree.')} {time.monotonic() - begun:.0f} s", flush=True)
    if not options.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
