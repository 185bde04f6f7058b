// Draws delays and faults, and moves records and reports accordingly.
#include "libs/eventlog/memory_connection.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/eventlog/followers.h"
#include "libs/eventlog/report_gate.h"

namespace halles::eventlog {
namespace {

constexpr uint64_t kMillion = 1'000'000;

absl::Status Unreachable() {
  return Failure(absl::StatusCode::kUnavailable, "LOG_UNREACHABLE", "the log does not answer now");
}

absl::Status ConnectionLost() {
  return Failure(absl::StatusCode::kUnavailable, "LOG_CONNECTION_LOST",
                 "the connection to the log was lost; the record may be stored or not");
}

absl::Status TimedOut() {
  return Failure(absl::StatusCode::kDeadlineExceeded, "LOG_TIMED_OUT",
                 "the log did not answer in time; the record may be stored or not");
}

// An append in progress. Guarded by the mutex of its connection.
struct Flight {
  uint64_t id = 0;
  SlotId slot;
  uint64_t tag = 0;
  ReportSink* sink = nullptr;  // null after it was reported or abandoned
  std::string bytes;
  bool travels = true;  // may still land
};
using FlightPtr = std::shared_ptr<Flight>;

struct Due {
  FlightPtr flight;
  absl::Status status;
  std::optional<Position> position;
};

}  // namespace

// The state of a connection. Its mutex is locked before that of the shared log, and is not held during callbacks.
class MemoryConnection::Core : public LogListener, public std::enable_shared_from_this<Core> {
 public:
  Core(MemoryLog* log, TaskQueue* network, TaskQueue* queue, const Scheduler* instance, uint64_t seed,
       const ConnectionFaults& faults)
      : log_(*log),
        network_(*network),
        queue_(*queue),
        instance_(*instance),
        faults_(faults),
        random_(seed),
        subscription_(log->followers_.AddToAll(this)) {}

  const LogIdentity& identity() const { return log_.identity(); }

  // From now on nothing reaches the instance.
  void Close() {
    MutexLock lock(&mutex_);
    closed_ = true;
  }

  void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) {
    bool reset = false;
    {
      MutexLock lock(&mutex_);
      Slot& state = slots_[slot];
      const FlightPtr flight = NewFlight(slot, tag, sink, std::move(bytes));
      unreported_.emplace(flight->id, flight);
      Send(flight, &state);
      reset = Draw(faults_.reset);
    }
    if (reset) Reset({slot}, /*cut=*/false);
  }

  void Abandon(SlotId slot, ReportSink* sink) {
    {
      MutexLock lock(&mutex_);
      // Appends already sent come before those that still waited.
      bool sent = true;
      for (auto it = unreported_.begin(); it != unreported_.end();) {
        Flight& flight = *it->second;
        if (flight.slot != slot || flight.sink != sink) {
          ++it;
          continue;
        }
        sent = sent && (!flight.travels || Coin());
        if (!sent) Drop(&flight);
        flight.sink = nullptr;
        it = unreported_.erase(it);
      }
    }
    gate_.AwaitReport();
  }

  absl::StatusOr<Position> End(SlotId slot) {
    MutexLock lock(&mutex_);
    RETURN_IF_ERROR(CheckReadable());
    return log_.End(slot);
  }

  absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from);

  std::unique_ptr<Subscription> Follow(const FollowOptions& options) {
    {
      MutexLock lock(&mutex_);
      for (SlotId slot : options.slots) slots_[slot];
    }
    return followers_.Add(options);
  }

  void SetFaults(const ConnectionFaults& faults) {
    MutexLock lock(&mutex_);
    faults_ = faults;
  }

  void SetReachable(bool reachable) {
    std::vector<SlotId> slots;
    {
      MutexLock lock(&mutex_);
      if (reachable_ == reachable) return;
      reachable_ = reachable;
      if (!reachable) {
        due_.clear();
        for (const auto& [id, flight] : unreported_) TimeOut(flight);
        return;
      }
      for (const auto& [slot, state] : slots_) slots.push_back(slot);
    }
    Reset(std::move(slots), /*cut=*/false);
  }

  // Appends sent before a cut do not land after it.
  void Reset(std::vector<SlotId> slots, bool cut) {
    MutexLock lock(&mutex_);
    std::sort(slots.begin(), slots.end());
    const auto lost = [&slots](const Flight& flight) {
      return std::binary_search(slots.begin(), slots.end(), flight.slot);
    };
    for (SlotId slot : slots) {
      Slot& state = slots_[slot];
      ++state.epoch;
      state.fetching = false;
      state.end_known_from = state.fetches;
      state.visible = std::min(state.visible, log_.End(slot).value_or(0));
    }
    for (auto it = travelling_.begin(); it != travelling_.end();) {
      Flight& flight = *(it++)->second;
      if (lost(flight) && (cut || Coin())) Drop(&flight);
    }
    if (closed_) return;
    std::vector<Due> unknown;
    for (const auto& [id, flight] : unreported_) {
      if (lost(*flight)) unknown.push_back({flight, ConnectionLost(), std::nullopt});
    }
    // Later reports must not overtake the reset.
    ++reports_epoch_;
    reports_posted_ = false;
    queue_.Post([core = shared_from_this(), unknown = std::move(unknown), slots = std::move(slots)]() mutable {
      core->Report(std::move(unknown));
      core->TellReset(slots);
    });
    if (!due_.empty()) PostReports();
  }

  // State of the shared log's side.
  void OnGrowth(absl::Span<const SlotEnd> grown) override {
    for (const SlotEnd& end : grown) {
      if (!followers_.HasFollowers(end.slot)) continue;
      MutexLock lock(&mutex_);
      StartFetch(end.slot);
    }
  }
  void OnReset(absl::Span<const SlotId> slots) override { Reset({slots.begin(), slots.end()}, /*cut=*/true); }

 private:
  friend class Reader;

  struct Slot {
    std::deque<FlightPtr> lane;    // in transit, landing in order
    MonotonicMicros lane_end = 0;  // when the last of them lands
    Position visible = 0;          // end known from the last fetch
    bool fetching = false;
    uint64_t fetches = 0;         // completed fetches
    uint64_t end_known_from = 0;  // up to this fetch, the known end is from before a reset
    uint64_t epoch = 0;           // counts resets
  };

  bool Draw(uint32_t chance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return chance > 0 && random_.Uniform(kMillion) < chance;
  }
  bool Coin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return random_.Uniform(2) == 0; }
  absl::Duration Delay(absl::Duration max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int64_t micros = absl::ToInt64Microseconds(max);
    return micros <= 0 ? absl::ZeroDuration()
                       : absl::Microseconds(static_cast<int64_t>(random_.Uniform(static_cast<uint64_t>(micros) + 1)));
  }

  absl::Status CheckReadable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !reachable_ || Draw(faults_.fail_read) ? Unreachable() : absl::OkStatus();
  }

  FlightPtr NewFlight(SlotId slot, uint64_t tag, ReportSink* sink, std::string bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto flight = std::make_shared<Flight>();
    flight->id = next_id_++;
    flight->slot = slot;
    flight->tag = tag;
    flight->sink = sink;
    flight->bytes = std::move(bytes);
    travelling_.emplace(flight->id, flight);
    return flight;
  }

  void Drop(Flight* flight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    flight->travels = false;
    flight->bytes.clear();
    travelling_.erase(flight->id);
  }

  // Draws the fate of an append.
  void Send(const FlightPtr& flight, Slot* slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!reachable_ || Draw(faults_.lose)) {
      Drop(flight.get());
      return TimeOut(flight);
    }
    if (Draw(faults_.refuse)) {
      Drop(flight.get());
      return AddReport(
          {flight, Failure(absl::StatusCode::kResourceExhausted, "LOG_FULL", "the log refuses appends"), std::nullopt});
    }
    if (Draw(faults_.land_twice)) {
      LandAlone(NewFlight(flight->slot, 0, nullptr, flight->bytes),
                2 * faults_.append_delay_max + Delay(2 * faults_.append_delay_max));
    }
    if (Draw(faults_.land_late)) {
      TimeOut(flight);
      return LandAlone(flight, faults_.append_timeout + Delay(faults_.append_delay_max));
    }
    if (Draw(faults_.overtake)) return LandAlone(flight, Delay(2 * faults_.append_delay_max));
    absl::Duration delay = Delay(faults_.append_delay_max);
    if (Draw(faults_.stall)) delay += Delay(faults_.stall_max);
    const MonotonicMicros now = instance_.Now();
    slot->lane_end = std::max(slot->lane_end, now + absl::ToInt64Microseconds(delay));
    slot->lane.push_back(flight);
    // Each task lands the next append of the lane, because two tasks due at the same time may run in either order.
    network_.PostAfter(absl::Microseconds(slot->lane_end - now),
                       [core = shared_from_this(), id = flight->slot] { core->LandNext(id); });
  }

  void LandAlone(FlightPtr flight, absl::Duration delay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    network_.PostAfter(delay, [core = shared_from_this(), flight = std::move(flight)] { core->Land(flight); });
  }

  void TimeOut(const FlightPtr& flight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closed_) return;
    queue_.PostAfter(faults_.append_timeout, [core = shared_from_this(), flight] {
      core->Report({{flight, TimedOut(), std::nullopt}});
    });
  }

  // Runs on the network.
  void LandNext(SlotId slot) {
    FlightPtr flight;
    {
      MutexLock lock(&mutex_);
      std::deque<FlightPtr>& lane = slots_[slot].lane;
      flight = std::move(lane.front());
      lane.pop_front();
    }
    Land(flight);
  }

  void Land(const FlightPtr& flight) {
    std::string bytes;
    {
      MutexLock lock(&mutex_);
      if (!flight->travels) return;
      bytes = std::move(flight->bytes);
      Drop(flight.get());
    }
    const Position position = log_.Inject(flight->slot, std::move(bytes));
    MutexLock lock(&mutex_);
    if (closed_ || flight->sink == nullptr) return;
    if (!reachable_ || Draw(faults_.lose_report)) return TimeOut(flight);
    Due due{flight, absl::OkStatus(), position};
    if (Draw(faults_.hide_position)) due.position.reset();
    if (!Draw(faults_.hold_report)) return AddReport(std::move(due));
    queue_.PostAfter(faults_.report_delay_max + Delay(faults_.report_delay_max),
                     [core = shared_from_this(), due = std::move(due)] { core->ReportLate(due); });
  }

  // Collects all reports until the next one leaves.
  void AddReport(Due due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    due_.push_back(std::move(due));
    if (!reports_posted_) PostReports();
  }

  void PostReports() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closed_) return;
    reports_posted_ = true;
    queue_.PostAfter(Delay(faults_.report_delay_max),
                     [core = shared_from_this(), epoch = reports_epoch_] { core->ReportDue(epoch); });
  }

  // Runs on the instance's queue.
  void ReportDue(uint64_t epoch) {
    std::vector<Due> due;
    {
      MutexLock lock(&mutex_);
      if (epoch != reports_epoch_) return;
      reports_posted_ = false;
      due.swap(due_);
    }
    Report(std::move(due));
  }

  void ReportLate(const Due& due) {
    {
      MutexLock lock(&mutex_);
      if (!reachable_) return;  // the append times out
    }
    Report({due});
  }

  void Report(std::vector<Due> due) {
    size_t next = 0;
    while (next < due.size()) {
      gate_.Report([&] {
        ReportSink* sink = nullptr;
        std::vector<AppendReport> reports;
        {
          MutexLock lock(&mutex_);
          if (closed_) next = due.size();
          for (; next < due.size(); ++next) {
            Flight& flight = *due[next].flight;
            if (flight.sink == nullptr) continue;
            if (sink != nullptr && flight.sink != sink) break;
            sink = flight.sink;
            reports.push_back({flight.slot, flight.tag, std::move(due[next].status), due[next].position});
            flight.sink = nullptr;
            unreported_.erase(flight.id);
          }
        }
        if (sink != nullptr) sink->OnReports(reports);
      });
    }
  }

  void TellReset(const std::vector<SlotId>& slots) {
    {
      MutexLock lock(&mutex_);
      if (closed_) return;
    }
    followers_.TellReset(slots);
  }

  void StartFetch(SlotId slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Slot& state = slots_[slot];
    if (state.fetching || closed_) return;
    state.fetching = true;
    queue_.PostAfter(Delay(faults_.fetch_delay_max),
                     [core = shared_from_this(), slot, epoch = state.epoch] { core->OnFetched(slot, epoch); });
  }

  void OnFetched(SlotId slot, uint64_t epoch) {
    SlotEnd end{.slot = slot};
    {
      MutexLock lock(&mutex_);
      Slot& state = slots_[slot];
      if (closed_ || epoch != state.epoch) return;
      state.fetching = false;
      const absl::StatusOr<Position> at = log_.End(slot);
      if (!reachable_ || !at.ok()) return;
      ++state.fetches;
      state.visible = *at;
      end.end = *at;
    }
    followers_.TellGrowth({&end, 1});
  }

  MemoryLog& log_;
  TaskQueue& network_;
  TaskQueue& queue_;  // used until closed
  const Scheduler& instance_;
  Followers followers_;
  ReportGate gate_;

  Mutex mutex_;
  ConnectionFaults faults_ ABSL_GUARDED_BY(mutex_);
  SeededRandom random_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool reachable_ ABSL_GUARDED_BY(mutex_) = true;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<SlotId, Slot> slots_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, FlightPtr> travelling_ ABSL_GUARDED_BY(mutex_);  // by id
  std::map<uint64_t, FlightPtr> unreported_ ABSL_GUARDED_BY(mutex_);  // by id
  std::vector<Due> due_ ABSL_GUARDED_BY(mutex_);
  bool reports_posted_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t reports_epoch_ ABSL_GUARDED_BY(mutex_) = 0;

  const std::unique_ptr<Subscription> subscription_;
};

