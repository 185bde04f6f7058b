// Decides on commands for carts: their lines, delivery and customer, and merges.
#include "services/checkout/cart/commands.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_internal.limits.h"
#include "libs/base/hash.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/checkout/amounts.h"
#include "services/checkout/cart/checks.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/checks.h"
#include "services/checkout/versions.h"

namespace halles::checkout::cart {
namespace {

using partition::Decision;
using partition::Fact;
using Identifiers = google::protobuf::RepeatedPtrField<common::v1::Identifier>;

template <class Request>
absl::Status CheckShape(const Request& request) {
  return Malformed(Validate(request));
}

template <class Request>
absl::Status CheckShapeOfCustomer(const Request& request) {
  RETURN_IF_ERROR(Refused(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR, CheckNothingInClear(request.identifiers())));
  return CheckShape(request);
}

absl::Status Overflows(const std::string& cart_id) {
  return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, "the total does not fit into 64 bits of minor units",
                {{"cart_id", cart_id}});
}

absl::Status CheckOpen(const rows::CartRow& cart, const std::string& cart_id) {
  if (cart.state() == v1::CART_STATE_OPEN) return absl::OkStatus();
  const std::string name = v1::CartState_Name(cart.state());
  return Reject(v1::REJECT_REASON_CART_NOT_OPEN, absl::StrCat("the cart is not open: ", name),
                {{"cart_id", cart_id}, {"state", name}, {"into_cart_id", cart.into_cart_id()}});
}

absl::Status UnknownCart(const std::string& cart_id) {
  return Reject(v1::REJECT_REASON_CART_UNKNOWN, "there is no cart with this id", {{"cart_id", cart_id}});
}

// The cart of a command that requires an open cart.
template <class Request>
absl::StatusOr<rows::CartRow> OpenCart(const store::RowReader& state, const Request& request) {
  std::optional<rows::CartRow> cart = Find(state, OrderId::FromString(request.cart_id()));
  if (!cart.has_value()) return UnknownCart(request.cart_id());
  RETURN_IF_ERROR(CheckOpen(*cart, request.cart_id()));
  RETURN_IF_ERROR(CheckVersion(request, cart->version()));
  return *std::move(cart);
}

v1::CartEvent& AddFact(const std::string& cart_id, std::vector<Fact<v1::CartEvent>>* facts) {
  return facts->emplace_back(Fact<v1::CartEvent>{cart_id, {}, {}}).event;
}

// Adds an event unless no customer is named, or the same one as before.
void SetCustomer(const std::string& cart_id, const Identifiers& before, Identifiers now,
                 std::vector<Fact<v1::CartEvent>>* facts) {
  if (now.empty()) return;
  SortIdentifiers(&now);
  bool same = before.size() == now.size();
  for (int i = 0; same && i < now.size(); ++i) same = SameIdentifier(before[i], now[i]);
  if (same) return;
  *AddFact(cart_id, facts).mutable_cart_customer_set()->mutable_identifiers() = std::move(now);
}

// The version of the cart after these events.
int64_t VersionWith(const rows::CartRow& cart, const std::vector<Fact<v1::CartEvent>>& facts) {
  return facts.empty() ? cart.version() : NextVersion(cart);
}

void SetTotal(const rows::CartRow& cart, int64_t minor_units, common::v1::Money* total) {
  total->set_currency_code(cart.currency_code());
  total->set_minor_units(minor_units);
}

// Sets the amount of a line; false if it does not fit into 64 bits.
bool SetAmount(absl::string_view currency_code, v1::CartLine* line) {
  const absl::StatusOr<int64_t> amount = AmountOf(line->units(), line->unit_price(), currency_code);
  if (amount.ok()) *line->mutable_amount() = MoneyOf(currency_code, *amount);
  return amount.ok();
}

bool ArePricedIn(absl::string_view currency_code, const google::protobuf::RepeatedPtrField<v1::CartLine>& lines) {
  return std::all_of(lines.begin(), lines.end(),
                     [&](const v1::CartLine& line) { return line.amount().currency_code() == currency_code; });
}

// Sums over the lines of a cart and further lines, whose amounts are set. AddUp returns nullopt if the total overflows.
struct Sums {
  int64_t lines = 0;
  int64_t bytes = 0;
  int64_t minor_units = 0;
};
template <class Lines>
std::optional<Sums> AddUp(const rows::CartRow& cart, const Lines& lines) {
  Sums sums{cart.lines(), cart.line_bytes(), cart.total_minor_units()};
  for (const v1::CartLine& line : lines) {
    if (__builtin_add_overflow(sums.minor_units, line.amount().minor_units(), &sums.minor_units)) return std::nullopt;
    ++sums.lines;
    sums.bytes += BytesOf(line);
  }
  return sums;
}

bool HasLine(const store::RowReader& state, const std::string& cart_id, const std::string& line_id) {
  return kCartLines.Contains(state, {OrderId::FromString(cart_id), LineId::FromString(line_id)});
}

// An id that no line of the target cart has: the id of the line if it is free, otherwise one made from its origin.
std::string UniqueLineId(const store::RowReader& state, const std::string& cart_id, const v1::LineOrigin& origin,
                         const std::set<std::string>& taken) {
  const auto free = [&](const std::string& id) { return taken.count(id) == 0 && !HasLine(state, cart_id, id); };
  if (free(origin.line_id())) return origin.line_id();
  const std::string readable = absl::StrCat(origin.cart_id(), "/", origin.line_id());
  if (readable.size() <= kLineIdCharactersMax && free(readable)) return readable;
  for (int i = 0;; ++i) {
    const std::string id = Sha256(readable, absl::StrCat("/", i)).Hex();
    if (free(id)) return id;
  }
}

// Why a cart declines the lines of another cart; empty if it takes them. `into` is the cart, or the cart that is opened
// for the lines.
std::string WhyNot(const rows::CartRow& into, const v1::TakeCartRequest& request,
                   const std::vector<v1::CartLine>& lines) {
  const v1::CartGiven& given = request.given();
  if (into.state() != v1::CART_STATE_OPEN) return absl::StrCat("it is not open: ", v1::CartState_Name(into.state()));
  if (into.currency_code() != given.currency_code()) return "it has another currency";
  if (into.answers_size() >= kMergesMax && AnsweredUpTo(into, request.from_cart_id()) == 0) {
    return "too many carts were merged into it";
  }
  for (const v1::CartLine& line : lines) {
    if (line.origins_size() > kOriginsMax) return "a line was in too many carts";
  }
  const std::optional<Sums> sums = AddUp(into, lines);
  if (!sums.has_value()) return "the total would not fit into 64 bits of minor units";
  if (sums->lines > kLinesMax || sums->bytes > kLineBytesMax) return "it would be too large";
  return "";
}

}  // namespace

