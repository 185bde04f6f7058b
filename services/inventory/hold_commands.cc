// Decides on holds: reserve, extend, move, release, commit, ship, cancel, expire.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "google/protobuf/repeated_field.h"
#include "libs/base/timestamp.h"
#include "services/inventory/commands.h"
#include "services/inventory/decisions.h"
#include "services/inventory/plan.h"

namespace halles::inventory {
namespace {

using partition::Decision;
using Allocations = google::protobuf::RepeatedPtrField<v1::Allocation>;

constexpr UnixMicros kExpiryMaxMicros = int64_t{kExpiryDaysMax} * 24 * 3600 * 1'000'000;

void AddAllocation(const std::string& location_id, int64_t units, Allocations* allocations) {
  v1::Allocation& allocation = *allocations->Add();
  allocation.set_location_id(location_id);
  allocation.set_units(units);
}

int64_t UnitsAt(const std::string& location_id, const Allocations& allocations) {
  int64_t units = 0;
  for (const v1::Allocation& allocation : allocations) {
    if (allocation.location_id() == location_id) units += allocation.units();
  }
  return units;
}

absl::Status CheckExpiry(const google::protobuf::Timestamp& time, const partition::CommandContext& context) {
  if (MicrosOf(time) > context.now) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_EXPIRY_IN_THE_PAST, "the expiry is in the past", {{"field", "expire_time"}});
}

absl::Status CheckNotTooFar(const google::protobuf::Timestamp& time, const partition::CommandContext& context) {
  if (MicrosOf(time) - context.now <= kExpiryMaxMicros) return absl::OkStatus();
  return Malformed(InvalidField("expire_time", "must be at most 400 days ahead"));
}

// The active hold, or the refusal that says why there is none.
absl::StatusOr<rows::HoldRow> ActiveHold(const store::RowReader& state, const HoldKey& key) {
  std::optional<rows::HoldRow> row = FindHold(state, key);
  if (!row.has_value()) return RefuseHold(v1::REJECT_REASON_HOLD_UNKNOWN, key.hold, "is unknown");
  if (!IsActive(*row)) return RefuseHold(v1::REJECT_REASON_HOLD_ENDED, key.hold, "has ended");
  return *std::move(row);
}

// The candidate locations of a command; each is read once.
class Places {
 public:
  Places(const store::RowReader& state, Sku sku) : state_(state), sku_(std::move(sku)) {}

  std::vector<size_t> NumbersOf(const google::protobuf::RepeatedPtrField<std::string>& locations) {
    std::vector<size_t> numbers;
    for (const std::string& location : locations) {
      const size_t number = NumberOf(location);
      if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
    }
    return numbers;
  }

  // Adds the units to the free units of those locations that are candidates.
  void Free(const Allocations& allocations) {
    for (const v1::Allocation& allocation : allocations) {
      const auto at = std::find(names_.begin(), names_.end(), allocation.location_id());
      if (at != names_.end()) free_[static_cast<size_t>(at - names_.begin())] += allocation.units();
    }
  }

  const std::string& name(size_t number) const { return names_[number]; }
  const std::vector<int64_t>& free() const { return free_; }

 private:
  size_t NumberOf(const std::string& location) {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == location) return i;
    }
    names_.push_back(location);
    free_.push_back(FreeUnits(LevelAt(state_, sku_, location)));
    return names_.size() - 1;
  }

  const store::RowReader& state_;
  const Sku sku_;
  std::vector<std::string> names_;
  std::vector<int64_t> free_;
};

Plan PlanLines(const std::vector<PlanLine>& lines, v1::SplitPolicy split, const Places& places) {
  return split == v1::SPLIT_POLICY_SPLIT ? PlanSplit(lines, places.free()) : PlanWhole(lines, places.free());
}