class MemoryConnection::Reader : public LogReader {
 public:
  Reader(std::shared_ptr<Core> core, SlotId slot, uint64_t fetches, std::unique_ptr<LogReader> records)
      : core_(std::move(core)), slot_(slot), opened_after_(fetches), records_(std::move(records)) {}

  absl::StatusOr<ReadResult> Poll(const ReadLimits& limits, std::vector<StoredRecord>* out) override {
    MutexLock lock(&core_->mutex_);
    RETURN_IF_ERROR(core_->CheckReadable());
    const Core::Slot& slot = core_->slots_[slot_];
    ReadLimits visible = limits;
    visible.records_max = std::min<uint64_t>(limits.records_max, slot.visible - std::min(slot.visible, next()));
    ASSIGN_OR_RETURN(ReadResult read, records_->Poll(visible, out));
    const bool end_known = slot.fetches > std::max(opened_after_, slot.end_known_from);
    const bool stale = core_->log_.End(slot_).value_or(slot.visible) > slot.visible;
    read.at_end = end_known && next() >= slot.visible;
    if (read.count == 0 && (!end_known || stale)) core_->StartFetch(slot_);
    return read;
  }

  Position next() const override { return records_->next(); }

 private:
  const std::shared_ptr<Core> core_;  // a reader may outlive its connection
  const SlotId slot_;
  const uint64_t opened_after_;  // number of fetches at that time
  const std::unique_ptr<LogReader> records_;
};