absl::StatusOr<Decision<v1::AddCartLinesResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                         const v1::AddCartLinesRequest& request,
                                                                         const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShapeOfCustomer(request));
  const std::string& id = request.cart_id();
  Decision<v1::AddCartLinesResponse, v1::CartEvent> decision;
  std::optional<rows::CartRow> cart = Find(state, OrderId::FromString(id));
  if (cart.has_value()) RETURN_IF_ERROR(CheckOpen(*cart, id));
  RETURN_IF_ERROR(CheckVersion(request, cart.has_value() ? cart->version() : 0));
  if (!cart.has_value()) {
    cart.emplace().set_currency_code(request.currency_code());
    v1::CartOpened& opened = *AddFact(id, &decision.facts).mutable_cart_opened();
    *opened.mutable_origin() = request.origin();
    opened.set_currency_code(request.currency_code());
    opened.set_life_seconds(kLifeSeconds);
  }
  if (cart->currency_code() != request.currency_code()) {
    return Reject(v1::REJECT_REASON_CURRENCY_DIFFERS,
                  absl::StrCat("the prices of this cart are in ", cart->currency_code()),
                  {{"cart_id", id}, {"currency_code", cart->currency_code()}});
  }
  for (const v1::CartLine& line : request.lines()) {
    if (!HasLine(state, id, line.line_id())) continue;
    return Reject(v1::REJECT_REASON_LINE_EXISTS, absl::StrCat("the cart already has a line ", line.line_id()),
                  {{"cart_id", id}, {"line_id", line.line_id()}});
  }
  google::protobuf::RepeatedPtrField<v1::CartLine> lines = request.lines();
  const bool priced = std::all_of(lines.begin(), lines.end(),
                                  [&](v1::CartLine& line) { return SetAmount(cart->currency_code(), &line); });
  const int64_t bytes = std::accumulate(lines.begin(), lines.end(), cart->line_bytes(),
                                        [](int64_t sum, const v1::CartLine& line) { return sum + BytesOf(line); });
  if (cart->lines() + lines.size() > kLinesMax || bytes > kLineBytesMax) {
    return Reject(v1::REJECT_REASON_CART_FULL,
                  absl::StrCat("a cart has at most ", kLinesMax, " lines of together ", kLineBytesMax, " bytes"),
                  {{"cart_id", id}, {"lines", absl::StrCat(cart->lines())}});
  }
  const std::optional<Sums> sums = priced ? AddUp(*cart, lines) : std::nullopt;
  if (!sums.has_value()) return Overflows(id);

  SetCustomer(id, cart->identifiers(), request.identifiers(), &decision.facts);
  v1::CartLinesAdded& added = *AddFact(id, &decision.facts).mutable_cart_lines_added();
  *added.mutable_lines() = std::move(lines);
  *added.mutable_origin() = request.origin();
  decision.response.set_version(NextVersion(*cart));
  SetTotal(*cart, sums->minor_units, decision.response.mutable_total());
  return decision;
}

