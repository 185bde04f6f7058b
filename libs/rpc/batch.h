// What the commands of a batch have in common with calls: a method begins both, and a reply answers both.
#ifndef HALLES_LIBS_RPC_BATCH_H_
#define HALLES_LIBS_RPC_BATCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "libs/base/status.h"
#include "libs/rpc/calls_under_way.h"

namespace halles::rpc {

// Whoever collects the answers of the commands of a batch.
// Thread safety: any thread.
class BatchAnswers {
 public:
  virtual ~BatchAnswers() = default;
  // The command is begun. It is answered exactly once.
  virtual void Begun(const std::shared_ptr<Unanswered>& command) = 0;
  // The answer of a command that was begun: an error, or OK and the response.
  virtual void Answer(const Unanswered* command, uint64_t tag, const absl::Status& status,
                      const google::protobuf::MessageLite* response) = 0;
};

// A command of a batch while its method begins it.
struct BatchedCommand {
  std::shared_ptr<BatchAnswers> answers;  // shared with the replies of the batch
  uint64_t tag = 0;
  google::protobuf::Message* request = nullptr;  // may be moved from
  absl::Time asked;                              // deadline
  std::string traceparent;                       // "": that of the stream
  bool taken = false;                            // by a command; otherwise its method is a query
};

// Says why no door has the method of this name.
using UnknownMethodStatus = std::function<absl::Status(const std::string& name)>;

// The methods of all doors by their full names, as in "halles.inventory.v1.InventoryService/ReserveStock".
// Thread safety: immutable once it serves.
// Lifetime: the doors outlive it.
class Methods {
 public:
  // Begins the command with the context of its stream. INVALID_ARGUMENT if the bytes are no request of the method
  // (MALFORMED_REQUEST) or it is no command (NOT_A_COMMAND). Otherwise the answer comes through `command`.
  using Begin =  // on the thread that reads the stream
      std::function<absl::Status(CallContext* context, absl::string_view request, BatchedCommand* command)>;

  template <typename Door, typename Request, typename Response>
  void Add(absl::string_view name, Door* door,
           grpc::ServerUnaryReactor* (Door::*method)(grpc::CallbackServerContext*, const Request*, Response*)) {
    methods_.emplace(name, [door, method](CallContext* context, absl::string_view bytes, BatchedCommand* command) {
      Request request;
      if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Malformed();
      command->request = &request;
      context->SetBatched(command);
      (door->*method)(context, &request, nullptr);
      context->SetBatched(nullptr);
      return command->taken ? absl::OkStatus() : NotACommand();
    });
  }
  // A stream is no command.
  template <typename Door, typename Stream, typename... Request>
  void Add(absl::string_view name, Door*,  // whatever its messages are
           Stream* (Door::*)(grpc::CallbackServerContext*, Request...)) {
    methods_.emplace(name, [](CallContext*, absl::string_view, BatchedCommand*) { return NotACommand(); });
  }

  // Null if no door has the method.
  const Begin* Find(absl::string_view name) const {
    const auto found = methods_.find(name);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  static absl::Status Malformed() {
    return Failure(absl::StatusCode::kInvalidArgument, "MALFORMED_REQUEST", "these bytes are no request of the method");
  }
  static absl::Status NotACommand() {
    return Failure(absl::StatusCode::kInvalidArgument, "NOT_A_COMMAND",
                   "only commands come in batches; call this method itself");
  }

  absl::flat_hash_map<std::string, Begin> methods_;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_BATCH_H_
