// Prints messages.
#include "services/hallesctl/print.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using customer_identity::v1::Amount;
using customer_identity::v1::CustomerView;
using customer_identity::v1::TimelineEntry;

constexpr size_t kHashDigitsShown = 12;

void WriteIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers, JsonWriter* json) {
  json->BeginArray();
  for (const common::v1::Identifier& identifier : identifiers) {
    json->BeginObject();
    json->Field("type", EnumWord(common::v1::IdentifierType_Name(identifier.type()), "IDENTIFIER_TYPE_"));
    if (!identifier.issuer().empty()) json->Field("issuer", identifier.issuer());
    json->Field("keyed_hash", absl::BytesToHexString(identifier.keyed_hash())).Field("key_id", identifier.key_id());
    json->EndObject();
  }
  json->EndArray();
}

void WriteMoneyFields(const common::v1::Money& money, JsonWriter* json) {
  json->Field("currency", money.currency_code()).Field("minor_units", money.minor_units());
  json->Field("amount", AmountDecimal(money.minor_units(), money.currency_code()));
}

void WriteAmounts(const google::protobuf::RepeatedPtrField<Amount>& amounts, JsonWriter* json) {
  json->BeginArray();
  for (const Amount& amount : amounts) {
    json->BeginObject();
    WriteMoneyFields(amount.money(), json);
    json->Field("event_count", amount.event_count()).Key("events").BeginArray();
    for (const std::string& event : amount.events()) json->Value(event);
    json->EndArray().EndObject();
  }
  json->EndArray();
}

void WriteMoment(const customer_identity::v1::Moment& moment, JsonWriter* json) {
  json->BeginObject().Field("time", TimeJson(moment.time())).Field("event", moment.event()).EndObject();
}

void WriteExternal(const checkout::v1::ExternalRef& external, JsonWriter* json) {
  json->BeginObject().Field("source", external.source()).Field("external_id", external.external_id()).EndObject();
}

std::string AmountsText(const google::protobuf::RepeatedPtrField<Amount>& amounts) {
  std::vector<std::string> texts;
  for (const Amount& amount : amounts) texts.push_back(AmountText(amount.money()));
  return absl::StrJoin(texts, " + ");
}

std::string MomentText(const customer_identity::v1::Moment& moment) {
  return absl::StrCat(TimeText(moment.time().seconds()), "  ", moment.event());
}

// "order", "ready", "hold placed": the prefix "fulfilment" is left out.
std::string KindText(customer_identity::v1::TimelineKind kind) {
  return absl::StrReplaceAll(absl::StripPrefix(WordOf(kind), "fulfilment_"), {{"_", " "}});
}

// The open carts of a customer; "" when there are none.
std::string CartsText(const CustomerView& view, int width) {
  if (view.carts().empty()) return "";
  Table table({{"cart", false, true}, {"state"}, {"channel"}, {"lines", true}, {"total", true}, {"event"}});
  for (const auto& cart : view.carts()) {
    table.Add({cart.cart_id(), WordOf(cart.state()), ChannelText(cart.channel()), Thousands(cart.lines()),
               AmountText(cart.total()), cart.event()});
  }
  return table.Render(width);
}

std::string PlacedOrdersText(const CustomerView& view, int width) {
  if (view.placed_orders().empty()) return "";
  Table table({{"order", false, true},
               {"number", true, false, 1},
               {"state"},
               {"total", true},
               {"fulfilment"},
               {"location", false, true},
               {"late because", false, true, 2},
               {"event"}});
  for (const auto& order : view.placed_orders()) {
    std::vector<std::string> row = {order.order_id(), Thousands(order.number()), WordOf(order.state()),
                                    AmountText(order.total())};
    if (order.fulfilments().empty()) row.insert(row.end(), {"", "", "", order.event()});
    for (const auto& fulfilment : order.fulfilments()) {
      row.resize(4);  // only the first row names the order
      row.insert(row.end(),
                 {WordOf(fulfilment.state()), fulfilment.location_id(), fulfilment.delay_cause(), fulfilment.event()});
      table.Add(std::exchange(row, {"", "", "", ""}));
    }
    if (order.fulfilments().empty()) table.Add(std::move(row));
  }
  return table.Render(width);
}

