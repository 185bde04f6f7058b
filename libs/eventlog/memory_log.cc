// The log in memory, one step at a time.
#include "libs/eventlog/memory_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "libs/base/status.h"

namespace halles::eventlog {
namespace {

absl::Status NoSuchAppend(uint64_t id) {
  return absl::NotFoundError(absl::StrCat("no pending append or held report has id ", id));
}

absl::Status ConnectionLost() {
  return Failure(absl::StatusCode::kUnavailable, "LOG_CONNECTION_LOST",
                 "the connection to the log was lost; the record may be stored or not");
}

}  // namespace

class MemoryLog::Reader : public LogReader {
 public:
  Reader(MemoryLog* log, SlotId slot, Position from) : log_(*log), slot_(slot), next_(from) {}

  absl::StatusOr<ReadResult> Poll(const ReadLimits& limits, std::vector<StoredRecord>* out) override {
    MutexLock lock(&log_.mutex_);
    if (log_.unavailable_) return absl::UnavailableError("the log is made unavailable");
    const std::vector<std::string>& records = log_.slots_[slot_];
    if (records.size() < next_) {
      return Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                     absl::StrCat("the log of ", slot_.ToString(), " ends at position ", records.size(),
                                  ", but was read up to ", next_));
    }
    const auto hidden = log_.hidden_.find(slot_);
    const Position end = hidden == log_.hidden_.end() ? records.size() : hidden->second;
    size_t count = 0;
    size_t bytes = 0;
    while (next_ < end && count < limits.records_max) {
      bytes += records[next_].size();
      if (count > 0 && bytes > limits.bytes_max) break;
      out->push_back({.position = next_, .bytes = records[next_]});
      ++next_;
      ++count;
    }
    return ReadResult{.count = count, .at_end = next_ == records.size()};
  }

  Position next() const override { return next_; }

 private:
  MemoryLog& log_;
  const SlotId slot_;
  Position next_;
};

void MemoryLog::Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) {
  {
    MutexLock lock(&mutex_);
    if (unavailable_) {
      AddReport(sink, {.slot = slot, .tag = tag, .status = absl::UnavailableError("the log is made unavailable")});
    } else if (delivery_ == Delivery::kAtOnce) {
      const Position position = Store(slot, std::move(bytes));
      AddReport(sink, {.slot = slot, .tag = tag, .status = absl::OkStatus(), .position = position});
    } else {
      flights_.push_back(
          {.pending = {.id = next_id_++, .slot = slot, .tag = tag, .bytes = std::move(bytes)}, .sink = sink});
      return;
    }
  }
  CallOut();
}

void MemoryLog::Abandon(SlotId slot, ReportSink* sink) {
  {
    MutexLock lock(&mutex_);
    for (Flight& flight : flights_) {
      if (flight.pending.slot == slot && flight.sink == sink) flight.sink = nullptr;
    }
    std::erase_if(held_, [&](const Held& held) { return held.sink == sink && held.report.slot == slot; });
    std::erase_if(outgoing_, [&](const Outgoing& outgoing) {
      return outgoing.kind == Outgoing::Kind::kReport && outgoing.sink == sink && outgoing.report.slot == slot;
    });
  }
  gate_.AwaitReport();
}

Position MemoryLog::Store(SlotId slot, std::string bytes) {
  std::vector<std::string>& records = slots_[slot];
  records.push_back(std::move(bytes));
  if (!hidden_.contains(slot)) {
    outgoing_.push_back({.kind = Outgoing::Kind::kGrowth, .end = {.slot = slot, .end = records.size()}});
  }
  return records.size() - 1;
}

void MemoryLog::AddReport(ReportSink* sink, AppendReport report) {
  if (sink == nullptr) return;  // abandoned
  outgoing_.push_back({.kind = Outgoing::Kind::kReport, .sink = sink, .report = std::move(report)});
}

