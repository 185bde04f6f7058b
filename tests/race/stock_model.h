// The stock of one SKU as one thing that does one command at a time: what recorded histories are checked against.
#ifndef HALLES_TESTS_RACE_STOCK_MODEL_H_
#define HALLES_TESTS_RACE_STOCK_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/testing/linearizability.h"

namespace halles::race {

// Holds and locations go by number. A hold lies at one location and is never split.
struct StockAsk {
  enum class Verb { kReserve, kRelease, kCommit, kMove, kRead };
  Verb verb = Verb::kRead;
  uint16_t hold = 0;
  int32_t units = 0;                // to reserve
  std::vector<uint8_t> candidates;  // to reserve at or to move to, in order of preference
};

struct StockLevel {
  int32_t on_hand = 0;
  int32_t held = 0;
  int32_t committed = 0;
  friend bool operator==(const StockLevel&, const StockLevel&) = default;
};

struct StockAnswer {
  bool refused = false;
  std::optional<uint8_t> location;  // where the hold lies, of a reserve and a move that were accepted
  std::vector<StockLevel> levels;   // of a read, by location
};

using StockOperation = testing::Operation<StockAsk, StockAnswer>;
using StockHistory = testing::History<StockAsk, StockAnswer>;

// Rules, as inventory has them: a reserve takes the first candidate that has all units; a move keeps the units that are
// there already as free for it; a release of what has ended does nothing; a commit of what is committed does nothing.
class StockModel {
 public:
  // All SKUs begin with these levels.
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