absl::StatusOr<std::unique_ptr<LogReader>> MemoryConnection::Core::NewReader(SlotId slot, Position from) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckReadable());
  ASSIGN_OR_RETURN(std::unique_ptr<LogReader> records, log_.NewReader(slot, from));
  return std::make_unique<Reader>(shared_from_this(), slot, slots_[slot].fetches, std::move(records));
}

MemoryConnection::MemoryConnection(MemoryLog* log, TaskQueue* network, Scheduler* instance, uint64_t seed,
                                   const ConnectionFaults& faults)
    : queue_(instance->NewQueue("log")),
      core_(std::make_shared<Core>(log, network, queue_.get(), instance, seed, faults)) {}

MemoryConnection::~MemoryConnection() {
  core_->Close();
  queue_.reset();
}

const LogIdentity& MemoryConnection::identity() const { return core_->identity(); }
void MemoryConnection::Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) {
  core_->Append(slot, std::move(bytes), tag, sink);
}
void MemoryConnection::Abandon(SlotId slot, ReportSink* sink) { core_->Abandon(slot, sink); }
absl::StatusOr<Position> MemoryConnection::End(SlotId slot) { return core_->End(slot); }
absl::StatusOr<std::unique_ptr<LogReader>> MemoryConnection::NewReader(SlotId slot, Position from) {
  return core_->NewReader(slot, from);
}
std::unique_ptr<Subscription> MemoryConnection::Follow(FollowOptions options) { return core_->Follow(options); }
void MemoryConnection::SetFaults(const ConnectionFaults& faults) { core_->SetFaults(faults); }
void MemoryConnection::Reset(absl::Span<const SlotId> slots) {
  core_->Reset({slots.begin(), slots.end()}, /*cut=*/false);
}
void MemoryConnection::SetReachable(bool reachable) { core_->SetReachable(reachable); }

}  // namespace halles::eventlog