std::string HoldsText(const CustomerView& view, int width) {
  if (view.holds().empty()) return "";
  Table table({{"held sku", false, true}, {"units", true}, {"location", false, true}, {"for"}, {"until"}, {"event"}});
  for (const auto& hold : view.holds()) {
    std::vector<std::string> locations;
    for (const auto& allocation : hold.allocations()) locations.push_back(allocation.location_id());
    table.Add({hold.sku(), Thousands(hold.units()), absl::StrJoin(locations, ", "),
               absl::StrReplaceAll(WordOf(hold.purpose()), {{"_", " "}}),
               hold.has_expire_time() ? TimeText(hold.expire_time().seconds()) : "", hold.event()});
  }
  return table.Render(width);
}

}  // namespace

std::string IdentifierText(const common::v1::Identifier& identifier) {
  return absl::StrCat(EnumWord(common::v1::IdentifierType_Name(identifier.type()), "IDENTIFIER_TYPE_"), " ",
                      identifier.issuer(), identifier.issuer().empty() ? "" : " ",
                      absl::BytesToHexString(identifier.keyed_hash()).substr(0, kHashDigitsShown), "...");
}

void WriteMoney(const common::v1::Money& money, JsonWriter* json) {
  json->BeginObject();
  WriteMoneyFields(money, json);
  json->EndObject();
}

void WriteView(const CustomerView& view, JsonWriter* json) {
  json->BeginObject().Field("party_id", view.party_id()).Key("identifiers");
  WriteIdentifiers(view.identifiers(), json);
  json->Key("shared_identifiers");
  WriteIdentifiers(view.shared_identifiers(), json);
  json->Field("orders", view.orders()).Field("returns", view.returns()).Field("lines", view.lines()).Key("net");
  WriteAmounts(view.net(), json);
  json->Key("places").BeginArray();
  for (const customer_identity::v1::PlaceSummary& place : view.places()) {
    json->BeginObject().Field("channel", ChannelText(place.channel())).Field("site", place.site_id());
    json->Field("orders", place.orders()).Field("returns", place.returns()).Key("net");
    WriteAmounts(place.net(), json);
    json->EndObject();
  }
  json->EndArray().Key("sites").BeginArray();
  for (const std::string& site : view.sites()) json->Value(site);
  json->EndArray();
  if (view.has_first_purchase()) {
    json->Key("first_purchase");
    WriteMoment(view.first_purchase(), json);
  }
  if (view.has_last_purchase()) {
    json->Key("last_purchase");
    WriteMoment(view.last_purchase(), json);
  }
  json->Field("exchanges", view.exchanges()).Field("cancellations", view.cancellations());
  const auto write_all = [json](absl::string_view key, const auto& messages) {
    json->Key(key).BeginArray();
    for (const auto& message : messages) WriteMessage(message, json);
    json->EndArray();
  };
  write_all("carts", view.carts());
  write_all("placed_orders", view.placed_orders());
  write_all("holds", view.holds());
  json->EndObject();
}

void WriteEntry(const TimelineEntry& entry, JsonWriter* json) {
  json->BeginObject();
  json->Field("kind", EnumWord(customer_identity::v1::TimelineKind_Name(entry.kind()), "TIMELINE_KIND_"));
  json->Field("time", TimeJson(entry.time())).Field("channel", ChannelText(entry.channel()));
  json->Field("site", entry.site_id()).Field("location", entry.location_id()).Key("external");
  WriteExternal(entry.external(), json);
  json->Field("id", entry.id());
  if (entry.has_net()) {
    json->Key("net");
    WriteMoney(entry.net(), json);
  }
  json->Field("lines", entry.lines()).Field("detail", entry.detail()).Field("event", entry.event()).EndObject();
}

