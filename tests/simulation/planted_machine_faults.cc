// The faults of what a host runs on: the log, the disk, time and turns; and of limits that are not kept.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "libs/partition/runtime_tables.h"
#include "tests/simulation/passing.h"
#include "tests/simulation/planted_faults.h"
#include "tests/simulation/world.h"

namespace halles::simulation {
namespace {

using store::Row;

// The log ---------------------------------------------------------------------------------------------------------------

// A read without records counts as the end of the log.
class ClaimOnEarlyEnd : public Interposer {
 public:
  std::unique_ptr<eventlog::EventLog> Log(eventlog::EventLog* connection, Process*) override {
    return std::make_unique<EarlyLog>(connection);
  }

 private:
  class EarlyLog : public PassingLog {
   public:
    using PassingLog::PassingLog;
    absl::StatusOr<std::unique_ptr<eventlog::LogReader>> NewReader(SlotId slot, Position from) override {
      ASSIGN_OR_RETURN(std::unique_ptr<eventlog::LogReader> reader, PassingLog::NewReader(slot, from));
      return std::make_unique<EarlyReader>(std::move(reader));
    }
  };
  class EarlyReader : public eventlog::LogReader {
   public:
    explicit EarlyReader(std::unique_ptr<eventlog::LogReader> inner) : inner_(std::move(inner)) {}
    absl::StatusOr<eventlog::ReadResult> Poll(const eventlog::ReadLimits& limits,
                                              std::vector<eventlog::StoredRecord>* out) override {
      ASSIGN_OR_RETURN(eventlog::ReadResult read, inner_->Poll(limits, out));
      read.at_end = read.at_end || read.count == 0;
      return read;
    }
    Position next() const override { return inner_->next(); }

   private:
    const std::unique_ptr<eventlog::LogReader> inner_;
  };
};

// A record with an unknown outcome is appended again.
class AppendSentAgain : public Interposer {
 public:
  std::unique_ptr<eventlog::EventLog> Log(eventlog::EventLog* connection, Process*) override {
    return std::make_unique<Stubborn>(connection);
  }

 private:
  class Stubborn : public PassingLog, private eventlog::ReportSink {
   public:
    using PassingLog::PassingLog;
    void Append(SlotId slot, std::string bytes, uint64_t tag, eventlog::ReportSink* sink) override {
      sent_[{slot, tag}] = {bytes, sink};
      PassingLog::Append(slot, std::move(bytes), tag, this);
    }
    void Abandon(SlotId slot, eventlog::ReportSink*) override { PassingLog::Abandon(slot, this); }

   private:
    void OnReports(absl::Span<const eventlog::AppendReport> reports) override {
      for (const eventlog::AppendReport& report : reports) {
        auto sent = sent_.extract({report.slot, report.tag});
        if (sent.empty()) continue;
        auto& [bytes, sink] = sent.mapped();
        if (!report.status.ok() && !absl::IsResourceExhausted(report.status))
          PassingLog::Append(report.slot, bytes, 0, &nobody_);
        sink->OnReports({&report, 1});
      }
    }
    class Nobody : public eventlog::ReportSink {
      void OnReports(absl::Span<const eventlog::AppendReport>) override {}
    };
    Nobody nobody_;
    std::map<std::pair<SlotId, uint64_t>, std::pair<std::string, eventlog::ReportSink*>> sent_;
  };
};

// After a reset of the connection, a view takes the next event for one that it has projected already.
class ViewSkipsAfterReset : public Interposer {
 public:
  std::unique_ptr<eventlog::EventLog> Log(eventlog::EventLog* connection, Process*) override {
    return std::make_unique<Watched>(connection, &reset_);
  }
  void Define(host::Definitions* definitions, Process*) override {
    for (projection::ViewDefinition& view : definitions->views) {
      for (projection::SourceProjection& source : view.sources) {
        source.project = [this, project = source.project](store::Rows& rows, absl::string_view payload,
                                                          const partition::FactContext& context,
                                                          std::vector<std::string>* topics) {
          if (reset_.erase(context.slot) > 0) return absl::OkStatus();
          return project(rows, payload, context, topics);
        };
      }
    }
  }

