// Reads, begins, gathers and writes.
#include "libs/rpc/batch_stream.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "halles/bulk/v1/bulk_service.limits.h"
#include "libs/base/status.h"
#include "libs/rpc/grpc_status.h"

namespace halles::rpc {

BatchStream::BatchStream(CallContext* context, const Methods& methods, const UnknownMethodStatus& unknown_method,
                         UnreadAnswers* unread, const MethodMetrics* metrics, const Clock& clock)
    : context_(context),
      methods_(methods),
      unknown_method_(unknown_method),
      unread_(unread),
      metrics_(metrics),
      clock_(clock),
      start_(clock.MonotonicMicros()),
      asked_(AskedDeadline(*context)) {}

void BatchStream::Keep(std::function<void()> on_done) {
  MutexLock lock(&mutex_);
  self_ = shared_from_this();
  on_done_ = std::move(on_done);
}

void BatchStream::Start() {
  {
    MutexLock lock(&mutex_);
    started_ = true;
  }
  Advance();
}

void BatchStream::Drain(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    ending_.Update(status);
  }
  Advance();
}

void BatchStream::EndWaiting(const absl::Status& status) { EndBegun(status, /*only_waiting=*/true); }

void BatchStream::End(const absl::Status& status) {
  Drain(status);
  EndBegun(status, /*only_waiting=*/false);
}

void BatchStream::EndBegun(const absl::Status& status, bool only_waiting) {
  std::vector<std::shared_ptr<Unanswered>> replies;
  {
    MutexLock lock(&mutex_);
    for (const auto& [key, command] : begun_) {
      std::shared_ptr<Unanswered> reply = command.reply.lock();
      if (reply != nullptr && (!only_waiting || reply->only_waits())) replies.push_back(std::move(reply));
    }
  }
  for (const std::shared_ptr<Unanswered>& reply : replies) reply->End(status);
}

void BatchStream::OnReadDone(bool ok) {
  const GrpcThread here;
  {
    MutexLock lock(&mutex_);
    reading_ = false;
    read_all_ = read_all_ || !ok;
    if (ok && !finished_) {
      if (absl::Status checked = CheckLimits(request_); checked.ok()) {
        beginning_ = true;
        in_flight_ += request_.commands_size();
      } else {
        ending_.Update(checked);
      }
    }
    ok = beginning_;
  }
  if (ok) BeginCommands();
  Advance();
}

void BatchStream::BeginCommands() {
  const absl::Time now = absl::FromUnixMicros(clock_.Wall());
  for (const bulk::v1::Command& command : request_.commands()) BeginCommand(command, now);
  MutexLock lock(&mutex_);
  beginning_ = false;
}

void BatchStream::BeginCommand(const bulk::v1::Command& command, absl::Time now) {
  absl::Status refused;
  {
    MutexLock lock(&mutex_);
    refused = gone_ ? absl::CancelledError("the caller left") : ending_;
    next_bytes_ = command.request().size();
    request_bytes_ += next_bytes_;
  }
  if (refused.ok()) {
    const Methods::Begin* const begin = methods_.Find(command.method());
    if (begin == nullptr) {
      refused = unknown_method_(command.method());
    } else {
      BatchedCommand begun{.answers = shared_from_this(), .tag = command.tag(), .asked = asked_};
      if (command.timeout_ms() > 0) begun.asked = std::min(asked_, now + absl::Milliseconds(command.timeout_ms()));
      if (command.traceparent().size() <= kTraceparentBytesMax) begun.traceparent = command.traceparent();
      refused = (*begin)(context_, command.request(), &begun);
    }
  }
  if (refused.ok()) return;
  MutexLock lock(&mutex_);
  Gather(command.tag(), refused, "", command.request().size());
}

void BatchStream::Begun(const std::shared_ptr<Unanswered>& command) {
  MutexLock lock(&mutex_);
  begun_.emplace(command.get(), BegunCommand{command, next_bytes_});
}

void BatchStream::Answer(const Unanswered* command, uint64_t tag, const absl::Status& status,
                         const google::protobuf::MessageLite* response) {
  std::string bytes;
  if (response != nullptr) response->SerializeToString(&bytes);
  UnreadAnswers::Ends ends;
  {
    MutexLock lock(&mutex_);
    const auto found = begun_.find(command);
    const size_t request_bytes = found->second.request_bytes;
    begun_.erase(found);
    Gather(tag, status, std::move(bytes), request_bytes);
    Count(/*read=*/false, &ends);
    if (beginning_ || writing_) return;  // whoever does that goes on
  }
  Advance();
}