namespace {

// The printed fields of a return of an imported order. Lifetime: the return outlives it.
struct ReturnText {
  std::string id;
  const checkout::v1::ExternalRef* external;
  const google::protobuf::Timestamp* time;
  std::string site;
  std::string location;
  const common::v1::Money* net;
};
ReturnText TextOf(const checkout::v1::ImportedOrderReturn& taken) {
  if (taken.has_here()) {
    const checkout::v1::GoodsReturned& here = taken.here();
    return {here.return_id(),      &here.sale().external(), &here.sale().recorded_time(),
            here.sale().site_id(), here.location_id(),      &here.sale().net()};
  }
  const checkout::v1::LinkedReturn& elsewhere = taken.elsewhere();
  return {elsewhere.return_id(), &elsewhere.external(), &elsewhere.recorded_time(), elsewhere.site_id(), "",
          &elsewhere.net()};
}

// The name of a line of an imported order, under which it can be returned.
std::string LineIdOf(int index) { return absl::StrCat(index + 1); }

}  // namespace

void WriteImportedOrder(const checkout::v1::ImportedOrder& order, JsonWriter* json) {
  const checkout::v1::SaleRecord& sale = order.sale();
  json->BeginObject().Field("order_id", order.order_id()).Field("version", order.version()).Key("external");
  WriteExternal(sale.external(), json);
  json->Field("time", TimeJson(sale.recorded_time())).Field("channel", ChannelText(sale.channel()));
  json->Field("site", sale.site_id()).Field("device", sale.device_id()).Key("identifiers");
  WriteIdentifiers(sale.identifiers(), json);
  json->Key("net");
  WriteMoney(sale.net(), json);
  json->Key("lines").BeginArray();
  for (int i = 0; i < sale.lines_size(); ++i) {
    const checkout::v1::RecordedLine& line = sale.lines(i);
    json->BeginObject()
        .Field("line_id", LineIdOf(i))
        .Field("kind", EnumWord(checkout::v1::LineKind_Name(line.kind()), "LINE_KIND_"));
    json->Field("sku", line.sku()).Field("description", line.description());
    json->Field("quantity", DecimalText(line.quantity()));
    if (line.has_unit_price()) json->Field("unit_price", DecimalText(line.unit_price()));
    json->Field("exact_amount", DecimalText(line.exact_amount())).Key("amount");
    WriteMoney(line.amount(), json);
    json->Key("discounts").BeginArray();
    for (const checkout::v1::Discount& discount : line.discounts()) {
      json->BeginObject().Field("kind", EnumWord(checkout::v1::DiscountKind_Name(discount.kind()), "DISCOUNT_KIND_"));
      WriteMoneyFields(discount.amount(), json);
      json->EndObject();
    }
    json->EndArray().EndObject();
  }
  json->EndArray().Key("tenders").BeginArray();
  for (const checkout::v1::Tender& tender : sale.tenders()) {
    json->BeginObject().Field("kind", EnumWord(checkout::v1::TenderKind_Name(tender.kind()), "TENDER_KIND_"));
    WriteMoneyFields(tender.amount(), json);
    json->EndObject();
  }
  json->EndArray().Key("returns").BeginArray();
  for (const checkout::v1::ImportedOrderReturn& taken : order.returns()) {
    const ReturnText text = TextOf(taken);
    json->BeginObject().Field("return_id", text.id).Field("taken", taken.has_here() ? "here" : "elsewhere");
    json->Key("external");
    WriteExternal(*text.external, json);
    json->Field("time", TimeJson(*text.time)).Field("site", text.site).Field("location", text.location).Key("net");
    WriteMoney(*text.net, json);
    json->Field("excess", taken.excess()).Field("event", taken.event()).EndObject();
  }
  json->EndArray().Field("event", order.event()).EndObject();
}