 private:
  // Follows the log itself, besides the host.
  class Watched : public PassingLog, private eventlog::LogListener {
   public:
    Watched(eventlog::EventLog* inner, std::set<SlotId>* reset) : PassingLog(inner), reset_(*reset) {}
    std::unique_ptr<eventlog::Subscription> Follow(eventlog::FollowOptions options) override {
      if (own_ == nullptr) own_ = PassingLog::Follow({.slots = options.slots, .listener = this});
      return PassingLog::Follow(std::move(options));
    }

   private:
    void OnGrowth(absl::Span<const eventlog::SlotEnd>) override {}
    void OnReset(absl::Span<const SlotId> slots) override { reset_.insert(slots.begin(), slots.end()); }
    std::set<SlotId>& reset_;
    std::unique_ptr<eventlog::Subscription> own_;
  };
  std::set<SlotId> reset_;
};

// The disk --------------------------------------------------------------------------------------------------------------

// Rows of a table are not found after they were flushed.
class RowsForgotten : public Interposer {
 public:
  explicit RowsForgotten(uint16_t table) { prefix_ = {static_cast<char>(table >> 8), static_cast<char>(table & 0xff)}; }
  std::shared_ptr<store::DatabaseHome> Disk(std::shared_ptr<store::DatabaseHome> disk, Process*) override {
    return std::make_shared<PassingHome>(std::move(disk),
                                         [this](std::unique_ptr<store::Database> database, Scheduler*) {
                                           return std::make_unique<Forgetful>(std::move(database), prefix_);
                                         });
  }

 private:
  class Forgetful : public PassingDatabase {
   public:
    Forgetful(std::unique_ptr<store::Database> inner, std::string prefix)
        : PassingDatabase(std::move(inner)), prefix_(std::move(prefix)) {}
    std::unique_ptr<store::BaseRows> Rows(const store::RowSpace& space) const override {
      return std::make_unique<Hidden>(PassingDatabase::Rows(space), prefix_);
    }

   private:
    const std::string prefix_;
  };
  class Hidden : public store::BaseRows {
   public:
    Hidden(std::unique_ptr<store::BaseRows> inner, std::string prefix)
        : inner_(std::move(inner)), prefix_(std::move(prefix)) {}
    absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override {
      if (absl::StartsWith(key, prefix_)) return std::nullopt;
      return inner_->Get(key);
    }
    std::unique_ptr<store::BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override {
      return inner_->Seek(prefix, start);
    }

   private:
    const std::unique_ptr<store::BaseRows> inner_;
    const std::string prefix_;
  };
  std::string prefix_;
};

// A flush reaches the disk in two parts at different times: cursors first, or rows first.
class FlushInTwoParts : public Interposer {
 public:
  explicit FlushInTwoParts(bool cursors_first) : cursors_first_(cursors_first) {}
  std::shared_ptr<store::DatabaseHome> Disk(std::shared_ptr<store::DatabaseHome> disk, Process*) override {
    return std::make_shared<PassingHome>(
        std::move(disk), [this](std::unique_ptr<store::Database> database, Scheduler* scheduler) {
          return std::make_unique<TwoParts>(std::move(database), scheduler, cursors_first_);
        });
  }

 private:
  class TwoParts : public PassingDatabase {
   public:
    TwoParts(std::unique_ptr<store::Database> inner, Scheduler* scheduler, bool cursors_first)
        : PassingDatabase(std::move(inner)), cursors_first_(cursors_first), queue_(scheduler->NewQueue("parts")) {}
    void WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) override {
      auto draft = std::make_shared<NotedDraft>(&inner());
      absl::Status filled = fill(*draft);
      if (filled.ok()) filled = before_ingest();
      if (filled.ok()) filled = draft->WritePart(/*cursors=*/cursors_first_);
      if (!filled.ok()) return done(filled);
      queue_->PostAfter(absl::Milliseconds(100), [this, draft, done = std::move(done)]() mutable {
        done(draft->WritePart(/*cursors=*/!cursors_first_));
      });
    }

