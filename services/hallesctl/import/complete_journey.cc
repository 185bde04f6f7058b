// Reads the grocer's year: consecutive lines of a basket, as a stream.
#include "services/hallesctl/import/complete_journey.h"

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::ImportLine;
using checkout::v1::ImportRecord;

constexpr absl::string_view kIssuer = "complete-journey";
constexpr absl::string_view kSitePrefix = "store-";

enum Column {
  kHousehold,
  kStore,
  kBasket,
  kProduct,
  kQuantity,
  kSalesValue,
  kRetailDisc,
  kCouponDisc,
  kCouponMatchDisc,
  kTimestamp,
  kColumns
};
constexpr std::array<absl::string_view, kColumns> kColumnNames = {
    "household_id", "store_id",    "basket_id",   "product_id",        "quantity",
    "sales_value",  "retail_disc", "coupon_disc", "coupon_match_disc", "transaction_timestamp"};

struct DiscountColumn {
  Column column;
  checkout::v1::DiscountKind kind;
};
constexpr DiscountColumn kDiscounts[] = {{kRetailDisc, checkout::v1::DISCOUNT_KIND_RETAILER},
                                         {kCouponDisc, checkout::v1::DISCOUNT_KIND_COUPON},
                                         {kCouponMatchDisc, checkout::v1::DISCOUNT_KIND_COUPON_MATCH}};

