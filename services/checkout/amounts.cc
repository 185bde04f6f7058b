// Computes amounts and builds the documents that hold them.
#include "services/checkout/amounts.h"

#include <limits>
#include <utility>

#include "libs/base/hash.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "libs/store/table.h"
#include "services/checkout/checks.h"

namespace halles::checkout {
namespace {

absl::StatusOr<Decimal> Product(int64_t units, const common::v1::Decimal& unit_price) {
  ASSIGN_OR_RETURN(const Decimal price, ExactOf(unit_price));
  return price.Mul(Decimal::FromInt(units));
}

common::v1::Decimal Pieces(int64_t units) {
  common::v1::Decimal pieces;
  pieces.set_unscaled(units);
  return pieces;
}

// The amount as an exact decimal.
common::v1::Decimal ExactAmount(const common::v1::Money& money) {
  common::v1::Decimal exact;
  exact.set_unscaled(money.minor_units());
  const absl::StatusOr<Currency> currency = Currency::Parse(money.currency_code());
  if (currency.ok()) exact.set_scale(static_cast<uint32_t>(currency->exponent()));
  return exact;
}

absl::Status AddToNet(int64_t amount, v1::SaleRecord* document) {
  int64_t net = 0;
  if (__builtin_add_overflow(document->net().minor_units(), amount, &net)) {
    return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, "the sum of the lines does not fit into 64 bits of minor units");
  }
  document->mutable_net()->set_minor_units(net);
  return absl::OkStatus();
}

// `amount` times `part` divided by `all`, rounded to the nearest integer, halves away from zero. `part` is not negative
// and `all` is positive.
Int128 Rounded(Int128 amount, Int128 part, Int128 all) {
  const Int128 twice = amount * part * 2;
  return (twice < 0 ? twice - all : twice + all) / (all * 2);
}

}  // namespace

common::v1::Money MoneyOf(absl::string_view currency_code, int64_t minor_units) {
  common::v1::Money money;
  money.set_currency_code(std::string(currency_code));
  money.set_minor_units(minor_units);
  return money;
}

absl::StatusOr<int64_t> AmountOf(int64_t units, const common::v1::Decimal& unit_price,
                                 absl::string_view currency_code) {
  ASSIGN_OR_RETURN(const Currency currency, Currency::Parse(currency_code));
  ASSIGN_OR_RETURN(const Decimal exact, Product(units, unit_price));
  ASSIGN_OR_RETURN(const Money amount, Round(exact, currency, Rounding::kHalfUp));
  return amount.minor_units();
}

absl::StatusOr<v1::PriceSnapshot> SnapshotOf(google::protobuf::RepeatedPtrField<v1::PricedLine> lines,
                                             absl::string_view currency_code) {
  v1::PriceSnapshot snapshot;
  ASSIGN_OR_RETURN(const Currency currency, Currency::Parse(currency_code));
  Money total(0, currency);
  for (const v1::PricedLine& line : lines) {
    ASSIGN_OR_RETURN(total, total.Add(Money(line.amount().minor_units(), currency)));
  }
  *snapshot.mutable_lines() = std::move(lines);
  *snapshot.mutable_total() = MoneyOf(currency_code, total.minor_units());
  snapshot.set_rounding(common::v1::ROUNDING_HALF_UP_PER_LINE);
  snapshot.set_hash(std::string(Sha256(store::SerializeRow(snapshot)).view()));
  return snapshot;
}

int64_t PartOf(int64_t amount, int64_t all, uint32_t scale, int64_t gone, int64_t units) {
  if (all <= 0) return 0;
  Int128 one = 1;
  for (uint32_t i = 0; i < scale; ++i) one *= 10;
  const Int128 before = Rounded(amount, gone * one, all);
  const Int128 after = Rounded(amount, (Int128{gone} + units) * one, all);
  return static_cast<int64_t>(after - before);
}

v1::SaleRecord DocumentOf(absl::string_view document_id, const v1::Origin& origin, absl::string_view currency_code,
                          const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers,
                          UnixMicros now) {
  v1::SaleRecord document;
  document.mutable_external()->set_source(std::string(kHere));
  document.mutable_external()->set_external_id(std::string(document_id));
  *document.mutable_recorded_time() = TimestampOf(now);
  document.set_channel(origin.channel());
  document.set_site_id(origin.site_id());
  document.set_device_id(origin.device_id());
  document.set_currency_code(std::string(currency_code));
  document.set_rounding(common::v1::ROUNDING_HALF_UP_PER_LINE);
  *document.mutable_identifiers() = identifiers;
  *document.mutable_net() = MoneyOf(currency_code, 0);
  return document;
}

absl::Status AddSold(const v1::PriceSnapshot& snapshot, v1::SaleRecord* document) {
  for (const v1::PricedLine& from : snapshot.lines()) {
    v1::RecordedLine& line = *document->add_lines();
    line.set_kind(v1::LINE_KIND_SALE);
    line.set_sku(from.sku());
    *line.mutable_quantity() = Pieces(from.units());
    *line.mutable_unit_price() = from.unit_price();
    *line.mutable_amount() = from.amount();
    line.set_description(from.description());
    // The exact product if it fits into 64 bits, otherwise the rounded amount.
    *line.mutable_exact_amount() = ExactAmount(from.amount());
    const absl::StatusOr<Decimal> exact = Product(from.units(), from.unit_price());
    if (exact.ok() && exact->unscaled() <= std::numeric_limits<int64_t>::max()) {
      line.mutable_exact_amount()->set_unscaled(static_cast<int64_t>(exact->unscaled()));
      line.mutable_exact_amount()->set_scale(static_cast<uint32_t>(exact->scale()));
    }
    RETURN_IF_ERROR(AddToNet(from.amount().minor_units(), document));
  }
  return absl::OkStatus();
}

absl::Status AddTakenOff(v1::LineKind kind, absl::string_view sku, absl::string_view description,
                         const common::v1::Decimal* unit_price, int64_t units, int64_t amount,
                         v1::SaleRecord* document) {
  v1::RecordedLine& line = *document->add_lines();
  line.set_kind(kind);
  line.set_sku(std::string(sku));
  *line.mutable_quantity() = Pieces(-units);
  if (unit_price != nullptr) *line.mutable_unit_price() = *unit_price;
  *line.mutable_amount() = MoneyOf(document->currency_code(), -amount);
  *line.mutable_exact_amount() = ExactAmount(line.amount());
  line.set_description(std::string(description));
  return AddToNet(-amount, document);
}

}  // namespace halles::checkout