   private:
    const bool cursors_first_;
    const std::unique_ptr<TaskQueue> queue_;
  };
  const bool cursors_first_;
};

// The disk acknowledges writes that it has not stored.
class DiskLies : public Interposer {
 public:
  std::shared_ptr<store::DatabaseHome> Disk(std::shared_ptr<store::DatabaseHome> disk, Process*) override {
    return std::make_shared<PassingHome>(std::move(disk), [](std::unique_ptr<store::Database> database, Scheduler*) {
      return std::make_unique<Lying>(std::move(database));
    });
  }

 private:
  class Lying : public PassingDatabase {
   public:
    using PassingDatabase::PassingDatabase;
    void WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) override {
      NotedDraft draft(&inner());
      absl::Status filled = fill(draft);
      if (filled.ok()) filled = before_ingest();
      if (filled.ok() && ++writes_ % 2 == 1) filled = draft.WriteAll();
      done(filled);
    }

   private:
    uint64_t writes_ = 0;
  };
};

// Time ------------------------------------------------------------------------------------------------------------------

class ClockRunsFast : public Interposer {
 public:
  std::unique_ptr<Scheduler> Machine(Scheduler* machine, Process*) override {
    return std::make_unique<FastMachine>(machine);
  }

 private:
  class FastMachine : public PassingScheduler, private Clock {
   public:
    explicit FastMachine(Scheduler* inner) : PassingScheduler(inner) {}
    const Clock& clock() const override { return *this; }

   private:
    UnixMicros Wall() const override { return inner().clock().Wall(); }
    // A tenth too fast.
    int64_t MonotonicMicros() const override { return inner().clock().MonotonicMicros() * 11 / 10; }
  };
};

// Half of all tasks with a delay of a second or more never run.
class WakeUpLost : public Interposer {
 public:
  std::unique_ptr<Scheduler> Machine(Scheduler* machine, Process*) override {
    return std::make_unique<Sleepy>(machine);
  }

 private:
  class Sleepy : public PassingScheduler {
   public:
    using PassingScheduler::PassingScheduler;
    std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority) override {
      return std::make_unique<SleepyQueue>(inner().NewQueue(std::move(name), priority));
    }
  };
  class SleepyQueue : public TaskQueue {
   public:
    explicit SleepyQueue(std::unique_ptr<TaskQueue> inner) : inner_(std::move(inner)) {}
    void Post(Task task) override { inner_->Post(std::move(task)); }
    void PostAfter(absl::Duration delay, Task task) override {
      if (delay >= absl::Seconds(1) && ++late_ % 2 == 0) return;
      inner_->PostAfter(delay, std::move(task));
    }
    void Stop() override { inner_->Stop(); }

   private:
    const std::unique_ptr<TaskQueue> inner_;
    uint64_t late_ = 0;
  };
};

// Turns ----------------------------------------------------------------------------------------------------------------

// Every queue is two queues, which take turns.
class SlotsOnTwoQueues : public Interposer {
 public:
  std::unique_ptr<Scheduler> Machine(Scheduler* machine, Process*) override {
    return std::make_unique<Doubling>(machine);
  }

 private:
  class Doubling : public PassingScheduler {
   public:
    using PassingScheduler::PassingScheduler;
    std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority) override {
      return std::make_unique<TwoQueues>(inner().NewQueue(name, priority), inner().NewQueue(name, priority));
    }
  };
  class TwoQueues : public TaskQueue {
   public:
    TwoQueues(std::unique_ptr<TaskQueue> first, std::unique_ptr<TaskQueue> second)
        : first_(std::move(first)), second_(std::move(second)) {}
    void Post(Task task) override { Next().Post(std::move(task)); }
    void PostAfter(absl::Duration delay, Task task) override { Next().PostAfter(delay, std::move(task)); }
    void Stop() override {
      first_->Stop();
      second_->Stop();
    }

   private:
    TaskQueue& Next() { return std::exchange(odd_, !odd_) ? *second_ : *first_; }
    const std::unique_ptr<TaskQueue> first_;
    const std::unique_ptr<TaskQueue> second_;
    bool odd_ = false;
  };
};

// Once, a task that another one posts to its own queue runs immediately, within that one.
class TaskWithinAnother : public Interposer {
 public:
  std::unique_ptr<Scheduler> Machine(Scheduler* machine, Process* process) override {
    return std::make_unique<Impatient>(machine, &process->world().scheduler, &done_);
  }

