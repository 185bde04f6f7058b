// A store beside its log, and beside what is not its log.
#include "libs/host/installation.h"

#include <functional>
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

// Damage is the matter of the rows that it is in.
TEST_F(LineageOfAStore, IsNotInDoubtForACursorThatIsUnreadableWhoseRowsAreFoldedAgain) {
  store::SlotOptions options;
  options.fold_version = partition::counter::Service(ServiceId::kInventory).fold_version;
  options.post = [](const std::function<void()>& task) { task(); };
  options.cursor = [] { return store::FoldCursor{"no cursor", 99}; };
  auto rows = store_->OpenSlot(partition::kFirstSlot, options);
  ASSERT_TRUE(rows.ok()) << rows.status();
  (*rows)->NoteAdvance();
  Flush();
  rows->reset();
  EXPECT_TRUE(CheckLineage(*store_, log_.get()).ok());
  Start();
  EXPECT_EQ(ValueOf(), 10);
  EXPECT_EQ(Submit(partition::Add("r3", 5))->value(), 15);
}

}  // namespace
}  // namespace halles::host
