// Names, ids and the list of journal kinds.
#include "services/hallesctl/import/source.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "services/hallesctl/import/complete_journey.h"
#include "services/hallesctl/import/fields.h"
#include "services/hallesctl/import/uci.h"

namespace halles::hallesctl {
namespace {

// A request id has at most 128 characters; an external id alone may be that long.
constexpr size_t kIdBytesInRequestIdMax = 64;

}  // namespace

absl::string_view FaultName(LineFault fault) {
  switch (fault) {
    case LineFault::kWrongFieldCount:
      return "WRONG_FIELD_COUNT";
    case LineFault::kUnterminatedQuote:
      return "UNTERMINATED_QUOTE";
    case LineFault::kStrayQuote:
      return "STRAY_QUOTE";
    case LineFault::kLineTooLong:
      return "LINE_TOO_LONG";
    case LineFault::kBadExternalId:
      return "BAD_EXTERNAL_ID";
    case LineFault::kBadSku:
      return "BAD_SKU";
    case LineFault::kBadDescription:
      return "BAD_DESCRIPTION";
    case LineFault::kBadQuantity:
      return "BAD_QUANTITY";
    case LineFault::kBadPrice:
      return "BAD_PRICE";
    case LineFault::kBadAmount:
      return "BAD_AMOUNT";
    case LineFault::kBadDiscount:
      return "BAD_DISCOUNT";
    case LineFault::kBadTime:
      return "BAD_TIME";
    case LineFault::kBadSite:
      return "BAD_SITE";
    case LineFault::kBadCustomer:
      return "BAD_CUSTOMER";
    case LineFault::kCustomerDiffers:
      return "CUSTOMER_DIFFERS";
  }
  return "UNKNOWN";
}

const checkout::v1::ImportRecord* SourceRecord::record() const {
  if (const auto* order = std::get_if<checkout::v1::ImportOrderRequest>(&request)) return &order->order();
  if (const auto* taken = std::get_if<checkout::v1::ImportReturnRequest>(&request)) return &taken->return_record();
  return nullptr;
}

checkout::v1::ImportRecord* SourceRecord::mutable_record() {
  if (auto* order = std::get_if<checkout::v1::ImportOrderRequest>(&request)) return order->mutable_order();
  if (auto* taken = std::get_if<checkout::v1::ImportReturnRequest>(&request)) return taken->mutable_return_record();
  return nullptr;
}

absl::StatusOr<std::unique_ptr<Source>> OpenSource(absl::string_view source, const std::string& path) {
  if (source == kSourceNames[0]) return UciSource::Open(path);
  if (source == kSourceNames[1]) return CompleteJourneySource::Open(path);
  return Failure(absl::StatusCode::kInvalidArgument, "UNKNOWN_SOURCE",
                 absl::StrCat("no journal is called \"", source, "\"; valid are: ", absl::StrJoin(kSourceNames, ", ")));
}

std::string RequestIdOf(const checkout::v1::ExternalRef& external, bool is_return) {
  const std::string& id = external.external_id();
  return absl::StrCat(external.source(), is_return ? "/return/" : "/order/",
                      id.size() <= kIdBytesInRequestIdMax ? id : Sha256(id).Hex());
}

absl::StatusOr<Decimal> ExactAmountOf(const checkout::v1::ImportLine& line) {
  if (line.has_exact_amount()) return FromProto(line.exact_amount());
  ASSIGN_OR_RETURN(const Decimal quantity, FromProto(line.quantity()));
  ASSIGN_OR_RETURN(const Decimal price, FromProto(line.unit_price()));
  return quantity.Mul(price);
}

}  // namespace halles::hallesctl
