// Checks of commands that several aggregates of checkout share.
#ifndef HALLES_SERVICES_CHECKOUT_CHECKS_H_
#define HALLES_SERVICES_CHECKOUT_CHECKS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/money.h"
#include "libs/base/status.h"

namespace halles::checkout {

inline constexpr size_t kLineIdCharactersMax = 64;
inline constexpr uint32_t kScaleMax = 9;

// Each returns INVALID_ARGUMENT that names the invalid field. The protos state the limits of fields.

// Refuses the prefixes of ids of imported orders and returns. An order has the id of its cart.
absl::Status CheckCartId(absl::string_view field, absl::string_view cart_id);

// CheckNothingInClear refuses identifiers that are not hashed; CheckIdentifiers checks all rules of hashed identifiers.
absl::Status CheckNothingInClear(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);
absl::Status CheckIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);

// Turns the error of a check into a refusal with this reason, for commands that did not come through the door.
absl::Status Refused(v1::RejectReason reason, const absl::Status& finding);
inline absl::Status Malformed(const absl::Status& finding) {
  return Refused(v1::REJECT_REASON_MALFORMED_COMMAND, finding);
}

// VERSION_CHANGED unless the aggregate has the expected version. An aggregate that does not exist has version 0.
template <class Request>
absl::Status CheckVersion(const Request& request, int64_t version) {
  if (!request.has_expected_version() || request.expected_version() == version) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_VERSION_CHANGED,
                absl::StrCat("the version is ", version, ", not ", request.expected_version()),
                {{"version", absl::StrCat(version)}, {"expected_version", absl::StrCat(request.expected_version())}});
}

// The exact number; INVALID_ARGUMENT or OUT_OF_RANGE unless its scale is at most kScaleMax.
absl::StatusOr<Decimal> ExactOf(const common::v1::Decimal& decimal);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_CHECKS_H_