absl::Status Insufficient(const std::string& sku, const Plan& plan) {
  Metadata metadata = {{"sku", sku}};
  std::vector<size_t> lines;
  for (const PlanFailure& failure : plan.failures) {
    if (lines.size() == kFailedLinesMax) break;
    lines.push_back(failure.line);
  }
  metadata.emplace_back("lines", absl::StrJoin(lines, ","));
  for (size_t i = 0; i < lines.size(); ++i) {
    const PlanFailure& failure = plan.failures[i];
    const std::string line = absl::StrCat("line_", failure.line);
    metadata.emplace_back(absl::StrCat(line, "_asked_units"), absl::StrCat(failure.asked));
    metadata.emplace_back(absl::StrCat(line, "_available_units"), absl::StrCat(failure.available));
    metadata.emplace_back(absl::StrCat(line, "_largest_units"), absl::StrCat(failure.largest));
  }
  const PlanFailure& first = plan.failures.front();
  return Reject(v1::REJECT_REASON_INSUFFICIENT_STOCK,
                absl::StrCat("of ", sku, " line ", first.line, " asks for ", first.asked, ", its candidates have ",
                             first.available, ", one of them ", first.largest),
                metadata);
}

// The id in a reference: "c-42" for "order/c-42"; empty when there is no "/".
absl::string_view IdBehindKind(absl::string_view ref) {
  const size_t slash = ref.find('/');
  return slash == absl::string_view::npos ? absl::string_view() : ref.substr(slash + 1);
}

bool MayReplace(const v1::ReserveStockRequest& request, const rows::HoldRow& replaced) {
  if (request.owner().ref() == replaced.owner().ref()) return true;
  const bool of_shopping = replaced.purpose() == v1::HOLD_PURPOSE_CART ||
                           replaced.purpose() == v1::HOLD_PURPOSE_DATED_PICKUP ||
                           replaced.purpose() == v1::HOLD_PURPOSE_APPOINTMENT;
  const absl::string_view named = request.replaces_owner_id();
  const absl::string_view id = named.empty() ? IdBehindKind(request.owner().ref()) : named;
  return of_shopping && request.purpose() == v1::HOLD_PURPOSE_CHECKOUT && !id.empty() &&
         id == IdBehindKind(replaced.owner().ref());
}

// The hold that the request replaces; nullopt when it names none, or one that has ended.
absl::StatusOr<std::optional<rows::HoldRow>> ReplacedHold(const store::RowReader& state,
                                                          const v1::ReserveStockRequest& request) {
  const std::string& hold_id = request.replaces_hold_id();
  if (hold_id.empty()) return std::nullopt;
  std::optional<rows::HoldRow> row = FindHold(state, {Sku::FromString(request.sku()), hold_id});
  if (!row.has_value()) return RefuseHold(v1::REJECT_REASON_HOLD_UNKNOWN, hold_id, "is unknown");
  if (row->state() == v1::HOLD_STATE_COMMITTED) {
    return RefuseHold(v1::REJECT_REASON_HOLD_ENDED, hold_id, "is a sale and cannot be replaced");
  }
  if (!IsActive(*row)) return std::nullopt;
  if (!MayReplace(request, *row)) {
    return RefuseHold(v1::REJECT_REASON_HOLD_NOT_OWNED, hold_id, "belongs to another owner");
  }
  return row;
}

// Restores the hold that a cancelled one had replaced, unless it has expired, was cancelled itself or its units are
// gone: an undone reservation leaves nothing behind, and the customer keeps her own hold.
void RestoreReplaced(const store::RowReader& state, const Sku& sku, const rows::HoldRow& cancelled,
                     const partition::CommandContext& context,
                     Decision<v1::CancelReservationResponse, v1::StockEvent>* decision) {
  if (cancelled.replaced_hold_id().empty() || cancelled.state() != v1::HOLD_STATE_HELD) return;
  const std::optional<rows::HoldRow> replaced = kEnded.Get(state, {sku, cancelled.replaced_hold_id()});
  if (!replaced.has_value() || replaced->state() != v1::HOLD_STATE_RELEASED) return;
  if (replaced->expire_us() != 0 && replaced->expire_us() <= context.now) return;
  if (kCancelled.Contains(state, CancelledKeyOf(sku, replaced->request_id()))) return;
  std::map<std::string, int64_t> given_back;
  for (const v1::Allocation& allocation : cancelled.allocations()) {
    given_back[allocation.location_id()] += allocation.units();
  }
  for (const v1::Allocation& wanted : cancelled.replaced_allocations()) {
    const int64_t free = FreeUnits(LevelAt(state, sku, wanted.location_id())) + given_back[wanted.location_id()];
    if (free < wanted.units()) return;
  }
  v1::StockHeld& held = *AddFact(sku.ToString(), decision).mutable_stock_held();
  held.set_hold_id(cancelled.replaced_hold_id());
  *held.mutable_allocations() = cancelled.replaced_allocations();
  held.set_purpose(replaced->purpose());
  *held.mutable_owner() = replaced->owner();
  if (replaced->expire_us() != 0) *held.mutable_expire_time() = TimestampOf(replaced->expire_us());
  held.set_request_id(replaced->request_id());
  held.set_restored(true);
}

