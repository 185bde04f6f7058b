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
    size_t count = 0;
    size_t bytes = 0;
    while (next_ < records.size() && count < limits.records_max) {
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

class MemoryLog::Registration : public Subscription {
 public:
  Registration(MemoryLog* log, uint64_t id) : log_(*log), id_(id) {}
  ~Registration() override {
    MutexLock lock(&log_.listeners_mutex_);
    log_.listeners_.erase(id_);
  }

 private:
  MemoryLog& log_;
  const uint64_t id_;
};

MemoryLog::MemoryLog(const LogIdentity& identity, Delivery delivery, Run run)
    : identity_(identity), delivery_(delivery), run_(std::move(run)) {}

void MemoryLog::Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) {
  {
    MutexLock lock(&mutex_);
    if (unavailable_) {
      outgoing_.push_back(
          {.sink = sink,
           .report = {.slot = slot, .tag = tag, .status = absl::UnavailableError("the log is made unavailable")}});
    } else if (delivery_ == Delivery::kAtOnce) {
      const Position position = Store(slot, std::move(bytes));
      outgoing_.push_back(
          {.sink = sink, .report = {.slot = slot, .tag = tag, .status = absl::OkStatus(), .position = position}});
    } else {
      flights_.push_back(
          {.pending = {.id = next_id_++, .slot = slot, .tag = tag, .bytes = std::move(bytes)}, .sink = sink});
      return;
    }
  }
  CallOut();
}

Position MemoryLog::Store(SlotId slot, std::string bytes) {
  std::vector<std::string>& records = slots_[slot];
  records.push_back(std::move(bytes));
  outgoing_.push_back({.end = {.slot = slot, .end = records.size()}});
  return records.size() - 1;
}

void MemoryLog::CallOut() {
  if (run_) {
    run_([this] { Drain(); });
  } else {
    Drain();
  }
}

void MemoryLog::Drain() {
  std::vector<Outgoing> batch;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (batch.empty()) {
        if (draining_) return;  // whoever drains takes these too
        draining_ = true;
      }
      batch.assign(std::make_move_iterator(outgoing_.begin()), std::make_move_iterator(outgoing_.end()));
      outgoing_.clear();
      if (batch.empty()) {
        draining_ = false;
        return;
      }
    }
    std::vector<SlotEnd> ends;
    for (size_t i = 0; i < batch.size();) {
      if (batch[i].sink == nullptr) {
        ends.push_back(batch[i++].end);
        continue;
      }
      std::vector<AppendReport> reports;
      ReportSink* const sink = batch[i].sink;
      for (; i < batch.size() && (batch[i].sink == sink || batch[i].sink == nullptr); ++i) {
        if (batch[i].sink == nullptr) {
          ends.push_back(batch[i].end);
        } else {
          reports.push_back(std::move(batch[i].report));
        }
      }
      sink->OnReports(reports);
    }
    if (!ends.empty()) {
      MutexLock lock(&listeners_mutex_);
      for (const auto& [id, listener] : listeners_) listener(ends);
    }
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

std::unique_ptr<Subscription> MemoryLog::Subscribe(Listener listener) {
  MutexLock lock(&listeners_mutex_);
  const uint64_t id = next_listener_++;
  listeners_.emplace(id, std::move(listener));
  return std::make_unique<Registration>(this, id);
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
        outgoing_.push_back({.sink = found->sink, .report = std::move(fate)});
        break;
      case Report::kPosition:
        outgoing_.push_back({.sink = found->sink, .report = std::move(fate)});
        break;
      case Report::kHeld:
        held_.push_back({.id = id, .sink = found->sink, .report = std::move(fate)});
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
    outgoing_.push_back(
        {.sink = found->sink, .report = {.slot = found->pending.slot, .tag = found->pending.tag, .status = status}});
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
    outgoing_.push_back({.sink = found->sink, .report = std::move(found->report)});
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
  MutexLock lock(&mutex_);
  std::vector<std::string>& records = slots_[slot];
  if (end < records.size()) records.resize(end);
}

void MemoryLog::SetUnavailable(bool unavailable) {
  MutexLock lock(&mutex_);
  unavailable_ = unavailable;
}

}  // namespace halles::eventlog
