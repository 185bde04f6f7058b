// Tests of opening beside a server that listens: tries, pauses and the end.
#include "libs/program/opener.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::program {
namespace {

absl::Status DiskFull() { return Failure(absl::StatusCode::kResourceExhausted, "STATE_DISK_FULL", "no space"); }

class OpenerTest : public ::testing::Test {
 protected:
  OpenerTest() {
    telemetry::SetLogSink([this](absl::string_view line) { lines_.emplace_back(line); });
  }
  ~OpenerTest() override { telemetry::SetLogSink(nullptr); }

  void Begin() {
    opener_ = std::make_unique<Opener>(&node_, &random_, &progress_,
                                       Opener::Steps{[this] {
                                                       ++opened_;
                                                       return answer_;
                                                     },
                                                     [this] {
                                                       ++mended_;
                                                       return DiskFull();
                                                     }});
    world_.RunReady();
  }
  size_t Lines(absl::string_view text) const {
    size_t count = 0;
    for (const std::string& line : lines_) count += absl::StrContains(line, text);
    return count;
  }

  std::vector<std::string> lines_;
  testing::VirtualScheduler world_{1, /*step_micros_max=*/0};
  testing::VirtualScheduler::Node node_{&world_};
  SeededRandom random_{1};
  StartProgress progress_{0};
  absl::Status answer_;
  int opened_ = 0;
  int mended_ = 0;
  std::unique_ptr<Opener> opener_;
};

TEST_F(OpenerTest, OpensOnceAndMendsEverySecond) {
  Begin();
  EXPECT_EQ(opener_->state(), Opener::State::kOpened);
  EXPECT_EQ(mended_, 0);
  world_.Advance(10'500'000);
  EXPECT_EQ(opened_, 1);
  EXPECT_EQ(mended_, 10);
  EXPECT_EQ(opener_->state(), Opener::State::kOpened) << "whatever mending says";
}

TEST_F(OpenerTest, TriesAgainWithPausesWhileTheDiskIsFull) {
  answer_ = DiskFull();
  Begin();
  EXPECT_EQ(opener_->state(), Opener::State::kOpening);
  EXPECT_EQ(ReasonOf(progress_.Report(0).waits_for), "STATE_DISK_FULL");
  world_.Advance(60'000'000);
  EXPECT_GT(opened_, 10) << "at least every 5 s";
  EXPECT_LT(opened_, 40) << "not without a pause";
  EXPECT_EQ(Lines("the start waits for space"), 1u);
  answer_ = absl::OkStatus();
  world_.Advance(5'000'000);
  EXPECT_EQ(opener_->state(), Opener::State::kOpened);
  EXPECT_EQ(Lines("there is space again"), 1u);
}

TEST_F(OpenerTest, FailsWithAnyOtherError) {
  answer_ = Failure(absl::StatusCode::kDataLoss, "LOG_DAMAGED", "byte 7");
  Begin();
  EXPECT_EQ(opener_->state(), Opener::State::kFailed);
  EXPECT_EQ(ReasonOf(opener_->error()), "LOG_DAMAGED");
  world_.Advance(60'000'000);
  EXPECT_EQ(opened_, 1);
}

TEST_F(OpenerTest, BeginsNothingAfterItWasStopped) {
  answer_ = DiskFull();
  Begin();
  opener_->Stop();
  world_.Advance(60'000'000);
  EXPECT_EQ(opened_, 1);
}

}  // namespace
}  // namespace halles::program
