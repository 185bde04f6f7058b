// Random merges of three carts whose messages are lost, duplicated and late: no line is ever lost or duplicated.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/store/memory_rows.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::cart {
namespace {

constexpr int kSteps = 400;
constexpr uint64_t kSeeds = 150;

// A message from one cart to another: the event in the log, and the cart that recorded it.
struct Message {
  v1::CartEvent event;
  std::string cart_id;
};

// Three carts, each in a slot of its own, and the messages between them. Every line has a SKU of its own.
class Carts {
 public:
  explicit Carts(uint64_t seed) : random_(seed) {}

  void Step() {
    const std::string cart_id = Any();
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
        return AddLine(cart_id);
      case 3:
        return ChangeLine(cart_id);
      case 4:
      case 5:
        return static_cast<void>(Try(cart_id, MergeInto(cart_id, Other(cart_id))));
      case 6:
      case 7:
        return static_cast<void>(Try(cart_id, UndoMerge(cart_id, Other(cart_id))));
      case 8:
        return Checkout(cart_id);
      default:
        if (!waiting_.empty()) Deliver(Below(waiting_.size()), Below(3));
        return;
    }
  }

  // Delivers all waiting messages, then every message that was ever sent once more, in any order.
  void Quiet() {
    while (!waiting_.empty()) Deliver(Below(waiting_.size()), 0);
    const std::string before = ToString();
    for (size_t i = 0; i < said_.size(); ++i) Arrive(said_[Below(said_.size())]);
    for (const Message& message : said_) Arrive(message);
    EXPECT_EQ(ToString(), before) << "a late message changed something";
    while (!waiting_.empty()) Deliver(Below(waiting_.size()), 0);
    EXPECT_EQ(ToString(), before) << "a late message changed something";
  }

  // Expects each line that was added and not removed in exactly one cart, with its latest units.
  void ExpectNothingIsLost() {
    std::map<std::string, int64_t> found;
    for (const std::string& cart_id : kIds) {
      const rows::CartRow row = CartIn(rows_[cart_id], cart_id);
      int64_t total = 0;
      int lines = 0;
      for (const rows::CartLineRow& line : LinesOf(cart_id)) {
        EXPECT_EQ(found.count(line.line().sku()), 0u) << line.line().sku() << " is in two carts";
        found[line.line().sku()] = line.line().units();
        total += line.line().amount().minor_units();
        ++lines;
      }
      EXPECT_EQ(row.lines(), lines);
      EXPECT_EQ(row.total_minor_units(), total);
      EXPECT_NE(row.state(), v1::CART_STATE_MERGING) << "a merge never ended";
    }
    EXPECT_EQ(found, expected_);
  }

  int merged() const { return merged_; }
  int declined() const { return declined_; }
  int undone() const { return undone_; }

 private:
  static inline const std::vector<std::string> kIds = {"a", "b", "c"};

  size_t Below(size_t bound) { return random_.Uniform(bound); }
  std::string Any() { return kIds[Below(kIds.size())]; }
  std::string Other(const std::string& cart_id) {
    for (;;) {
      if (std::string other = Any(); other != cart_id) return other;
    }
  }
  std::vector<rows::CartLineRow> LinesOf(const std::string& cart_id) {
    return cart::LinesOf(rows_[cart_id], OrderId::FromString(cart_id));
  }

  template <class Command>
  bool Try(const std::string& cart_id, const Command& command) {
    partition::CommandContext context;
    context.now = 1'700'000'000'000'000 + position_;
    const auto decision = Decide(rows_[cart_id], command, context);
    if (!decision.ok()) return false;
    EXPECT_TRUE(Record(cart_id, decision->facts).ok());
    return true;
  }

  absl::Status Record(const std::string& cart_id, const std::vector<partition::Fact<v1::CartEvent>>& facts) {
    partition::FactContext context = Next(cart_id);
    for (const partition::Fact<v1::CartEvent>& fact : facts) {
      RETURN_IF_ERROR(Evolve(rows_[cart_id], fact.event, context));
      ++context.index;
      if (fact.event.has_cart_given() || fact.event.has_cart_taken() || fact.event.has_cart_declined() ||
          fact.event.has_cart_merge_undone()) {
        waiting_.push_back({fact.event, cart_id});
        said_.push_back({fact.event, cart_id});
      }
      merged_ += fact.event.has_cart_merged() ? 1 : 0;
      declined_ += fact.event.has_cart_declined() ? 1 : 0;
      undone_ += fact.event.has_cart_merge_undone() ? 1 : 0;
    }
    return rows_[cart_id].status();
  }