absl::StatusOr<Decision<v1::ChangeCartLineResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                           const v1::ChangeCartLineRequest& request,
                                                                           const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  ASSIGN_OR_RETURN(rows::CartRow cart, OpenCart(state, request));
  const auto line =
      kCartLines.Get(state, {OrderId::FromString(request.cart_id()), LineId::FromString(request.line_id())});
  if (!line.has_value()) {
    return Reject(v1::REJECT_REASON_LINE_UNKNOWN, absl::StrCat("the cart has no line ", request.line_id()),
                  {{"cart_id", request.cart_id()}, {"line_id", request.line_id()}});
  }
  Decision<v1::ChangeCartLineResponse, v1::CartEvent> decision;
  if (line->line().units() != request.units()) {
    cart.set_total_minor_units(cart.total_minor_units() - line->line().amount().minor_units());
    std::vector<v1::CartLine> now = {line->line()};
    now[0].set_units(request.units());
    if (!SetAmount(cart.currency_code(), &now[0])) return Overflows(request.cart_id());
    const std::optional<Sums> sums = AddUp(cart, now);
    if (!sums.has_value()) return Overflows(request.cart_id());
    cart.set_total_minor_units(sums->minor_units);
    v1::CartLineChanged& changed = *AddFact(request.cart_id(), &decision.facts).mutable_cart_line_changed();
    changed.set_line_id(request.line_id());
    changed.set_units(request.units());
    *changed.mutable_amount() = now[0].amount();
    *changed.mutable_origin() = request.origin();
  }
  decision.response.set_version(VersionWith(cart, decision.facts));
  SetTotal(cart, cart.total_minor_units(), decision.response.mutable_total());
  return decision;
}

absl::StatusOr<Decision<v1::SetCartDeliveryResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                            const v1::SetCartDeliveryRequest& request,
                                                                            const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShapeOfCustomer(request));
  ASSIGN_OR_RETURN(const rows::CartRow cart, OpenCart(state, request));
  Decision<v1::SetCartDeliveryResponse, v1::CartEvent> decision;
  SetCustomer(request.cart_id(), cart.identifiers(), request.identifiers(), &decision.facts);
  if (store::SerializeRow(cart.delivery()) != store::SerializeRow(request.delivery())) {
    *AddFact(request.cart_id(), &decision.facts).mutable_cart_delivery_set()->mutable_delivery() = request.delivery();
  }
  decision.response.set_version(VersionWith(cart, decision.facts));
  return decision;
}

absl::StatusOr<Decision<v1::SetCartCustomerResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                            const v1::SetCartCustomerRequest& request,
                                                                            const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShapeOfCustomer(request));
  ASSIGN_OR_RETURN(const rows::CartRow cart, OpenCart(state, request));
  Decision<v1::SetCartCustomerResponse, v1::CartEvent> decision;
  SetCustomer(request.cart_id(), cart.identifiers(), request.identifiers(), &decision.facts);
  decision.response.set_version(VersionWith(cart, decision.facts));
  return decision;
}

