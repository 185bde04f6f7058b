// A reactor that only ends its call.
#include "libs/rpc/unknown_methods.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/rpc/grpc_status.h"

namespace halles::rpc {
namespace {

// Of the name that the caller sent, in the message.
constexpr size_t kNameBytesMax = 100;

class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const std::string& method) {
    Finish(ToGrpc(Failure(
        absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD",
        absl::StrCat("no service of this process has the method ", absl::CHexEscape(method.substr(0, kNameBytesMax)),
                     "; the reflection service lists those that it has"))));
  }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(grpc::GenericCallbackServerContext* context) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  return new Refusal(context->method());
}

}  // namespace halles::rpc
