// Properties of every sequence of commands: no number is negative, units are neither created nor lost, everything can
// be undone, and the events add up to the numbers shown. A failure prints its seed; RC_PARAMS="reproduce=..." repeats
// it.
#include <rapidcheck.h>

#include <array>
#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/timestamp.h"
#include "libs/store/memory_rows.h"
#include "services/inventory/plan.h"
#include "services/inventory/projection.h"
#include "services/inventory/queries.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {

const std::array<std::string, 3> kLocations = {"A", "B", "C"};

// One command of a sequence; the meaning of its numbers depends on the kind.
enum class Op {
  kReceive,
  kCount,
  kAdjust,
  kAllow,
  kReserve,
  kReserveSplit,
  kReplace,
  kExtend,
  kMove,
  kTakeBack,
  kRelease,
  kCommit,
  kShip,
  kCancel,
  kExpire,
  kReturn,
  kSend,
  kArrive,
  kEnd,
};

struct Step {
  int op = 0;
  int place = 0;
  int other = 0;
  int hold = 0;
  int units = 0;

  friend std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << "{" << step.op << ", " << step.place << ", " << step.other << ", " << step.hold << ", " << step.units
               << "}";
  }
};

namespace {

rc::Gen<Step> AnyStep() {
  return rc::gen::build<Step>(
      rc::gen::set(&Step::op, rc::gen::inRange(0, static_cast<int>(Op::kEnd))),
      rc::gen::set(&Step::place, rc::gen::inRange(0, 3)), rc::gen::set(&Step::other, rc::gen::inRange(0, 3)),
      rc::gen::set(&Step::hold, rc::gen::inRange(0, 6)), rc::gen::set(&Step::units, rc::gen::inRange(0, 7)));
}
rc::Gen<std::vector<Step>> AnySteps() { return rc::gen::container<std::vector<Step>>(AnyStep()); }

// State and view of one SKU, and an independent count of its goods.
class World {
 public:
  // False when the command is refused; nothing has changed then.
  template <class Command>
  bool Do(const Command& command) {
    partition::CommandContext context;
    context.now = now_;
    auto decision = Decide(state_, command, context);
    RC_ASSERT(state_.status().ok());
    if (!decision.ok()) {
      RC_ASSERT(decision.status().code() == absl::StatusCode::kFailedPrecondition);
      return false;
    }
    partition::FactContext at;
    at.slot = kSlot;
    at.position = next_++;
    at.logical_time = at.effective_time = now_;
    state_.set_position(at.position);
    view_.set_position(at.position);
    for (const auto& fact : decision->facts) {
      at.aggregate_id = fact.aggregate_id;
      RC_ASSERT(Evolve(state_, fact.event, at).ok());
      RC_ASSERT(Project(view_, fact.event, at).ok());
      ++at.index;
    }
    return true;
  }

  void Run(const Step& step) {
    Try(step);
    for (const std::string& place : kLocations) {
      if (FreeUnits(LevelIn(state_, place)) >= 0) found_short_.erase(place);
    }
  }

  void Check() const {
    std::map<std::string, std::pair<int64_t, int64_t>> promised;  // held and committed units by location
    kHolds.ForEach(
        state_,
        [&](const HoldKey&, const rows::HoldRow& row, Position) {
          RC_ASSERT(IsActive(row));
          RC_ASSERT(!row.allocations().empty());
          for (const v1::Allocation& allocation : row.allocations()) {
            RC_ASSERT(allocation.units() > 0);
            auto& [held, committed] = promised[allocation.location_id()];
            (row.state() == v1::HOLD_STATE_HELD ? held : committed) += allocation.units();
          }
          return true;
        },
        Sku::FromString(kSku));
    int64_t goods = 0;
    for (const std::string& place : kLocations) {
      const rows::LevelRow level = LevelIn(state_, place);
      RC_ASSERT(level.on_hand() >= 0);
      RC_ASSERT(level.held() >= 0);
      RC_ASSERT(level.committed() >= 0);
      RC_ASSERT(level.in_transit() >= 0);
      RC_ASSERT(level.held() == promised[place].first);
      RC_ASSERT(level.committed() == promised[place].second);
      RC_ASSERT((FreeUnits(level) >= 0 || found_short_.contains(place)));
      goods += level.on_hand() + level.in_transit();
      CheckExplained(place, level);
    }
    RC_ASSERT(goods == total_);
  }

