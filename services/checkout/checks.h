// What fields that several aggregates of checkout take may hold: limits, and the checks behind them.
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
#include "google/protobuf/timestamp.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/placement.pb.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "libs/base/unix_time.h"
#include "services/checkout/field_path.h"

namespace halles::checkout {

inline constexpr size_t kRequestIdCharactersMax = 128;
inline constexpr size_t kCartIdCharactersMax = 64;
inline constexpr size_t kOrderIdCharactersMax = 64;  // that of a cart, or that of an import
inline constexpr size_t kLineIdCharactersMax = 64;
inline constexpr size_t kSiteCharactersMax = 64;
inline constexpr size_t kLocationCharactersMax = 64;
inline constexpr size_t kDeviceCharactersMax = 64;
inline constexpr size_t kSkuCharactersMax = 64;
inline constexpr size_t kDescriptionCharactersMax = 120;
inline constexpr size_t kHoldIdCharactersMax = 128;
inline constexpr size_t kAddressTokenCharactersMax = 128;
inline constexpr size_t kReturnIdCharactersMax = 64;
inline constexpr size_t kReasonCharactersMax = 120;
inline constexpr int kReturnLinesMax = 100;
inline constexpr int kSourceLocationsMax = 64;
inline constexpr int64_t kUnitsMax = 1'000'000'000;  // of a line
inline constexpr uint32_t kScaleMax = 9;
inline constexpr int64_t kRecordedSecondsMax = 7'258'118'399;  // the end of 2199

// Each is INVALID_ARGUMENT that names the field which breaks a rule.
absl::Status CheckText(const Path& path, absl::string_view text, size_t characters_min, size_t characters_max);
absl::Status CheckText(absl::string_view field, absl::string_view text, size_t characters_min, size_t characters_max);
absl::Status CheckRecordedTime(const Path& path, const google::protobuf::Timestamp& time);
absl::Status CheckCartId(const Path& path, absl::string_view cart_id);
absl::Status CheckOrderId(absl::string_view order_id);
absl::Status CheckOrigin(const Path& path, const v1::Origin& origin);
absl::Status CheckDelivery(const Path& path, const v1::Delivery& delivery);
// A price of one unit: given, exact, not negative.
absl::Status CheckUnitPrice(const Path& path, bool present, const common::v1::Decimal& price);
absl::Status CheckUnits(const Path& path, int64_t units, int64_t least);
absl::Status CheckReturnedLines(absl::string_view field,
                                const google::protobuf::RepeatedPtrField<v1::ReturnedLine>& lines);

// Identifiers that were not hashed; the rest of the rules about them.
absl::Status CheckNothingInClear(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);
absl::Status CheckIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);

// The same finding as a refusal of this reason: what a rule answers, which the door did not check for it.
absl::Status Refused(v1::RejectReason reason, const absl::Status& finding);
inline absl::Status Malformed(const absl::Status& finding) {
  return Refused(v1::REJECT_REASON_MALFORMED_COMMAND, finding);
}

// VERSION_CHANGED unless the aggregate has the version that the command was made for; one that is not there has version 0.
template <class Request>
absl::Status CheckVersion(const Request& request, int64_t version) {
  if (!request.has_expected_version() || request.expected_version() == version) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_VERSION_CHANGED,
                absl::StrCat("it has version ", version, ", not ", request.expected_version()),
                {{"version", absl::StrCat(version)}, {"expected_version", absl::StrCat(request.expected_version())}});
}

// Microseconds, rounded down.
UnixMicros MicrosOf(const google::protobuf::Timestamp& time);

// The exact number; INVALID_ARGUMENT or OUT_OF_RANGE unless its scale is at most kScaleMax.
absl::StatusOr<Decimal> ExactOf(const common::v1::Decimal& decimal);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_CHECKS_H_