absl::StatusOr<Decision<v1::MergeCartsResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                       const v1::MergeCartsRequest& request,
                                                                       const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const OrderId id = OrderId::FromString(request.cart_id());
  Decision<v1::MergeCartsResponse, v1::CartEvent> decision;
  if (const std::optional<rows::CartRow> cart = Find(state, id); cart.has_value()) {
    const bool given = cart->state() == v1::CART_STATE_MERGING || cart->state() == v1::CART_STATE_MERGED;
    if (given && cart->into_cart_id() == request.into_cart_id()) {
      decision.response.set_merge(cart->merges());
      return decision;
    }
  }
  ASSIGN_OR_RETURN(const rows::CartRow cart, OpenCart(state, request));
  v1::CartGiven& given = *AddFact(request.cart_id(), &decision.facts).mutable_cart_given();
  given.set_into_cart_id(request.into_cart_id());
  for (rows::CartLineRow& line : LinesOf(state, id)) *given.add_lines() = std::move(*line.mutable_line());
  *given.mutable_identifiers() = cart.identifiers();
  *given.mutable_origin() = cart.origin();
  given.set_currency_code(cart.currency_code());
  given.set_life_seconds(cart.life_seconds());
  given.set_merge(cart.merges() + 1);
  decision.response.set_merge(given.merge());
  return decision;
}

absl::StatusOr<Decision<v1::UndoMergeCartsResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                           const v1::UndoMergeCartsRequest& request,
                                                                           const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  ASSIGN_OR_RETURN(const rows::CartRow cart, OpenCart(state, request));
  for (const rows::MergeAnswer& answer : cart.answers()) {
    if (answer.cart_id() != request.from_cart_id() || !answer.taken()) continue;
    Decision<v1::UndoMergeCartsResponse, v1::CartEvent> decision;
    v1::CartMergeUndone& undone = *AddFact(request.cart_id(), &decision.facts).mutable_cart_merge_undone();
    undone.set_from_cart_id(request.from_cart_id());
    undone.set_merge(answer.merge());
    for (rows::CartLineRow& row : LinesOf(state, OrderId::FromString(request.cart_id()))) {
      if (!CameFrom(row.line(), request.from_cart_id())) continue;
      v1::CartLine& line = *undone.add_lines();
      line = std::move(*row.mutable_line());
      line.set_line_id(line.origins(line.origins_size() - 1).line_id());
      line.mutable_origins()->RemoveLast();
    }
    decision.response.set_version(NextVersion(cart));
    decision.response.set_lines(undone.lines_size());
    decision.response.set_merge(answer.merge());
    return decision;
  }
  return Reject(v1::REJECT_REASON_NOT_MERGED,
                absl::StrCat("the cart has no lines that came from cart ", request.from_cart_id()),
                {{"cart_id", request.cart_id()}, {"from_cart_id", request.from_cart_id()}});
}

absl::StatusOr<Decision<v1::TakeCartResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                     const v1::TakeCartRequest& request,
                                                                     const partition::CommandContext&) {
  const v1::CartGiven& given = request.given();
  RETURN_IF_ERROR(CheckShape(request));
  RETURN_IF_ERROR(Malformed(CheckCartId("from_cart_id", request.from_cart_id())));
  const bool priced = Currency::Parse(given.currency_code()).ok() && ArePricedIn(given.currency_code(), given.lines());
  if (given.merge() <= 0 || given.life_seconds() <= 0 || !priced) {
    return Reject(v1::REJECT_REASON_MALFORMED_COMMAND,
                  "the given cart must have a merge number, a lifetime, and prices in its currency",
                  {{"field", "given"}});
  }
  const std::string& id = request.cart_id();
  Decision<v1::TakeCartResponse, v1::CartEvent> decision;
  const std::optional<rows::CartRow> cart = Find(state, OrderId::FromString(id));
  rows::CartRow into;
  if (cart.has_value()) {
    into = *cart;
    if (given.merge() <= AnsweredUpTo(into, request.from_cart_id())) return decision;
  } else {
    into.set_state(v1::CART_STATE_OPEN);
    into.set_currency_code(given.currency_code());
  }

  std::vector<v1::CartLine> lines(given.lines().begin(), given.lines().end());
  std::set<std::string> taken;
  for (v1::CartLine& line : lines) {
    v1::LineOrigin& origin = *line.add_origins();
    origin.set_cart_id(request.from_cart_id());
    origin.set_line_id(line.line_id());
    line.set_line_id(UniqueLineId(state, id, origin, taken));
    taken.insert(line.line_id());
  }
  if (const std::string cause = WhyNot(into, request, lines); !cause.empty()) {
    v1::CartDeclined& declined = *AddFact(id, &decision.facts).mutable_cart_declined();
    declined.set_from_cart_id(request.from_cart_id());
    declined.set_cause(cause);
    declined.set_merge(given.merge());
    return decision;
  }
  if (!cart.has_value()) {
    v1::CartOpened& opened = *AddFact(id, &decision.facts).mutable_cart_opened();
    *opened.mutable_origin() = given.origin();
    opened.set_currency_code(given.currency_code());
    opened.set_life_seconds(given.life_seconds());
  }
  v1::CartTaken& fact = *AddFact(id, &decision.facts).mutable_cart_taken();
  fact.set_from_cart_id(request.from_cart_id());
  for (v1::CartLine& line : lines) *fact.add_lines() = std::move(line);
  if (into.identifiers().empty()) *fact.mutable_identifiers() = given.identifiers();
  fact.set_merge(given.merge());
  return decision;
}