template <typename Fact>
void NameCustomer(const rows::HoldRow& row, Fact* fact) {
  if (row.owner().has_customer()) *fact->mutable_customer() = row.owner().customer();
}

// The units that a release or a shipment takes: those asked for, or all.
absl::StatusOr<Allocations> TakenOf(const HoldKey& key, const rows::HoldRow& row, const Allocations& asked) {
  if (asked.empty()) return row.allocations();
  for (const v1::Allocation& allocation : asked) {
    if (UnitsAt(allocation.location_id(), row.allocations()) < allocation.units()) {
      return RefuseHold(v1::REJECT_REASON_NOT_HELD_THERE, key.hold,
                        absl::StrCat("has fewer units at ", allocation.location_id()));
    }
  }
  return asked;
}

bool TakesAll(const rows::HoldRow& row, const Allocations& taken) {
  return std::all_of(row.allocations().begin(), row.allocations().end(), [&](const v1::Allocation& allocation) {
    return UnitsAt(allocation.location_id(), taken) == allocation.units();
  });
}

// Answers with the hold as it is after the events.
template <typename Response>
void AnswerHold(const HoldKey& key, rows::HoldRow row, Decision<Response, v1::StockEvent>* decision) {
  for (const partition::Fact<v1::StockEvent>& fact : decision->facts) FoldHold(fact.event, &row);
  *decision->response.mutable_hold() = HoldOf(key, row);
}

// The units that a move takes: from one location, or from all in their order.
absl::StatusOr<Allocations> GivenUp(const HoldKey& key, const rows::HoldRow& row, const v1::MoveHoldRequest& request) {
  Allocations given;
  int64_t left = request.units();
  for (const v1::Allocation& allocation : row.allocations()) {
    if (!request.from_location_id().empty() && allocation.location_id() != request.from_location_id()) continue;
    const int64_t units = request.units() == 0 ? allocation.units() : std::min(left, allocation.units());
    left -= units;
    if (units > 0) AddAllocation(allocation.location_id(), units, &given);
  }
  if (given.empty() || left > 0) {
    return RefuseHold(v1::REJECT_REASON_NOT_HELD_THERE, key.hold, "has fewer units to move there");
  }
  return given;
}

// Reverses another move if it happened and its old locations have free units. Never refused: a saga asks until it is
// done, whatever has become of the hold. A hold that has ended has no moves.
StockDecision<v1::MoveHoldResponse> TakeBack(const store::RowReader& state, const HoldKey& key,
                                             const v1::MoveHoldRequest& request) {
  Decision<v1::MoveHoldResponse, v1::StockEvent> decision;
  const std::optional<rows::HoldRow> known = FindHold(state, key);
  const rows::HoldRow row = known.value_or(rows::HoldRow());
  if (!kCancelled.Contains(state, CancelledKeyOf(key.sku, request.cancelled_request_id()))) {
    for (const rows::MoveRow& move : row.moves()) {
      if (move.request_id() != request.cancelled_request_id()) continue;
      const bool there = std::all_of(move.to().begin(), move.to().end(), [&](const v1::Allocation& a) {
        return UnitsAt(a.location_id(), row.allocations()) >= a.units();
      });
      const bool room = std::all_of(move.from().begin(), move.from().end(), [&](const v1::Allocation& a) {
        return FreeUnits(LevelAt(state, key.sku, a.location_id())) >= a.units();
      });
      if (!there || !room) continue;
      v1::HoldMoved& moved = *AddFact(request.sku(), &decision).mutable_hold_moved();
      moved.set_hold_id(key.hold);
      *moved.mutable_from() = move.to();
      *moved.mutable_to() = move.from();
      moved.set_committed(row.state() == v1::HOLD_STATE_COMMITTED);
      NameCustomer(row, &moved);
      *decision.response.mutable_moved_to() = move.from();
    }
    v1::ReservationCancelled& cancelled = *AddFact(request.sku(), &decision).mutable_reservation_cancelled();
    cancelled.set_hold_id(key.hold);
    cancelled.set_cancelled_request_id(request.cancelled_request_id());
    cancelled.set_of_move(true);
  }
  if (known.has_value()) AnswerHold(key, row, &decision);
  return decision;
}

}  // namespace

