// The vocabulary of checkout's tests: records, lines and facts in few words.
#ifndef HALLES_SERVICES_CHECKOUT_TEST_BUILDERS_H_
#define HALLES_SERVICES_CHECKOUT_TEST_BUILDERS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/base/money.h"
#include "libs/testing/given_when_then.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/reactions.h"

namespace halles::checkout {

inline constexpr SlotId kSlot{ServiceId::kCheckout, 17};

struct OrderDomain {
  using Event = v1::OrderEvent;
  static absl::Status Evolve(store::Rows& rows, const Event& event, const partition::FactContext& context) {
    return checkout::Evolve(rows, event, context);
  }
  template <class Command>
  static auto Decide(const store::RowReader& rows, const Command& command, const partition::CommandContext& context) {
    return checkout::Decide(rows, command, context);
  }
};
using GivenImports = testing::Given<OrderDomain>;

inline common::v1::Decimal Exact(const std::string& text) {
  const halles::Decimal decimal = halles::Decimal::Parse(text).value();
  common::v1::Decimal exact;
  exact.set_unscaled(static_cast<int64_t>(decimal.unscaled()));
  exact.set_scale(static_cast<uint32_t>(decimal.scale()));
  return exact;
}

inline common::v1::Money Pence(int64_t minor_units) {
  common::v1::Money money;
  money.set_currency_code("GBP");
  money.set_minor_units(minor_units);
  return money;
}

inline v1::ExternalRef Ref(const std::string& external_id) {
  v1::ExternalRef external;
  external.set_source("uci");
  external.set_external_id(external_id);
  return external;
}

// A hashed identifier whose hash is the seed, repeated.
inline common::v1::Identifier Hashed(common::v1::IdentifierType type, char seed) {
  common::v1::Identifier identifier;
  identifier.set_type(type);
  if (type <= common::v1::IDENTIFIER_TYPE_LOYALTY_CARD) identifier.set_issuer("uci");
  identifier.set_keyed_hash(std::string(32, seed));
  identifier.set_key_id(1);
  return identifier;
}
inline common::v1::Identifier Customer(char seed) { return Hashed(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID, seed); }
inline common::v1::Identifier Phone(char seed) { return Hashed(common::v1::IDENTIFIER_TYPE_PHONE, seed); }

inline v1::ImportLine Line(v1::LineKind kind, const std::string& sku, const std::string& quantity,
                           const std::string& price) {
  v1::ImportLine line;
  line.set_kind(kind);
  line.set_sku(sku);
  *line.mutable_quantity() = Exact(quantity);
  *line.mutable_unit_price() = Exact(price);
  return line;
}
inline v1::ImportLine Sold(const std::string& sku, const std::string& quantity, const std::string& price = "2.55") {
  return Line(v1::LINE_KIND_SALE, sku, quantity, price);
}
// `quantity` as it is written on a receipt, without sign.
inline v1::ImportLine Back(const std::string& sku, const std::string& quantity, const std::string& price = "2.55") {
  return Line(v1::LINE_KIND_RETURN, sku, quantity == "0" ? quantity : "-" + quantity, price);
}

// Minutes after 2010-12-01 00:00 UTC.
inline google::protobuf::Timestamp Minute(int minute) {
  google::protobuf::Timestamp time;
  time.set_seconds(1'291'161'600 + int64_t{60} * minute);
  return time;
}
inline google::protobuf::Timestamp Day(int year, int month, int day) {
  google::protobuf::Timestamp time;
  time.set_seconds(absl::ToUnixSeconds(absl::FromCivil(absl::CivilDay(year, month, day), absl::UTCTimeZone())));
  return time;
}

inline v1::ImportRecord Record(const std::string& external_id, std::vector<v1::ImportLine> lines, int minute = 0) {
  v1::ImportRecord record;
  *record.mutable_external() = Ref(external_id);
  *record.mutable_recorded_time() = Minute(minute);
  record.set_channel(common::v1::CHANNEL_WEB);
  record.set_site_id("uci-online");
  record.set_currency_code("GBP");
  for (v1::ImportLine& line : lines) *record.add_lines() = std::move(line);
  return record;
}

inline v1::ImportOrderRequest Import(v1::ImportRecord record) {
  v1::ImportOrderRequest request;
  request.set_request_id("request");
  *request.mutable_order() = std::move(record);
  return request;
}
inline v1::ImportOrderRequest ImportOrder(const std::string& external_id, std::vector<v1::ImportLine> lines) {
  return Import(Record(external_id, std::move(lines)));
}

inline v1::ImportReturnRequest ImportReturn(v1::ImportRecord record, const std::string& original = "") {
  v1::ImportReturnRequest request;
  request.set_request_id("request");
  *request.mutable_return_record() = std::move(record);
  if (!original.empty()) *request.mutable_original() = Ref(original);
  return request;
}

// The facts as the rules make them.
inline v1::OrderEvent OrderImported(const v1::ImportRecord& record) {
  v1::OrderEvent event;
  v1::OrderImported& imported = *event.mutable_order_imported();
  *imported.mutable_sale() = BuildSale("order", record).value();
  imported.set_content_hash(ContentHash(imported.sale(), nullptr));
  return event;
}
inline v1::OrderEvent ReturnImported(const v1::ImportRecord& record, const std::string& original = "") {
  v1::OrderEvent event;
  v1::ReturnImported& imported = *event.mutable_return_imported();
  *imported.mutable_sale() = BuildSale("return_record", record).value();
  if (!original.empty()) *imported.mutable_original() = Ref(original);
  imported.set_content_hash(ContentHash(imported.sale(), imported.has_original() ? &imported.original() : nullptr));
  return event;
}

// What React makes of a return.
inline v1::LinkReturnRequest LinkOf(const v1::ImportRecord& record, const std::string& original) {
  const std::string id = ReturnIdOf("", record.external()).ToString();
  partition::FactContext context;
  context.aggregate_id = id;
  return LinkReturns(ReturnImported(record, original), context).at(0);
}
inline v1::OrderEvent ReturnAwaited(const v1::LinkReturnRequest& request) {
  v1::OrderEvent event;
  *event.mutable_return_awaited()->mutable_linked_return() = request.linked_return();
  return event;
}
inline v1::OrderEvent ReturnLinked(const v1::LinkReturnRequest& request, bool excess = false) {
  v1::OrderEvent event;
  *event.mutable_return_linked()->mutable_linked_return() = request.linked_return();
  event.mutable_return_linked()->set_excess(excess);
  return event;
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_TEST_BUILDERS_H_