MemoryLog::Batch MemoryLog::TakeBatch() {
  Batch batch;
  while (!outgoing_.empty()) {
    Outgoing& next = outgoing_.front();
    const bool first = batch.reports.empty() && batch.grown.empty();
    switch (next.kind) {
      case Outgoing::Kind::kReport:
        if (batch.sink != nullptr && batch.sink != next.sink) return batch;
        batch.sink = next.sink;
        batch.reports.push_back(std::move(next.report));
        break;
      case Outgoing::Kind::kGrowth:
        batch.grown.push_back(next.end);
        break;
      case Outgoing::Kind::kReset:
        if (!first) return batch;
        batch.reset.push_back(next.end.slot);
        outgoing_.pop_front();
        return batch;
    }
    outgoing_.pop_front();
  }
  return batch;
}

void MemoryLog::CallOut() {
  {
    MutexLock lock(&mutex_);
    if (calling_out_) return;  // the thread that is calling out takes these too
    calling_out_ = true;
  }
  while (true) {
    Batch batch;
    gate_.Report([&] {
      {
        MutexLock lock(&mutex_);
        batch = TakeBatch();
        if (batch.reports.empty() && batch.grown.empty() && batch.reset.empty()) {
          calling_out_ = false;
          return;
        }
      }
      if (batch.sink != nullptr) batch.sink->OnReports(batch.reports);
    });
    if (!batch.grown.empty()) followers_.TellGrowth(batch.grown);
    if (!batch.reset.empty()) followers_.TellReset(batch.reset);
    if (batch.reports.empty() && batch.grown.empty() && batch.reset.empty()) return;
  }
}

absl::StatusOr<Position> MemoryLog::End(SlotId slot) {
  MutexLock lock(&mutex_);
  if (unavailable_) return absl::UnavailableError("the log is made unavailable");
  return Position{slots_[slot].size()};
}

absl::StatusOr<std::unique_ptr<LogReader>> MemoryLog::NewReader(SlotId slot, Position from) {
  ASSIGN_OR_RETURN(const Position end, End(slot));
  if (from > end) {
    return absl::OutOfRangeError(
        absl::StrCat("the log of ", slot.ToString(), " ends at position ", end, ", below ", from));
  }
  return std::make_unique<Reader>(this, slot, from);
}

std::vector<MemoryLog::Pending> MemoryLog::pending() const {
  MutexLock lock(&mutex_);
  std::vector<Pending> pending;
  for (const Flight& flight : flights_) pending.push_back(flight.pending);
  return pending;
}

std::deque<MemoryLog::Flight>::iterator MemoryLog::Find(uint64_t id) {
  return std::find_if(flights_.begin(), flights_.end(), [id](const Flight& flight) { return flight.pending.id == id; });
}

absl::Status MemoryLog::Land(uint64_t id, Report report, bool keep) {
  {
    MutexLock lock(&mutex_);
    const auto found = Find(id);
    if (found == flights_.end()) return NoSuchAppend(id);
    const Position position = Store(found->pending.slot, found->pending.bytes);
    AppendReport fate{
        .slot = found->pending.slot, .tag = found->pending.tag, .status = absl::OkStatus(), .position = position};
    switch (report) {
      case Report::kNoPosition:
        fate.position.reset();
        AddReport(found->sink, std::move(fate));
        break;
      case Report::kPosition:
        AddReport(found->sink, std::move(fate));
        break;
      case Report::kHeld:
        if (found->sink != nullptr) held_.push_back({.id = id, .sink = found->sink, .report = std::move(fate)});
        break;
      case Report::kNone:
        break;
    }
    if (!keep) flights_.erase(found);
  }
  CallOut();
  return absl::OkStatus();
}

absl::Status MemoryLog::Fail(uint64_t id, const absl::Status& status, bool keep) {
  {
    MutexLock lock(&mutex_);
    const auto found = Find(id);
    if (found == flights_.end()) return NoSuchAppend(id);
    AddReport(found->sink, {.slot = found->pending.slot, .tag = found->pending.tag, .status = status});
    if (!keep) flights_.erase(found);
  }
  CallOut();
  return absl::OkStatus();
}

