// Claims a slot, again after doubt, and begins it anew when its stored rows are damaged.
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/partition/slot_runner.h"
#include "libs/telemetry/log.h"

namespace halles::partition {

using eventlog::Effects;
using eventlog::Phase;

void SlotRunner::TakeOver() {
  deps_.queue->Post([this] {
    if (!stopped_.ok() || abandoned_ || draining_ || wants_slot_) return;
    wants_slot_ = true;
    if (refolding_) return;
    if (catch_up_.active()) {
      catch_up_.Wake();
    } else {
      catch_up_.Begin(owner_->next_read());
    }
  });
}

void SlotRunner::OnClockBelieved() {
  deps_.queue->Post([this] {
    if (stopped_.ok() && !abandoned_ && catch_up_.active()) catch_up_.Wake();
  });
}

void SlotRunner::OnClockRefused(const absl::Status& why) {
  deps_.queue->Post([this, why] {
    if (!stopped_.ok() || abandoned_) return;
    clock_refused_ = why;
    FailQueued(why);
    Settled();
  });
}

void SlotRunner::Claim() {
  Effects effects;
  absl::StatusOr<eventlog::Append> claim = owner_->StartClaim(deps_.address, false, deps_.clock->Now(), &effects);
  if (!claim.ok()) {
    Stop(claim.status());
    return;
  }
  ++claims_;
  deps_.queue->PostAfter(kAppendPatience, [this, claim = claims_] {
    if (claim == claims_ && owner_->phase() == Phase::kClaiming && stopped_.ok() && !abandoned_) Claim();
  });
  deps_.log->Append(slot_, std::move(claim->bytes), claim->tag, deps_.sink);
  Handle(effects);
}

// The first claim is made at once. Claims after a failed one, or to a log that refuses them, are delayed.
void SlotRunner::ClaimAfter(const absl::Status& doubt) {
  const bool refused = absl::IsResourceExhausted(doubt);
  if (claim_waits_) return;
  if (claim_backoff_.fresh() && !refused) {
    claim_backoff_.Next(*deps_.random);
    Claim();
    return;
  }
  claim_waits_ = true;
  deps_.queue->PostAfter(claim_backoff_.Next(*deps_.random), [this, life = lives_] {
    if (life != lives_) return;
    claim_waits_ = false;
    const bool unsure = owner_->phase() == Phase::kUnsure;
    if (stopped_.ok() && !abandoned_ && (unsure || wants_slot_) && owner_->phase() != Phase::kServing) Claim();
  });
  if (!refused) return;
  deps_.counters->refused_claims.fetch_add(1, std::memory_order_relaxed);
  SetRefused(doubt);
  // Commands that wait for the claim may wait for long; a repeat finds out whether the log has room again.
  FailQueued(doubt);
  Settled();
}

void SlotRunner::SetServing(bool serving) {
  if (serving) {
    expected_end_.store(owner_->cursor().next + owner_->in_flight(), std::memory_order_release);
    claim_backoff_.Reset();
    SetRefused(absl::OkStatus());
  }
  if (serving_.exchange(serving, std::memory_order_acq_rel) == serving) return;
  if (serving) {
    // Records of other instances may have been folded.
    follow_ups_.LookForTimers();
    reads_.OnManyFacts(folded().next);
  } else {
    follow_ups_.Clear();
  }
  if (deps_.on_serving) deps_.on_serving(serving);
}

void SlotRunner::Refold() {
  if (!started_) {
    damaged_early_ = true;
    return;
  }
  if (abandoned_) return;
  if (!stopped_.ok()) {
    // Nobody reads them any more; they are emptied so that no flush waits for them.
    if (!deps_.store->Refold(store::RowSpace::State(slot_)).ok()) {
      deps_.queue->PostAfter(read_backoff_.Next(*deps_.random), [this] { Refold(); });
    }
    return;
  }
  if (!std::exchange(refolding_, true)) {
    telemetry::Log(telemetry::LogLevel::kError, "partition",
                   "stored rows of a slot are damaged; they are folded again from the log, the other slots serve on",
                   {{"slot", slot_.ToString()}});
    ++lives_;
    SetServing(false);
    deps_.log->Abandon(slot_, deps_.sink);
    catch_up_.End();
    reads_.Rest();
    stuck_at_.reset();
    stuck_effects_.reset();
    claim_waits_ = false;
    owner_->Restart(deps_.log->identity(), slot_);
    // Their fate is unknown: a repeat finds out.
    FailDecided(Failure(absl::StatusCode::kUnavailable, "SLOT_REFOLDING",
                        absl::StrCat("the rows of ", slot_.ToString(), " are folded again from the log; try again"),
                        {{"slot", slot_.ToString()}}));
    PublishPosition();
  }
  if (const absl::Status emptied = deps_.store->Refold(store::RowSpace::State(slot_)); !emptied.ok()) {
    deps_.queue->PostAfter(read_backoff_.Next(*deps_.random), [this] { Refold(); });
    return;
  }
  refolding_ = false;
  expired_.Reset();
  read_backoff_.Reset();
  catch_up_.Begin(owner_->next_read());
}

}  // namespace halles::partition
