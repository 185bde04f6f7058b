// Checks records, and computes the amounts of their lines.
#include "services/checkout/imports/record.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_service.limits.h"
#include "libs/base/hash.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "libs/store/table.h"
#include "services/checkout/amounts.h"
#include "services/checkout/field_path.h"

namespace halles::checkout::imports {
namespace {

absl::Status CheckCurrency(const Path& field, const common::v1::Money& money, absl::string_view currency_code) {
  if (money.currency_code() == currency_code) return absl::OkStatus();
  return Invalid(Path(Path(field, "amount"), "currency_code"),
                 absl::StrCat("must be ", currency_code, ", the currency of the record"));
}

absl::Status CheckSigns(const Path& field, const v1::ImportLine& line) {
  const bool sale = line.kind() == v1::LINE_KIND_SALE;
  if (!sale && line.kind() != v1::LINE_KIND_RETURN) return absl::OkStatus();
  const auto wrong = [sale](const common::v1::Decimal& decimal) {
    return sale ? decimal.unscaled() < 0 : decimal.unscaled() > 0;
  };
  const char* rule = sale ? "of a SALE line must not be negative" : "of a RETURN line must not be positive";
  if (wrong(line.quantity())) return Invalid(Path(field, "quantity"), rule);
  if (line.unit_price().unscaled() < 0) return Invalid(Path(field, "unit_price"), "must not be negative");
  if (wrong(line.exact_amount())) return Invalid(Path(field, "exact_amount"), rule);
  return absl::OkStatus();
}

absl::Status CheckLine(const Path& field, const v1::ImportLine& line, absl::string_view currency_code) {
  if (!line.has_unit_price() && !line.has_exact_amount()) {
    return Invalid(Path(field, "unit_price"), "must be set if exact_amount is not");
  }
  RETURN_IF_ERROR(CheckSigns(field, line));
  for (int i = 0; i < line.discounts_size(); ++i) {
    RETURN_IF_ERROR(CheckCurrency(Path(field, "discounts", i), line.discounts(i).amount(), currency_code));
  }
  return absl::OkStatus();
}

Rounding RoundingOf(common::v1::Rounding rounding) {
  switch (rounding) {
    case common::v1::ROUNDING_HALF_EVEN_PER_LINE:
      return Rounding::kHalfEven;
    case common::v1::ROUNDING_DOWN_PER_LINE:
      return Rounding::kDown;
    case common::v1::ROUNDING_UNSPECIFIED:
    case common::v1::ROUNDING_HALF_UP_PER_LINE:
    case common::v1::Rounding_INT_MIN_SENTINEL_DO_NOT_USE_:
    case common::v1::Rounding_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return Rounding::kHalfUp;
}

bool FitsInt64(Int128 value) {
  return value >= std::numeric_limits<int64_t>::min() && value <= std::numeric_limits<int64_t>::max();
}

// The same number with at most kScaleMax decimal places in 64 bits; nullopt if that is not exact.
std::optional<common::v1::Decimal> Fitted(const Decimal& decimal) {
  Int128 unscaled = decimal.unscaled();
  int scale = decimal.scale();
  for (; scale > static_cast<int>(kScaleMax); --scale, unscaled /= 10) {
    if (unscaled % 10 != 0) return std::nullopt;
  }
  if (!FitsInt64(unscaled)) return std::nullopt;
  common::v1::Decimal fitted;
  fitted.set_unscaled(static_cast<int64_t>(unscaled));
  fitted.set_scale(static_cast<uint32_t>(scale));
  return fitted;
}

struct LineValue {
  common::v1::Decimal exact;
  int64_t minor_units;
};

absl::StatusOr<LineValue> ValueOf(const Path& field, int index, const v1::ImportLine& line, Currency currency,
                                  Rounding rounding) {
  LineValue value;
  if (line.has_exact_amount()) {
    value.exact = line.exact_amount();
  } else {
    ASSIGN_OR_RETURN(const Decimal quantity, ExactOf(line.quantity()));
    ASSIGN_OR_RETURN(const Decimal price, ExactOf(line.unit_price()));
    const absl::StatusOr<Decimal> product = quantity.Mul(price);
    const std::optional<common::v1::Decimal> fitted = product.ok() ? Fitted(*product) : std::nullopt;
    if (!fitted.has_value()) {
      return Invalid(Path(Path(field, "lines", index), "unit_price"),
                     "times quantity is too large, or not exact with 9 decimals: send exact_amount");
    }
    value.exact = *fitted;
  }
  ASSIGN_OR_RETURN(const Decimal exact, ExactOf(value.exact));
  const absl::StatusOr<Money> amount = Round(exact, currency, rounding);
  if (!amount.ok()) {
    const char* member = line.has_exact_amount() ? "exact_amount" : "unit_price";
    return Invalid(Path(Path(field, "lines", index), member), "does not fit into 64 bits of minor units");
  }
  value.minor_units = amount->minor_units();
  return value;
}

// Calls `take(index, value)` for each line, and returns the sum of all amounts. The sum of the goods alone must fit
// into 64 bits too, because one return may take all of them back.
template <class Take>
absl::StatusOr<int64_t> AddUpLines(absl::string_view field, const v1::ImportRecord& record, const Take& take) {
  ASSIGN_OR_RETURN(const Currency currency, Currency::Parse(record.currency_code()));
  const Rounding rounding = RoundingOf(record.rounding());
  Int128 net = 0;
  Int128 goods = 0;
  for (int i = 0; i < record.lines_size(); ++i) {
    ASSIGN_OR_RETURN(const LineValue value, ValueOf(Path(field), i, record.lines(i), currency, rounding));
    net += value.minor_units;
    if (record.lines(i).kind() == v1::LINE_KIND_SALE) goods += value.minor_units;
    take(i, value);
  }
  if (!FitsInt64(net) || !FitsInt64(goods)) {
    return Invalid(Path(Path(field), "lines"), "have a sum that does not fit into 64 bits of minor units");
  }
  return static_cast<int64_t>(net);
}

// Returned quantities of the lines of kind RETURN, by SKU.
template <class Lines>
absl::StatusOr<std::map<std::string, Decimal>> AddUpReturned(const Lines& lines) {
  std::map<std::string, Decimal> returned;
  for (const auto& line : lines) {
    if (line.kind() != v1::LINE_KIND_RETURN || line.quantity().unscaled() == 0) continue;
    ASSIGN_OR_RETURN(const Decimal quantity, ExactOf(line.quantity()));
    Decimal& sum = returned[line.sku()];
    ASSIGN_OR_RETURN(sum, sum.Sub(quantity));
    if (!FitsInt64(sum.unscaled()))
      return absl::OutOfRangeError("the returned quantity of a SKU does not fit into 64 bits");
  }
  return returned;
}

// The rules between the fields of a record.
absl::Status CheckTogether(absl::string_view field, const v1::ImportRecord& record) {
  const Path root(field);
  if (record.external().source() == kHere) {
    return Invalid(Path(Path(root, "external"), "source"), "is reserved for orders placed here");
  }
  for (int i = 0; i < record.identifiers_size(); ++i) {
    RETURN_IF_ERROR(CheckHashed(Path(root, "identifiers", i).ToString(), record.identifiers(i)));
  }
  for (int i = 0; i < record.lines_size(); ++i) {
    RETURN_IF_ERROR(CheckLine(Path(root, "lines", i), record.lines(i), record.currency_code()));
  }
  for (int i = 0; i < record.tenders_size(); ++i) {
    RETURN_IF_ERROR(CheckCurrency(Path(root, "tenders", i), record.tenders(i).amount(), record.currency_code()));
  }
  if (const size_t bytes = record.ByteSizeLong(); bytes > kRecordBytesMax) {
    return Invalid(root, absl::StrCat("has ", bytes, " bytes; at most ", kRecordBytesMax, " are taken"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const v1::ImportOrderRequest& request) {
  RETURN_IF_ERROR(CheckNothingInClear("order", request.order()));
  RETURN_IF_ERROR(CheckShape(request));
  return CheckAmounts("order", request.order(), RecordUse::kOrder);
}

absl::Status Validate(const v1::ImportReturnRequest& request) {
  RETURN_IF_ERROR(CheckNothingInClear("return_record", request.return_record()));
  RETURN_IF_ERROR(CheckShape(request));
  return CheckAmounts("return_record", request.return_record(), RecordUse::kReturn);
}

absl::Status CheckNothingInClear(absl::string_view field, const v1::ImportRecord& record) {
  for (int i = 0; i < record.identifiers_size(); ++i) {
    if (!record.identifiers(i).value().empty()) {
      return Invalid(Path(Path(Path(field), "identifiers", i), "value"), "is in clear");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const v1::ImportOrderRequest& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  return CheckTogether("order", request.order());
}

absl::Status CheckShape(const v1::ImportReturnRequest& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  return CheckTogether("return_record", request.return_record());
}

absl::Status CheckAmounts(absl::string_view field, const v1::ImportRecord& record, RecordUse use) {
  RETURN_IF_ERROR(AddUpLines(field, record, [](int, const LineValue&) {}).status());
  if (use == RecordUse::kReturn && !AddUpReturned(record.lines()).ok()) {
    return Invalid(Path(Path(field), "lines"), "return more of one SKU than fits into 64 bits");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SaleRecord> BuildSale(absl::string_view field, const v1::ImportRecord& record) {
  v1::SaleRecord sale;
  sale.mutable_lines()->Reserve(record.lines_size());
  const auto add_line = [&](int index, const LineValue& value) {
    const v1::ImportLine& from = record.lines(index);
    v1::RecordedLine& line = *sale.add_lines();
    line.set_kind(from.kind());
    line.set_sku(from.sku());
    *line.mutable_quantity() = from.quantity();
    if (from.has_unit_price()) *line.mutable_unit_price() = from.unit_price();
    *line.mutable_exact_amount() = value.exact;
    line.mutable_amount()->set_currency_code(record.currency_code());
    line.mutable_amount()->set_minor_units(value.minor_units);
    *line.mutable_discounts() = from.discounts();
    line.set_description(from.description());
  };
  ASSIGN_OR_RETURN(const int64_t net, AddUpLines(field, record, add_line));
  *sale.mutable_external() = record.external();
  *sale.mutable_recorded_time() = record.recorded_time();
  sale.set_channel(record.channel());
  sale.set_site_id(record.site_id());
  sale.set_device_id(record.device_id());
  sale.set_currency_code(record.currency_code());
  sale.set_rounding(record.rounding() == common::v1::ROUNDING_UNSPECIFIED ? common::v1::ROUNDING_HALF_UP_PER_LINE
                                                                          : record.rounding());
  *sale.mutable_identifiers() = record.identifiers();
  SortIdentifiers(sale.mutable_identifiers());
  *sale.mutable_tenders() = record.tenders();
  sale.mutable_net()->set_currency_code(record.currency_code());
  sale.mutable_net()->set_minor_units(net);
  return sale;
}

std::string ContentHash(const v1::SaleRecord& sale, const v1::ExternalRef* original) {
  const Hash256 sale_hash = Sha256(store::SerializeRow(sale));
  const std::string rest = original == nullptr ? std::string() : store::SerializeRow(*original);
  return std::string(Sha256(sale_hash.view(), rest).view());
}

std::map<std::string, Decimal> KeptBySku(const v1::SaleRecord& sale) {
  std::map<std::string, Decimal> kept;
  for (const v1::RecordedLine& line : sale.lines()) {
    if (line.kind() != v1::LINE_KIND_SALE && line.kind() != v1::LINE_KIND_RETURN) continue;
    // 2,000 quantities of 64 bits add up exactly. Returned quantities are negative.
    Decimal& sum = kept[line.sku()];
    sum = sum.Add(ExactOf(line.quantity()).value_or(Decimal())).value_or(sum);
  }
  for (auto& [sku, sum] : kept) {
    if (sum.negative()) sum = Decimal();
  }
  return kept;
}

absl::StatusOr<std::vector<v1::ReturnedItem>> ReturnedItems(const v1::SaleRecord& sale) {
  ASSIGN_OR_RETURN(const auto returned, AddUpReturned(sale.lines()));
  std::vector<v1::ReturnedItem> items;
  items.reserve(returned.size());
  for (const auto& [sku, quantity] : returned) {
    v1::ReturnedItem& item = items.emplace_back();
    item.set_sku(sku);
    item.mutable_quantity()->set_unscaled(static_cast<int64_t>(quantity.unscaled()));
    item.mutable_quantity()->set_scale(static_cast<uint32_t>(quantity.scale()));
  }
  return items;
}

}  // namespace halles::checkout::imports
