// Tests of a process that proves its rows, and replaces them: verify and rebuild.
#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/host/host.h"
#include "libs/host/host_fixture.h"
#include "libs/store/alter_rows.h"

namespace halles::host {
namespace {

using Verification = HostTest;
using Rebuilding = HostTest;

TEST_F(Verification, FindsNoDifference) {
  AddSome(60);
  const Proof proof = Verify();
  EXPECT_TRUE(proof.comparison.equal());
  EXPECT_GT(proof.comparison.rows, 60u);
  EXPECT_EQ(proof.events, 60u * 3) << "the source's state, the target's state and the view";
  EXPECT_EQ(proof.digests, 12u);
  EXPECT_EQ(*Sum("a"), 9) << "and disturbs nobody";
}

TEST_F(Verification, NamesAnAlteredRowOfAState) {
  AddSome(20);
  AwaitCaughtUp();
  SlotId slot;
  ASSERT_TRUE(host_->With([&](Serving& serving) { slot = serving.runtime->SlotFor(kSource, "", "b"); }).ok());
  Close();
  const std::string key = partition::counter::kCounters.Encode({"b"});
  EXPECT_EQ(store::AlterRows(state_dir(), store::RowSpace::State(slot),
                             [&](absl::string_view row, std::string* value) {
                               if (row != key) return false;
                               CounterRow counter;
                               EXPECT_TRUE(counter.ParseFromString(*value));
                               counter.set_value(counter.value() + 1);
                               *value = counter.SerializeAsString();
                               return true;
                             }),
            1);
  Open();
  const Proof proof = Verify();
  EXPECT_FALSE(proof.comparison.equal());
  ASSERT_FALSE(proof.differences.empty());
  EXPECT_TRUE(absl::StrContains(proof.differences.front(), absl::StrCat(slot.ToString(), " counters counter=b")))
      << proof.differences.front();
}

TEST_F(Verification, NamesAnAlteredRowOfAView) {
  AddSome(20);
  AwaitCaughtUp();
  Close();
  int altered = 0;
  store::AlterRows(state_dir(), store::RowSpace::View(kTarget, kSumsView), [&](absl::string_view, std::string* value) {
    if (altered++ > 0) return false;
    value->clear();
    return true;
  });
  EXPECT_GT(altered, 1);
  Open();
  const Proof proof = Verify();
  EXPECT_FALSE(proof.comparison.equal());
  ASSERT_FALSE(proof.differences.empty());
  EXPECT_TRUE(absl::StrContains(proof.differences.front(), "loyalty sums sums counter=a")) << proof.differences.front();
}

TEST_F(Verification, RunsOnceAtATimeAndCanBeCancelled) {
  AddSome(20);
  AwaitCaughtUp();
  absl::Status second;
  const auto proof = host_->Verify([&](const projection::ReplayProgress&) {
    second = host_->Rebuild(nullptr).status();
    return absl::CancelledError("enough");
  });
  EXPECT_EQ(proof.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(second), "PROOF_RUNNING");
  EXPECT_TRUE(Verify().comparison.equal()) << "the next one may run";
}

TEST_F(Rebuilding, CorrectsAlteredRowsAndKeepsServing) {
  AddSome(20);
  const auto digests = Digests();
  Close();
  int altered = 0;
  store::AlterRows(state_dir(), store::RowSpace::View(kTarget, kSumsView), [&](absl::string_view, std::string* value) {
    ++altered;
    CounterRow row;
    EXPECT_TRUE(row.ParseFromString(*value));
    row.set_value(row.value() + 100);
    *value = row.SerializeAsString();
    return true;
  });
  EXPECT_EQ(altered, 7);
  Open();
  EXPECT_EQ(*Sum("a"), 103);
  AwaitCaughtUp();
  const auto proof = host_->Rebuild(nullptr);
  ASSERT_TRUE(proof.ok()) << proof.status();
  EXPECT_FALSE(proof->comparison.equal()) << "it says what it found";
  EXPECT_EQ(*Sum("a"), 3);
  EXPECT_EQ(Digests(), digests);
  AddSome(7);
  AwaitCaughtUp();
  EXPECT_EQ(*Sum("a"), 4);
  EXPECT_TRUE(Verify().comparison.equal());
  Close();
  Open();
  EXPECT_EQ(*Sum("a"), 4);
  EXPECT_TRUE(Verify().comparison.equal());
}

TEST_F(Rebuilding, EndsWithTheProcess) {
  AddSome(20);
  AwaitCaughtUp();
  const auto proof = host_->Rebuild([this](const projection::ReplayProgress&) {
    host_->Drain(kPatience);
    return absl::OkStatus();
  });
  EXPECT_EQ(proof.status().code(), absl::StatusCode::kCancelled) << "nothing is put in place behind a drain";
  EXPECT_EQ(host_->Rebuild(nullptr).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(Rebuilding, LosesNoCommandSubmittedMeanwhile) {
  AddSome(200);
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const ReplyPtr reply = Submit(partition::Add(absl::StrCat("w", i), 1, "w"));
      reply->Await();
      if (reply->status().ok()) {
        ++accepted;
      } else {
        // Not served at that moment: nothing happened.
        EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable) << reply->status();
      }
    }
  });
  for (int i = 0; i < 2; ++i) {
    const auto proof = host_->Rebuild(nullptr);
    EXPECT_TRUE(proof.ok()) << proof.status();
    if (proof.ok()) {
      EXPECT_TRUE(proof->comparison.equal()) << proof->differences.front();
    }
  }
  stop = true;
  writer.join();
  AwaitCaughtUp();
  EXPECT_GT(accepted.load(), 0);
  EXPECT_EQ(*Sum("w"), accepted.load());
  EXPECT_TRUE(Verify().comparison.equal());
}

}  // namespace
}  // namespace halles::host