void WriteTotalsRow(const checkout::v1::TotalsRow& row, JsonWriter* json) {
  const checkout::v1::Totals& totals = row.totals();
  const std::string& currency = row.currency_code();
  json->BeginObject().Field("currency", currency);
  if (row.channel() != common::v1::CHANNEL_UNSPECIFIED) json->Field("channel", ChannelText(row.channel()));
  if (!row.site_id().empty()) json->Field("site", row.site_id());
  if (!row.month().empty()) json->Field("month", row.month());
  json->Field("sites", row.sites()).Field("orders", totals.orders()).Field("returns", totals.returns());
  json->Field("lines", totals.lines()).Field("sale_lines", totals.sale_lines());
  json->Field("return_lines", totals.return_lines()).Field("adjustment_lines", totals.adjustment_lines());
  json->Field("service_lines", totals.service_lines()).Field("zero_quantity_lines", totals.zero_quantity_lines());
  json->Field("zero_value_lines", totals.zero_value_lines());
  json->Field("net_minor_units", totals.net_minor_units());
  json->Field("net", AmountDecimal(totals.net_minor_units(), currency));
  json->Field("returned_minor_units", totals.returned_minor_units());
  json->Field("returned", AmountDecimal(totals.returned_minor_units(), currency));
  json->Field("discount_retailer_minor_units", totals.discount_retailer_minor_units());
  json->Field("discount_coupon_minor_units", totals.discount_coupon_minor_units());
  json->Field("discount_coupon_match_minor_units", totals.discount_coupon_match_minor_units());
  json->Field("discount_manual_minor_units", totals.discount_manual_minor_units()).EndObject();
}

void WriteHeader(const log::v1::RecordHeader& header, JsonWriter* json) {
  json->BeginObject().Field("kind", EnumWord(log::v1::RecordKind_Name(header.kind()), "RECORD_KIND_"));
  json->Field("term", header.term()).Field("instance", absl::BytesToHexString(header.instance()));
  json->Field("sequence", header.sequence()).Field("previous", absl::BytesToHexString(header.previous()));
  json->Field("logical_time_us", header.logical_time_us()).Field("minimum_level", header.minimum_level()).EndObject();
}

std::string ViewText(const CustomerView& view, int width) {
  std::string text = absl::StrCat("Party      ", view.party_id(), "\n");
  for (const auto& identifier : view.identifiers())
    absl::StrAppend(&text, "Known as   ", IdentifierText(identifier), "\n");
  for (const auto& identifier : view.shared_identifiers()) {
    absl::StrAppend(&text, "Shares     ", IdentifierText(identifier), "\n");
  }
  absl::StrAppend(&text, "Orders     ", Thousands(view.orders()), " with ", Thousands(view.lines()), " lines, returns ",
                  Thousands(view.returns()));
  if (view.exchanges() > 0) absl::StrAppend(&text, ", exchanges ", Thousands(view.exchanges()));
  if (view.cancellations() > 0) absl::StrAppend(&text, ", cancelled ", Thousands(view.cancellations()));
  absl::StrAppend(&text, "\n");
  for (const Amount& amount : view.net()) {
    absl::StrAppend(&text, "Net        ", AmountText(amount.money()), " from ", Thousands(amount.event_count()),
                    " events");
    if (!amount.events().empty()) absl::StrAppend(&text, ", newest ", amount.events(0));
    absl::StrAppend(&text, "\n");
  }
  absl::StrAppend(&text, "Visited    ", Thousands(view.sites_size()), " sites\n");
  if (view.has_first_purchase()) absl::StrAppend(&text, "First      ", MomentText(view.first_purchase()), "\n");
  if (view.has_last_purchase()) absl::StrAppend(&text, "Last       ", MomentText(view.last_purchase()), "\n");
  Table table({{"channel"}, {"site", false, true}, {"orders", true}, {"returns", true}, {"net", true}});
  for (const customer_identity::v1::PlaceSummary& place : view.places()) {
    table.Add({ChannelText(place.channel()), place.site_id(), Thousands(place.orders()), Thousands(place.returns()),
               AmountsText(place.net())});
  }
  if (!table.empty()) absl::StrAppend(&text, "\n", table.Render(width));
  const std::string activities = ActivitiesText(view, width);
  return activities.empty() ? text : absl::StrCat(text, "\n", activities);
}