bool FitsAnId(absl::string_view text, size_t size_max) {
  if (text.empty() || text.size() > size_max) return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CompleteJourneySource>> CompleteJourneySource::Open(const std::string& path) {
  namespace fs = std::filesystem;
  std::unique_ptr<CompleteJourneySource> source(new CompleteJourneySource());
  std::error_code error;
  source->file_ = fs::is_directory(path, error) ? (fs::path(path) / "transactions.csv").string() : path;
  ASSIGN_OR_RETURN(source->reader_, CsvReader::OpenFile(source->file_));
  const std::uintmax_t size = fs::file_size(source->file_, error);
  if (!error) source->bytes_total_ = size;
  ASSIGN_OR_RETURN(const bool has_header, source->reader_->Next(&source->line_));
  if (!has_header) source->line_.line = 1;
  ASSIGN_OR_RETURN(source->columns_, Columns::FromHeader(source->line_, kColumnNames, source->file_));
  ASSIGN_OR_RETURN(source->has_line_, source->reader_->Next(&source->line_));
  return source;
}

std::optional<LineRefusal> CompleteJourneySource::AddLine(const CsvRecord& line, SourceRecord* basket) {
  LineRefusal refusal{.at = {0, line.line}};
  const auto refuse = [&](LineFault fault, Column column) {
    refusal.fault = fault;
    // The message does not name the household: terminals keep a history.
    refusal.message = column == kHousehold
                          ? "household_id is malformed or differs from the lines before"
                          : absl::StrCat(kColumnNames[column], " is \"", ToUtf8(columns_.Get(line, column)), "\"");
    return refusal;
  };
  const auto field = [&](Column column) { return absl::StripAsciiWhitespace(columns_.Get(line, column)); };
  const std::optional<Decimal> amount = ParseWireDecimal(field(kSalesValue));
  refusal.amount = amount;
  if (!FitsAnId(field(kProduct), kSkuCharactersMax)) return refuse(LineFault::kBadSku, kProduct);
  const std::optional<Decimal> quantity = ParseWireDecimal(field(kQuantity));
  if (!quantity.has_value() || quantity->negative()) return refuse(LineFault::kBadQuantity, kQuantity);
  if (!amount.has_value() || amount->negative()) return refuse(LineFault::kBadAmount, kSalesValue);
  if (!FitsAnId(field(kStore), kSkuCharactersMax - kSitePrefix.size())) return refuse(LineFault::kBadSite, kStore);
  if (!FitsAnId(field(kHousehold), kSkuCharactersMax)) return refuse(LineFault::kBadCustomer, kHousehold);
  const std::optional<int64_t> time_s = ParseTime(field(kTimestamp));
  if (!time_s.has_value()) return refuse(LineFault::kBadTime, kTimestamp);

  static const Currency currency = *Currency::Parse("USD");
  ImportLine out;
  out.set_kind(checkout::v1::LINE_KIND_SALE);
  out.set_sku(std::string(field(kProduct)));
  *out.mutable_quantity() = *ToProto(*quantity);
  *out.mutable_exact_amount() = *ToProto(*amount);
  for (const DiscountColumn& discount : kDiscounts) {
    const std::optional<Decimal> value = ParseWireDecimal(field(discount.column));
    if (!value.has_value() || value->negative()) return refuse(LineFault::kBadDiscount, discount.column);
    if (value->zero()) continue;
    const absl::StatusOr<Money> money = Round(*value, currency, Rounding::kHalfUp);
    // Discounts are whole cents; anything finer would be lost, so it is refused.
    if (!money.ok() || Decimal::Compare(Decimal::FromMoney(*money), *value) != 0) {
      return refuse(LineFault::kBadDiscount, discount.column);
    }
    checkout::v1::Discount& added = *out.add_discounts();
    added.set_kind(discount.kind);
    added.mutable_amount()->set_currency_code("USD");
    added.mutable_amount()->set_minor_units(money->minor_units());
  }

  if (basket->record() == nullptr) {
    ImportRecord& record = *basket->request.emplace<checkout::v1::ImportOrderRequest>().mutable_order();
    record.mutable_external()->set_source(std::string(kIssuer));
    record.mutable_external()->set_external_id(std::string(field(kBasket)));
    record.mutable_recorded_time()->set_seconds(*time_s);
    record.set_channel(common::v1::CHANNEL_SHOP);
    record.set_site_id(absl::StrCat(kSitePrefix, field(kStore)));
    record.set_currency_code("USD");
    common::v1::Identifier& identifier = *record.add_identifiers();
    identifier.set_type(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
    identifier.set_issuer(std::string(kIssuer));
    identifier.set_value(std::string(field(kHousehold)));
  }
  ImportRecord& record = *basket->mutable_record();
  if (record.identifiers(0).value() != field(kHousehold)) return refuse(LineFault::kCustomerDiffers, kHousehold);
  const absl::string_view site = record.site_id();
  if (site.substr(kSitePrefix.size()) != field(kStore)) return refuse(LineFault::kBadSite, kStore);
  if (record.recorded_time().seconds() != *time_s) return refuse(LineFault::kBadTime, kTimestamp);
  *record.add_lines() = std::move(out);
  basket->lines.push_back({0, line.line});
  return std::nullopt;
}

absl::StatusOr<std::optional<SourceRecord>> CompleteJourneySource::Next() {
  if (!has_line_) return std::nullopt;
  SourceRecord basket;
  std::string basket_id;
  while (has_line_) {
    std::optional<LineRefusal> refusal = FaultOf(line_, columns_, 0);
    if (!refusal.has_value()) {
      const absl::string_view id = absl::StripAsciiWhitespace(columns_.Get(line_, kBasket));
      if (!FitsAnId(id, kExternalIdCharactersMax)) {
        refusal = LineRefusal{.at = {0, line_.line},
                              .fault = LineFault::kBadExternalId,
                              .message = absl::StrCat("basket_id is \"", ToUtf8(id), "\""),
                              .amount = ParseWireDecimal(columns_.Get(line_, kSalesValue))};
      } else if (basket_id.empty()) {
        basket_id = std::string(id);
      } else if (basket_id != id) {
        break;
      }
    }
    if (!refusal.has_value()) refusal = AddLine(line_, &basket);
    if (refusal.has_value()) basket.refusals.push_back(*std::move(refusal));
    ASSIGN_OR_RETURN(has_line_, reader_->Next(&line_));
  }
  return basket;
}

}  // namespace halles::hallesctl
