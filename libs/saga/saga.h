// Undertakings over several aggregates that end complete or fully undone: a state machine over facts, without I/O.
//
// A saga lives in the state of the service that runs it. Its facts are SagaAdvanced events, recorded like any others; the
// calls that an advance asks for go into the same Decision, so a step's intent is recorded before it is sent:
//
//   begin      saga::Begin(plan, now)           -> Advance{event, calls}
//   outcomes   saga::OnOutcomes(saga, ...)      -> Advance, or nothing when nothing new was learned
//   a timer    saga::OnTimer(saga, now)         -> Advance that sends again what has no outcome, or gives up
//   a wish     saga::Abort(saga, why, now)      -> Advance that turns back, unless it is too late
//   Evolve     saga::Apply(&saga, event, time), then MoveTimer(rows, context, due before, NextDue(saga), name)
//
// FORWARD, the steps of a stage are sent together, and the next stage when all of them succeeded. Until the pivot is sent,
// a refusal, Abort or the time to give up turns the saga BACKWARD. A pivot that was sent is sent again until its outcome is
// known. BACKWARD, stage after stage in reverse, these steps get their cancel until it succeeds: those that succeeded, those
// without a known outcome, and those that were refused after they had been sent more than once, since the copy that was
// refused may not be the last to arrive.
//
// What it needs of the others:
// - One send reaches its target at most once, as the runtime's calls do, and may arrive at any later time; answers may be
//   lost, late or repeated. Where sends may be doubled on their way, Options::sends_may_double is set.
// - A step takes effect once, whatever number of copies arrive: request ids see to that.
// - A cancel names the request id of its "do", is never refused, also when there is nothing to undo, and makes every later
//   copy of the "do" ineffective (a tombstone).
// - A pivot without a cancel that was refused once is refused for ever.
#ifndef HALLES_LIBS_SAGA_SAGA_H_
#define HALLES_LIBS_SAGA_SAGA_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halles/saga/v1/saga.pb.h"
#include "libs/base/clock.h"
#include "libs/partition/domain.h"

namespace halles::saga {

inline constexpr int kStepsMax = 128;
inline constexpr size_t kSagaIdBytesMax = 128;
inline constexpr size_t kStepNameBytesMax = 64;
// What has no outcome is sent again after this long, then after twice as long and so on, up to the maximum.
inline constexpr int64_t kFirstRetryMicros = 200'000;
inline constexpr int64_t kMaxRetryMicros = 10'000'000;
// Logical time from the beginning after which a saga turns back whose pivot was not sent.
inline constexpr int64_t kGiveUpMicros = 30'000'000;

// Request ids of a step and of its cancel: "<saga id>/<step name>" and "<saga id>/<step name>/cancel".
// Planners set them in the requests.
std::string DoRequestId(absl::string_view saga_id, absl::string_view step_name);
std::string CancelRequestId(absl::string_view saga_id, absl::string_view step_name);

// The saga that an outcome's reply tag belongs to; empty when it is no tag of a saga.
absl::string_view SagaIdOfTag(absl::string_view reply_tag);

// A refusal as it is kept in events and rows: the bytes of a google.rpc.Status; and back, its details as payloads.
std::string EncodeRefusal(const absl::Status& refusal);
absl::Status DecodeRefusal(absl::string_view bytes);

struct Options {
  int64_t give_up_micros = kGiveUpMicros;
  // True where a step that was sent once may arrive twice: each refused step is then cancelled too.
  bool sends_may_double = false;
};

// For tests that show what each rule is for; nobody else changes it.
struct Guards {
  bool cancel_refused_when_sent_again = true;
  bool cancel_unknown = true;
};

// A fact to record and the calls to send once it is recorded.
struct Advance {
  v1::SagaAdvanced event;
  std::vector<partition::OutgoingCall> calls;
};

// OK, or what is wrong with the plan: INVALID_ARGUMENT. It is a bug of the planner.
absl::Status CheckPlan(const v1::Plan& plan);

// Sends the first stage. The plan must pass CheckPlan.
Advance Begin(v1::Plan plan, UnixMicros now, const Options& options = {});

// What the outcomes of calls lead to; those of other sagas are passed over. Nothing when they say nothing new: what is
// unknown, late or known already.
std::optional<Advance> OnOutcomes(const v1::Saga& saga, absl::Span<const partition::CallOutcome> outcomes,
                                  UnixMicros now, const Guards& guards = {});

// Sends again what has no outcome, or gives up. Nothing before NextDue, and when it ended.
std::optional<Advance> OnTimer(const v1::Saga& saga, UnixMicros now, const Guards& guards = {});

// Turns back because of `why`, for people. Nothing when the pivot was sent, and when it turned back or ended already.
std::optional<Advance> Abort(const v1::Saga& saga, absl::string_view why, UnixMicros now, const Guards& guards = {});

// Folds an event; `time` is the logical time of its record. The first event of a saga is applied to an empty one.
// DATA_LOSS when the event does not belong to the saga.
absl::Status Apply(v1::Saga* saga, const v1::SagaAdvanced& event, UnixMicros time);

// When OnTimer is to be asked next; 0 when the saga ended.
inline UnixMicros NextDue(const v1::Saga& saga) { return saga.due_us(); }

inline bool Ended(const v1::Saga& saga) {
  return saga.state() == v1::SAGA_STATE_COMPLETED || saga.state() == v1::SAGA_STATE_COMPENSATED;
}

// The step of that name; -1 when there is none. An index into plan().steps() and steps().
int FindStep(const v1::Saga& saga, absl::string_view step_name);

}  // namespace halles::saga

#endif  // HALLES_LIBS_SAGA_SAGA_H_