absl::StatusOr<Decision<v1::SettleMergeResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                        const v1::SettleMergeRequest& request,
                                                                        const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  Decision<v1::SettleMergeResponse, v1::CartEvent> decision;
  const std::optional<rows::CartRow> cart = Find(state, OrderId::FromString(request.cart_id()));
  if (!cart.has_value()) return decision;
  const bool merging = cart->state() == v1::CART_STATE_MERGING;
  const bool given = merging || cart->state() == v1::CART_STATE_MERGED;
  switch (request.outcome_case()) {
    case v1::SettleMergeRequest::kMerged:
      if (!merging || request.merged().merge() != cart->merges()) return decision;
      *AddFact(request.cart_id(), &decision.facts).mutable_cart_merged() = request.merged();
      return decision;
    case v1::SettleMergeRequest::kReopened:
      if (!(request.reopened().replaces_lines() ? given : merging)) return decision;
      if (request.reopened().merge() != cart->merges()) return decision;
      if (!ArePricedIn(cart->currency_code(), request.reopened().lines())) {
        return Reject(v1::REJECT_REASON_MALFORMED_COMMAND, "the lines must have prices in the cart's currency",
                      {{"field", "reopened.lines"}});
      }
      *AddFact(request.cart_id(), &decision.facts).mutable_cart_reopened() = request.reopened();
      return decision;
    case v1::SettleMergeRequest::OUTCOME_NOT_SET:
      break;
  }
  return Reject(v1::REJECT_REASON_MALFORMED_COMMAND, "an outcome must be set", {{"field", "outcome"}});
}

absl::StatusOr<Decision<v1::CartTimerDueResponse, v1::CartEvent>> Decide(const store::RowReader& state,
                                                                         const v1::CartTimerDueRequest& request,
                                                                         const partition::CommandContext& context) {
  Decision<v1::CartTimerDueResponse, v1::CartEvent> decision;
  const std::optional<rows::CartRow> row = Find(state, OrderId::FromString(request.cart_id()));
  if (!row.has_value() || row->state() != v1::CART_STATE_OPEN || context.now < row->abandon_us()) return decision;
  v1::CartAbandoned& abandoned = *AddFact(request.cart_id(), &decision.facts).mutable_cart_abandoned();
  *abandoned.mutable_last_change_time() = TimestampOf(row->last_change_us());
  return decision;
}

std::optional<absl::Status> MergeOutcome(const store::RowReader& state, const OrderId& cart, int64_t merge) {
  const std::optional<rows::MergeRow> ended = kMerges.Get(state, {cart, merge});
  if (!ended.has_value()) return std::nullopt;
  if (ended->taken()) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_MERGE_DECLINED, absl::StrCat(ended->cause(), "; this cart is unchanged"),
                {{"cart_id", cart.ToString()}, {"into_cart_id", ended->into_cart_id()}, {"cause", ended->cause()}});
}

bool MergeIsUndone(const store::RowReader& state, const OrderId& cart, int64_t merge) {
  const std::optional<rows::MergeRow> ended = kMerges.Get(state, {cart, merge});
  return ended.has_value() && ended->undone();
}

}  // namespace halles::checkout::cart