  // All numbers of the SKU as bytes.
  std::vector<std::string> Levels() const {
    std::vector<std::string> levels;
    for (const std::string& place : kLocations) levels.push_back(LevelIn(state_, place).SerializeAsString());
    return levels;
  }

  const store::MemoryRows& state() const { return state_; }

 private:
  void Try(const Step& step) {
    const std::string& place = kLocations[static_cast<size_t>(step.place)];
    const std::string& other = kLocations[static_cast<size_t>(step.other)];
    const std::string hold = "h" + std::to_string(step.hold);
    const std::string unique = std::to_string(next_);
    now_ += 1'000'000;
    switch (static_cast<Op>(step.op)) {
      case Op::kReceive:
        if (Do(Receive(place, step.units))) total_ += step.units;
        return;
      case Op::kCount: {
        const int64_t before = LevelIn(state_, place).on_hand();
        if (Do(Count(place, step.units))) total_ += step.units - before;
        NoteFound(place);
        return;
      }
      case Op::kAdjust:
        if (Do(Adjust(place, step.units - 3))) total_ += step.units - 3;
        NoteFound(place);
        return;
      case Op::kAllow:
        Do(Allow(place, step.units));
        return;
      case Op::kReserve:
        Do(Ending(step, Reserve(hold, {step.units, step.other + 1}, {place, other})));
        return;
      case Op::kReserveSplit:
        Do(Ending(step, ReserveSplit(hold, {step.units, step.other + 1}, {place, other, "C"})));
        return;
      case Op::kReplace:
        Do(Replacing(hold, Reserve("r" + unique, {step.units}, {place, other})));
        return;
      case Op::kExtend:
        Do(Extend(hold, (now_ - kNow) / 1'000'000 + step.units));
        return;
      case Op::kMove: {
        v1::MoveHoldRequest move = Move(hold, step.units % 2 == 0 ? place : "", {other, "B"}, step.units / 2);
        move.set_request_id("move-" + std::to_string(step.units));
        Do(move);
        return;
      }
      case Op::kTakeBack:
        Do(inventory::TakeBack(hold, "move-" + std::to_string(step.units)));
        return;
      case Op::kRelease:
        Do(step.units == 0 ? Release(hold) : Release(hold, {{place, step.units}}));
        return;
      case Op::kCommit:
        Do(Commit(hold));
        return;
      case Op::kShip: {
        const int64_t before = OnHand();
        if (Do(step.units == 0 ? Ship(hold) : Ship(hold, {{place, step.units}}))) total_ -= before - OnHand();
        return;
      }
      case Op::kCancel:
        Do(Cancel(hold));
        return;
      case Op::kExpire:
        Do(Expire(hold));
        return;
      case Op::kReturn:
        if (Do(Return(place, step.units, step.other))) total_ += step.units;
        return;
      case Op::kSend:
        Do(Send("t" + std::to_string(step.hold), place, other, step.units));
        return;
      case Op::kArrive:
        if (Do(Arrive("t" + std::to_string(step.hold), step.units / 2, step.other))) total_ -= step.other;
        return;
      case Op::kEnd:
        return;
    }
  }

  v1::ReserveStockRequest Ending(const Step& step, v1::ReserveStockRequest request) const {
    if (step.units % 2 == 0) *request.mutable_expire_time() = TimestampOf(now_ + step.units * 1'000'000 + 1);
    return request;
  }

  int64_t OnHand() const {
    int64_t sum = 0;
    for (const std::string& place : kLocations) sum += LevelIn(state_, place).on_hand();
    return sum;
  }

  // A location may be short from the moment when goods are found missing until the shortage has ended.
  void NoteFound(const std::string& place) { found_short_.insert(place); }

  // The movements of all pages add up to the numbers in view and state.
  void CheckExplained(const std::string& place, const rows::LevelRow& level) const {
    v1::ExplainStockRequest request;
    request.set_sku(kSku);
    request.set_location_id(place);
    request.set_page_size(3);
    rows::LevelRow sum;
    v1::ExplainStockResponse page;
    do {
      page = ExplainStock(view_, request).value();
      for (const v1::StockMovement& movement : page.movements()) {
        rows::LevelRow change;
        change.set_on_hand(movement.on_hand_delta());
        change.set_held(movement.held_delta());
        change.set_committed(movement.committed_delta());
        change.set_in_transit(movement.in_transit_delta());
        change.set_backorder(movement.backorder_delta());
        Add(change, &sum);
      }
      request.set_page_token(page.next_page_token());
    } while (!page.next_page_token().empty());
    RC_ASSERT(LevelOf(place, sum).SerializeAsString() == LevelOf(place, level).SerializeAsString());
    RC_ASSERT(page.level().SerializeAsString() == LevelOf(place, level).SerializeAsString());
  }

