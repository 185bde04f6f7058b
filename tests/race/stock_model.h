// Models the stock of one SKU as an object that performs one command at a time; recorded histories are checked against
// it.
#ifndef HALLES_TESTS_RACE_STOCK_MODEL_H_
#define HALLES_TESTS_RACE_STOCK_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/testing/linearizability.h"

namespace halles::race {

// Holds and locations have numbers. A hold is at one location and is never split.
struct StockAsk {
  enum class Verb { kReserve, kRelease, kCommit, kMove, kRead };
  Verb verb = Verb::kRead;
  uint16_t hold = 0;
  int32_t units = 0;                // units to reserve
  std::vector<uint8_t> candidates;  // locations to reserve at or move to, in order of preference
};

struct StockLevel {
  int32_t on_hand = 0;
  int32_t held = 0;
  int32_t committed = 0;
  friend bool operator==(const StockLevel&, const StockLevel&) = default;
};

struct StockAnswer {
  bool refused = false;
  std::optional<uint8_t> location;  // location of the hold, after an accepted reserve or move
  std::vector<StockLevel> levels;   // answer of a read, by location
};

using StockOperation = testing::Operation<StockAsk, StockAnswer>;
using StockHistory = testing::History<StockAsk, StockAnswer>;

// The rules of inventory: a reserve takes the first candidate with all units. A move counts units of its own hold at
// the new location as free. A release of an ended hold does nothing, and neither does a commit of a committed one.
class StockModel {
 public:
  // The initial levels of every SKU.
  explicit StockModel(std::vector<StockLevel> initial) : initial_(std::move(initial)) {}

  std::string Initial(const std::string& sku) const;
  std::optional<std::string> Apply(const std::string& state, const StockAsk& ask, const StockAnswer* answer) const;
  bool Changes(const StockAsk& ask, const StockAnswer& answer) const;
  std::string Describe(const StockAsk& ask) const;
  std::string Describe(const StockAnswer& answer) const;
  std::string DescribeState(const std::string& state) const;

 private:
  const std::vector<StockLevel> initial_;
};

}  // namespace halles::race

#endif  // HALLES_TESTS_RACE_STOCK_MODEL_H_
