// Checks a request against the limits that stand beside its fields in the proto (halles/options/v1/limits.proto).
#ifndef HALLES_LIBS_BASE_LIMITS_LIMITS_H_
#define HALLES_LIBS_BASE_LIMITS_LIMITS_H_

#include <memory>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace halles {

// The limits of one type of message and of all that it holds, laid out once, so that a check looks nothing up and a message
// that is in order costs no allocation.
// Limits: of generated types; extensions and maps are not walked. Rules between fields, and rules that need state, are the
// service's.
// Thread safety: immutable.
class LimitPlan {
 public:
  // FAILED_PRECONDITION when an option does not fit its field, such as a length of a number: a bug of the proto.
  static absl::StatusOr<LimitPlan> For(const google::protobuf::Descriptor* type);

  LimitPlan(LimitPlan&&) noexcept;
  LimitPlan& operator=(LimitPlan&&) noexcept;
  ~LimitPlan();

  // INVALID_ARGUMENT that names the first field, in the order of the proto, which breaks a limit, such as "lines[3].sku".
  // The reason is INVALID_FIELD; UNKNOWN_VALUE when an enum has a number that this build does not know, since a newer build
  // may. `message` is of the plan's type.
  absl::Status Check(const google::protobuf::Message& message) const;

 private:
  struct MessagePlan;
  struct Step;
  struct Place;
  class Compiler;

  LimitPlan();
  static absl::Status CheckMessage(const MessagePlan& plan, const google::protobuf::Message& message,
                                   const Place* place);
  static absl::Status CheckStep(const Step& step, const google::protobuf::Reflection& reflection,
                                const google::protobuf::Message& message, const Place* place);
  static absl::Status CheckEntries(const Step& step, const google::protobuf::Reflection& reflection,
                                   const google::protobuf::Message& message, const Place* place);
  static absl::Status CheckUnique(const Step& step, const google::protobuf::Reflection& reflection,
                                  const google::protobuf::Message& message, const Place* place);

  // The first is that of the plan's type; the others are of messages that it holds, each type once.
  std::vector<std::unique_ptr<MessagePlan>> plans_;
};

// LimitPlan::Check with the plan of the request's type, which is made when the first one comes.
template <class Request>
absl::Status CheckLimits(const Request& request) {
  static_assert(!std::is_same_v<Request, google::protobuf::Message>, "keep a LimitPlan of the type");
  // Never destroyed: requests may be checked while the process ends.
  static const LimitPlan& plan = *new LimitPlan(LimitPlan::For(Request::descriptor()).value());
  return plan.Check(request);
}

}  // namespace halles

#endif  // HALLES_LIBS_BASE_LIMITS_LIMITS_H_