  partition::FactContext Next(const std::string& cart_id) {
    partition::FactContext context;
    context.slot = kSlot;
    context.position = position_++;
    context.logical_time = 1'700'000'000'000'000 + static_cast<UnixMicros>(position_);
    context.aggregate_id = cart_id;
    return context;
  }

  void AddLine(const std::string& cart_id) {
    // Uses few line ids, so that those of different carts collide.
    const std::string sku = absl::StrCat("sku", ++added_);
    const int64_t units = 1 + static_cast<int64_t>(Below(9));
    if (Try(cart_id, Add(cart_id, {CartLineOf(absl::StrCat(Below(8)), units, "1.25", sku)}))) expected_[sku] = units;
  }

  void ChangeLine(const std::string& cart_id) {
    const std::vector<rows::CartLineRow> lines = LinesOf(cart_id);
    if (lines.empty()) return;
    const v1::CartLine line = lines[Below(lines.size())].line();
    const auto units = static_cast<int64_t>(Below(4));
    if (!Try(cart_id, Change(cart_id, line.line_id(), units))) return;
    if (units == 0) {
      expected_.erase(line.sku());
    } else {
      expected_[line.sku()] = units;
    }
  }

  // Begins a checkout of the cart, during which it declines lines, or lets it fail, so that the cart is open again.
  void Checkout(const std::string& cart_id) {
    const rows::CartRow row = CartIn(rows_[cart_id], cart_id);
    if (row.state() == v1::CART_STATE_OPEN) {
      v1::CartEvent started;
      started.mutable_cart_checkout_started()->set_attempt(row.attempts() + 1);
      EXPECT_TRUE(Evolve(rows_[cart_id], started, Next(cart_id)).ok());
    } else if (row.state() == v1::CART_STATE_IN_CHECKOUT) {
      v1::CartEvent failed;
      failed.mutable_cart_checkout_failed()->set_attempt(row.attempts());
      EXPECT_TRUE(Evolve(rows_[cart_id], failed, Next(cart_id)).ok());
    }
  }

  // The message arrives for the last time (0), arrives and will come again (1), or is lost and will be sent again (2).
  void Deliver(size_t index, size_t fate) {
    const Message message = waiting_[index];
    if (fate == 0) waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    if (fate != 2) Arrive(message);
  }

  void Arrive(const Message& message) {
    partition::FactContext context;
    context.aggregate_id = message.cart_id;
    for (const v1::TakeCartRequest& request : TakeCarts(message.event, context)) {
      EXPECT_TRUE(Try(request.cart_id(), request));
    }
    for (const v1::SettleMergeRequest& request : SettleMerges(message.event, context)) {
      EXPECT_TRUE(Try(request.cart_id(), request));
    }
  }

  std::string ToString() {
    std::string text;
    for (const std::string& cart_id : kIds) {
      const rows::CartRow row = CartIn(rows_[cart_id], cart_id);
      absl::StrAppend(&text, cart_id, " ", v1::CartState_Name(row.state()), " ", row.version(), ": ",
                      LinesIn(rows_[cart_id], cart_id), "\n");
    }
    return text;
  }

  SeededRandom random_;
  std::map<std::string, store::MemoryRows> rows_;
  std::vector<Message> waiting_;
  std::vector<Message> said_;
  std::map<std::string, int64_t> expected_;
  Position position_ = 1;
  int added_ = 0;
  int merged_ = 0;
  int declined_ = 0;
  int undone_ = 0;
};

TEST(MergedCarts, LoseNoLineWhenMessagesAreLostLateOrDuplicated) {
  int merged = 0;
  int declined = 0;
  int undone = 0;
  for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Carts carts(seed);
    for (int step = 0; step < kSteps; ++step) {
      carts.Step();
      if (step % 50 != 49) continue;
      carts.Quiet();
      carts.ExpectNothingIsLost();
    }
    merged += carts.merged();
    declined += carts.declined();
    undone += carts.undone();
  }
  // The random runs are of use only if each outcome occurs often.
  EXPECT_GT(merged, 400);
  EXPECT_GT(declined, 200);
  EXPECT_GT(undone, 300);
}

}  // namespace
}  // namespace halles::checkout::cart
