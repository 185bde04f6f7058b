// Checks of cart ids, identifiers and decimals.
#include "services/checkout/checks.h"

#include "absl/strings/match.h"
#include "libs/base/identifiers/identifier.h"

namespace halles::checkout {

absl::Status CheckCartId(absl::string_view field, absl::string_view cart_id) {
  if (!absl::StartsWith(cart_id, "ord-") && !absl::StartsWith(cart_id, "ret-")) return absl::OkStatus();
  return InvalidField(field, "must not begin with \"ord-\" or \"ret-\", the prefixes of imported orders and returns");
}

absl::Status CheckNothingInClear(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers) {
  for (int i = 0; i < identifiers.size(); ++i) {
    if (!identifiers[i].value().empty()) return InvalidField(absl::StrCat("identifiers[", i, "].value"), "is in clear");
  }
  return absl::OkStatus();
}

absl::Status CheckIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers) {
  for (int i = 0; i < identifiers.size(); ++i) {
    RETURN_IF_ERROR(CheckHashed(absl::StrCat("identifiers[", i, "]"), identifiers[i]));
  }
  return absl::OkStatus();
}

absl::Status Refused(v1::RejectReason reason, const absl::Status& finding) {
  if (finding.ok()) return finding;
  return Reject(reason, finding.message(), {{"field", MetadataOf(finding, "field")}});
}

absl::StatusOr<Decimal> ExactOf(const common::v1::Decimal& decimal) {
  if (decimal.scale() > kScaleMax) return absl::OutOfRangeError("a number has more than 9 decimal places");
  return Decimal::FromUnscaled(decimal.unscaled(), static_cast<int>(decimal.scale()));
}

}  // namespace halles::checkout
