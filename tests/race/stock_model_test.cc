// Tests of the model on histories with a known verdict, of a SKU at two locations.
#include "tests/race/stock_model.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace halles::race {
namespace {

using testing::Linearizability;
using Verb = StockAsk::Verb;

StockAsk Reserve(uint16_t hold, int32_t units, std::vector<uint8_t> candidates = {0, 1}) {
  return {Verb::kReserve, hold, units, std::move(candidates)};
}
StockAsk Release(uint16_t hold) { return {Verb::kRelease, hold, 0, {}}; }
StockAsk Commit(uint16_t hold) { return {Verb::kCommit, hold, 0, {}}; }
StockAsk Move(uint16_t hold, std::vector<uint8_t> candidates) { return {Verb::kMove, hold, 0, std::move(candidates)}; }
StockAsk Read() { return {}; }

StockAnswer Done() { return {}; }
StockAnswer Refused() { return {.refused = true}; }
StockAnswer At(uint8_t location) { return {.location = location}; }
StockAnswer Shows(StockLevel first, StockLevel second) { return {.levels = {first, second}}; }

// Three units at the first location, one at the second. Concurrent operations overlap; the others follow one another.
class Recorded {
 public:
  Recorded& Then(StockAsk ask, StockAnswer answer) {
    operations_.push_back({.key = "sku", .input = std::move(ask), .output = std::move(answer)});
    operations_.back().invoked = ++clock_;
    operations_.back().answered = ++clock_;
    return *this;
  }
  Recorded& Lost(StockAsk ask) {
    operations_.push_back({.key = "sku", .input = std::move(ask), .output = {}, .invoked = ++clock_});
    return *this;
  }
  Recorded& AtOnce(std::vector<std::pair<StockAsk, StockAnswer>> all) {
    const int64_t begin = ++clock_;
    const int64_t end = ++clock_;
    for (auto& [ask, answer] : all) {
      operations_.push_back(
          {.key = "sku", .input = std::move(ask), .output = std::move(answer), .invoked = begin, .answered = end});
    }
    return *this;
  }
  bool IsLinearizable() const {
    return CheckLinearizability(StockModel({{3, 0, 0}, {1, 0, 0}}), operations_).verdict == Linearizability::kYes;
  }

 private:
  int64_t clock_ = 0;
  std::vector<StockOperation> operations_;
};

TEST(StockModel, AcceptsTheLifeOfAHold) {
  EXPECT_TRUE(Recorded()
                  .Then(Reserve(1, 2), At(0))
                  .Then(Read(), Shows({3, 2, 0}, {1, 0, 0}))
                  .Then(Reserve(2, 2), Refused())
                  .Then(Reserve(3, 1, {1, 0}), At(1))
                  .Then(Move(3, {0}), At(0))
                  .Then(Commit(1), Done())
                  .Then(Read(), Shows({3, 1, 2}, {1, 0, 0}))
                  .Then(Commit(1), Done())
                  .Then(Release(3), Done())
                  .Then(Release(3), Done())
                  .Then(Commit(3), Refused())
                  .Then(Release(9), Refused())
                  .Then(Read(), Shows({3, 0, 2}, {1, 0, 0}))
                  .IsLinearizable());
}

TEST(StockModel, RefusesASecondSaleOfAUnit) {
  EXPECT_TRUE(Recorded().AtOnce({{Reserve(1, 3), At(0)}, {Reserve(2, 1), At(1)}}).IsLinearizable());
  EXPECT_FALSE(Recorded().AtOnce({{Reserve(1, 3), At(0)}, {Reserve(2, 1), At(0)}}).IsLinearizable());
  EXPECT_FALSE(Recorded().AtOnce({{Reserve(1, 3), At(0)}, {Reserve(2, 3), At(0)}}).IsLinearizable());
}

TEST(StockModel, ChecksTheOrderOfPreference) {
  EXPECT_FALSE(Recorded().Then(Reserve(1, 1), At(1)).IsLinearizable());
  EXPECT_FALSE(Recorded().Then(Reserve(1, 1), Refused()).IsLinearizable());
}

TEST(StockModel, ChecksAMoveAtItsDestination) {
  EXPECT_TRUE(Recorded().Then(Reserve(1, 2), At(0)).Then(Move(1, {1}), Refused()).IsLinearizable());
  EXPECT_FALSE(Recorded().Then(Reserve(1, 2), At(0)).Then(Move(1, {1}), At(1)).IsLinearizable());
  EXPECT_TRUE(Recorded().Then(Reserve(1, 3), At(0)).Then(Move(1, {0, 1}), At(0)).IsLinearizable());
}

TEST(StockModel, RefusesAStaleRead) {
  EXPECT_FALSE(Recorded().Then(Reserve(1, 2), At(0)).Then(Read(), Shows({3, 0, 0}, {1, 0, 0})).IsLinearizable());
  EXPECT_FALSE(Recorded()
                   .Then(Reserve(1, 2), At(0))
                   .Then(Commit(1), Done())
                   .Then(Read(), Shows({3, 2, 0}, {1, 0, 0}))
                   .IsLinearizable());
}

TEST(StockModel, RefusesAReadOfHalfAMove) {
  EXPECT_FALSE(Recorded()
                   .Then(Reserve(1, 1), At(0))
                   .AtOnce({{Move(1, {1}), At(1)}, {Read(), Shows({3, 1, 0}, {1, 1, 0})}})
                   .IsLinearizable());
}

TEST(StockModel, AllowsALostCommandToHappenOrNot) {
  EXPECT_TRUE(Recorded().Lost(Reserve(1, 3)).Then(Reserve(2, 1), At(1)).IsLinearizable());
  EXPECT_TRUE(Recorded().Lost(Reserve(1, 3)).Then(Reserve(2, 1), At(0)).IsLinearizable());
  EXPECT_FALSE(Recorded().Lost(Reserve(1, 3)).Then(Reserve(2, 1), At(1)).Then(Reserve(3, 1), At(0)).IsLinearizable());
}

}  // namespace
}  // namespace halles::race
