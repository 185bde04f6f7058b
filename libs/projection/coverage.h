// How far a slot that reacts to others has covered them, as this instance knows it, and who waits for that.
#ifndef HALLES_LIBS_PROJECTION_COVERAGE_H_
#define HALLES_LIBS_PROJECTION_COVERAGE_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/backoff.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/partition/calls.h"
#include "libs/projection/follower_shard.h"
#include "libs/projection/waiters.h"

namespace halles::projection {

// A question that was not answered within this time, twice the patience of the owner, is asked again: it may be lost, and so
// may its answer.
inline constexpr absl::Duration kAskAgain = absl::Seconds(2);

// A slot covers a position of a source when its reactions to all records below it are recorded. Once that is so it stays so,
// whoever owns the slot. The slot's own lines tell it where the slot is owned, and the owner tells it where it is not: it is
// asked on behalf of each caller who waits, again and again until the caller's deadline.
//
// Thread safety: all methods may be called from any thread, Start before any other.
// Limits: those of Waiters.
// Lifetime: the shard, on which deadlines are kept, is stopped before it is destroyed, and Close is called. Answers may
// come later, and then do nothing.
class Coverage {
 public:
  // `what` names the reactions for people.
  Coverage(SlotId slot, const std::string& what, FollowerShard* shard);
  ~Coverage();
  Coverage(const Coverage&) = delete;
  Coverage& operator=(const Coverage&) = delete;

  SlotId slot() const { return slot_; }

  void Start(const std::vector<SlotId>& sources, partition::Calls* calls);

  // Whether this instance answers for the slot: it owns it, or the slot has stopped here.
  void SetAnsweredHere(bool here) ABSL_LOCKS_EXCLUDED(mutex_);
  // The slot covers these positions, by records below `at`.
  void Raise(const TokenPositions& covered, Position at);
  // Nobody reacts to the record of the source at `position`: the slot, or what reads the source, has stopped. Callers who
  // wait for more are failed with the error that is returned.
  absl::Status Miss(SlotId source, Position position);
  // The slot begins anew.
  void MissNothing();

  // Calls `done` with a position at which the slot covers `sources`, all of them sources of the slot. UNAVAILABLE
  // (REACTIONS_STOPPED) when the slot has stopped before it; other errors as Waiters says.
  void Await(const TokenPositions& sources, MonotonicMicros deadline, partition::ExtendDone done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for another instance, which takes this one for the owner: otherwise UNAVAILABLE (NOT_OWNER).
  void Answer(const TokenPositions& sources, MonotonicMicros deadline, partition::ExtendDone done);

  // Answers all who wait, and those who come later, with the error.
  void Close(const absl::Status& status);

 private:
  static constexpr Position kNone = std::numeric_limits<Position>::max();

  struct OfSource {
    std::atomic<Position> covered{0};
    std::atomic<Position> missed{kNone};  // the first record without a reaction that nobody makes any more
  };
  // What the owner is asked for a caller.
  struct Question {
    explicit Question(TokenPositions asked);

    const TokenPositions sources;
    std::atomic<bool> over{false};
    std::atomic<uint64_t> tries{0};
    Backoff backoff;  // of the shard's queue
  };
  // Leads the answers of owners to the shard, as long as there is one.
  struct Link {
    Mutex mutex;
    FollowerShard* shard ABSL_GUARDED_BY(mutex);
  };

  Position covered(SlotId source) const;
  bool Covers(const TokenPositions& sources) const;
  // Why the slot will never cover them; OK if it may.
  absl::Status MissedOf(const TokenPositions& sources) const;
  // After an entry has begun to wait: what was missed meanwhile did not find it.
  void FailMissed(const TokenPositions& sources);
  void Ask(const std::shared_ptr<Question>& question);
  void OnAnswer(const std::shared_ptr<Question>& question, uint64_t attempt, const absl::StatusOr<Position>& at);

  const SlotId slot_;
  FollowerShard* const shard_;
  const std::shared_ptr<Link> link_;
  partition::Calls* calls_ = nullptr;  // set by Start
  Waiters waiters_;

  // Sequentially consistent: who waits sees it change, or is seen by who changes it.
  std::atomic<bool> here_{false};
  // Raised before what it stands for, and read after it. Release/acquire.
  std::atomic<Position> at_{0};
  // The map itself is immutable after Start. Release/acquire: who sees a position sees at_ of it.
  std::map<SlotId, OfSource> sources_;

  Mutex mutex_;
  std::set<std::shared_ptr<Question>> questions_ ABSL_GUARDED_BY(mutex_);  // of all who wait
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_COVERAGE_H_
