// Appends and commits of an embedded log.
#include "libs/eventlog/embedded_log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/eventlog/frame.h"

namespace halles::eventlog {
namespace {

void AbortProcess(const absl::Status& status) {
  const std::string text = status.ToString();
  fprintf(stderr, "halles: the log cannot go on and the process ends: %s\n", text.c_str());
  abort();
}

EmbeddedLogOptions WithDefaults(EmbeddedLogOptions options) {
  if (options.file_system == nullptr) options.file_system = &PosixFileSystem();
  if (options.on_fatal == nullptr) options.on_fatal = AbortProcess;
  return options;
}

// The report of a refused append, which is certainly not in the log.
absl::Status NeverStored(absl::string_view reason, absl::string_view message) {
  return Failure(absl::StatusCode::kResourceExhausted, reason, message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedLog>> EmbeddedLog::Open(EmbeddedLogOptions options) {
  HALLES_CHECK(options.clock != nullptr && options.random != nullptr, "a log needs a clock and randomness");
  options = WithDefaults(std::move(options));
  if (options.segment_bytes > kSegmentBytesMax || options.segment_bytes < 1024 ||
      options.segment_bytes % kFrameAlignment != 0) {
    return InvalidField("segment_bytes", absl::StrCat("must be a multiple of ", kFrameAlignment, " between 1024 and ",
                                                      kSegmentBytesMax));
  }
  while (options.directory.size() > 1 && options.directory.back() == '/') options.directory.pop_back();
  ASSIGN_OR_RETURN(RecoveredLog recovered, RecoverLog({.file_system = options.file_system,
                                                       .random = options.random,
                                                       .directory = options.directory,
                                                       .slots = options.slots,
                                                       .install = options.install,
                                                       .segment_bytes = options.segment_bytes}));
  return std::unique_ptr<EmbeddedLog>(new EmbeddedLog(std::move(options), std::move(recovered)));
}

EmbeddedLog::EmbeddedLog(EmbeddedLogOptions options, RecoveredLog recovered)
    : options_(std::move(options)),
      identity_(recovered.identity),
      lock_(std::move(recovered.lock)),
      home_{options_.file_system, options_.directory, identity_.install},
      index_(options_.recent_bytes_max),
      reader_source_(home_, &index_),
      keeper_(home_, options_.segment_bytes, std::move(recovered.prepared),
              [this](uint32_t number, const Sidecar& sidecar) { index_.UseSidecar(number, sidecar); }),
      active_(std::move(recovered.active)),
      end_(recovered.active_end),
      durable_end_(recovered.durable_end),
      mark_due_(recovered.unmarked_records) {
  for (ClosedSegment& segment : recovered.closed) {
    for (const SidecarRun& run : segment.sidecar.runs) next_positions_[run.slot] = run.base + run.count;
    if (segment.runs.empty()) {
      index_.AddClosed(segment.number, segment.sidecar);
    } else {
      index_.AddRuns(segment.number, std::move(segment.runs));
    }
  }
  for (const SlotRun& run : recovered.active_runs) next_positions_[run.slot] = run.base + run.refs->size();
  index_.AddRuns(active_.number, std::move(recovered.active_runs));
  committer_ = std::thread([this] { RunCommitter(); });
}

EmbeddedLog::~EmbeddedLog() {
  {
    MutexLock lock(&pending_mutex_);
    stopping_ = true;
    work_.Signal();
  }
  committer_.join();
}

absl::Status EmbeddedLog::CheckSlot(SlotId slot) const {
  const uint32_t count = identity_.slots.of(slot.service);
  if (slot.slot < count) return absl::OkStatus();
  return InvalidField("slot", absl::StrCat("there is no slot ", slot.ToString(), ": the service has ", count));
}

size_t EmbeddedLog::RecordBytesMax() const {
  const size_t room = options_.segment_bytes - kSegmentHeaderBytes - kMarkBytes - kFrameHeaderBytes - kFrameAlignment;
  return std::min(kMaxRecordBytes, room);
}

void EmbeddedLog::Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) {
  PendingAppend append{slot, std::move(bytes), tag, sink, absl::OkStatus()};
  if (append.bytes.size() > RecordBytesMax()) {
    append.refusal = NeverStored("LOG_RECORD_TOO_LARGE", absl::StrCat("a record of ", append.bytes.size(),
                                                                      " bytes; the log takes ", RecordBytesMax()));
  } else if (absl::Status status = CheckSlot(slot); !status.ok()) {
    append.refusal = NeverStored("LOG_NO_SUCH_SLOT", status.message());
  }
  bool wake = false;
  {
    MutexLock lock(&pending_mutex_);
    if (append.refusal.ok() && pending_bytes_ + append.bytes.size() > options_.pending_bytes_max) {
      append.refusal = Overloaded("LOG_OVERLOADED", "too many appends wait for the disk", absl::Milliseconds(100));
    }
    if (!append.refusal.ok()) append.bytes = std::string();
    pending_bytes_ += append.bytes.size();
    pending_.push_back(std::move(append));
    wake = std::exchange(committer_sleeps_, false);
  }
  if (wake) work_.Signal();
}

void EmbeddedLog::Abandon(SlotId slot, ReportSink* sink) {
  {
    MutexLock lock(&pending_mutex_);
    size_t dropped_bytes = 0;
    std::erase_if(pending_, [&](const PendingAppend& append) {
      if (append.slot != slot || append.sink != sink) return false;
      dropped_bytes += append.bytes.size();
      return true;
    });
    pending_bytes_ -= dropped_bytes;
    if (committing_) abandoned_.emplace_back(slot, sink);
  }
  gate_.AwaitReport();
}

absl::StatusOr<Position> EmbeddedLog::End(SlotId slot) {
  RETURN_IF_ERROR(CheckSlot(slot));
  return index_.End(slot);
}

absl::StatusOr<std::unique_ptr<LogReader>> EmbeddedLog::NewReader(SlotId slot, Position from) {
  ASSIGN_OR_RETURN(const Position end, End(slot));
  if (from > end) {
    return Failure(absl::StatusCode::kOutOfRange, "LOG_TOO_SHORT",
                   absl::StrCat("slot ", slot.ToString(), " ends at position ", end, ", below ", from,
                                ": this is not the log that was read before"),
                   {{"slot", slot.ToString()}, {"end", absl::StrCat(end)}, {"position", absl::StrCat(from)}});
  }
  return std::unique_ptr<LogReader>(std::make_unique<SlotReader>(&reader_source_, slot, from));
}

absl::Status EmbeddedLog::health() const {
  MutexLock lock(&health_mutex_);
  return health_;
}

void EmbeddedLog::SetHealth(const absl::Status& status) {
  MutexLock lock(&health_mutex_);
  health_ = status;
}

void EmbeddedLog::RunCommitter() {
  pthread_setname_np(pthread_self(), "log-commit");
  std::vector<PendingAppend> batch;
  for (;;) {
    bool stopping = false;
    {
      MutexLock lock(&pending_mutex_);
      committing_ = false;
      abandoned_.clear();
      while (pending_.empty() && !stopping_) {
        committer_sleeps_ = true;
        // A mark that found the disk full waits for the next try.
        const absl::Duration delay = full_in_segment_ ? options_.disk_full_retry : options_.mark_delay;
        if (!mark_due_) {
          work_.Wait(&pending_mutex_);
        } else if (delay <= absl::ZeroDuration() || work_.WaitWithTimeout(&pending_mutex_, delay)) {
          break;
        }
      }
      committer_sleeps_ = false;
      stopping = stopping_;
      batch.swap(pending_);
      pending_bytes_ = 0;
      committing_ = !batch.empty();
    }
    if (!batch.empty()) {
      Commit(batch);
      batch.clear();
      continue;
    }
    if (mark_due_) WriteMark();
    if (stopping) return;
  }
}

void EmbeddedLog::Commit(std::vector<PendingAppend>& batch) {
  size_t first = 0;
  while (first < batch.size()) {
    if (failed_) return Refuse(batch, first, absl::UnavailableError("the log failed; the record may be stored or not"));
    if (full_since_micros_.has_value() && !HasRoomAgain()) return Refuse(batch, first, full_status_);
    auto bytes = std::make_shared<std::string>();
    const size_t last = EncodeSome(batch, first, bytes.get());
    if (last == first) {
      if (!Rotate()) return Refuse(batch, first, full_status_);
      continue;
    }
    if (!bytes->empty()) {
      const int64_t started = options_.clock->MonotonicMicros();
      switch (WriteAndSync(*bytes)) {
        case Written::kDurable:
          break;
        case Written::kFull:
          return RefuseFull(batch, first, last);
        case Written::kFailed:
          continue;
      }
      mark_due_ = true;
      if (options_.on_commit) {
        options_.on_commit({placed_.size(), bytes->size(), options_.clock->MonotonicMicros() - started});
      }
    }
    PublishAndReport(batch, first, last, std::move(bytes));
    first = last;
    if (end_ > active_.bytes / 4 && prepare_asked_ < active_.number + 1) {
      prepare_asked_ = active_.number + 1;
      keeper_.Prepare(prepare_asked_);
    }
  }
}

// Encodes appends from `first` on until the segment or the write is full; returns where it stopped.
size_t EmbeddedLog::EncodeSome(std::vector<PendingAppend>& batch, size_t first, std::string* bytes) {
  // Keeps room for the mark, so that a log on a full disk can still be marked.
  const size_t left = active_.bytes - end_;
  const size_t room = left > kMarkBytes ? left - kMarkBytes : 0;
  size_t last = first;
  size_t total = 0;
  for (; last < batch.size(); ++last) {
    if (!batch[last].refusal.ok()) continue;
    const size_t size = FrameBytes(batch[last].bytes.size());
    if (total + size > room || (total > 0 && total + size > options_.commit_bytes_max)) break;
    total += size;
  }
  bytes->reserve(total);
  placed_.clear();
  placed_positions_.clear();
  for (size_t i = first; i < last; ++i) {
    const PendingAppend& append = batch[i];
    if (!append.refusal.ok()) continue;
    const LogAddress at{active_.number, end_ + static_cast<uint32_t>(bytes->size())};
    const Position position = next_positions_[append.slot]++;
    AppendFrame(at, {FrameKind::kRecord, append.slot, position, durable_end_}, append.bytes, bytes);
    placed_.push_back({append.slot, {at.offset, static_cast<uint32_t>(append.bytes.size())}});
    placed_positions_.push_back(position);
  }
  return last;
}

EmbeddedLog::Written EmbeddedLog::WriteAndSync(absl::string_view bytes) {
  const absl::Status written = active_.file->Write(end_, bytes);
  if (absl::IsResourceExhausted(written)) {
    full_in_segment_ = true;
    NoteFull(ExplainFileError(written, options_.directory));
    return Written::kFull;
  }
  const absl::Status synced = written.ok() ? active_.file->Sync() : written;
  if (!synced.ok()) {
    Fail(synced);
    return Written::kFailed;
  }
  end_ += static_cast<uint32_t>(bytes.size());
  durable_end_ = {active_.number, end_};
  if (std::exchange(full_in_segment_, false)) SetHealth(absl::OkStatus());
  return Written::kDurable;
}

void EmbeddedLog::Fail(const absl::Status& status) {
  failed_ = true;
  mark_due_ = false;
  const absl::Status failure = Failure(
      absl::StatusCode::kUnavailable, "LOG_WRITE_FAILED",
      absl::StrCat("writing the log failed, so it is unknown which of the last records are stored: ", status.message(),
                   "; check the disk and start again"));
  SetHealth(failure);
  options_.on_fatal(failure);
}

void EmbeddedLog::NoteFull(const absl::Status& status) {
  full_since_micros_ = options_.clock->MonotonicMicros();
  full_status_ = status;
  SetHealth(full_status_);
}

// Whole frames may be in the file. They were never durable, but a crash may leave them there, so the appends are refused
// only when zeros are in their place; else it is unknown whether they are stored.
void EmbeddedLog::RefuseFull(std::vector<PendingAppend>& batch, size_t first, size_t last) {
  uint32_t bytes = 0;
  for (const LogIndex::PlacedRecord& placed : placed_) {
    --next_positions_[placed.slot];
    bytes = placed.ref.offset + static_cast<uint32_t>(FrameBytes(placed.ref.length)) - end_;
  }
  unclean_bytes_ = std::max(unclean_bytes_, bytes);
  if (!CleanUp() && !failed_) {
    const absl::Status unknown = Failure(absl::StatusCode::kUnavailable, "LOG_DISK_FULL", full_status_.message());
    for (size_t i = first; i < last; ++i) {
      if (batch[i].refusal.ok()) batch[i].refusal = unknown;
    }
  }
  Refuse(batch, first,
         failed_ ? absl::UnavailableError("the log failed; the record may be stored or not") : full_status_);
}

bool EmbeddedLog::CleanUp() {
  if (unclean_bytes_ == 0) return true;
  if (const absl::Status written = active_.file->Write(end_, std::string(unclean_bytes_, '\0')); !written.ok()) {
    if (!absl::IsResourceExhausted(written)) Fail(written);
    return false;
  }
  if (const absl::Status synced = active_.file->Sync(); !synced.ok()) {
    Fail(synced);
    return false;
  }
  unclean_bytes_ = 0;
  return true;
}

bool EmbeddedLog::HasRoomAgain() {
  if (!full_in_segment_) return Rotate();
  const int64_t now = options_.clock->MonotonicMicros();
  if (now - *full_since_micros_ < absl::ToInt64Microseconds(options_.disk_full_retry)) return false;
  full_since_micros_ = now;
  if (!CleanUp()) return false;
  full_since_micros_.reset();  // the next write finds out
  return true;
}

void EmbeddedLog::PublishAndReport(std::vector<PendingAppend>& batch, size_t first, size_t last,
                                   std::shared_ptr<const std::string> bytes) {
  grown_.clear();
  if (!placed_.empty()) {
    const uint32_t start = end_ - static_cast<uint32_t>(bytes->size());
    index_.Publish(active_.number, start, std::move(bytes), placed_, &grown_);
  }
  size_t placed = 0;
  for (size_t i = first; i < last; ++i) {
    if (batch[i].refusal.ok()) {
      AddReport(batch[i], absl::OkStatus(), placed_positions_[placed++]);
    } else {
      AddReport(batch[i], batch[i].refusal, std::nullopt);
    }
  }
  DeliverReports();
  if (!grown_.empty()) followers_.TellGrowth(grown_);
}

void EmbeddedLog::Refuse(std::vector<PendingAppend>& batch, size_t first, const absl::Status& status) {
  for (size_t i = first; i < batch.size(); ++i) {
    AddReport(batch[i], batch[i].refusal.ok() ? status : batch[i].refusal, std::nullopt);
  }
  DeliverReports();
}

void EmbeddedLog::AddReport(const PendingAppend& append, const absl::Status& status, std::optional<Position> position) {
  const auto [it, added] = report_index_.try_emplace(append.sink, report_sinks_);
  if (added && reports_.size() == report_sinks_++) reports_.emplace_back();
  auto& [sink, reports] = reports_[it->second];
  sink = append.sink;
  reports.push_back({append.slot, append.tag, status, position});
}

void EmbeddedLog::DeliverReports() {
  for (size_t i = 0; i < report_sinks_; ++i) {
    auto& [sink, reports] = reports_[i];
    gate_.Report([&, sink = sink, reports = &reports] {
      ForgetAbandoned(sink, reports);
      if (!reports->empty()) sink->OnReports(*reports);
    });
    reports.clear();
  }
  report_sinks_ = 0;
  report_index_.clear();
}

void EmbeddedLog::ForgetAbandoned(ReportSink* sink, std::vector<AppendReport>* reports) {
  MutexLock lock(&pending_mutex_);
  for (const auto& [abandoned_slot, abandoned_sink] : abandoned_) {
    if (abandoned_sink != sink) continue;
    std::erase_if(*reports, [slot = abandoned_slot](const AppendReport& report) { return report.slot == slot; });
  }
}

bool EmbeddedLog::Rotate() {
  const int64_t now = options_.clock->MonotonicMicros();
  if (full_since_micros_.has_value() &&
      now - *full_since_micros_ < absl::ToInt64Microseconds(options_.disk_full_retry)) {
    return false;
  }
  absl::StatusOr<OpenSegment> next = keeper_.Take(active_.number + 1);
  if (!next.ok()) {
    absl::Status full = ExplainFileError(next.status(), options_.directory);
    if (!absl::IsResourceExhausted(full)) {
      // Another reason with the same consequence: nothing was written.
      full = NeverStored("LOG_DISK_FULL", absl::StrCat("no new segment: ", next.status().message()));
    }
    NoteFull(full);
    return false;
  }
  if (full_since_micros_.has_value()) SetHealth(absl::OkStatus());
  full_since_micros_.reset();
  keeper_.WriteSidecar(active_.number, end_, index_.CloseNewest());
  active_ = *std::move(next);
  end_ = kSegmentHeaderBytes;
  return true;
}

// The mark states that everything before it is durable, so it is written only after a sync.
void EmbeddedLog::WriteMark() {
  // One that a full disk left half done is as good as none, and a whole one is true.
  if (full_in_segment_ && full_since_micros_.has_value() && !HasRoomAgain()) return;
  std::string bytes;
  AppendFrame({active_.number, end_}, {.kind = FrameKind::kMark, .slot = {}, .durable_end = durable_end_}, "", &bytes);
  if (WriteAndSync(bytes) == Written::kDurable) mark_due_ = false;
}

}  // namespace halles::eventlog