absl::Status MemoryLog::Deliver(uint64_t id) { return Land(id, Report::kPosition, /*keep=*/false); }
absl::Status MemoryLog::DeliverWithoutPosition(uint64_t id) { return Land(id, Report::kNoPosition, /*keep=*/false); }
absl::Status MemoryLog::DeliverAndLoseReport(uint64_t id) { return Land(id, Report::kNone, /*keep=*/false); }
absl::Status MemoryLog::DeliverAndHoldReport(uint64_t id) { return Land(id, Report::kHeld, /*keep=*/false); }
absl::Status MemoryLog::DeliverCopy(uint64_t id) { return Land(id, Report::kNone, /*keep=*/true); }

absl::Status MemoryLog::TimeOut(uint64_t id) {
  return Fail(id, absl::DeadlineExceededError("the append timed out"), /*keep=*/true);
}

absl::Status MemoryLog::Refuse(uint64_t id) {
  return Fail(id, Failure(absl::StatusCode::kResourceExhausted, "LOG_FULL", "the log refuses appends"), /*keep=*/false);
}

absl::Status MemoryLog::Drop(uint64_t id) {
  MutexLock lock(&mutex_);
  const auto found = Find(id);
  if (found == flights_.end()) return NoSuchAppend(id);
  flights_.erase(found);
  return absl::OkStatus();
}

void MemoryLog::DeliverAll() {
  for (const Pending& append : pending()) (void)Deliver(append.id);
}

std::vector<uint64_t> MemoryLog::held_reports() const {
  MutexLock lock(&mutex_);
  std::vector<uint64_t> ids;
  for (const Held& held : held_) ids.push_back(held.id);
  return ids;
}

absl::Status MemoryLog::ReleaseReport(uint64_t id) {
  {
    MutexLock lock(&mutex_);
    const auto found = std::find_if(held_.begin(), held_.end(), [id](const Held& held) { return held.id == id; });
    if (found == held_.end()) return NoSuchAppend(id);
    AddReport(found->sink, std::move(found->report));
    held_.erase(found);
  }
  CallOut();
  return absl::OkStatus();
}

void MemoryLog::DropHeldReports() {
  MutexLock lock(&mutex_);
  held_.clear();
}

Position MemoryLog::Inject(SlotId slot, std::string bytes) {
  Position position = 0;
  {
    MutexLock lock(&mutex_);
    position = Store(slot, std::move(bytes));
  }
  CallOut();
  return position;
}

void MemoryLog::Truncate(SlotId slot, Position end) {
  {
    MutexLock lock(&mutex_);
    std::vector<std::string>& records = slots_[slot];
    if (end < records.size()) records.resize(end);
    if (const auto hidden = hidden_.find(slot); hidden != hidden_.end()) hidden->second = std::min(hidden->second, end);
    outgoing_.push_back({.kind = Outgoing::Kind::kReset, .end = {.slot = slot}});
  }
  CallOut();
}

void MemoryLog::Reset(SlotId slot) {
  {
    MutexLock lock(&mutex_);
    for (Flight& flight : flights_) {
      if (flight.pending.slot != slot) continue;
      AddReport(flight.sink, {.slot = slot, .tag = flight.pending.tag, .status = ConnectionLost()});
      flight.sink = nullptr;
    }
    outgoing_.push_back({.kind = Outgoing::Kind::kReset, .end = {.slot = slot}});
  }
  CallOut();
}

void MemoryLog::Hide(SlotId slot) {
  MutexLock lock(&mutex_);
  hidden_.try_emplace(slot, slots_[slot].size());
}

void MemoryLog::Show(SlotId slot) {
  {
    MutexLock lock(&mutex_);
    if (hidden_.erase(slot) == 0) return;
    outgoing_.push_back({.kind = Outgoing::Kind::kGrowth, .end = {.slot = slot, .end = slots_[slot].size()}});
  }
  CallOut();
}

void MemoryLog::SetUnavailable(bool unavailable) {
  MutexLock lock(&mutex_);
  unavailable_ = unavailable;
}

}  // namespace halles::eventlog
