// A client's stream of commands: gathers those that are sent, and opens anew after it has ended.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_COMMAND_STREAM_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_COMMAND_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "halles/bulk/v1/bulk_service.grpc.pb.h"

namespace halles::hallesctl {

// The outcome of one command: the serialised response, or an error. If the stream ended, each command without an answer
// gets the status of the stream.
struct CommandAnswer {
  uint64_t tag = 0;
  absl::Status status;
  std::string response;
};

// Commands wait while a message is being written, and go together with the next one.
// Thread safety: one thread.
// Lifetime: the queue outlives it. Destroy it after the queue was shut down and has returned all its events.
class CommandStream {
 public:
  // Of one message; within the limits of SubmitBatch and of a message.
  static constexpr int kCommandsMax = 256;
  static constexpr size_t kBytesMax = 512 * 1024;
  // Of one request, with its method beside it in a message of at most 1 MiB.
  static constexpr size_t kRequestBytesMax = 1024 * 1024 - 1024;

  // What the queue returns as its tag; give it to On.
  struct Event {
    CommandStream* stream;
    void (CommandStream::*on)(bool ok);
  };

  CommandStream(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue* queue);
  CommandStream(const CommandStream&) = delete;
  CommandStream& operator=(const CommandStream&) = delete;

  // Sends the command with the next message. `tag` is that of no other command that waits for its answer.
  // RESOURCE_EXHAUSTED if the request is longer than kRequestBytesMax; it gets no other answer then.
  absl::Status Send(uint64_t tag, absl::string_view method, const google::protobuf::Message& request,
                    absl::Duration timeout);
  // Writes what waits, if nothing is being written. Opens the stream if it is not open.
  void Flush();
  // Takes an event of the queue, and appends the answers that came with it, or because of it.
  void On(const Event& event, bool ok, std::vector<CommandAnswer>* answers);
  // Ends the stream if commands have waited for so long without any answer; they get DEADLINE_EXCEEDED.
  void EndIfSilent(absl::Duration for_long);
  // Ends the stream at once.
  void Cancel();

 private:
  void OnStarted(bool ok);
  void OnWritten(bool ok);
  void OnRead(bool ok);
  void OnFinished(bool ok);
  // Asks for the status, once nothing else is under way.
  void MaybeFinish();

  grpc::CompletionQueue* const queue_;
  const std::unique_ptr<bulk::v1::BulkService::Stub> stub_;
  Event started_{this, &CommandStream::OnStarted};
  Event written_{this, &CommandStream::OnWritten};
  Event read_{this, &CommandStream::OnRead};
  Event finished_{this, &CommandStream::OnFinished};

  // Null: not open.
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<bulk::v1::SubmitBatchRequest, bulk::v1::SubmitBatchResponse>> call_;
  bool writing_ = false;  // or starting
  bool reading_ = false;
  bool broken_ = false;  // nothing more is read or written
  bool silent_ = false;  // ended for that
  absl::Time last_answer_;
  grpc::Status status_;
  bulk::v1::SubmitBatchRequest sending_;
  bulk::v1::SubmitBatchResponse received_;
  std::deque<bulk::v1::SubmitBatchRequest> waiting_;
  size_t last_bytes_ = 0;  // of the last message that waits
  absl::flat_hash_set<uint64_t> in_flight_;
  std::vector<CommandAnswer>* answers_ = nullptr;  // within On
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_COMMAND_STREAM_H_
