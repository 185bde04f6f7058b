// Creates segments and sidecars on its own thread.
#include "libs/eventlog/segment_keeper.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace halles::eventlog {
namespace {

// Lower priority than the threads that answers wait for, but not starved when the committer waits for a segment.
constexpr int kNice = 10;

}  // namespace

SegmentKeeper::SegmentKeeper(SegmentHome home, uint32_t segment_bytes, std::optional<OpenSegment> prepared,
                             SidecarWritten sidecar_written)
    : home_(std::move(home)), segment_bytes_(segment_bytes), sidecar_written_(std::move(sidecar_written)) {
  if (prepared.has_value()) made_ = *std::move(prepared);
  thread_ = std::thread([this] { Run(); });
}

SegmentKeeper::~SegmentKeeper() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void SegmentKeeper::Prepare(uint32_t number) {
  MutexLock lock(&mutex_);
  if (wanted_ != 0 || made_.has_value()) return;
  wanted_ = number;
  changed_.SignalAll();
}

absl::StatusOr<OpenSegment> SegmentKeeper::Take(uint32_t number) {
  MutexLock lock(&mutex_);
  // A failed attempt from earlier says nothing about now.
  if (made_.has_value() && !made_->ok()) made_.reset();
  if (wanted_ == 0 && !made_.has_value()) {
    wanted_ = number;
    changed_.SignalAll();
  }
  while (!made_.has_value()) changed_.Wait(&mutex_);
  absl::StatusOr<OpenSegment> segment = *std::move(made_);
  made_.reset();
  return segment;
}

void SegmentKeeper::WriteSidecar(uint32_t number, uint32_t end, std::vector<SlotRun> runs) {
  MutexLock lock(&mutex_);
  closed_.push_back({number, end, std::move(runs)});
  changed_.SignalAll();
}

void SegmentKeeper::Run() {
  pthread_setname_np(pthread_self(), "log-keep");
  // The keeper works at any priority, so an error is ignored.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  for (;;) {
    uint32_t number = 0;
    Closed closed;
    {
      MutexLock lock(&mutex_);
      while (wanted_ == 0 && closed_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (wanted_ != 0 && !stopping_) {
        number = wanted_;
      } else if (!closed_.empty()) {
        closed = std::move(closed_.front());
        closed_.pop_front();
      } else {
        return;
      }
    }
    if (number != 0) {
      absl::StatusOr<OpenSegment> segment = CreateSegment(home_, number, SegmentBytesFor(number, segment_bytes_));
      MutexLock lock(&mutex_);
      made_ = std::move(segment);
      wanted_ = 0;
      changed_.SignalAll();
      continue;
    }
    const std::string path = home_.SidecarPath(closed.number);
    if (!ReplaceFile(*home_.file_system, path,
                     EncodeSidecar(home_.install, closed.number, closed.end, std::move(closed.runs)))
             .ok()) {
      continue;
    }
    auto file = home_.file_system->Open(path);
    if (!file.ok()) continue;
    if (auto sidecar = ReadSidecar(**file, home_.install, closed.number); sidecar.ok()) {
      sidecar_written_(closed.number, *sidecar);
    }
  }
}

}  // namespace halles::eventlog