void BatchStream::Gather(uint64_t tag, const absl::Status& status, std::string response, size_t request_bytes) {
  if (gone_) {
    --in_flight_;
    request_bytes_ -= request_bytes;
    return;
  }
  if (gathered_.empty() ||
      gathered_.back().bytes > kBatchAnswerBytesMax - std::min(response.size(), kBatchAnswerBytesMax)) {
    gathered_.emplace_back();
  }
  Gathered& to = gathered_.back();
  bulk::v1::Answer& answer = *to.message.add_answers();
  answer.set_tag(tag);
  const size_t bytes = response.size() + sizeof(bulk::v1::Answer);
  if (status.ok()) {
    answer.set_response(std::move(response));
  } else {
    ToProto(status).SerializeToString(answer.mutable_error());
  }
  to.bytes += bytes;
  to.request_bytes += request_bytes;
  gathered_bytes_ += bytes;
}

void BatchStream::Count(bool read, UnreadAnswers::Ends* ends) {
  const size_t bytes = gathered_bytes_ + current_.bytes;
  const bool holds = bytes >= UnreadAnswers::kSmallBytes;
  if (unread_ == nullptr || finished_ || (!holds && !counted_)) return;
  counted_ = holds;
  unread_->Set(&unread_answer_, context_->c_call(), bytes, read, ends);
}

void BatchStream::Advance() {
  bool write = false;
  bool read = false;
  std::optional<absl::Status> end;
  {
    MutexLock lock(&mutex_);
    if (finished_ || beginning_) return;
    if (!writing_ && !gathered_.empty()) {
      writing_ = write = true;
      current_ = std::move(gathered_.front());
      gathered_.pop_front();
      gathered_bytes_ -= current_.bytes;
    }
    if (started_ && !reading_ && !read_all_ && !gone_ && ending_.ok() &&
        in_flight_ + kBatchCommandsMax <= kBatchInFlightMax && request_bytes_ <= kBatchBytesMax) {
      reading_ = read = true;
      ++reads_starting_;
    }
    const bool over = gone_ || (in_flight_ == 0 && (read_all_ || !ending_.ok()));
    if (over && !writing_ && reads_starting_ == 0) {
      finished_ = true;
      end = gone_ ? absl::CancelledError("the caller left") : ending_;
    }
  }
  // Only the thread that has set a flag calls gRPC for it, so no operation runs twice.
  if (write) {
    metrics_->Sent();
    StartWrite(&current_.message);
  }
  if (read) {
    StartRead(&request_);
    bool again = false;
    {
      MutexLock lock(&mutex_);
      --reads_starting_;
      again = !finished_ && (gone_ || read_all_ || !ending_.ok());
    }
    if (again) Advance();
  }
  if (end.has_value()) {
    metrics_->Handled(end->code(), absl::Microseconds(clock_.MonotonicMicros() - start_));
    Finish(ToGrpc(*end));
  }
}

void BatchStream::OnWriteDone(bool ok) {
  const GrpcThread here;
  UnreadAnswers::Ends ends;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    in_flight_ -= current_.message.answers_size();
    request_bytes_ -= current_.request_bytes;
    current_ = Gathered();
    Count(/*read=*/true, &ends);
  }
  if (!ok) {
    OnCancel();
    return;
  }
  Advance();
}

void BatchStream::OnCancel() {
  const GrpcThread here;
  {
    MutexLock lock(&mutex_);
    gone_ = true;
    for (const Gathered& gathered : gathered_) {
      in_flight_ -= gathered.message.answers_size();
      request_bytes_ -= gathered.request_bytes;
    }
    gathered_.clear();
    gathered_bytes_ = 0;
    UnreadAnswers::Ends none;
    Count(/*read=*/false, &none);
  }
  Advance();
}

void BatchStream::OnDone() {
  std::shared_ptr<BatchStream> self;
  std::function<void()> on_done;
  if (unread_ != nullptr) unread_->Drop(&unread_answer_);
  {
    MutexLock lock(&mutex_);
    self = std::move(self_);
    on_done = std::exchange(on_done_, nullptr);
  }
  if (on_done != nullptr) on_done();
}

}  // namespace halles::rpc