StockDecision<v1::ReserveStockResponse> Decide(const store::RowReader& state, const v1::ReserveStockRequest& request,
                                               const partition::CommandContext& context) {
  RETURN_IF_ERROR(CheckShape(request));
  if (request.has_expire_time()) RETURN_IF_ERROR(CheckNotTooFar(request.expire_time(), context));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  const std::optional<rows::HoldRow> known = FindHold(state, key);
  if ((known.has_value() && known->state() == v1::HOLD_STATE_CANCELLED) ||
      kCancelled.Contains(state, CancelledKeyOf(key.sku, request.request_id()))) {
    return RefuseHold(v1::REJECT_REASON_RESERVATION_CANCELLED, key.hold, "was cancelled before");
  }
  if (known.has_value()) return RefuseHold(v1::REJECT_REASON_HOLD_EXISTS, key.hold, "exists, of another request");
  ASSIGN_OR_RETURN(const std::optional<rows::HoldRow> replaced, ReplacedHold(state, request));
  if (request.has_expire_time()) RETURN_IF_ERROR(CheckExpiry(request.expire_time(), context));

  Places places(state, key.sku);
  std::vector<PlanLine> lines;
  for (const v1::ReserveLine& line : request.lines()) {
    const auto& candidates =
        line.candidate_location_ids().empty() ? request.candidate_location_ids() : line.candidate_location_ids();
    lines.push_back({line.units(), places.NumbersOf(candidates)});
  }
  if (replaced.has_value()) places.Free(replaced->allocations());
  const Plan plan = PlanLines(lines, request.split(), places);
  if (!plan.complete) return Insufficient(request.sku(), plan);

  Decision<v1::ReserveStockResponse, v1::StockEvent> decision;
  v1::StockHeld& held = *AddFact(request.sku(), &decision).mutable_stock_held();
  held.set_hold_id(key.hold);
  std::map<std::string, int64_t> units;
  for (const std::vector<PlanPart>& parts : plan.lines) {
    v1::LinePlan& line_plan = *decision.response.add_line_plans();
    for (const PlanPart& part : parts) {
      AddAllocation(places.name(part.location), part.units, line_plan.mutable_allocations());
      units[places.name(part.location)] += part.units;
    }
  }
  for (const auto& [location, sum] : units) AddAllocation(location, sum, held.mutable_allocations());
  held.set_purpose(request.purpose());
  *held.mutable_owner() = request.owner();
  if (request.has_expire_time()) *held.mutable_expire_time() = request.expire_time();
  held.set_request_id(request.request_id());
  if (replaced.has_value()) {
    held.set_replaced_hold_id(request.replaces_hold_id());
    *held.mutable_replaced_allocations() = replaced->allocations();
  }
  *decision.response.mutable_hold() = HoldOf(key, NewHold(held, 0));
  return decision;
}

StockDecision<v1::ExtendHoldResponse> Decide(const store::RowReader& state, const v1::ExtendHoldRequest& request,
                                             const partition::CommandContext& context) {
  RETURN_IF_ERROR(CheckShape(request));
  RETURN_IF_ERROR(CheckNotTooFar(request.expire_time(), context));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  ASSIGN_OR_RETURN(const rows::HoldRow row, ActiveHold(state, key));
  RETURN_IF_ERROR(CheckExpiry(request.expire_time(), context));
  Decision<v1::ExtendHoldResponse, v1::StockEvent> decision;
  if (row.expire_us() != 0 && row.expire_us() != MicrosOf(request.expire_time())) {
    v1::HoldExtended& extended = *AddFact(request.sku(), &decision).mutable_hold_extended();
    extended.set_hold_id(key.hold);
    *extended.mutable_expire_time() = request.expire_time();
    NameCustomer(row, &extended);
  }
  AnswerHold(key, row, &decision);
  return decision;
}

