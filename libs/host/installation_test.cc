// A store beside its log, and beside what is not its log.
#include "libs/host/installation.h"

#include <memory>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::host {
namespace {

class LineageOfAStore : public partition::RuntimeTest {
 protected:
  LineageOfAStore() { disk_ = std::make_unique<store::MemoryDisk>("disk"); }

  // The store holds what its slots have folded; nothing folds any more.
  void SetUp() override {
    RuntimeTest::SetUp();
    EXPECT_EQ(Submit(partition::Add("r1", 5))->value(), 5);
    EXPECT_EQ(Submit(partition::Add("r2", 5))->value(), 10);
    Flush();
    runtime_.reset();
  }
};

TEST_F(LineageOfAStore, IsThatOfItsLog) { EXPECT_TRUE(CheckLineage(*store_, log_.get()).ok()); }

TEST_F(LineageOfAStore, IsNotInDoubtForAReadThatFailed) {
  disk_->FailNextRead();
  ASSERT_FALSE(store_->LoadMetas().ok());
  disk_->FailNextRead();
  EXPECT_TRUE(CheckLineage(*store_, log_.get()).ok());
  log_->SetUnavailable(true);
  EXPECT_TRUE(CheckLineage(*store_, log_.get()).ok());
}

TEST_F(LineageOfAStore, IsNotThatOfALogThatWasCut) {
  log_->Truncate(partition::kFirstSlot, End() - 1);
  EXPECT_FALSE(CheckLineage(*store_, log_.get()).ok());
}

}  // namespace
}  // namespace halles::host
