// Decides what a saga does next.
#include "libs/saga/saga.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/rpc/status.pb.h"
#include "libs/base/check.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"

namespace halles::saga {
namespace {

using partition::CallOutcome;
using partition::OutgoingCall;

constexpr absl::string_view kCancelSuffix = "/cancel";

int64_t Backoff(uint32_t attempt) {
  int64_t delay = kFirstRetryMicros;
  for (uint32_t i = 0; i < attempt && delay < kMaxRetryMicros; ++i) delay *= 2;
  return std::min(delay, kMaxRetryMicros);
}

void ApplyChange(const v1::StepChange& change, v1::SagaStep* step) {
  step->set_state(change.state());
  if (change.sent() && change.state() == v1::STEP_STATE_SENT) step->set_sends(step->sends() + 1);
  if (change.sent() && change.state() == v1::STEP_STATE_CANCEL_SENT) step->set_cancel_sends(step->cancel_sends() + 1);
  if (change.state() == v1::STEP_STATE_SUCCEEDED) step->set_response(change.response());
  if (change.state() == v1::STEP_STATE_REFUSED) step->set_refusal(change.refusal());
}

// A saga while its next event is built: the steps as they will be, without another copy of the plan.
class Draft {
 public:
  Draft(const v1::Saga& saga, UnixMicros now, const Guards& guards)
      : saga_(saga), now_(now), guards_(guards), state_(saga.state()), cause_(saga.cause()) {
    for (const v1::SagaStep& step : saga.steps()) steps_.push_back({step.state(), step.sends()});
    advance_.event.set_saga_id(saga.plan().saga_id());
  }

  v1::SagaState state() const { return state_; }
  v1::StepState state(int step) const { return steps_[static_cast<size_t>(step)].state; }
  int size() const { return saga_.plan().steps_size(); }
  const v1::Step& step(int index) const { return saga_.plan().steps(index); }
  bool changed() const { return advance_.event.changes_size() > 0 || state_ != saga_.state(); }

  v1::StepChange* Change(int step, v1::StepState state) {
    steps_[static_cast<size_t>(step)].state = state;
    v1::StepChange* change = advance_.event.add_changes();
    change->set_step(static_cast<uint32_t>(step));
    change->set_state(state);
    return change;
  }

  void SendDo(int index) {
    Change(index, v1::STEP_STATE_SENT)->set_sent(true);
    ++steps_[static_cast<size_t>(index)].sends;
    AddDo(index);
  }

  void SendCancel(int index) {
    Change(index, v1::STEP_STATE_CANCEL_SENT)->set_sent(true);
    AddCancel(index);
  }

  // The calls of all steps without an outcome; the event stays without changes.
  std::vector<OutgoingCall> CallsAgain() && {
    for (int i = 0; i < size(); ++i) {
      if (IsSent(i)) AddDo(i);
      if (IsCancelSent(i)) AddCancel(i);
    }
    return std::move(advance_.calls);
  }

  // Whether the step or its cancel waits for an outcome.
  bool IsSent(int index) const { return state_ == v1::SAGA_STATE_FORWARD && state(index) == v1::STEP_STATE_SENT; }
  bool IsCancelSent(int index) const {
    return state_ == v1::SAGA_STATE_BACKWARD && state(index) == v1::STEP_STATE_CANCEL_SENT;
  }

  bool PivotWasSent() const {
    for (int i = 0; i < size(); ++i) {
      if (step(i).pivot() && (state(i) == v1::STEP_STATE_SENT || state(i) == v1::STEP_STATE_SUCCEEDED)) return true;
    }
    return false;
  }

  // The pivot is all that is left to send.
  bool PivotIsNext() const {
    for (int i = 0; i < size(); ++i) {
      if (state(i) != (step(i).pivot() ? v1::STEP_STATE_PLANNED : v1::STEP_STATE_SUCCEEDED)) return false;
    }
    return step(size() - 1).pivot();
  }

  // The saga with the changes so far.
  v1::Saga Changed() const {
    v1::Saga saga = saga_;
    for (const v1::StepChange& change : advance_.event.changes()) {
      ApplyChange(change, saga.mutable_steps(static_cast<int>(change.step())));
    }
    return saga;
  }

  // Sends the next stage once all stages before it have succeeded; completes the saga when none is left.
  void GoOn() {
    for (int first = 0; first < size();) {
      int end = first;
      bool waits = false;
      bool sends = false;
      for (; end < size() && step(end).stage() == step(first).stage(); ++end) {
        waits = waits || state(end) == v1::STEP_STATE_SENT;
        sends = sends || state(end) == v1::STEP_STATE_PLANNED;
      }
      if (waits) return;
      if (sends) {
        for (int i = first; i < end; ++i) SendDo(i);
        return;
      }
      first = end;
    }
    state_ = v1::SAGA_STATE_COMPLETED;
  }