StockDecision<v1::MoveHoldResponse> Decide(const store::RowReader& state, const v1::MoveHoldRequest& request,
                                           const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  if (!request.cancelled_request_id().empty()) return TakeBack(state, key, request);
  if (kCancelled.Contains(state, CancelledKeyOf(key.sku, request.request_id()))) {
    return RefuseHold(v1::REJECT_REASON_RESERVATION_CANCELLED, key.hold,
                      "is not moved: the request was cancelled before");
  }
  ASSIGN_OR_RETURN(const rows::HoldRow row, ActiveHold(state, key));
  ASSIGN_OR_RETURN(const Allocations given, GivenUp(key, row, request));

  Places places(state, key.sku);
  PlanLine line{0, places.NumbersOf(request.candidate_location_ids())};
  for (const v1::Allocation& allocation : given) line.units += allocation.units();
  places.Free(given);
  const Plan plan = PlanLines({line}, request.split(), places);
  if (!plan.complete) return Insufficient(request.sku(), plan);

  Decision<v1::MoveHoldResponse, v1::StockEvent> decision;
  std::map<std::string, int64_t> change;
  for (const PlanPart& part : plan.lines[0]) {
    AddAllocation(places.name(part.location), part.units, decision.response.mutable_moved_to());
    change[places.name(part.location)] += part.units;
  }
  for (const v1::Allocation& allocation : given) change[allocation.location_id()] -= allocation.units();
  const bool moves = std::any_of(change.begin(), change.end(), [](const auto& entry) { return entry.second != 0; });
  if (moves) {
    v1::HoldMoved& moved = *AddFact(request.sku(), &decision).mutable_hold_moved();
    moved.set_hold_id(key.hold);
    for (const auto& [location, units] : change) {
      if (units < 0) AddAllocation(location, -units, moved.mutable_from());
      if (units > 0) AddAllocation(location, units, moved.mutable_to());
    }
    moved.set_committed(row.state() == v1::HOLD_STATE_COMMITTED);
    NameCustomer(row, &moved);
    moved.set_request_id(request.request_id());
  }
  AnswerHold(key, row, &decision);
  return decision;
}

StockDecision<v1::ReleaseHoldResponse> Decide(const store::RowReader& state, const v1::ReleaseHoldRequest& request,
                                              const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  const std::optional<rows::HoldRow> row = FindHold(state, key);
  if (!row.has_value()) return RefuseHold(v1::REJECT_REASON_HOLD_UNKNOWN, key.hold, "is unknown");
  Decision<v1::ReleaseHoldResponse, v1::StockEvent> decision;
  if (IsActive(*row)) {
    ASSIGN_OR_RETURN(const Allocations taken, TakenOf(key, *row, request.allocations()));
    v1::HoldReleased& released = *AddFact(request.sku(), &decision).mutable_hold_released();
    released.set_hold_id(key.hold);
    *released.mutable_allocations() = taken;
    released.set_ended(TakesAll(*row, taken));
    released.set_committed(row->state() == v1::HOLD_STATE_COMMITTED);
    NameCustomer(*row, &released);
  }
  AnswerHold(key, *row, &decision);
  return decision;
}

StockDecision<v1::CommitHoldResponse> Decide(const store::RowReader& state, const v1::CommitHoldRequest& request,
                                             const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  const std::optional<rows::HoldRow> row = FindHold(state, key);
  if (!row.has_value()) return RefuseHold(v1::REJECT_REASON_HOLD_UNKNOWN, key.hold, "is unknown");
  Decision<v1::CommitHoldResponse, v1::StockEvent> decision;
  const bool sold = row->state() == v1::HOLD_STATE_COMMITTED || row->state() == v1::HOLD_STATE_SHIPPED;
  if (sold && row->order_id() == request.order_id()) {
    AnswerHold(key, *row, &decision);
    return decision;
  }
  if (!IsActive(*row)) return RefuseHold(v1::REJECT_REASON_HOLD_ENDED, key.hold, "has ended");
  if (sold) return RefuseHold(v1::REJECT_REASON_HOLD_NOT_OWNED, key.hold, "is a sale of another order");
  v1::HoldCommitted& committed = *AddFact(request.sku(), &decision).mutable_hold_committed();
  committed.set_hold_id(key.hold);
  committed.set_order_id(request.order_id());
  *committed.mutable_allocations() = row->allocations();
  NameCustomer(*row, &committed);
  AnswerHold(key, *row, &decision);
  return decision;
}

