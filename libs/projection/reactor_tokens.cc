// Tells who waits for reactions when they are recorded, and operators what keeps them from it.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/projection/reactor.h"
#include "libs/telemetry/log.h"

namespace halles::projection {

TokenPositions Reactor::OfSources(const TokenPositions& positions) const {
  TokenPositions of_sources;
  for (const auto& [slot, position] : positions) {
    if (sources_.contains(slot)) of_sources[slot] = position;
  }
  return of_sources;
}

void Reactor::ExtendToken(const TokenPositions& positions, MonotonicMicros deadline, Extended done) {
  const TokenPositions sources = OfSources(positions);
  if (sources.empty()) {
    done(positions);
    return;
  }
  // The positions that have come so far, shared by the slots that are waited for.
  struct Gathered {
    Mutex mutex;
    size_t left ABSL_GUARDED_BY(mutex);
    TokenPositions extended ABSL_GUARDED_BY(mutex);
    Extended done ABSL_GUARDED_BY(mutex);  // empty once called
  };
  auto gathered = std::make_shared<Gathered>();
  {
    MutexLock lock(&gathered->mutex);
    gathered->left = coverages_.size();
    gathered->extended = positions;
    gathered->done = std::move(done);
  }
  for (const std::unique_ptr<Coverage>& coverage : coverages_) {
    coverage->Await(sources, deadline, [gathered, slot = coverage->slot()](const absl::StatusOr<Position>& at) {
      Extended finish;
      absl::StatusOr<TokenPositions> extended = TokenPositions();
      {
        MutexLock lock(&gathered->mutex);
        --gathered->left;
        if (at.ok()) MergeToken({{slot, *at}}, &gathered->extended);
        if (at.ok() && gathered->left > 0) return;
        finish = std::exchange(gathered->done, nullptr);
        extended = std::move(gathered->extended);
      }
      if (!at.ok()) extended = at.status();
      if (finish) finish(std::move(extended));
    });
  }
}

void Reactor::ExtendToken(SlotId target, const TokenPositions& positions, MonotonicMicros deadline,
                          partition::ExtendDone done) {
  const TokenPositions sources = OfSources(positions);
  if (sources.empty()) {
    done(0);
  } else {
    coverages_.at(target.slot)->Await(sources, deadline, std::move(done));
  }
}

void Reactor::AnswerExtension(SlotId target, const TokenPositions& positions, MonotonicMicros deadline,
                              const partition::ExtendDone& done) {
  coverages_.at(target.slot)->Answer(OfSources(positions), deadline, done);
}

void Reactor::Close() {
  const absl::Status closing =
      Failure(absl::StatusCode::kUnavailable, "DRAINING", absl::StrCat(name_, " are shutting down"));
  for (const std::unique_ptr<Coverage>& coverage : coverages_) coverage->Close(closing);
}

void Reactor::NoteStopped(SlotId target, SlotId source, const absl::Status& why) {
  telemetry::Log(telemetry::LogLevel::kError, "projection", "reactions to a source stopped; the others go on",
                 {{"target", target.ToString()},
                  {"source", source.ToString()},
                  {"why", why.message()},
                  {"reason", ReasonOf(why)}});
  NoteError(target, source, why);
}

void Reactor::NoteError(SlotId target, SlotId source, const absl::Status& why) {
  MutexLock lock(&errors_mutex_);
  errors_[source][target] = WithContext(why, absl::StrCat(name_, " in ", target.ToString()));
}

void Reactor::ClearError(SlotId target, SlotId source) {
  MutexLock lock(&errors_mutex_);
  const auto errors = errors_.find(source);
  if (errors == errors_.end()) return;
  errors->second.erase(target);
  if (errors->second.empty()) errors_.erase(errors);
}

std::vector<SourceState> Reactor::States() const {
  std::vector<SourceState> states;
  MutexLock lock(&errors_mutex_);
  for (const auto& [slot, unused] : sources_) {
    const auto error = errors_.find(slot);
    states.push_back({slot, reached(slot), error == errors_.end() ? absl::OkStatus() : error->second.begin()->second});
  }
  return states;
}

}  // namespace halles::projection