  void TurnBack(std::string cause) {
    state_ = v1::SAGA_STATE_BACKWARD;
    cause_ = std::move(cause);
    GoBack();
  }

  // Sends the cancels of the last stage that needs any; ends the saga when none does.
  void GoBack() {
    for (int last = size() - 1; last >= 0;) {
      int begin = last;
      bool waits = false;
      for (; begin >= 0 && step(begin).stage() == step(last).stage(); --begin) {
        if (NeedsCancel(begin)) SendCancel(begin);
        waits = waits || state(begin) == v1::STEP_STATE_CANCEL_SENT;
      }
      if (waits) return;
      last = begin;
    }
    state_ = v1::SAGA_STATE_COMPENSATED;
  }

  // A new call waits for the delay of attempt 0; an outcome alone leaves the due time unchanged.
  Advance Take(bool again) && {
    uint32_t attempt = 0;
    UnixMicros due = 0;
    if (state_ == v1::SAGA_STATE_FORWARD || state_ == v1::SAGA_STATE_BACKWARD) {
      attempt = again ? saga_.attempt() + 1 : 0;
      due = now_ + Backoff(attempt);
      if (advance_.calls.empty()) {
        attempt = saga_.attempt();
        due = saga_.due_us();
      } else if (state_ == v1::SAGA_STATE_FORWARD && !PivotWasSent()) {
        due = std::min(due, saga_.give_up_us());
      }
      *advance_.event.mutable_due_time() = TimestampOf(due);
    }
    advance_.event.set_attempt(attempt);
    advance_.event.set_state(state_);
    advance_.event.set_cause(cause_);
    return std::move(advance_);
  }

  v1::SagaAdvanced& event() { return advance_.event; }

 private:
  struct Known {
    v1::StepState state;
    uint32_t sends;
  };

  bool NeedsCancel(int index) const {
    if (step(index).cancel_method().empty()) return false;
    const Known& known = steps_[static_cast<size_t>(index)];
    const bool refused = known.state == v1::STEP_STATE_REFUSED;
    if (refused && saga_.plan().sends_may_double()) return true;
    return known.state == v1::STEP_STATE_SUCCEEDED || (known.state == v1::STEP_STATE_SENT && guards_.cancel_unknown) ||
           (refused && known.sends > 1 && guards_.cancel_refused_when_sent_again);
  }

  void AddDo(int index) {
    const v1::Plan& plan = saga_.plan();
    const v1::Step& what = step(index);
    AddCall(what, what.method(), what.request(), DoRequestId(plan.start_us(), plan.saga_id(), what.name()),
            DoTag(plan.saga_id(), what.name()));
  }

  void AddCancel(int index) {
    const v1::Plan& plan = saga_.plan();
    const v1::Step& what = step(index);
    AddCall(what, what.cancel_method(), what.cancel_request(),
            CancelRequestId(plan.start_us(), plan.saga_id(), what.name()), CancelTag(plan.saga_id(), what.name()));
  }

  void AddCall(const v1::Step& step, const std::string& method, const std::string& request, std::string request_id,
               std::string tag) {
    OutgoingCall call;
    call.service = static_cast<ServiceId>(step.service());
    call.aggregate_key = step.aggregate_key();
    call.method = method;
    call.request = request;
    call.reply_to.key = saga_.plan().reply_key();
    call.reply_tag = std::move(tag);
    call.request_id = std::move(request_id);
    advance_.calls.push_back(std::move(call));
  }

  const v1::Saga& saga_;
  const UnixMicros now_;
  const Guards guards_;
  v1::SagaState state_;
  std::string cause_;
  std::vector<Known> steps_;
  Advance advance_;
};

absl::Status Invalid(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("saga plan: ", what)); }

// Applies one outcome to the steps. Sets the cause if the outcome makes the saga turn back.
void Learn(const v1::Saga& saga, const CallOutcome& outcome, Draft* draft, std::string* cause) {
  absl::string_view name = outcome.reply_tag;
  if (!absl::ConsumePrefix(&name, saga.plan().saga_id()) || !absl::ConsumePrefix(&name, "/")) return;
  const bool cancel = absl::ConsumeSuffix(&name, kCancelSuffix);
  const int step = FindStep(saga, name);
  if (step < 0 || outcome.kind == CallOutcome::Kind::kUnknown) return;
  const bool succeeded = outcome.kind == CallOutcome::Kind::kSucceeded;
  const v1::StepState state = draft->state(step);
  if (cancel) {
    if (succeeded && state == v1::STEP_STATE_CANCEL_SENT) draft->Change(step, v1::STEP_STATE_CANCELLED);
    return;
  }
  const bool backward = draft->state() == v1::SAGA_STATE_BACKWARD;
  if (succeeded && (state == v1::STEP_STATE_SENT || (backward && state == v1::STEP_STATE_REFUSED))) {
    draft->Change(step, v1::STEP_STATE_SUCCEEDED)->set_response(outcome.response);
  } else if (!succeeded && state == v1::STEP_STATE_SENT && !backward) {
    draft->Change(step, v1::STEP_STATE_REFUSED)->set_refusal(EncodeRefusal(outcome.refusal));
    if (cause->empty()) *cause = absl::StrCat(name, ": ", outcome.refusal.message());
  }
}

}  // namespace