StockDecision<v1::ShipStockResponse> Decide(const store::RowReader& state, const v1::ShipStockRequest& request,
                                            const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  ASSIGN_OR_RETURN(const rows::HoldRow row, ActiveHold(state, key));
  if (row.state() != v1::HOLD_STATE_COMMITTED) {
    return RefuseHold(v1::REJECT_REASON_HOLD_NOT_COMMITTED, key.hold, "is not a sale yet");
  }
  ASSIGN_OR_RETURN(const Allocations taken, TakenOf(key, row, request.allocations()));
  for (const v1::Allocation& allocation : taken) {
    const int64_t on_hand = LevelAt(state, key.sku, allocation.location_id()).on_hand();
    if (on_hand >= allocation.units()) continue;
    return Reject(v1::REJECT_REASON_ON_HAND_WOULD_BE_NEGATIVE,
                  absl::StrCat("only ", on_hand, " are on hand at ", allocation.location_id()),
                  {{"location_id", allocation.location_id()}, {"on_hand_units", absl::StrCat(on_hand)}});
  }
  Decision<v1::ShipStockResponse, v1::StockEvent> decision;
  v1::StockShipped& shipped = *AddFact(request.sku(), &decision).mutable_stock_shipped();
  shipped.set_hold_id(key.hold);
  *shipped.mutable_allocations() = taken;
  shipped.set_ended(TakesAll(row, taken));
  shipped.set_order_id(row.order_id());
  NameCustomer(row, &shipped);
  AnswerHold(key, row, &decision);
  return decision;
}

StockDecision<v1::CancelReservationResponse> Decide(const store::RowReader& state,
                                                    const v1::CancelReservationRequest& request,
                                                    const partition::CommandContext& context) {
  RETURN_IF_ERROR(CheckShape(request));
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  Decision<v1::CancelReservationResponse, v1::StockEvent> decision;
  if (kCancelled.Contains(state, CancelledKeyOf(key.sku, request.cancelled_request_id()))) return decision;
  v1::ReservationCancelled& cancelled = *AddFact(request.sku(), &decision).mutable_reservation_cancelled();
  cancelled.set_hold_id(key.hold);
  cancelled.set_cancelled_request_id(request.cancelled_request_id());
  const std::optional<rows::HoldRow> row = kHolds.Get(state, key);
  if (row.has_value() && row->request_id() == request.cancelled_request_id()) {
    cancelled.set_released(true);
    *cancelled.mutable_allocations() = row->allocations();
    cancelled.set_committed(row->state() == v1::HOLD_STATE_COMMITTED);
    NameCustomer(*row, &cancelled);
  }
  decision.response.set_released(cancelled.released());
  if (cancelled.released()) RestoreReplaced(state, key.sku, *row, context, &decision);
  return decision;
}

StockDecision<v1::ExpireHoldResponse> Decide(const store::RowReader& state, const v1::ExpireHoldRequest& request,
                                             const partition::CommandContext& context) {
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  Decision<v1::ExpireHoldResponse, v1::StockEvent> decision;
  const std::optional<rows::HoldRow> row = kHolds.Get(state, key);
  if (!row.has_value() || row->state() != v1::HOLD_STATE_HELD || row->expire_us() == 0 ||
      row->expire_us() > context.now) {
    return decision;
  }
  v1::HoldExpired& expired = *AddFact(request.sku(), &decision).mutable_hold_expired();
  expired.set_hold_id(key.hold);
  *expired.mutable_allocations() = row->allocations();
  NameCustomer(*row, &expired);
  return decision;
}

}  // namespace halles::inventory
