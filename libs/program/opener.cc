// Tries to open, with pauses.
#include "libs/program/opener.h"

#include <utility>

#include "absl/time/time.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"

namespace halles::program {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

constexpr absl::Duration kPauseMin = absl::Milliseconds(250);
constexpr absl::Duration kPauseMax = absl::Seconds(5);
constexpr absl::Duration kMendEvery = absl::Seconds(1);

}  // namespace

Opener::Opener(Scheduler* scheduler, RandomSource* random, StartProgress* progress, Steps steps)
    : random_(*random),
      progress_(*progress),
      steps_(std::move(steps)),
      pause_(kPauseMin, kPauseMax),
      queue_(scheduler->NewQueue("open")) {
  queue_->Post([this] { Open(); });
}

Opener::~Opener() {
  Stop();
  queue_->Stop();
}

Opener::State Opener::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

absl::Status Opener::error() const {
  MutexLock lock(&mutex_);
  return error_;
}

void Opener::Stop() {
  MutexLock lock(&mutex_);
  stopping_ = true;
}

bool Opener::stopped() const {
  MutexLock lock(&mutex_);
  return stopping_;
}

void Opener::Set(State state, const absl::Status& error) {
  MutexLock lock(&mutex_);
  state_ = state;
  error_ = error;
}

void Opener::Open() {
  if (stopped()) return;
  const absl::Status opened = steps_.open();
  if (opened.ok()) {
    if (!told_.ok()) Log(LogLevel::kInfo, "halles", "there is space again, and the start goes on");
    Set(State::kOpened, absl::OkStatus());
    queue_->PostAfter(kMendEvery, [this] { Mend(); });
    return;
  }
  if (!absl::IsResourceExhausted(opened)) {
    Set(State::kFailed, opened);
    return;
  }
  progress_.WaitFor(opened);  // before the line: who reads it may ask
  if (ReasonOf(opened) != ReasonOf(told_)) {
    told_ = opened;
    Log(LogLevel::kError, "halles", "the start waits for space; it is tried again, and goes on by itself",
        {{"why", opened.message()}, {"reason", ReasonOf(opened)}});
  }
  queue_->PostAfter(pause_.Next(random_), [this] { Open(); });
}

void Opener::Mend() {
  if (stopped()) return;
  steps_.mend().IgnoreError();  // until it is possible; the status tells why it is not
  queue_->PostAfter(kMendEvery, [this] { Mend(); });
}

}  // namespace halles::program