std::string ActivitiesText(const CustomerView& view, int width) {
  std::vector<std::string> tables;
  for (std::string& table :
       std::vector{CartsText(view, width), PlacedOrdersText(view, width), HoldsText(view, width)}) {
    if (!table.empty()) tables.push_back(std::move(table));
  }
  return absl::StrJoin(tables, "\n");
}

std::string TimelineText(const google::protobuf::RepeatedPtrField<TimelineEntry>& entries, int width) {
  std::vector<Column> columns = {
      {"time"},      {"what"}, {"channel", false, false, 1}, {"site", false, true}, {"lines", true, false, 2},
      {"net", true}, {"event"}};
  // Imported orders have no location.
  const bool located = std::any_of(entries.begin(), entries.end(),
                                   [](const TimelineEntry& entry) { return !entry.location_id().empty(); });
  if (located) columns.insert(columns.begin() + 4, {"location", false, true});
  const bool detailed =
      std::any_of(entries.begin(), entries.end(), [](const TimelineEntry& entry) { return !entry.detail().empty(); });
  if (detailed) columns.insert(columns.end() - 1, {"detail", false, true, 3});
  Table table(std::move(columns));
  for (const TimelineEntry& entry : entries) {
    std::vector<std::string> row = {TimeText(entry.time().seconds()),
                                    KindText(entry.kind()),
                                    ChannelText(entry.channel()),
                                    entry.site_id(),
                                    entry.lines() == 0 ? "" : Thousands(entry.lines()),
                                    entry.has_net() ? AmountText(entry.net()) : ""};
    if (located) row.insert(row.begin() + 4, entry.location_id());
    if (detailed) row.push_back(entry.detail());
    row.push_back(entry.event());
    table.Add(std::move(row));
  }
  return table.Render(width);
}

std::string ImportedOrderText(const checkout::v1::ImportedOrder& order, int width) {
  const checkout::v1::SaleRecord& sale = order.sale();
  std::string text =
      absl::StrCat("Order      ", order.order_id(), "\nFrom       ", sale.external().source(), " ",
                   sale.external().external_id(), "\nTime       ", TimeText(sale.recorded_time().seconds()),
                   "\nChannel    ", ChannelText(sale.channel()), " ", sale.site_id(), "\n");
  for (const auto& identifier : sale.identifiers())
    absl::StrAppend(&text, "Customer   ", IdentifierText(identifier), "\n");
  absl::StrAppend(&text, "Net        ", AmountText(sale.net()), "\nVersion    ", order.version(), "\nEvent      ",
                  order.event(), "\n\n");
  Table lines({{"line"},
               {"kind"},
               {"sku"},
               {"description", false, true},
               {"quantity", true},
               {"price", true},
               {"amount", true}});
  for (int i = 0; i < sale.lines_size(); ++i) {
    const checkout::v1::RecordedLine& line = sale.lines(i);
    lines.Add({LineIdOf(i), EnumWord(checkout::v1::LineKind_Name(line.kind()), "LINE_KIND_"), line.sku(),
               line.description(), DecimalText(line.quantity()),
               line.has_unit_price() ? DecimalText(line.unit_price()) : "", AmountText(line.amount())});
  }
  absl::StrAppend(&text, lines.Render(width));
  if (order.returns().empty()) return text;
  Table returns({{"return"},
                 {"time"},
                 {"site", false, true},
                 {"location", false, true, 1},
                 {"net", true},
                 {"excess"},
                 {"event"}});
  for (const checkout::v1::ImportedOrderReturn& taken : order.returns()) {
    const ReturnText shown = TextOf(taken);
    returns.Add({taken.has_here() ? shown.id : shown.external->external_id(), TimeText(shown.time->seconds()),
                 shown.site, shown.location, AmountText(*shown.net), taken.excess() ? "yes" : "", taken.event()});
  }
  return absl::StrCat(text, "\n", returns.Render(width));
}

}  // namespace halles::hallesctl
