// Keeps what is known, and asks the owner for the rest.
#include "libs/projection/coverage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::projection {
namespace {

constexpr absl::Duration kAskPauseMin = absl::Milliseconds(5);
constexpr absl::Duration kAskPauseMax = absl::Milliseconds(500);
constexpr absl::string_view kStopped = "REACTIONS_STOPPED";

void RaiseTo(Position position, std::atomic<Position>* value) {
  Position before = value->load(std::memory_order_relaxed);
  while (before < position && !value->compare_exchange_weak(before, position, std::memory_order_acq_rel)) {
  }
}

}  // namespace

Coverage::Question::Question(TokenPositions asked) : sources(std::move(asked)), backoff(kAskPauseMin, kAskPauseMax) {}

Coverage::Coverage(SlotId slot, const std::string& what, FollowerShard* shard)
    : slot_(slot),
      shard_(shard),
      link_(std::make_shared<Link>()),
      waiters_(absl::StrCat(what, " in ", slot.ToString()), shard) {
  MutexLock lock(&link_->mutex);
  link_->shard = shard;
}

Coverage::~Coverage() {
  MutexLock lock(&link_->mutex);
  link_->shard = nullptr;
}

void Coverage::Start(const std::vector<SlotId>& sources, partition::Calls* calls) {
  for (const SlotId source : sources) sources_[source];
  calls_ = calls;
}

Position Coverage::covered(SlotId source) const { return sources_.at(source).covered.load(std::memory_order_acquire); }

bool Coverage::Covers(const TokenPositions& sources) const {
  return std::all_of(sources.begin(), sources.end(),
                     [this](const auto& asked) { return covered(asked.first) >= asked.second; });
}

absl::Status Coverage::MissedOf(const TokenPositions& sources) const {
  for (const auto& [source, position] : sources) {
    const Position missed = sources_.at(source).missed.load(std::memory_order_acquire);
    if (missed >= position) continue;
    return Failure(absl::StatusCode::kUnavailable, kStopped,
                   absl::StrCat("reactions in ", slot_.ToString(), " stopped before ", source.ToString(), "@", missed),
                   {{"slot", slot_.ToString()}, {"source", source.ToString()}});
  }
  return absl::OkStatus();
}

void Coverage::SetAnsweredHere(bool here) {
  here_.store(here);
  if (here) return;
  std::set<std::shared_ptr<Question>> waiting;
  {
    MutexLock lock(&mutex_);
    waiting = questions_;
  }
  for (const std::shared_ptr<Question>& question : waiting) Ask(question);
}

void Coverage::Raise(const TokenPositions& covered, Position at) {
  RaiseTo(at, &at_);
  for (const auto& [source, position] : covered) RaiseTo(position, &sources_.at(source).covered);
  waiters_.Settle([this](SlotId source) { return this->covered(source); });
}

absl::Status Coverage::Miss(SlotId source, Position position) {
  sources_.at(source).missed.store(position, std::memory_order_release);
  FailMissed({{source, kNone}});
  return MissedOf({{source, kNone}});
}

void Coverage::MissNothing() {
  for (auto& [source, each] : sources_) each.missed.store(kNone, std::memory_order_release);
}

void Coverage::FailMissed(const TokenPositions& sources) {
  const absl::Status missed = MissedOf(sources);
  if (missed.ok()) return;
  waiters_.FailIf([this](const TokenPositions& waiting) { return !MissedOf(waiting).ok(); }, missed);
}

void Coverage::Await(const TokenPositions& sources, MonotonicMicros deadline, partition::ExtendDone done) {
  if (Covers(sources)) {
    done(at_.load(std::memory_order_acquire));
    return;
  }
  auto question = std::make_shared<Question>(sources);
  {
    MutexLock lock(&mutex_);
    questions_.insert(question);
  }
  waiters_.Wait(
      sources, deadline, [this](SlotId source) { return covered(source); },
      [this, question, done = std::move(done)](const absl::Status& reached) {
        question->over.store(true);
        {
          MutexLock lock(&mutex_);
          questions_.erase(question);
        }
        if (reached.ok()) {
          done(at_.load(std::memory_order_acquire));
        } else {
          done(reached);
        }
      });
  Ask(question);
  FailMissed(sources);
}

void Coverage::Answer(const TokenPositions& sources, MonotonicMicros deadline, partition::ExtendDone done) {
  if (!Covers(sources) && !here_.load()) {
    done(Failure(absl::StatusCode::kUnavailable, "NOT_OWNER",
                 absl::StrCat(slot_.ToString(), " is not owned by this instance"), {{"slot", slot_.ToString()}}));
    return;
  }
  waiters_.Wait(
      sources, deadline, [this](SlotId source) { return covered(source); },
      [this, done = std::move(done)](const absl::Status& reached) {
        if (reached.ok()) {
          done(at_.load(std::memory_order_acquire));
        } else {
          done(reached);
        }
      });
  FailMissed(sources);
}

void Coverage::Ask(const std::shared_ptr<Question>& question) {
  if (question->over.load() || here_.load()) return;
  const uint64_t attempt = question->tries.fetch_add(1) + 1;
  shard_->PostAfter(kAskAgain, [this, attempt, asked = std::weak_ptr<Question>(question)] {
    const std::shared_ptr<Question> waiting = asked.lock();
    if (waiting != nullptr && waiting->tries.load() == attempt) Ask(waiting);
  });
  calls_->ExtendToken(slot_, question->sources,
                      [this, link = link_, question, attempt](const absl::StatusOr<Position>& at) {
                        MutexLock lock(&link->mutex);
                        if (link->shard == nullptr) return;
                        link->shard->Add([this, question, attempt, at] { OnAnswer(question, attempt, at); });
                      });
}

void Coverage::OnAnswer(const std::shared_ptr<Question>& question, uint64_t attempt,
                        const absl::StatusOr<Position>& at) {
  if (at.ok()) {
    Raise(question->sources, *at);  // true for all, however late
    return;
  }
  if (question->over.load() || question->tries.load() != attempt) return;
  if (ReasonOf(at.status()) == kStopped) {
    waiters_.FailIf([&question](const TokenPositions& waiting) { return waiting == question->sources; }, at.status());
    return;
  }
  shard_->PostAfter(question->backoff.Next(shard_->random()), [this, asked = std::weak_ptr<Question>(question)] {
    if (const std::shared_ptr<Question> waiting = asked.lock()) Ask(waiting);
  });
}

void Coverage::Close(const absl::Status& status) { waiters_.Close(status); }

}  // namespace halles::projection
