// Tests of the saga that places an order, with the real rules of checkout and inventory. Whatever is lost, duplicated,
// late or killed, the saga ends confirmed with every unit committed once, or rejected with the stock unchanged.
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/simulation/order_saga_world.h"

namespace halles::simulation {
namespace {

struct Explored {
  size_t worlds = 0;
  size_t confirmed = 0;  // number of ends
  size_t rejected = 0;
  std::string fault;  // with the steps that lead to it; empty if there is none
};

// Tries all possible steps in every order, depth first. A world that was reached before is not tried again.
class Explorer {
 public:
  Explored Explore(const Scenario& scenario) {
    Visit(World(scenario));
    result_.worlds = seen_.size();
    return result_;
  }

 private:
  void Visit(const World& world) {
    if (!result_.fault.empty() || !seen_.insert(world.Fingerprint()).second) return;
    if (Judge(world)) return;
    const int choices = world.choices();
    for (int i = 0; i < choices; ++i) {
      way_.push_back(world.Describe(i));
      World next = world;
      next.Choose(i);
      Visit(next);
      way_.pop_back();
      if (!result_.fault.empty()) return;
    }
    if (choices > 0) return;
    World end = world;
    way_.push_back("then all mandatory steps");
    end.Finish();
    Judge(end);
    way_.pop_back();
    ++(end.confirmed() ? result_.confirmed : result_.rejected);
  }

  // True if the world has a fault.
  bool Judge(const World& world) {
    const std::string fault = world.Fault();
    if (fault.empty()) return false;
    result_.fault = absl::StrCat(fault, "; the steps that lead to it:");
    for (const std::string& step : way_) absl::StrAppend(&result_.fault, "\n  ", step);
    return true;
  }

  Explored result_;
  absl::flat_hash_set<Hash128> seen_;
  std::vector<std::string> way_;
};

Explored Explore(const Scenario& scenario) { return Explorer().Explore(scenario); }

Scenario With(std::vector<int64_t> stock, const Budget& budget) {
  Scenario scenario;
  scenario.stock = std::move(stock);
  scenario.budget = budget;
  return scenario;
}

void ExpectSound(const Scenario& scenario, bool confirms, bool rejects) {
  const Explored explored = Explore(scenario);
  EXPECT_EQ(explored.fault, "");
  EXPECT_EQ(explored.confirmed > 0, confirms);
  EXPECT_EQ(explored.rejected > 0, rejects);
  std::cout << explored.worlds << " worlds, " << explored.confirmed << " confirmed and " << explored.rejected
            << " rejected ends\n";
}

TEST(OrderSaga, EndsWellWhenMessagesAreLost) {
  ExpectSound(With({1, 1}, {.losses = 2, .timers = 1}), /*confirms=*/true, /*rejects=*/true);
  ExpectSound(With({1, 0}, {.losses = 1, .timers = 1}), /*confirms=*/false, /*rejects=*/true);
}

TEST(OrderSaga, EndsWellWhenMessagesAreDuplicatedOrLate) {
  ExpectSound(With({1, 1}, {.doubles = 2, .timers = 1}), /*confirms=*/true, /*rejects=*/true);
  ExpectSound(With({1, 0}, {.doubles = 2}), /*confirms=*/false, /*rejects=*/true);
}

TEST(OrderSaga, EndsWellWhenTheProcessIsKilledAtAnyTime) {
  ExpectSound(With({1, 1}, {.crashes = 2, .timers = 2}), /*confirms=*/true, /*rejects=*/true);
  ExpectSound(With({1, 1}, {.losses = 1, .crashes = 1, .timers = 2}), /*confirms=*/true, /*rejects=*/true);
  ExpectSound(With({0, 1}, {.crashes = 1, .timers = 1}), /*confirms=*/false, /*rejects=*/true);
}

TEST(OrderSaga, EndsWellWhenGoodsArriveMeanwhile) {
  ExpectSound(With({1, 0}, {.crashes = 1, .timers = 1, .receipts = 1}), /*confirms=*/true, /*rejects=*/true);
  ExpectSound(With({1, 0}, {.doubles = 1, .receipts = 1}), /*confirms=*/true, /*rejects=*/true);
}

TEST(OrderSaga, EndsWellOnLongRandomWalks) {
  const char* given = std::getenv("HALLES_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::cout << "HALLES_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  size_t confirmed = 0;
  constexpr int kWalks = 3'000;
  for (int walk = 0; walk < kWalks; ++walk) {
    std::vector<int64_t> stock(1 + random() % 4);
    for (int64_t& units : stock) units = random() % 5 == 0 ? 0 : 1;
    World world(With(stock, {.losses = 6, .doubles = 6, .crashes = 2, .timers = 3, .receipts = 1}));
    std::string way;
    for (int step = 0; step < 80 && world.choices() > 0; ++step) {
      const int choice = static_cast<int>(random() % static_cast<uint64_t>(world.choices()));
      absl::StrAppend(&way, "\n  ", world.Describe(choice));
      world.Choose(choice);
      ASSERT_EQ(world.Fault(), "") << "seed " << seed << ", walk " << walk << way;
    }
    world.Finish();
    ASSERT_EQ(world.Fault(), "") << "seed " << seed << ", walk " << walk << way;
    confirmed += world.confirmed() ? 1 : 0;
  }
  EXPECT_GT(confirmed, kWalks / 50u);
  EXPECT_LT(confirmed, size_t{kWalks});
}

// A reroute must end whatever became of the goods: until then nothing else can be done with the order.
TEST(OrderSaga, EndsARerouteOfGoodsWhoseHoldHasEnded) {
  World world(With({1, 1}, {}));
  world.Finish();
  ASSERT_TRUE(world.confirmed()) << world.Fault();
  world.ReleaseHold(0);
  world.Reroute("lyon");
  world.Finish();
  EXPECT_TRUE(world.quiet()) << world.Fault();
  ASSERT_TRUE(world.Rerouted().has_value());
  ASSERT_GT(world.Rerouted()->problems_size(), 0);
  EXPECT_EQ(world.Rerouted()->problems(0).kind(), checkout::v1::PROBLEM_KIND_HOLD_LOST);
}

TEST(OrderSaga, DoesNotEndWellWithoutTombstones) {
  Scenario scenario = With({1, 1}, {.timers = 1});
  EXPECT_EQ(Explore(scenario).fault, "");
  scenario.forget_tombstones = true;
  EXPECT_NE(Explore(scenario).fault.find("held after the end"), std::string::npos) << Explore(scenario).fault;
}

TEST(OrderSaga, DoesNotEndWellWithoutRecordedAnswers) {
  Scenario scenario = With({1, 1}, {.doubles = 1});
  EXPECT_EQ(Explore(scenario).fault, "");
  scenario.forget_answers = true;
  const Explored explored = Explore(scenario);
  EXPECT_TRUE(!explored.fault.empty() || explored.rejected > 0) << "a duplicate request was answered as if it were new";
}

}  // namespace
}  // namespace halles::simulation