std::string DoRequestId(UnixMicros start, absl::string_view saga_id, absl::string_view step_name) {
  return StepRequestId(start, saga_id, step_name);
}

std::string CancelRequestId(UnixMicros start, absl::string_view saga_id, absl::string_view step_name) {
  return StepRequestId(start, saga_id, absl::StrCat(step_name, kCancelSuffix));
}

std::string DoTag(absl::string_view saga_id, absl::string_view step_name) {
  return absl::StrCat(saga_id, "/", step_name);
}

std::string CancelTag(absl::string_view saga_id, absl::string_view step_name) {
  return absl::StrCat(saga_id, "/", step_name, kCancelSuffix);
}

absl::string_view SagaIdOfTag(absl::string_view reply_tag) {
  absl::ConsumeSuffix(&reply_tag, kCancelSuffix);
  const size_t slash = reply_tag.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view() : reply_tag.substr(0, slash);
}

std::string EncodeRefusal(const absl::Status& refusal) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(refusal.code()));
  status.set_message(std::string(refusal.message()));
  // Sorted, because ForEachPayload visits payloads in a different order for each status.
  std::map<std::string, std::string> payloads;
  refusal.ForEachPayload([&](absl::string_view url, const absl::Cord& value) { payloads.emplace(url, value); });
  for (const auto& [url, value] : payloads) {
    auto* any = status.add_details();
    any->set_type_url(url);
    any->set_value(value);
  }
  return status.SerializeAsString();
}

absl::Status DecodeRefusal(absl::string_view bytes) {
  google::rpc::Status status;
  if (!status.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a refusal does not parse");
  }
  absl::Status refusal(static_cast<absl::StatusCode>(status.code()), status.message());
  for (const auto& any : status.details()) refusal.SetPayload(any.type_url(), absl::Cord(any.value()));
  return refusal;
}

int FindStep(const v1::Saga& saga, absl::string_view step_name) {
  for (int i = 0; i < saga.plan().steps_size(); ++i) {
    if (saga.plan().steps(i).name() == step_name) return i;
  }
  return -1;
}

absl::Status CheckPlan(const v1::Plan& plan) {
  if (plan.saga_id().empty() || plan.saga_id().size() > kSagaIdBytesMax) return Invalid("the id is empty or too long");
  if (plan.start_us() <= 0) return Invalid("it does not say when the saga began");
  if (plan.reply_key().empty()) return Invalid("reply_key is empty, so no aggregate gets the outcomes");
  if (plan.steps().empty() || plan.steps_size() > kStepsMax) return Invalid("no steps, or too many");
  std::set<absl::string_view> names;
  for (int i = 0; i < plan.steps_size(); ++i) {
    const v1::Step& step = plan.steps(i);
    if (step.name().empty() || step.name().size() > kStepNameBytesMax || absl::StrContains(step.name(), "/") ||
        step.name() == "cancel") {
      return Invalid(absl::StrCat("\"", step.name(), "\" names no step"));
    }
    if (!names.insert(step.name()).second) return Invalid(absl::StrCat("two steps are named ", step.name()));
    if (step.service() == 0 || step.aggregate_key().empty() || step.method().empty()) {
      return Invalid(absl::StrCat(step.name(), " does not say whom it asks for what"));
    }
    if (step.cancel_method().empty() && !step.pivot()) return Invalid(absl::StrCat(step.name(), " cannot be undone"));
    if (i > 0 && step.stage() < plan.steps(i - 1).stage()) return Invalid("the steps are not in order of their stages");
    if (step.pivot() && (i + 1 != plan.steps_size() || (i > 0 && plan.steps(i - 1).stage() == step.stage()))) {
      return Invalid("the pivot is not alone in the last stage");
    }
  }
  return absl::OkStatus();
}

