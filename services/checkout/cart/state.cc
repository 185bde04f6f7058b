// Folds events of carts.
#include "services/checkout/cart/state.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/cart_events.visit.h"
#include "libs/base/status.h"
#include "libs/partition/timers.h"
#include "services/checkout/broken.h"
#include "services/checkout/cart/queries.h"
#include "services/checkout/versions.h"

namespace halles::checkout::cart {
namespace {

constexpr int64_t kMicros = 1'000'000;
constexpr UnixMicros kNoTimer = 0;  // as in MoveTimer

// The cart of an event while it is folded. Its changes are written together, or not at all.
class Fold {
 public:
  Fold(store::Rows& state, const partition::FactContext& context)
      : state_(state), context_(context), key_{OrderId::FromString(context.aggregate_id)} {
    std::optional<rows::CartRow> found = kCarts.Get(state, key_);
    known_ = found.has_value();
    if (known_) row_ = *std::move(found);
  }

  bool known() const { return known_; }
  rows::CartRow& row() { return row_; }

  // An error unless the cart is in this state.
  absl::Status MustBe(v1::CartState cart_state) const {
    if (known_ && row_.state() == cart_state) return absl::OkStatus();
    const std::string is = known_ ? v1::CartState_Name(row_.state()) : "unknown";
    return Broken(context_, absl::StrCat("the cart must be ", v1::CartState_Name(cart_state), " and is ", is));
  }

  // Adds a line after the others.
  absl::Status Add(const v1::CartLine& line) {
    const CartLineKey key{key_.cart, LineId::FromString(line.line_id())};
    for (const auto& [other, unused] : put_) {
      if (other.line == key.line) return Broken(context_, "a line comes twice");
    }
    if (kCartLines.Contains(state_, key) && !Deleted(key)) return Broken(context_, "the cart has the line already");
    rows::CartLineRow line_row;
    *line_row.mutable_line() = line;
    line_row.set_ordinal(row_.next_ordinal());
    row_.set_next_ordinal(row_.next_ordinal() + 1);
    return Place(key, std::move(line_row));
  }

  // Changes the units of a line; 0 removes it.
  absl::Status Change(const v1::CartLineChanged& changed) {
    const CartLineKey key{key_.cart, LineId::FromString(changed.line_id())};
    std::optional<rows::CartLineRow> line_row = kCartLines.Get(state_, key);
    if (!line_row.has_value()) return Broken(context_, "the cart has no such line");
    Remove(key, *line_row);
    if (changed.units() == 0) return absl::OkStatus();
    deleted_.pop_back();
    line_row->mutable_line()->set_units(changed.units());
    *line_row->mutable_line()->mutable_amount() = changed.amount();
    return Place(key, *std::move(line_row));
  }

  // Removes the lines for which `which` is true.
  template <class Which>
  void RemoveIf(const Which& which) {
    for (const rows::CartLineRow& line_row : LinesOf(state_, key_.cart)) {
      if (which(line_row.line())) Remove({key_.cart, LineId::FromString(line_row.line().line_id())}, line_row);
    }
  }

  // The cart has changed, so its lifetime begins again.
  void Touch() {
    row_.set_last_change_us(context_.logical_time);
    const int64_t least = context_.logical_time + row_.life_seconds() * kMicros;
    if (row_.abandon_us() < least) abandon_us_ = least + std::min(row_.life_seconds(), kLifeSlackSeconds) * kMicros;
  }

  // The cart leaves the state in which it can be abandoned.
  void StopTimer() { abandon_us_ = kNoTimer; }

  absl::Status Write() {
    if (row_.lines() < 0) return Broken(context_, "the cart would have a negative number of lines");
    for (const CartLineKey& key : deleted_) kCartLines.Delete(state_, key);
    for (const auto& [key, line_row] : put_) kCartLines.Put(state_, key, line_row);
    if (abandon_us_.has_value() && *abandon_us_ != row_.abandon_us()) {
      partition::MoveTimer(state_, context_, row_.abandon_us(), *abandon_us_, kTimer);
      row_.set_abandon_us(*abandon_us_);
      if (*abandon_us_ == kNoTimer) row_.clear_abandon_us();
    }
    CountVersion(&row_, context_);
    kCarts.Put(state_, key_, row_);
    return absl::OkStatus();
  }

  // Keeps the outcome of the last merge of the cart. Called after Write.
  void KeepMerge(bool taken, bool undone, const std::string& cause) {
    rows::MergeRow merge;
    merge.set_into_cart_id(row_.into_cart_id());
    merge.set_taken(taken);
    merge.set_undone(undone);
    if (!taken) merge.set_cause(cause);
    kMerges.Put(state_, {key_.cart, row_.merges()}, merge);
  }

