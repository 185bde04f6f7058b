// Errors with a machine-readable reason: refusals, failures and invalid fields, and the macros that return them.
#ifndef HALLES_LIBS_BASE_STATUS_H_
#define HALLES_LIBS_BASE_STATUS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/generated_enum_reflection.h"

// Returns from the enclosing function when the expression is a status that is not OK.
#define RETURN_IF_ERROR(...)                                                                      \
  do {                                                                                            \
    if (absl::Status halles_status_ = (__VA_ARGS__); !halles_status_.ok()) return halles_status_; \
  } while (false)

// Evaluates an expression of type StatusOr<T>; assigns its value to `lhs`, which may declare, or returns its status.
#define ASSIGN_OR_RETURN(lhs, ...) \
  HALLES_ASSIGN_OR_RETURN_(HALLES_CONCAT_(halles_status_or_, __LINE__), lhs, (__VA_ARGS__))
#define HALLES_CONCAT_INNER_(a, b) a##b
#define HALLES_CONCAT_(a, b) HALLES_CONCAT_INNER_(a, b)
#define HALLES_ASSIGN_OR_RETURN_(result, lhs, expr)    \
  auto result = expr;                                  \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)

namespace halles {

// The domain of every ErrorInfo.
inline constexpr absl::string_view kErrorDomain = "halles.dev";

// Payloads of a status, each the serialised message of this type.
inline constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr absl::string_view kBadRequestUrl = "type.googleapis.com/google.rpc.BadRequest";
inline constexpr absl::string_view kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

using Metadata = std::vector<std::pair<std::string, std::string>>;

// A failure: something did not answer, or the request is wrong in a way that no domain rule covers. `reason` is
// UPPER_SNAKE_CASE. `code` is not OK.
absl::Status Failure(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                     const Metadata& metadata = {});

// A field that exceeds its limits: INVALID_ARGUMENT with BadRequest and the reason INVALID_FIELD. `field` is the path
// as in the proto, such as "lines[3].unit_price".
absl::Status InvalidField(absl::string_view field, absl::string_view description);

// A field with a value that this build does not know but a newer one may: INVALID_ARGUMENT with BadRequest and the
// reason UNKNOWN_VALUE.
absl::Status UnknownValue(absl::string_view field, absl::string_view description);

// Overload: RESOURCE_EXHAUSTED with RetryInfo.
absl::Status Overloaded(absl::string_view reason, absl::string_view message, absl::Duration retry_after);

// A refusal whose reason is the value `number` of an enum: its name without "REJECT_REASON_". FAILED_PRECONDITION.
absl::Status RejectByName(absl::string_view enum_value_name, absl::string_view message, const Metadata& metadata);

// A refusal: a rule says no. FAILED_PRECONDITION; the reason is the name in the proto without "REJECT_REASON_".
template <typename ReasonEnum>
absl::Status Reject(ReasonEnum reason, absl::string_view message, const Metadata& metadata = {}) {
  const auto* value = google::protobuf::GetEnumDescriptor<ReasonEnum>()->FindValueByNumber(static_cast<int>(reason));
  return RejectByName(value == nullptr ? "UNKNOWN" : value->name(), message, metadata);
}

// The reason in the status's ErrorInfo; "" when there is none.
std::string ReasonOf(const absl::Status& status);

// The value of a key of the ErrorInfo's metadata; "" when there is none.
std::string MetadataOf(const absl::Status& status, absl::string_view key);

// How long to wait before the next try; nullopt if the status does not say.
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

// The same status, payloads included, with "context: " before its message. OK stays OK.
absl::Status WithContext(const absl::Status& status, absl::string_view context);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_STATUS_H_
