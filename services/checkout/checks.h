// Checks of commands that several aggregates of checkout share. The limits of their fields stand in the protos.
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

// Each returns INVALID_ARGUMENT with the name of the invalid field. The limits of fields stand in the protos.

// An id that imports have is no id of a cart, or of the order that it becomes.
absl::Status CheckCartId(absl::string_view field, absl::string_view cart_id);

// Identifiers that were not hashed; the rest of the rules about them.
absl::Status CheckNothingInClear(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);
absl::Status CheckIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);

// The same error as a refusal with this reason, for rules whose command did not come through the door.
absl::Status Refused(v1::RejectReason reason, const absl::Status& finding);
inline absl::Status Malformed(const absl::Status& finding) {
  return Refused(v1::REJECT_REASON_MALFORMED_COMMAND, finding);
}

// VERSION_CHANGED unless the aggregate has the expected version; one that does not exist has version 0.
template <class Request>
absl::Status CheckVersion(const Request& request, int64_t version) {
  if (!request.has_expected_version() || request.expected_version() == version) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_VERSION_CHANGED,
                absl::StrCat("it has version ", version, ", not ", request.expected_version()),
                {{"version", absl::StrCat(version)}, {"expected_version", absl::StrCat(request.expected_version())}});
}

// The exact number; INVALID_ARGUMENT or OUT_OF_RANGE unless its scale is at most kScaleMax.
absl::StatusOr<Decimal> ExactOf(const common::v1::Decimal& decimal);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_CHECKS_H_