Advance Begin(v1::Plan plan, UnixMicros now, const Options& options) {
  const absl::Status checked = CheckPlan(plan);
  HALLES_CHECK(checked.ok(), "a saga begins with a plan that is none");
  v1::Saga saga;
  *saga.mutable_plan() = std::move(plan);
  saga.mutable_plan()->set_sends_may_double(options.sends_may_double);
  for (int i = 0; i < saga.plan().steps_size(); ++i) saga.add_steps()->set_state(v1::STEP_STATE_PLANNED);
  saga.set_state(v1::SAGA_STATE_FORWARD);
  saga.set_give_up_us(now + options.give_up_micros);
  Draft draft(saga, now, {});
  draft.GoOn();
  *draft.event().mutable_give_up_time() = TimestampOf(saga.give_up_us());
  Advance advance = std::move(draft).Take(false);
  *advance.event.mutable_plan() = std::move(*saga.mutable_plan());
  return advance;
}

std::optional<Advance> OnOutcomes(const v1::Saga& saga, absl::Span<const CallOutcome> outcomes, UnixMicros now,
                                  const Guards& guards, PivotCheck check) {
  if (Ended(saga)) return std::nullopt;
  Draft draft(saga, now, guards);
  std::string cause;
  for (const CallOutcome& outcome : outcomes) Learn(saga, outcome, &draft, &cause);
  if (!draft.changed()) return std::nullopt;
  if (cause.empty() && draft.state() == v1::SAGA_STATE_FORWARD && draft.PivotIsNext()) cause = check(draft.Changed());
  if (!cause.empty()) {
    draft.TurnBack(std::move(cause));
  } else if (draft.state() == v1::SAGA_STATE_FORWARD) {
    draft.GoOn();
  } else {
    draft.GoBack();
  }
  return std::move(draft).Take(false);
}

std::optional<Advance> OnTimer(const v1::Saga& saga, UnixMicros now, const Guards& guards) {
  if (Ended(saga) || now < saga.due_us()) return std::nullopt;
  Draft draft(saga, now, guards);
  if (draft.state() == v1::SAGA_STATE_FORWARD && now >= saga.give_up_us() && !draft.PivotWasSent()) {
    draft.TurnBack("it took too long");
    return std::move(draft).Take(false);
  }
  if (saga.attempt() >= kRecordedRetries) return std::nullopt;
  for (int i = 0; i < draft.size(); ++i) {
    if (draft.IsSent(i)) {
      draft.SendDo(i);
    } else if (draft.IsCancelSent(i)) {
      draft.SendCancel(i);
    }
  }
  return std::move(draft).Take(true);
}

std::vector<OutgoingCall> CallsAgain(const v1::Saga& saga, UnixMicros now) {
  if (Ended(saga) || now < saga.due_us() || saga.attempt() < kRecordedRetries) return {};
  return Draft(saga, now, {}).CallsAgain();
}

std::optional<Advance> Abort(const v1::Saga& saga, absl::string_view why, UnixMicros now, const Guards& guards) {
  Draft draft(saga, now, guards);
  if (draft.state() != v1::SAGA_STATE_FORWARD || draft.PivotWasSent()) return std::nullopt;
  draft.TurnBack(std::string(why));
  return std::move(draft).Take(false);
}

absl::Status Apply(v1::Saga* saga, const v1::SagaAdvanced& event, UnixMicros time) {
  if (event.has_plan()) {
    if (saga->has_plan()) return absl::DataLossError(absl::StrCat("saga ", event.saga_id(), " begins twice"));
    *saga->mutable_plan() = event.plan();
    for (int i = 0; i < event.plan().steps_size(); ++i) saga->add_steps()->set_state(v1::STEP_STATE_PLANNED);
    saga->set_give_up_us(MicrosOf(event.give_up_time()));
    saga->set_started_us(time);
  }
  if (event.saga_id() != saga->plan().saga_id()) {
    return absl::DataLossError(absl::StrCat("an event of saga ", event.saga_id(), " is applied to another"));
  }
  for (const v1::StepChange& change : event.changes()) {
    if (change.step() >= static_cast<uint32_t>(saga->steps_size())) {
      return absl::DataLossError(absl::StrCat("saga ", event.saga_id(), " has no step ", change.step()));
    }
    ApplyChange(change, saga->mutable_steps(static_cast<int>(change.step())));
  }
  saga->set_state(event.state());
  saga->set_due_us(event.has_due_time() ? MicrosOf(event.due_time()) : 0);
  saga->set_attempt(event.attempt());
  saga->set_cause(event.cause());
  saga->set_changed_us(time);
  return absl::OkStatus();
}

}  // namespace halles::saga
