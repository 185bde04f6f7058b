// Tests of claims that the log refuses, for want of space say.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/partition/runtime_fixture.h"
#include "libs/telemetry/log.h"

namespace halles::partition {
namespace {

class RefusedClaims : public RuntimeFaultTest {
 protected:
  RefusedClaims() {
    telemetry::SetLogSink([this](absl::string_view line) { lines_.emplace_back(line); });
  }
  ~RefusedClaims() override { telemetry::SetLogSink(nullptr); }

  // A start whose claims are refused `times` times.
  void StartRefused(int times) {
    Crash();
    StartStore();
    Boot({counter::Service(ServiceId::kInventory)});
    Quiesce();
    for (int i = 0; i < times; ++i) RefuseAll();
  }
  void RefuseAll() {
    TimePasses(10'000'000);
    for (const auto& claim : log_->pending()) ASSERT_TRUE(log_->Refuse(claim.id).ok());
    Quiesce();
  }
  size_t Lines(absl::string_view text) const {
    size_t count = 0;
    for (const std::string& line : lines_) count += absl::StrContains(line, text);
    return count;
  }
  size_t Told() const { return Lines("the log refuses the claims of slots"); }
  size_t ToldOtherwise() const { return Lines("the log refuses no claim of a slot any more"); }

  std::vector<std::string> lines_;
};

TEST_F(RefusedClaims, AreLoggedOnceForAllSlotsAndCounted) {
  StartRefused(5);
  EXPECT_EQ(counters_.refused_claims, 10u);
  EXPECT_EQ(counters_.refused_slots, 2u);
  EXPECT_EQ(Told(), 1u);
  TimePasses(10'000'000);
  ASSERT_EQ(log_->pending().size(), 2u);
  Deliver(log_->pending().front().id);
  EXPECT_EQ(counters_.refused_slots, 1u);
  EXPECT_EQ(ToldOtherwise(), 0u);
  DeliverEverything();
  EXPECT_EQ(counters_.refused_slots, 0u);
  EXPECT_EQ(ToldOtherwise(), 1u);
  EXPECT_EQ(counters_.refused_claims, 10u);
}

TEST_F(RefusedClaims, AreToldAgainTheNextTime) {
  StartRefused(1);
  TimePasses(10'000'000);
  DeliverEverything();
  StartRefused(1);
  EXPECT_EQ(Told(), 2u);
}

TEST_F(RefusedClaims, AreForgottenWithTheirSlots) {
  StartRefused(1);
  Crash();
  EXPECT_EQ(counters_.refused_slots, 0u);
  StartRefused(1);
  EXPECT_EQ(counters_.refused_slots, 2u);
}

TEST_F(RefusedClaims, KeepNobodyWaitingForTheEnd) {
  StartRefused(3);
  bool drained = false;
  runtime_->Drain(node_.Now() + 10'000'000, [&drained] { drained = true; });
  Quiesce();
  EXPECT_TRUE(drained);
}

}  // namespace
}  // namespace halles::partition
