// Reads the log of a slot from its owner's position to the end, with pauses after transient errors.
#ifndef HALLES_LIBS_PARTITION_SLOT_CATCH_UP_H_
#define HALLES_LIBS_PARTITION_SLOT_CATCH_UP_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "libs/base/backoff.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"

namespace halles::partition {

// Maximum records per task, so that other slots of the queue get their turn.
inline constexpr size_t kCatchUpRecordsPerTask = 512;
inline constexpr size_t kCatchUpBytesPerTask = 1024 * 1024;

// Thread safety: none; used on the slot's queue.
// Lifetime: its dependencies outlive it; destroyed after the queue has stopped.
class SlotCatchUp {
 public:
  // The result of handling a record.
  enum class Taken {
    kNext,   // continue with the next one
    kAgain,  // it could not be handled now: try it again after a pause
    kEnd,    // stop reading
  };
  struct Handlers {
    std::function<Taken(const eventlog::StoredRecord&)> on_record;
    // Whether more records may be read now; asked again after a while.
    std::function<bool()> has_room;
    // Some records were handled.
    std::function<void()> on_progress;
    // There is nothing more to read.
    std::function<void()> on_end;
    // Reading cannot continue.
    std::function<void(const absl::Status&)> on_broken;
  };

  SlotCatchUp(SlotId slot, eventlog::EventLog* log, TaskQueue* queue, RandomSource* random, Handlers handlers);

  // Starts reading from `from`, in any state.
  void Begin(Position from);
  // There may be more records. Does nothing if it is not reading.
  void Wake();
  void End();

  // True between Begin and End.
  bool active() const { return active_; }

 private:
  void Step();
  void Post();
  void Pause(const absl::Status& why);

  const SlotId slot_;
  eventlog::EventLog* const log_;
  TaskQueue* const queue_;
  RandomSource* const random_;
  const Handlers handlers_;

  bool active_ = false;
  uint64_t readings_ = 0;  // counts calls of Begin and End
  bool posted_ = false;    // a task that reads is on its way
  Position from_ = 0;      // where a new reader opens
  std::unique_ptr<eventlog::LogReader> reader_;
  Backoff backoff_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SLOT_CATCH_UP_H_