  store::MemoryRows state_;
  store::MemoryRows view_;
  Position next_ = 0;
  UnixMicros now_ = kNow;
  int64_t total_ = 0;  // units on hand and in transit, everywhere
  std::set<std::string> found_short_;
};

// A world with some goods after an arbitrary sequence of commands.
World AnyWorld() {
  World world;
  for (const std::string& place : kLocations) world.Do(Receive(place, 8));
  for (const Step& step : *AnySteps()) world.Run(step);
  return world;
}

TEST(AnySequence, KeepsAllNumbersConsistent) {
  EXPECT_TRUE(rc::check("levels, holds, goods and movements agree after every command", [] {
    World world;
    for (const Step& step : *AnySteps()) {
      world.Run(step);
      world.Check();
    }
  }));
}

TEST(AnySequence, RestoresAllNumbersWhenAHoldIsUndone) {
  EXPECT_TRUE(rc::check("reserve and cancel, reserve and release, with a sale in between or not", [] {
    World world = AnyWorld();
    const std::vector<std::string> before = world.Levels();
    const int64_t units = *rc::gen::inRange(1, 9);
    RC_PRE(world.Do(ReserveSplit("undone", {units, 1}, {"A", "B", "C"})));
    if (*rc::gen::arbitrary<bool>()) RC_ASSERT(world.Do(Commit("undone")));
    const bool cancel = *rc::gen::arbitrary<bool>();
    RC_ASSERT((cancel ? world.Do(Cancel("undone")) : world.Do(Release("undone"))));
    RC_ASSERT(world.Levels() == before);
    RC_ASSERT(!world.Do(ReserveSplit("undone", {units, 1}, {"A", "B", "C"})));
    RC_ASSERT(world.Levels() == before);
  }));
}

TEST(AnySequence, RestoresAllNumbersWhenAReplacementIsUndone) {
  EXPECT_TRUE(rc::check("an order replaces the hold of its cart and is cancelled", [] {
    World world = AnyWorld();
    const int64_t units = *rc::gen::inRange(1, 5);
    RC_PRE(world.Do(Until(kHour, Reserve("replaced", {units}, {"A", "B"}))));
    const std::vector<std::string> before = world.Levels();
    const int64_t ordered = *rc::gen::inRange(1, 9);
    RC_PRE(world.Do(Replacing("replaced", ReserveSplit("undone", {ordered}, {"B", "C", "A"}))));
    RC_ASSERT(world.Do(Cancel("undone")));
    RC_ASSERT(world.Levels() == before);
    RC_ASSERT(world.Do(Release("replaced")));
  }));
}

TEST(AnySequence, RestoresAllNumbersWhenAMoveIsReversed) {
  EXPECT_TRUE(rc::check("move and reverse, move and move back", [] {
    World world = AnyWorld();
    RC_PRE(world.Do(Reserve("moved", {2}, {"A"})));
    const std::vector<std::string> before = world.Levels();
    RC_PRE(world.Do(Move("moved", "A", {"B"})));
    const bool take_back = *rc::gen::arbitrary<bool>();
    v1::MoveHoldRequest back = Move("moved", "B", {"A"});
    back.set_request_id("back");
    RC_ASSERT(world.Do(take_back ? TakeBack("moved") : back));
    RC_ASSERT(world.Levels() == before);
  }));
}

TEST(AnySequence, RestoresAllNumbersWhenGoodsAreSentBack) {
  EXPECT_TRUE(rc::check("send and receive, and the same way back", [] {
    World world = AnyWorld();
    const std::vector<std::string> before = world.Levels();
    RC_PRE(world.Do(Send("there", "A", "B", 2)));
    RC_ASSERT(world.Do(Arrive("there", 2)));
    RC_PRE(world.Do(Send("back", "B", "A", 2)));
    RC_ASSERT(world.Do(Arrive("back", 2)));
    RC_ASSERT(world.Levels() == before);
  }));
}

// Plans ---------------------------------------------------------------------------------------------------------------

struct Puzzle {
  std::vector<PlanLine> lines;
  std::vector<int64_t> free;
};

Puzzle AnyPuzzle() {
  Puzzle puzzle;
  puzzle.free = *rc::gen::container<std::vector<int64_t>>(3, rc::gen::inRange<int64_t>(-1, 6));
  const int lines = *rc::gen::inRange(1, 5);
  for (int i = 0; i < lines; ++i) {
    PlanLine line{*rc::gen::inRange<int64_t>(1, 5), {}};
    const size_t set = *rc::gen::inRange<size_t>(1, 8);
    const size_t first = *rc::gen::inRange<size_t>(0, 3);
    for (size_t k = 0; k < 3; ++k) {
      const size_t location = (first + k) % 3;
      if ((set >> location & 1) != 0) line.candidates.push_back(location);
    }
    puzzle.lines.push_back(line);
  }
  return puzzle;
}

// Exhaustive search: whether the lines from `number` on can be placed whole.
bool CanPlaceWhole(const Puzzle& puzzle, std::vector<int64_t> free, size_t number) {
  if (number == puzzle.lines.size()) return true;
  for (const size_t location : puzzle.lines[number].candidates) {
    std::vector<int64_t> left = free;
    left[location] -= puzzle.lines[number].units;
    if (left[location] >= 0 && CanPlaceWhole(puzzle, left, number + 1)) return true;
  }
  return false;
}

// Whether the lines can be placed when they may be split, unit by unit.
bool CanPlaceSplit(const Puzzle& puzzle) {
  Puzzle units{{}, puzzle.free};
  for (const PlanLine& line : puzzle.lines) {
    for (int64_t i = 0; i < line.units; ++i) units.lines.push_back({1, line.candidates});
  }
  // By Hall's theorem: each set of locations must have room for the units that have no other candidates.
  for (size_t set = 0; set < 8; ++set) {
    int64_t room = 0;
    for (size_t location = 0; location < 3; ++location) {
      if ((set >> location & 1) != 0) room += std::max<int64_t>(0, puzzle.free[location]);
    }
    int64_t bound = 0;
    for (const PlanLine& line : units.lines) {
      bool inside = true;
      for (const size_t location : line.candidates) inside = inside && (set >> location & 1) != 0;
      bound += inside ? 1 : 0;
    }
    if (bound > room) return false;
  }
  return true;
}

void CheckPlan(const Puzzle& puzzle, const Plan& plan) {
  if (!plan.complete) {
    RC_ASSERT(!plan.failures.empty());
    return;
  }
  std::vector<int64_t> left = puzzle.free;
  RC_ASSERT(plan.lines.size() == puzzle.lines.size());
  for (size_t i = 0; i < plan.lines.size(); ++i) {
    int64_t units = 0;
    for (const PlanPart& part : plan.lines[i]) {
      const std::vector<size_t>& candidates = puzzle.lines[i].candidates;
      RC_ASSERT(std::find(candidates.begin(), candidates.end(), part.location) != candidates.end());
      RC_ASSERT(part.units > 0);
      units += part.units;
      left[part.location] -= part.units;
      RC_ASSERT(left[part.location] >= 0);
    }
    RC_ASSERT(units == puzzle.lines[i].units);
  }
}

TEST(AnyPlan, PlacesWholeLinesWheneverPossible) {
  EXPECT_TRUE(rc::check("compared with an exhaustive search", [] {
    const Puzzle puzzle = AnyPuzzle();
    const Plan plan = PlanWhole(puzzle.lines, puzzle.free);
    CheckPlan(puzzle, plan);
    RC_ASSERT(plan.complete == CanPlaceWhole(puzzle, puzzle.free, 0));
  }));
}

TEST(AnyPlan, SplitsLinesWheneverPossible) {
  EXPECT_TRUE(rc::check("compared with a count over every set of locations", [] {
    const Puzzle puzzle = AnyPuzzle();
    const Plan plan = PlanSplit(puzzle.lines, puzzle.free);
    CheckPlan(puzzle, plan);
    RC_ASSERT(plan.complete == CanPlaceSplit(puzzle));
  }));
}

}  // namespace
}  // namespace halles::inventory
