// Models the stock of one SKU as an object that performs one command at a time.
#include "tests/race/stock_model.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace halles::race {
namespace {

enum class HoldState : uint8_t { kNone, kHeld, kCommitted, kEnded };

struct Hold {
  HoldState state = HoldState::kNone;
  uint8_t location = 0;
  uint16_t units = 0;
};

// The decoded state: the levels, then the holds by number.
struct Stock {
  std::vector<StockLevel> levels;
  std::vector<Hold> holds;

  explicit Stock(size_t locations) : levels(locations) {}
  Stock(const std::string& bytes, size_t locations) : levels(locations) {
    const size_t level_bytes = locations * sizeof(StockLevel);
    std::memcpy(levels.data(), bytes.data(), level_bytes);
    holds.resize((bytes.size() - level_bytes) / sizeof(Hold));
    if (!holds.empty()) std::memcpy(holds.data(), bytes.data() + level_bytes, holds.size() * sizeof(Hold));
  }
  std::string Bytes() const {
    std::string bytes(reinterpret_cast<const char*>(levels.data()), levels.size() * sizeof(StockLevel));
    bytes.append(reinterpret_cast<const char*>(holds.data()), holds.size() * sizeof(Hold));
    return bytes;
  }

  Hold& At(uint16_t number) {
    if (holds.size() <= number) holds.resize(number + size_t{1});
    return holds[number];
  }
  int32_t FreeAt(uint8_t location) const {
    const StockLevel& level = levels[location];
    return level.on_hand - level.held - level.committed;
  }
  // The number in the level that counts the hold.
  int32_t& CountOf(const Hold& hold) {
    return hold.state == HoldState::kHeld ? levels[hold.location].held : levels[hold.location].committed;
  }
};

bool IsActive(const Hold& hold) { return hold.state == HoldState::kHeld || hold.state == HoldState::kCommitted; }

// Applies the input and returns the output.
StockAnswer Do(const StockAsk& ask, Stock* stock) {
  StockAnswer answer;
  if (ask.verb == StockAsk::Verb::kRead) {
    answer.levels = stock->levels;
    return answer;
  }
  Hold& hold = stock->At(ask.hold);
  switch (ask.verb) {
    case StockAsk::Verb::kReserve:
      answer.refused = true;
      if (hold.state != HoldState::kNone) break;
      for (const uint8_t candidate : ask.candidates) {
        if (stock->FreeAt(candidate) < ask.units) continue;
        hold = {HoldState::kHeld, candidate, static_cast<uint16_t>(ask.units)};
        stock->CountOf(hold) += hold.units;
        answer = {.refused = false, .location = candidate};
        break;
      }
      break;
    case StockAsk::Verb::kRelease:
      answer.refused = hold.state == HoldState::kNone;
      if (!IsActive(hold)) break;
      stock->CountOf(hold) -= hold.units;
      hold = {HoldState::kEnded, 0, 0};
      break;
    case StockAsk::Verb::kCommit:
      answer.refused = !IsActive(hold);
      if (hold.state != HoldState::kHeld) break;
      stock->CountOf(hold) -= hold.units;
      hold.state = HoldState::kCommitted;
      stock->CountOf(hold) += hold.units;
      break;
    case StockAsk::Verb::kMove:
      answer.refused = true;
      if (!IsActive(hold)) break;
      stock->CountOf(hold) -= hold.units;
      for (const uint8_t candidate : ask.candidates) {
        if (stock->FreeAt(candidate) < hold.units) continue;
        hold.location = candidate;
        answer = {.refused = false, .location = candidate};
        break;
      }
      stock->CountOf(hold) += hold.units;
      break;
    case StockAsk::Verb::kRead:
      break;
  }
  return answer;
}

std::string Describe(const StockLevel& level) {
  return absl::StrCat(level.on_hand, " on hand, ", level.held, " held, ", level.committed, " committed");
}

std::string Describe(const std::vector<StockLevel>& levels) {
  return absl::StrJoin(levels, "; ", [](std::string* out, const StockLevel& level) { *out += Describe(level); });
}

}  // namespace

std::string StockModel::Initial(const std::string&) const {
  Stock stock(initial_.size());
  stock.levels = initial_;
  return stock.Bytes();
}

std::optional<std::string> StockModel::Apply(const std::string& state, const StockAsk& ask,
                                             const StockAnswer* answer) const {
  Stock stock(state, initial_.size());
  const StockAnswer due = Do(ask, &stock);
  if (answer != nullptr &&
      (answer->refused != due.refused || answer->location != due.location || answer->levels != due.levels)) {
    return std::nullopt;
  }
  // Do() may have added an entry for the hold of a refused reserve, so keep the old state.
  return due.refused ? state : stock.Bytes();
}

bool StockModel::Changes(const StockAsk& ask, const StockAnswer& answer) const {
  return ask.verb != StockAsk::Verb::kRead && !answer.refused;
}

std::string StockModel::Describe(const StockAsk& ask) const {
  const std::string at = absl::StrJoin(ask.candidates, ", ", [](std::string* out, uint8_t location) {
    absl::StrAppend(out, static_cast<int>(location));
  });
  switch (ask.verb) {
    case StockAsk::Verb::kReserve:
      return absl::StrCat("reserve ", ask.units, " at ", at, " as hold ", ask.hold);
    case StockAsk::Verb::kRelease:
      return absl::StrCat("release hold ", ask.hold);
    case StockAsk::Verb::kCommit:
      return absl::StrCat("commit hold ", ask.hold);
    case StockAsk::Verb::kMove:
      return absl::StrCat("move hold ", ask.hold, " to ", at);
    case StockAsk::Verb::kRead:
      return "read";
  }
  return "nothing";
}

std::string StockModel::Describe(const StockAnswer& answer) const {
  if (answer.refused) return "refused";
  if (answer.location.has_value()) return absl::StrCat("at ", static_cast<int>(*answer.location));
  return answer.levels.empty() ? "done" : race::Describe(answer.levels);
}

std::string StockModel::DescribeState(const std::string& state) const {
  const Stock stock(state, initial_.size());
  return race::Describe(stock.levels);
}

}  // namespace halles::race
