// Gives the lanes their turns.
#include "libs/host/query_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/status.h"

namespace halles::host {
namespace {

absl::Status TooLate() {
  return Failure(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                 "the deadline passed before the query could begin");
}

absl::Status Draining() {
  return Failure(absl::StatusCode::kUnavailable, "DRAINING", "this instance is shutting down");
}

}  // namespace

QueryPool::QueryPool(Scheduler* scheduler) : scheduler_(*scheduler) {
  MutexLock lock(&mutex_);
  for (size_t i = 0; i < kQueryQueues; ++i) {
    queues_.push_back(scheduler->NewQueue(absl::StrCat("queries-", i)));
    idle_.push_back(i);
  }
}

QueryPool::~QueryPool() { Stop(); }

void QueryPool::Post(uint32_t number, MonotonicMicros deadline, Query query) {
  std::deque<Waiting> late;
  absl::Status refused;
  {
    MutexLock lock(&mutex_);
    Lane& lane = lanes_[number];
    if (lane.waiting.size() >= kLaneWaitingMax) {
      // Nobody waits for those any more.
      const MonotonicMicros now = scheduler_.Now();
      for (auto it = lane.waiting.begin(); it != lane.waiting.end();) {
        if (it->deadline >= now) {
          ++it;
          continue;
        }
        late.push_back(std::move(*it));
        it = lane.waiting.erase(it);
      }
    }
    if (stopped_) {
      refused = Draining();
    } else if (lane.waiting.size() >= kLaneWaitingMax) {
      refused =
          Overloaded("QUERY_QUEUE_FULL", absl::StrCat(kLaneWaitingMax, " queries wait before this one; try again"),
                     absl::Milliseconds(100));
    } else {
      lane.waiting.push_back({deadline, std::move(query)});
      Enqueue(number);
      Wake();
    }
  }
  for (const Waiting& each : late) each.query(TooLate());
  if (!refused.ok()) query(refused);
}

void QueryPool::Enqueue(uint32_t number) {
  Lane& lane = lanes_[number];
  if (lane.in_line || lane.waiting.empty() || lane.running >= kLaneRunningMax) return;
  lane.in_line = true;
  turns_.push_back(number);
}

void QueryPool::Wake() {
  // A queue may find that another one has taken its turn.
  for (size_t i = 0; i < turns_.size() && !idle_.empty(); ++i) {
    const size_t queue = idle_.back();
    idle_.pop_back();
    queues_[queue]->Post([this, queue] { RunNext(queue); });
  }
}

void QueryPool::RunNext(size_t queue) {
  uint32_t number = 0;
  Waiting next;
  {
    MutexLock lock(&mutex_);
    if (turns_.empty()) {
      idle_.push_back(queue);
      return;
    }
    number = turns_.front();
    turns_.pop_front();
    Lane& lane = lanes_[number];
    lane.in_line = false;
    next = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    ++lane.running;
    Enqueue(number);
    Wake();
  }
  next.query(next.deadline < scheduler_.Now() ? TooLate() : absl::OkStatus());
  next.query = nullptr;
  MutexLock lock(&mutex_);
  --lanes_[number].running;
  Enqueue(number);
  if (turns_.empty()) {
    idle_.push_back(queue);
  } else {
    queues_[queue]->Post([this, queue] { RunNext(queue); });
  }
}

void QueryPool::Stop() {
  std::vector<Waiting> waiting;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    turns_.clear();
    for (auto& [number, lane] : lanes_) {
      lane.in_line = false;
      std::move(lane.waiting.begin(), lane.waiting.end(), std::back_inserter(waiting));
      lane.waiting.clear();
    }
  }
  for (const Waiting& each : waiting) each.query(Draining());
  for (const std::unique_ptr<TaskQueue>& queue : queues_) queue->Stop();
}

}  // namespace halles::host
