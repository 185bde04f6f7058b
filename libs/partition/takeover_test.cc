// Tests of two instances on one log: one owns the slots, the other follows and takes over.
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

// The fixture's runtime is one instance; this is the other one, with its own store.
class TakeoverTest : public RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    store::StoreOptions options = store::Quiet();
    options.scheduler = &other_node_;
    auto store = store::Store::Open(other_dir_.State(), log_->identity().install, options);
    ASSERT_TRUE(store.ok()) << store.status();
    other_store_ = *std::move(store);
    RuntimeOptions runtime;
    runtime.log = log_.get();
    runtime.store = other_store_.get();
    runtime.scheduler = &other_node_;
    runtime.instance = InstanceId::Random(random_);
    runtime.services = {counter::Service(ServiceId::kInventory)};
    runtime.role = SlotRole::kStandby;
    runtime.counters = &other_counters_;
    runtime.request_key = "key";
    runtime.on_serving = [this](SlotId slot, bool serving) {
      if (slot == kFirstSlot) serves_.push_back(serving);
    };
    auto other = Runtime::Start(std::move(runtime));
    ASSERT_TRUE(other.ok()) << other.status();
    other_ = *std::move(other);
    Quiesce();
    ASSERT_TRUE(other_->settled());
  }
  void TearDown() override {
    other_.reset();
    other_store_.reset();
  }

  ReplyPtr SubmitToOther(counter::AddRequest request) {
    std::swap(runtime_, other_);
    const ReplyPtr reply = Submit(std::move(request));
    std::swap(runtime_, other_);
    return reply;
  }
  int64_t ValueAtOther() {
    std::swap(runtime_, other_);
    const int64_t value = ValueOf();
    std::swap(runtime_, other_);
    return value;
  }
  void TakeOver() {
    other_->TakeOver(kFirstSlot);
    Quiesce();
  }

  store::TempDir other_dir_;
  testing::VirtualScheduler::Node other_node_{&world_};
  RuntimeCounters other_counters_;
  std::unique_ptr<store::Store> other_store_;
  std::unique_ptr<Runtime> other_;
  std::vector<bool> serves_;
};

TEST_F(TakeoverTest, AStandbyFollowsAndAcceptsNoCommand) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  EXPECT_EQ(ValueAtOther(), 5);
  EXPECT_FALSE(other_->serving(kFirstSlot));
  const ReplyPtr refused = SubmitToOther(Add("r2", 1));
  EXPECT_EQ(refused->reason(), "NOT_OWNER");
  EXPECT_EQ(ValueOf(), 5);
}

TEST_F(TakeoverTest, TheNewOwnerContinuesFromTheOldOne) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  TakeOver();
  EXPECT_TRUE(other_->serving(kFirstSlot));
  EXPECT_EQ(serves_, std::vector<bool>{true});
  EXPECT_EQ(SubmitToOther(Add("r2", 1))->value(), 6);
  EXPECT_EQ(SubmitToOther(Add("r1", 5))->value(), 5) << "it knows what the old one answered";
}

TEST_F(TakeoverTest, TheOldOwnerStepsDownAndFollows) {
  TakeOver();
  EXPECT_FALSE(runtime_->serving(kFirstSlot));
  EXPECT_TRUE(runtime_->serving(kOtherSlot)) << "the other slot is still its own";
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kFollowing);
  EXPECT_EQ(Submit(Add("r1", 1))->reason(), "NOT_OWNER");
  EXPECT_EQ(SubmitToOther(Add("r2", 7))->value(), 7);
  EXPECT_EQ(ValueOf(), 7);
}

TEST_F(TakeoverTest, ASlotCanReturnToItsFirstOwner) {
  TakeOver();
  EXPECT_EQ(SubmitToOther(Add("r1", 7))->value(), 7);
  runtime_->TakeOver(kFirstSlot);
  Quiesce();
  EXPECT_EQ(serves_, (std::vector<bool>{true, false}));
  EXPECT_EQ(Submit(Add("r2", 1))->value(), 8);
  EXPECT_EQ(ValueAtOther(), 8);
}

}  // namespace
}  // namespace halles::partition
