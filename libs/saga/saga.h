// Sagas over several aggregates that end completed or fully compensated: a state machine over events, without I/O.
//
// A saga is part of the state of the service that runs it. Its events are SagaAdvanced, recorded like any others. The
// calls of an advance go into the same Decision, so the intent to send a step is recorded before it is sent:
//
//   begin      saga::Begin(plan, now)           -> Advance{event, calls}
//   outcomes   saga::OnOutcomes(saga, ...)      -> Advance, or nothing when nothing new was learned
//   a timer    saga::OnTimer(saga, now)         -> Advance that sends again what has no outcome, or gives up
//                                                  or nothing; then saga::CallsAgain(saga, now), without facts
//   abort      saga::Abort(saga, why, now)      -> Advance that turns back, unless it is too late
//   Evolve     saga::Apply(&saga, event, time), then MoveTimer(rows, context, due before, NextDue(saga), name)
//
// FORWARD, the steps of a stage are sent together, and the next stage when all of them succeeded. Until the pivot is sent,
// a refusal, Abort, a check of the caller or the time to give up turns the saga BACKWARD. A pivot that was sent is sent
// again until its outcome is known. After kRecordedRetries without an outcome nothing is recorded any more: the timer stays
// set, and each time it fires the calls are sent again by a decision without facts. So a saga whose target never answers
// writes a bounded number of records, and goes on by itself when the target answers. BACKWARD, stage after stage in reverse,
// these steps get their cancel until it succeeds: those that succeeded, those without a known outcome, and those that were
// refused after they had been sent more than once, since the copy that was refused may not be the last to arrive.
//
// Assumptions:
// - A message that is sent once reaches its target at most once, as the calls of the runtime do, at any later time. Answers
//   may be lost, late or repeated. If messages may be duplicated on their way, Options::sends_may_double is set.
// - A step takes effect once, no matter how many copies arrive: request ids guarantee that. They state when the saga
//   began. kSagaLifeMicros after that a target neither executes nor refuses a step: its outcome stays unknown, and a
//   saga that still waits for it does not end by itself.
// - A cancel names the request id of its step. It is never refused, even if there is nothing to undo, and it leaves a
//   tombstone: every later copy of the step has no effect.
// - A pivot without a cancel that was refused once is refused every time.
#ifndef HALLES_LIBS_SAGA_SAGA_H_
#define HALLES_LIBS_SAGA_SAGA_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halles/saga/v1/saga.pb.h"
#include "libs/base/unix_time.h"
#include "libs/partition/domain.h"

namespace halles::saga {

inline constexpr int kStepsMax = 128;
inline constexpr size_t kSagaIdBytesMax = 128;
inline constexpr size_t kStepNameBytesMax = 64;
// A call without an outcome is sent again after this time, which then doubles up to the maximum.
inline constexpr int64_t kFirstRetryMicros = 200'000;
inline constexpr int64_t kMaxRetryMicros = 10'000'000;
// The same calls are sent again so many times by records, 23 s in all; after that without one.
inline constexpr uint32_t kRecordedRetries = 7;
// A saga whose pivot was not sent within this logical time turns back.
inline constexpr int64_t kGiveUpMicros = 30'000'000;

// Request ids of a step and of its cancel, with the start of the saga (libs/base/request_id.h). Planners set them in the
// requests.
std::string DoRequestId(UnixMicros start, absl::string_view saga_id, absl::string_view step_name);
std::string CancelRequestId(UnixMicros start, absl::string_view saga_id, absl::string_view step_name);

// The reply tags of a step and of its cancel: "<saga id>/<step name>" and "<saga id>/<step name>/cancel".
std::string DoTag(absl::string_view saga_id, absl::string_view step_name);
std::string CancelTag(absl::string_view saga_id, absl::string_view step_name);

// The saga id in the reply tag of an outcome; empty when the tag is not of a saga.
absl::string_view SagaIdOfTag(absl::string_view reply_tag);

// Converts a refusal to the form kept in events and rows, the bytes of a google.rpc.Status, and back. Details become
// payloads.
std::string EncodeRefusal(const absl::Status& refusal);
absl::Status DecodeRefusal(absl::string_view bytes);

struct Options {
  int64_t give_up_micros = kGiveUpMicros;
  // True if a step that was sent once may arrive twice. Refused steps are then cancelled too.
  bool sends_may_double = false;
};

// For tests only; they show what each rule is needed for.
struct Guards {
  bool cancel_refused_when_sent_again = true;
  bool cancel_unknown = true;
};

// An event to record and the calls to send once it is recorded.
struct Advance {
  v1::SagaAdvanced event;
  std::vector<partition::OutgoingCall> calls;
};

// OK, or INVALID_ARGUMENT that says what is wrong with the plan. That is a bug of the code that made the plan.
absl::Status CheckPlan(const v1::Plan& plan);

// Sends the first stage. The plan must pass CheckPlan; its start is `now`.
Advance Begin(v1::Plan plan, UnixMicros now, const Options& options = {});

// Called with the saga once every step before its pivot has succeeded. An empty string lets the pivot be sent; anything
// else, a text for people, turns the saga back. After the pivot it can only go on, so the caller finds out here whether
// it can record the end.
using PivotCheck = absl::FunctionRef<std::string(const v1::Saga&)>;
inline std::string PivotMayBeSent(const v1::Saga&) { return ""; }

// The advance that follows from outcomes of calls; those of other sagas are ignored. Nothing if they are not new:
// unknown, late or known already.
std::optional<Advance> OnOutcomes(const v1::Saga& saga, absl::Span<const partition::CallOutcome> outcomes,
                                  UnixMicros now, const Guards& guards = {}, PivotCheck check = PivotMayBeSent);

// Sends calls without an outcome again, or gives up. Nothing before NextDue, after kRecordedRetries, or if the saga has
// ended.
std::optional<Advance> OnTimer(const v1::Saga& saga, UnixMicros now, const Guards& guards = {});

// The calls without an outcome, when NextDue has passed and OnTimer has nothing to record; empty otherwise. They are copies
// of calls that were recorded at least twice, so that no rule needs to know how many were sent.
std::vector<partition::OutgoingCall> CallsAgain(const v1::Saga& saga, UnixMicros now);

// Turns back because of `why`, a text for people. Nothing if the pivot was sent, or if the saga has already turned back
// or ended.
std::optional<Advance> Abort(const v1::Saga& saga, absl::string_view why, UnixMicros now, const Guards& guards = {});

// Folds an event; `time` is the logical time of its record. The first event of a saga is applied to an empty one.
// DATA_LOSS when the event does not belong to the saga.
absl::Status Apply(v1::Saga* saga, const v1::SagaAdvanced& event, UnixMicros time);

// When to call OnTimer next; 0 if the saga has ended.
inline UnixMicros NextDue(const v1::Saga& saga) { return saga.due_us(); }

inline bool Ended(const v1::Saga& saga) {
  return saga.state() == v1::SAGA_STATE_COMPLETED || saga.state() == v1::SAGA_STATE_COMPENSATED;
}

// The index of the step in plan().steps() and steps(); -1 when there is none of that name.
int FindStep(const v1::Saga& saga, absl::string_view step_name);

}  // namespace halles::saga

#endif  // HALLES_LIBS_SAGA_SAGA_H_
