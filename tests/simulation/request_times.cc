// Takes the place of ExpiredAnswers::Drop and CheckRequestTime when this binary is linked.
#include "tests/simulation/request_times.h"

#include <string>

#include "absl/status/status.h"
#include "libs/base/check.h"
#include "libs/base/request_id.h"
#include "libs/partition/expired_answers.h"

namespace halles::simulation {
namespace {

const testing::VirtualScheduler* clock_of_folds = nullptr;
bool times_ignored = false;

}  // namespace

void DropOf(partition::ExpiredAnswers* answers, store::Rows& rows,
            UnixMicros now) asm("__real__ZN6halles9partition14ExpiredAnswers4DropERNS_5store4RowsEl");
void Drop(partition::ExpiredAnswers* answers, store::Rows& rows,
          UnixMicros now) asm("__wrap__ZN6halles9partition14ExpiredAnswers4DropERNS_5store4RowsEl");

void Drop(partition::ExpiredAnswers* answers, store::Rows& rows, UnixMicros now) {
  if (clock_of_folds == nullptr) return DropOf(answers, rows, now);
  DropOf(answers, rows, testing::VirtualScheduler::kWallAtStart + clock_of_folds->now());
}

absl::Status TimeChecked(const std::string& request_id, const RequestIdTime& time, UnixMicros now) asm(
    "__real__ZN6halles9partition16CheckRequestTimeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS_"
    "13RequestIdTimeEl");
absl::Status CheckTime(const std::string& request_id, const RequestIdTime& time, UnixMicros now) asm(
    "__wrap__ZN6halles9partition16CheckRequestTimeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS_"
    "13RequestIdTimeEl");

absl::Status CheckTime(const std::string& request_id, const RequestIdTime& time, UnixMicros now) {
  return times_ignored ? absl::OkStatus() : TimeChecked(request_id, time, now);
}

AnswersDroppedByTheClock::AnswersDroppedByTheClock(const testing::VirtualScheduler* scheduler) {
  HALLES_CHECK(clock_of_folds == nullptr, "folds have a clock already");
  clock_of_folds = scheduler;
}
AnswersDroppedByTheClock::~AnswersDroppedByTheClock() { clock_of_folds = nullptr; }

RequestTimesIgnored::RequestTimesIgnored() {
  HALLES_CHECK(!times_ignored, "times are ignored already");
  times_ignored = true;
}
RequestTimesIgnored::~RequestTimesIgnored() { times_ignored = false; }

}  // namespace halles::simulation
