// The server side of a stream of commands: begins them in order, gathers their answers, and reads no faster than it is read.
#ifndef HALLES_LIBS_RPC_BATCH_STREAM_H_
#define HALLES_LIBS_RPC_BATCH_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/server_callback.h"
#include "halles/bulk/v1/bulk_service.pb.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/rpc/batch.h"
#include "libs/rpc/call.h"
#include "libs/rpc/calls_under_way.h"
#include "libs/rpc/stream.h"
#include "libs/rpc/unread_answers.h"

namespace halles::rpc {

// Commands of one message; as in the proto.
inline constexpr int kBatchCommandsMax = 256;
// Commands of one stream that were read and whose answers are not yet written. Below what a slot queues, so that one
// stream alone is never refused for a full queue.
inline constexpr int kBatchInFlightMax = 1'024;
// No message is read while those commands have more bytes.
inline constexpr size_t kBatchBytesMax = 1024 * 1024;
// Answers beyond this go into the next message.
inline constexpr size_t kBatchAnswerBytesMax = 1024 * 1024;

// One stream. A message that is read is begun command by command, on the thread that read it; its answers come from any
// thread. Those that come while a message is written or begun go together into the next one.
// Thread safety: any thread. gRPC and methods are never called under the mutex, because they may call back at once.
// Lifetime: keeps itself until gRPC is done with it, and replies keep it longer. What the constructor takes outlives it.
class BatchStream final : public grpc::ServerBidiReactor<bulk::v1::SubmitBatchRequest, bulk::v1::SubmitBatchResponse>,
                          public StreamBase,
                          public Unanswered,
                          public BatchAnswers,
                          public std::enable_shared_from_this<BatchStream> {
 public:
  // `unread` may be null: nobody counts.
  BatchStream(CallContext* context, const Methods& methods, const UnknownMethodStatus& unknown_method,
              UnreadAnswers* unread, const MethodMetrics* metrics, const Clock& clock);

  // Call it once, before gRPC gets the reactor. `on_done` runs when gRPC is done with it.
  void Keep(std::function<void()> on_done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins to read.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);

  // Begins no further command, answers those that are begun, and ends the stream with the status.
  void Drain(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);
  // Also answers those that only wait with the status, or all.
  void EndWaiting(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  void Begun(const std::shared_ptr<Unanswered>& command) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Answer(const Unanswered* command, uint64_t tag, const absl::Status& status,
              const google::protobuf::MessageLite* response) override ABSL_LOCKS_EXCLUDED(mutex_);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A message of answers.
  struct Gathered {
    bulk::v1::SubmitBatchResponse message;
    size_t bytes = 0;
    size_t request_bytes = 0;  // of the commands that it answers
  };
  struct BegunCommand {
    std::weak_ptr<Unanswered> reply;  // shared with whoever answers
    size_t request_bytes = 0;
  };

  void BeginCommands() ABSL_LOCKS_EXCLUDED(mutex_);
  void BeginCommand(const bulk::v1::Command& command, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  void Gather(uint64_t tag, const absl::Status& status, std::string response, size_t request_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends those commands that are begun.
  void EndBegun(const absl::Status& status, bool only_waiting) ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts what can be started: a write, a read, the end.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);
  void Count(bool read, UnreadAnswers::Ends* ends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CallContext* const context_;  // until OnDone
  const Methods& methods_;
  const UnknownMethodStatus& unknown_method_;
  UnreadAnswers* const unread_;
  UnreadAnswer unread_answer_;
  const MethodMetrics* const metrics_;
  const Clock& clock_;
  const int64_t start_;  // on the monotonic clock
  const absl::Time asked_;

  bulk::v1::SubmitBatchRequest request_;  // of gRPC while reading_, then of the thread that begins its commands
  Gathered current_;                      // of gRPC while writing_

  Mutex mutex_;
  std::deque<Gathered> gathered_ ABSL_GUARDED_BY(mutex_);
  size_t gathered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<const Unanswered*, BegunCommand> begun_ ABSL_GUARDED_BY(mutex_);
  size_t next_bytes_ ABSL_GUARDED_BY(mutex_) = 0;     // of the request of the command that is being begun
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;         // commands read, whose answers are not yet written
  size_t request_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of those
  bool counted_ ABSL_GUARDED_BY(mutex_) = false;      // among unread answers
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  int reads_starting_ ABSL_GUARDED_BY(mutex_) = 0;  // threads that are about to call gRPC, which must not end before
  bool beginning_ ABSL_GUARDED_BY(mutex_) = false;  // the commands of a message
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;  // the client has ended its side
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;      // the client reads no answers any more
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // gRPC has the status
  absl::Status ending_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_done_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<BatchStream> self_ ABSL_GUARDED_BY(mutex_);  // shared with replies; reset after OnDone
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_BATCH_STREAM_H_