  // Keeps the cart that took the lines, as it is now. Called after Write.
  absl::Status KeepTaking(const v1::CartTaken& taken) {
    ASSIGN_OR_RETURN(const v1::Cart cart, FindCart(state_, key_.cart));
    kTakings.Put(state_, {key_.cart, OrderId::FromString(taken.from_cart_id()), taken.merge()}, cart);
    return absl::OkStatus();
  }

  // Writes the row without counting a version, for a change that no caller can see.
  void WriteUncounted() { kCarts.Put(state_, key_, row_); }

 private:
  bool Deleted(const CartLineKey& key) const {
    return std::any_of(deleted_.begin(), deleted_.end(), [&](const CartLineKey& d) { return d.line == key.line; });
  }

  void Remove(const CartLineKey& key, const rows::CartLineRow& line_row) {
    deleted_.push_back(key);
    row_.set_lines(row_.lines() - 1);
    row_.set_total_minor_units(row_.total_minor_units() - line_row.line().amount().minor_units());
    row_.set_line_bytes(row_.line_bytes() - BytesOf(line_row.line()));
  }

  absl::Status Place(const CartLineKey& key, rows::CartLineRow line_row) {
    const common::v1::Money& amount = line_row.line().amount();
    if (amount.currency_code() != row_.currency_code()) return Broken(context_, "a line has another currency");
    if (row_.lines() >= kLinesMax) return Broken(context_, "the cart has too many lines");
    int64_t total = 0;
    if (__builtin_add_overflow(row_.total_minor_units(), amount.minor_units(), &total)) {
      return Broken(context_, "the total does not fit into 64 bits of minor units");
    }
    row_.set_total_minor_units(total);
    row_.set_lines(row_.lines() + 1);
    row_.set_line_bytes(row_.line_bytes() + BytesOf(line_row.line()));
    put_.emplace_back(key, std::move(line_row));
    return absl::OkStatus();
  }

  store::Rows& state_;
  const partition::FactContext& context_;
  CartKey key_;
  bool known_ = false;
  rows::CartRow row_;
  std::vector<CartLineKey> deleted_;
  std::vector<std::pair<CartLineKey, rows::CartLineRow>> put_;
  std::optional<int64_t> abandon_us_;
};

rows::MergeAnswer* FindAnswer(rows::CartRow* cart, absl::string_view from_cart) {
  for (rows::MergeAnswer& answer : *cart->mutable_answers()) {
    if (answer.cart_id() == from_cart) return &answer;
  }
  return nullptr;
}

// Folds one event of the cart; DATA_LOSS if it breaks an invariant.
struct Evolver {
  explicit Evolver(store::Rows& state, const partition::FactContext& fact) : fold(state, fact), context(fact) {}