 private:
  class Impatient : public PassingScheduler {
   public:
    Impatient(Scheduler* inner, const testing::VirtualScheduler* world, bool* done)
        : PassingScheduler(inner), world_(*world), done_(*done) {}
    std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority) override {
      return std::make_unique<ImpatientQueue>(inner().NewQueue(std::move(name), priority), &world_, &done_);
    }

   private:
    const testing::VirtualScheduler& world_;
    bool& done_;
  };
  class ImpatientQueue : public TaskQueue {
   public:
    ImpatientQueue(std::unique_ptr<TaskQueue> inner, const testing::VirtualScheduler* world, bool* done)
        : inner_(std::move(inner)), world_(*world), done_(*done) {}
    void Post(Task task) override {
      if (!done_ && world_.running() == inner_.get()) {
        done_ = true;
        task();
        return;
      }
      inner_->Post(std::move(task));
    }
    void PostAfter(absl::Duration delay, Task task) override { inner_->PostAfter(delay, std::move(task)); }
    void Stop() override { inner_->Stop(); }

   private:
    const std::unique_ptr<TaskQueue> inner_;
    const testing::VirtualScheduler& world_;
    bool& done_;
  };
  bool done_ = false;
};

// Limits ---------------------------------------------------------------------------------------------------------------

// A door submits commands as if they completed older work, so they take the room that is reserved for that.
class ClientsTakeTheReserve : public Interposer {
 public:
  void Hand(partition::Command::Envelope* envelope) override { envelope->internal = true; }
};

// A reader reads all available records, and ignores the limits of the call.
class BatchWithoutALimit : public Interposer {
 public:
  std::unique_ptr<eventlog::EventLog> Log(eventlog::EventLog* connection, Process*) override {
    return std::make_unique<GreedyLog>(connection);
  }

 private:
  class GreedyLog : public PassingLog {
   public:
    using PassingLog::PassingLog;
    absl::StatusOr<std::unique_ptr<eventlog::LogReader>> NewReader(SlotId slot, Position from) override {
      ASSIGN_OR_RETURN(std::unique_ptr<eventlog::LogReader> reader, PassingLog::NewReader(slot, from));
      return std::make_unique<GreedyReader>(std::move(reader));
    }
  };
  class GreedyReader : public eventlog::LogReader {
   public:
    explicit GreedyReader(std::unique_ptr<eventlog::LogReader> inner) : inner_(std::move(inner)) {}
    absl::StatusOr<eventlog::ReadResult> Poll(const eventlog::ReadLimits&,
                                              std::vector<eventlog::StoredRecord>* out) override {
      return inner_->Poll({.records_max = size_t{1} << 20, .bytes_max = size_t{1} << 30}, out);
    }
    Position next() const override { return inner_->next(); }

   private:
    const std::unique_ptr<eventlog::LogReader> inner_;
  };
};

}  // namespace

std::vector<PlantedFault> PlantedMachineFaults() {
  return {
      Plant<ClaimOnEarlyEnd>("ClaimOnAnEarlyEnd"),
      Plant<AppendSentAgain>("AppendRepeatedAfterAnUnknownOutcome"),
      Plant<RowsForgotten>("RecordedAnswersForgotten", partition::kDedupe.id()),
      Plant<RowsForgotten>("ReactionCursorsForgotten", partition::kReactionCursors.id()),
      Plant<FlushInTwoParts>("CursorsStoredBeforeRows", true),
      Plant<FlushInTwoParts>("RowsStoredBeforeCursors", false),
      Plant<DiskLies>("DiskLosesAcknowledgedWrites"),
      Plant<ViewSkipsAfterReset>("ViewSkipsAnEventAfterAReset"),
      Plant<ClockRunsFast>("ClockRunsFast"),
      Plant<WakeUpLost>("WakeUpLost"),
      Plant<SlotsOnTwoQueues>("SlotsOnTwoQueues"),
      Plant<TaskWithinAnother>("TaskWithinAnother"),
      Plant<ClientsTakeTheReserve>("ClientsTakeTheReserve"),
      Plant<BatchWithoutALimit>("BatchWithoutALimit"),
  };
}

}  // namespace halles::simulation
