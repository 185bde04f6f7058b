// The life of a stream: open, write and read, end, open anew.
#include "services/hallesctl/import/command_stream.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "libs/rpc/grpc_status.h"

namespace halles::hallesctl {

CommandStream::CommandStream(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue* queue)
    : queue_(queue), stub_(bulk::v1::BulkService::NewStub(channel)) {}

absl::Status CommandStream::Send(uint64_t tag, absl::string_view method, const google::protobuf::Message& request,
                                 absl::Duration timeout) {
  const size_t bytes = request.ByteSizeLong();
  if (bytes > kRequestBytesMax) return absl::ResourceExhaustedError("the request is too large to be sent");
  if (waiting_.empty() || waiting_.back().commands_size() >= kCommandsMax || last_bytes_ + bytes > kBytesMax) {
    waiting_.emplace_back();
    last_bytes_ = 0;
  }
  bulk::v1::Command& command = *waiting_.back().add_commands();
  command.set_tag(tag);
  command.set_method(std::string(method));
  request.SerializeToString(command.mutable_request());
  command.set_timeout_ms(static_cast<uint32_t>(std::max<int64_t>(1, absl::ToInt64Milliseconds(timeout))));
  last_bytes_ += bytes;
  if (in_flight_.empty()) last_answer_ = absl::Now();
  in_flight_.insert(tag);
  return absl::OkStatus();
}

void CommandStream::Flush() {
  if (waiting_.empty() || writing_ || broken_) return;
  writing_ = true;
  if (context_ == nullptr) {
    context_ = std::make_unique<grpc::ClientContext>();
    call_ = stub_->PrepareAsyncSubmitBatch(context_.get(), queue_);
    call_->StartCall(&started_);
    return;
  }
  sending_ = std::move(waiting_.front());
  waiting_.pop_front();
  call_->Write(sending_, &written_);
}

void CommandStream::On(const Event& event, bool ok, std::vector<CommandAnswer>* answers) {
  answers_ = answers;
  (this->*event.on)(ok);
  answers_ = nullptr;
}

void CommandStream::OnStarted(bool ok) {
  writing_ = false;
  broken_ = !ok;
  if (ok) {
    reading_ = true;
    call_->Read(&received_, &read_);
    Flush();
  }
  MaybeFinish();
}

void CommandStream::OnWritten(bool ok) {
  writing_ = false;
  broken_ = broken_ || !ok;  // what is still to be read is read
  Flush();
  MaybeFinish();
}

void CommandStream::OnRead(bool ok) {
  reading_ = ok;
  broken_ = broken_ || !ok;
  if (ok) {
    last_answer_ = absl::Now();
    for (bulk::v1::Answer& answer : *received_.mutable_answers()) {
      if (in_flight_.erase(answer.tag()) == 0) continue;
      CommandAnswer& to = answers_->emplace_back();
      to.tag = answer.tag();
      if (answer.has_error()) {
        google::rpc::Status error;
        to.status = error.ParseFromString(answer.error()) ? rpc::FromProto(error)
                                                          : absl::InternalError("the answer cannot be read");
      } else {
        to.response = std::move(*answer.mutable_response());
      }
    }
    call_->Read(&received_, &read_);
  }
  MaybeFinish();
}

void CommandStream::MaybeFinish() {
  if (broken_ && !writing_ && !reading_) call_->Finish(&status_, &finished_);
}

void CommandStream::OnFinished(bool) {
  absl::Status status = rpc::FromGrpc(status_);
  if (status.ok()) status = absl::UnavailableError("the server has ended the stream");
  if (silent_) status = absl::DeadlineExceededError("no command of the stream was answered in time");
  for (const uint64_t tag : in_flight_) answers_->push_back({tag, status, ""});
  in_flight_.clear();
  waiting_.clear();
  call_.reset();
  context_.reset();
  broken_ = silent_ = false;
}

void CommandStream::EndIfSilent(absl::Duration for_long) {
  if (context_ == nullptr || in_flight_.empty() || absl::Now() - last_answer_ < for_long) return;
  silent_ = true;
  context_->TryCancel();
}

void CommandStream::Cancel() {
  if (context_ != nullptr) context_->TryCancel();
}

}  // namespace halles::hallesctl