  absl::Status operator()(const v1::CartOpened& opened) {
    if (fold.known()) return Broken(context, "the cart is open already");
    rows::CartRow& row = fold.row();
    row.set_state(v1::CART_STATE_OPEN);
    *row.mutable_origin() = opened.origin();
    row.set_currency_code(opened.currency_code());
    row.set_life_seconds(opened.life_seconds());
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartLinesAdded& added) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    for (const v1::CartLine& line : added.lines()) RETURN_IF_ERROR(fold.Add(line));
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartLineChanged& changed) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    RETURN_IF_ERROR(fold.Change(changed));
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartCustomerSet& set) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    *fold.row().mutable_identifiers() = set.identifiers();
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartDeliverySet& set) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    *fold.row().mutable_delivery() = set.delivery();
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartGiven& given) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    rows::CartRow& row = fold.row();
    if (given.merge() != row.merges() + 1) return Broken(context, "the merge has the wrong number");
    if (given.lines_size() != row.lines()) return Broken(context, "the cart does not give all its lines");
    row.set_state(v1::CART_STATE_MERGING);
    row.set_merges(given.merge());
    row.set_into_cart_id(given.into_cart_id());
    fold.StopTimer();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartTaken& taken) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    rows::CartRow& row = fold.row();
    if (taken.merge() <= AnsweredUpTo(row, taken.from_cart_id()))
      return Broken(context, "the lines were answered before");
    rows::MergeAnswer* answer = FindAnswer(&row, taken.from_cart_id());
    if (answer == nullptr) answer = row.add_answers();
    answer->set_cart_id(taken.from_cart_id());
    answer->set_merge(taken.merge());
    answer->set_taken(true);
    for (const v1::CartLine& line : taken.lines()) RETURN_IF_ERROR(fold.Add(line));
    if (taken.identifiers_size() > 0) *row.mutable_identifiers() = taken.identifiers();
    fold.Touch();
    RETURN_IF_ERROR(fold.Write());
    return fold.KeepTaking(taken);
  }

  // A cart that does not exist, or that cannot keep another answer, keeps none: its reason to decline does not go away.
  absl::Status operator()(const v1::CartDeclined& declined) {
    if (!fold.known()) return absl::OkStatus();
    rows::CartRow& row = fold.row();
    if (declined.merge() <= AnsweredUpTo(row, declined.from_cart_id())) {
      return Broken(context, "the lines were answered before");
    }
    rows::MergeAnswer* answer = FindAnswer(&row, declined.from_cart_id());
    if (answer == nullptr) {
      if (row.answers_size() >= kMergesMax) return absl::OkStatus();
      answer = row.add_answers();
    }
    answer->set_cart_id(declined.from_cart_id());
    answer->set_merge(declined.merge());
    fold.WriteUncounted();
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::CartMerged& merged) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_MERGING));
    if (merged.merge() != fold.row().merges()) return Broken(context, "another merge of the cart is under way");
    fold.row().set_state(v1::CART_STATE_MERGED);
    fold.RemoveIf([](const v1::CartLine&) { return true; });
    RETURN_IF_ERROR(fold.Write());
    fold.KeepMerge(/*taken=*/true, /*undone=*/false, "");
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::CartMergeUndone& undone) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    rows::MergeAnswer* answer = FindAnswer(&fold.row(), undone.from_cart_id());
    if (answer == nullptr || !answer->taken() || answer->merge() != undone.merge()) {
      return Broken(context, "the lines are not here");
    }
    answer->set_taken(false);
    const int before = fold.row().lines();
    fold.RemoveIf([&](const v1::CartLine& line) { return CameFrom(line, undone.from_cart_id()); });
    if (before - fold.row().lines() != undone.lines_size()) return Broken(context, "not all lines go back");
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartReopened& reopened) {
    const bool merged = fold.known() && fold.row().state() == v1::CART_STATE_MERGED && reopened.replaces_lines();
    if (!merged) RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_MERGING));
    rows::CartRow& row = fold.row();
    if (reopened.merge() != row.merges()) return Broken(context, "another merge of the cart is under way");
    row.set_state(v1::CART_STATE_OPEN);
    if (reopened.replaces_lines()) {
      fold.RemoveIf([](const v1::CartLine&) { return true; });
      for (const v1::CartLine& line : reopened.lines()) RETURN_IF_ERROR(fold.Add(line));
    }
    fold.Touch();
    RETURN_IF_ERROR(fold.Write());
    fold.KeepMerge(reopened.replaces_lines(), reopened.replaces_lines(), reopened.cause());
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::CartAbandoned&) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    fold.row().set_state(v1::CART_STATE_ABANDONED);
    fold.StopTimer();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartCheckoutStarted& started) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_OPEN));
    if (started.attempt() != fold.row().attempts() + 1) return Broken(context, "the attempt has the wrong number");
    fold.row().set_state(v1::CART_STATE_IN_CHECKOUT);
    fold.row().set_attempts(started.attempt());
    fold.row().clear_problems();
    fold.StopTimer();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartCheckoutFailed& failed) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_IN_CHECKOUT));
    if (failed.attempt() != fold.row().attempts()) return Broken(context, "another attempt of the cart is under way");
    fold.row().set_state(v1::CART_STATE_OPEN);
    *fold.row().mutable_problems() = failed.problems();
    fold.Touch();
    return fold.Write();
  }

  absl::Status operator()(const v1::CartOrdered&) {
    RETURN_IF_ERROR(fold.MustBe(v1::CART_STATE_IN_CHECKOUT));
    fold.row().set_state(v1::CART_STATE_ORDERED);
    return fold.Write();
  }

  absl::Status operator()(NoEvent) const { return Broken(context, "this version does not know the event"); }

  Fold fold;
  const partition::FactContext& context;
};

}  // namespace

std::optional<rows::CartRow> Find(const store::RowReader& state, const OrderId& cart) {
  return kCarts.Get(state, {cart});
}

std::vector<rows::CartLineRow> LinesOf(const store::RowReader& state, const OrderId& cart) {
  std::vector<rows::CartLineRow> lines;
  kCartLines.ForEach(
      state,
      [&](const CartLineKey&, const rows::CartLineRow& line_row, Position) {
        lines.push_back(line_row);
        return true;
      },
      cart);
  std::sort(lines.begin(), lines.end(),
            [](const rows::CartLineRow& a, const rows::CartLineRow& b) { return a.ordinal() < b.ordinal(); });
  return lines;
}

int64_t BytesOf(const v1::CartLine& line) { return static_cast<int64_t>(line.ByteSizeLong()); }

bool CameFrom(const v1::CartLine& line, absl::string_view from_cart) {
  return line.origins_size() > 0 && line.origins(line.origins_size() - 1).cart_id() == from_cart;
}

int64_t AnsweredUpTo(const rows::CartRow& cart, absl::string_view from_cart) {
  for (const rows::MergeAnswer& answer : cart.answers()) {
    if (answer.cart_id() == from_cart) return answer.merge();
  }
  return 0;
}

absl::Status Evolve(store::Rows& state, const v1::CartEvent& event, const partition::FactContext& context) {
  return Visit(event, Evolver(state, context));
}

}  // namespace halles::checkout::cart
