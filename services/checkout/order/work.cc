// Keeps the time from which each part of an order needs attention, and lists the parts that are due.
#include "services/checkout/order/work.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "halles/checkout/v1/order_events.visit.h"
#include "halles/inventory/v1/inventory_events.visit.h"
#include "libs/base/page_token.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "libs/saga/saga.h"
#include "libs/store/key_codec.h"
#include "services/checkout/amounts.h"
#include "services/checkout/checks.h"

namespace halles::checkout::order {
namespace {

constexpr int kPageDefault = 100;

std::string RefOf(const partition::FactContext& context) {
  return EventRef{context.slot, context.position, context.index}.ToString();
}

// The parts of an event's order, as the view has them. Put writes them.
class Parts {
 public:
  Parts(store::Rows& view, const partition::FactContext& context)
      : view_(view), context_(context), key_{OrderId::FromString(context.aggregate_id)} {
    row_ = kWorkOrders.Get(view, key_).value_or(rows::WorkOrderRow());
  }

  rows::WorkPart* Find(absl::string_view fulfilment_id) {
    for (rows::WorkPart& part : *row_.mutable_parts()) {
      if (part.fulfilment_id() == fulfilment_id) return &part;
    }
    return nullptr;
  }

  void Add(const v1::Fulfilment& fulfilment) {
    rows::WorkPart& part = *row_.add_parts();
    part.set_fulfilment_id(fulfilment.fulfilment_id());
    part.set_location_id(fulfilment.location_id());
    for (const v1::FulfilmentLine& line : fulfilment.lines()) {
      v1::FulfilmentLine& kept = *part.add_lines();
      kept.set_sku(line.sku());
      kept.set_hold_id(line.hold_id());
    }
    const v1::Shipment& shipment = fulfilment.delivery().shipment();
    if (shipment.has_promised_time()) Promise(&part, MicrosOf(shipment.promised_time()));
  }

  void Remove(absl::string_view fulfilment_id) {
    for (int i = 0; i < row_.parts_size(); ++i) {
      if (row_.parts(i).fulfilment_id() != fulfilment_id) continue;
      ClearDue(row_.mutable_parts(i));
      row_.mutable_parts()->DeleteSubrange(i, 1);
      return;
    }
  }

  // Marks the part as late from `time` on.
  void Promise(rows::WorkPart* part, UnixMicros time) {
    SetDue(part, time,
           WorkOf(v1::WORK_KIND_LATE,
                  absl::StrCat("promised for ", absl::FormatTime(absl::FromUnixMicros(time), absl::UTCTimeZone())),
                  part->location_id()));
  }
  void Delay(rows::WorkPart* part, const v1::FulfilmentDelayed& delayed) {
    SetDue(part, context_.logical_time, WorkOf(v1::WORK_KIND_LATE, delayed.cause(), part->location_id()));
  }
  // Adds the saga of the order, which counts as stuck after kStuckAfterMicros unless it is removed.
  void Begin(absl::string_view what) {
    Remove("");
    SetDue(row_.add_parts(), context_.logical_time + kStuckAfterMicros, WorkOf(v1::WORK_KIND_STUCK, what, ""));
  }
  // States why the saga is being undone, and whether nobody answers its calls.
  void Explain(const saga::v1::SagaAdvanced& advanced) {
    rows::WorkPart* saga = Find("");
    const bool unanswered = advanced.attempt() >= saga::kRecordedRetries;
    if (saga == nullptr || (advanced.cause().empty() && saga->unanswered() == unanswered)) return;
    const WorkKey key{saga->due_us(), key_.order, ""};
    rows::WorkRow row = kWork.Get(view_, key).value_or(rows::WorkRow());
    if (!advanced.cause().empty()) row.set_cause(absl::StrCat("is being undone: ", advanced.cause()));
    row.set_unanswered(unanswered);
    kWork.Put(view_, key, row);
    if (saga->unanswered() == unanswered) return;
    saga->set_unanswered(unanswered);
    Put();
  }
  void Move(rows::WorkPart* part, const std::string& to_location_id) {
    part->set_location_id(to_location_id);
    if (!part->has_due_us()) return;
    const WorkKey key{part->due_us(), key_.order, part->fulfilment_id()};
    rows::WorkRow row = kWork.Get(view_, key).value_or(rows::WorkRow());
    row.set_location_id(to_location_id);
    kWork.Put(view_, key, row);
  }

  void Put() {
    if (row_.parts().empty()) {
      kWorkOrders.Delete(view_, key_);
    } else {
      kWorkOrders.Put(view_, key_, row_);
    }
  }

 private:
  rows::WorkRow WorkOf(v1::WorkKind kind, absl::string_view cause, const std::string& location_id) const {
    rows::WorkRow row;
    row.set_kind(kind);
    row.set_cause(std::string(cause));
    row.set_event(RefOf(context_));
    row.set_location_id(location_id);
    return row;
  }

  void SetDue(rows::WorkPart* part, UnixMicros due, const rows::WorkRow& row) {
    ClearDue(part);
    part->set_due_us(due);
    kWork.Put(view_, {due, key_.order, part->fulfilment_id()}, row);
  }
  void ClearDue(rows::WorkPart* part) {
    if (part->has_due_us()) kWork.Delete(view_, {part->due_us(), key_.order, part->fulfilment_id()});
    part->clear_due_us();
  }

  store::Rows& view_;
  const partition::FactContext& context_;
  WorkOrderKey key_;
  rows::WorkOrderRow row_;
};

// The id of a hold of a saga begins with the id of the order and '/'.
std::string OrderOfHold(absl::string_view hold_id) { return std::string(hold_id.substr(0, hold_id.find('/'))); }

bool IsOfSaga(absl::string_view hold_id) { return hold_id.find('/') != absl::string_view::npos; }

void Break(store::Rows& view, const inventory::v1::PromiseBroken& broken, const partition::FactContext& context) {
  for (const std::string& hold : broken.hold_ids()) {
    if (!IsOfSaga(hold)) continue;
    const HoldKey key{Sku::FromString(context.aggregate_id), hold};
    rows::WorkRow work;
    work.set_kind(v1::WORK_KIND_CONTRADICTORY);
    work.set_cause(absl::StrCat(broken.short_units(), " promised units of ", context.aggregate_id, " are missing"));
    work.set_event(RefOf(context));
    work.set_location_id(broken.location_id());
    kContradictions.Put(view, {context.logical_time, key.sku, hold, LocationId::FromString(broken.location_id())},
                        work);
    rows::BrokenPromisesRow row = kBrokenPromises.Get(view, key).value_or(rows::BrokenPromisesRow());
    rows::BrokenPromise& entry = *row.add_broken();
    entry.set_since_us(context.logical_time);
    entry.set_location_id(broken.location_id());
    kBrokenPromises.Put(view, key, row);
  }
}

// Removes the reports about a hold whose goods have left the location; all its reports if `location_id` is null.
void Mend(store::Rows& view, const std::string& hold, const std::string* location_id,
          const partition::FactContext& context) {
  const HoldKey key{Sku::FromString(context.aggregate_id), hold};
  std::optional<rows::BrokenPromisesRow> row = kBrokenPromises.Get(view, key);
  if (!row.has_value()) return;
  rows::BrokenPromisesRow left;
  for (const rows::BrokenPromise& entry : row->broken()) {
    if (location_id != nullptr && entry.location_id() != *location_id) {
      *left.add_broken() = entry;
    } else {
      kContradictions.Delete(view, {entry.since_us(), key.sku, hold, LocationId::FromString(entry.location_id())});
    }
  }
  if (left.broken().empty()) {
    kBrokenPromises.Delete(view, key);
  } else {
    kBrokenPromises.Put(view, key, left);
  }
}

void Contradict(store::Rows& view, const inventory::v1::StockContradicted& fact,
                const partition::FactContext& context) {
  rows::WorkRow work;
  work.set_kind(v1::WORK_KIND_CONTRADICTORY);
  work.set_cause(fact.cause());
  work.set_event(RefOf(context));
  work.set_order_id(fact.order_id());
  kContradictions.Put(view, {context.logical_time, Sku::FromString(context.aggregate_id), fact.hold_id(), LocationId()},
                      work);
}

// An item and its sort key.
struct Listed {
  std::string rank;
  v1::WorkItem item;
};

template <class Key>
std::string RankOf(char table, const Key& key) {
  std::string rank;
  store::AppendField(key.since_us, &rank);
  rank.push_back(table);
  store::AppendKey(key, &rank);
  return rank;
}

// What a saga that is stuck waits for.
std::string WaitOf(UnixMicros since, const rows::WorkRow& row, UnixMicros now) {
  if (!row.unanswered()) return "";
  if (now - since >= kSagaLifeMicros - kStuckAfterMicros) {
    return "; it is too old for its calls to be executed and does not end by itself";
  }
  return "; nobody answers its calls, which are sent again until somebody does";
}

v1::WorkItem ItemOf(UnixMicros since, const rows::WorkRow& row, UnixMicros now) {
  v1::WorkItem item;
  item.set_kind(row.kind());
  *item.mutable_since_time() = TimestampOf(since);
  item.set_cause(absl::StrCat(row.cause(), WaitOf(since, row, now)));
  item.set_event(row.event());
  item.set_location_id(row.location_id());
  return item;
}

// Fills in the fulfilment that a contradiction is about; false if the contradiction is no longer shown.
bool Locate(const store::RowReader& view, const ContradictionKey& key, const rows::WorkRow& row, UnixMicros now,
            v1::WorkItem* item) {
  const bool broken = !key.location.empty();
  item->set_order_id(row.order_id().empty() ? OrderOfHold(key.hold) : row.order_id());
  const auto order = kWorkOrders.Get(view, {OrderId::FromString(item->order_id())});
  if (order.has_value()) {
    for (const rows::WorkPart& part : order->parts()) {
      if (broken && part.location_id() != key.location.ToString()) continue;
      for (const v1::FulfilmentLine& line : part.lines()) {
        if (line.sku() != key.sku.ToString() || line.hold_id() != key.hold) continue;
        item->set_fulfilment_id(part.fulfilment_id());
        item->set_location_id(part.location_id());
        return true;
      }
    }
  }
  return !broken && key.since_us + kContradictedForMicros > now;
}

std::string Fingerprint(const v1::ListWorkQueueRequest& request) {
  v1::ListWorkQueueRequest same = request;
  same.clear_page_size();
  same.clear_page_token();
  same.clear_consistency_token();
  return absl::StrCat("work ", store::SerializeRow(same));
}

// Updates the parts of an order from its events.
struct WorkProjector : PassesOver<v1::GoodsReturned> {
  using PassesOver::operator();

  absl::Status operator()(const v1::CheckoutStarted&) { return Begin("is being placed"); }
  absl::Status operator()(const saga::v1::SagaAdvanced& advanced) {
    parts.Explain(advanced);
    return absl::OkStatus();
  }
  absl::Status operator()(const v1::OrderConfirmed& confirmed) { return End(confirmed.fulfilments()); }
  absl::Status operator()(const v1::OrderRejected&) { return End({}); }
  absl::Status operator()(const v1::OrderCancelled& cancelled) {
    for (const v1::Fulfilment& ended : cancelled.fulfilments()) parts.Remove(ended.fulfilment_id());
    return Put();
  }
  absl::Status operator()(const v1::FulfilmentAdvanced& advanced) {
    if (advanced.state() != v1::FULFILMENT_STATE_COMPLETED) return absl::OkStatus();
    return Remove(advanced.fulfilment_id());
  }
  absl::Status operator()(const v1::FulfilmentHandedOver& handed_over) {
    if (handed_over.state() != v1::FULFILMENT_STATE_COLLECTED) return absl::OkStatus();
    return Remove(handed_over.fulfilment().fulfilment_id());
  }
  absl::Status operator()(const v1::FulfilmentDelayed& delayed) {
    rows::WorkPart* part = parts.Find(delayed.fulfilment_id());
    if (part == nullptr) return absl::OkStatus();
    parts.Delay(part, delayed);
    return Put();
  }
  absl::Status operator()(const v1::FulfilmentEnded& ended) { return Remove(ended.fulfilment().fulfilment_id()); }
  absl::Status operator()(const v1::RerouteStarted& started) {
    return Begin(absl::StrCat("fulfilment ", started.fulfilment_id(), " is being moved"));
  }
  absl::Status operator()(const v1::FulfilmentRerouted& rerouted) {
    rows::WorkPart* part = parts.Find(rerouted.fulfilment_id());
    if (part != nullptr) parts.Move(part, rerouted.to_location_id());
    return End({});
  }
  absl::Status operator()(const v1::RerouteRefused&) { return End({}); }
  absl::Status operator()(const v1::ExchangeStarted& started) {
    return Begin(absl::StrCat("exchange ", started.exchange_id(), " is being made"));
  }
  absl::Status operator()(const v1::ExchangeCommitted& committed) { return End(committed.fulfilments()); }
  absl::Status operator()(const v1::ExchangeRejected&) { return End({}); }
  absl::Status operator()(NoEvent) const { return absl::OkStatus(); }

  absl::Status Put() {
    parts.Put();
    return absl::OkStatus();
  }
  absl::Status Begin(absl::string_view what) {
    parts.Begin(what);
    return Put();
  }
  // Removes the saga, which has ended, and adds these fulfilments.
  absl::Status End(const google::protobuf::RepeatedPtrField<v1::Fulfilment>& fulfilments) {
    parts.Remove("");
    for (const v1::Fulfilment& planned : fulfilments) parts.Add(planned);
    return Put();
  }
  absl::Status Remove(absl::string_view fulfilment_id) {
    parts.Remove(fulfilment_id);
    return Put();
  }

  Parts parts;
};

// Updates the contradictions from events of inventory.
struct StockProjector
    : PassesOver<inventory::v1::StockReceived, inventory::v1::StockCounted, inventory::v1::StockAdjusted,
                 inventory::v1::BackorderAllowed, inventory::v1::StockHeld, inventory::v1::HoldExtended,
                 inventory::v1::HoldCommitted, inventory::v1::StockReturned, inventory::v1::TransferSent,
                 inventory::v1::TransferReceived> {
  using PassesOver::operator();

  absl::Status operator()(const inventory::v1::PromiseBroken& broken) const {
    Break(view, broken, context);
    return absl::OkStatus();
  }
  absl::Status operator()(const inventory::v1::StockContradicted& contradicted) const {
    Contradict(view, contradicted, context);
    return absl::OkStatus();
  }
  absl::Status operator()(const inventory::v1::HoldMoved& moved) const { return Leave(moved.hold_id(), moved.from()); }
  absl::Status operator()(const inventory::v1::HoldReleased& released) const {
    return Leave(released.hold_id(), released.allocations());
  }
  absl::Status operator()(const inventory::v1::StockShipped& shipped) const {
    return Leave(shipped.hold_id(), shipped.allocations());
  }
  absl::Status operator()(const inventory::v1::HoldExpired& expired) const {
    Mend(view, expired.hold_id(), nullptr, context);
    return absl::OkStatus();
  }
  absl::Status operator()(const inventory::v1::ReservationCancelled& cancelled) const {
    if (cancelled.released()) Mend(view, cancelled.hold_id(), nullptr, context);
    return absl::OkStatus();
  }
  absl::Status operator()(NoEvent) const { return absl::OkStatus(); }

  absl::Status Leave(const std::string& hold_id,
                     const google::protobuf::RepeatedPtrField<inventory::v1::Allocation>& allocations) const {
    for (const inventory::v1::Allocation& from : allocations) Mend(view, hold_id, &from.location_id(), context);
    return absl::OkStatus();
  }

  store::Rows& view;
  const partition::FactContext& context;
};

}  // namespace

absl::Status ProjectWork(store::Rows& view, const v1::OrderEvent& event, const partition::FactContext& context) {
  return Visit(event, WorkProjector{{}, Parts(view, context)});
}

absl::Status ProjectStock(store::Rows& view, const inventory::v1::StockEvent& event,
                          const partition::FactContext& context) {
  return Visit(event, StockProjector{{}, view, context});
}

absl::Span<const int> WorkFields() { return kHandledFields<v1::OrderEvent, WorkProjector>; }
absl::Span<const int> StockFields() { return kHandledFields<inventory::v1::StockEvent, StockProjector>; }

absl::StatusOr<v1::ListWorkQueueResponse> QueryWork(const store::RowReader& view,
                                                    const v1::ListWorkQueueRequest& request, UnixMicros now) {
  ASSIGN_OR_RETURN(const std::string after, DecodePageToken(Fingerprint(request), request.page_token()));
  const size_t page_size =
      request.page_size() == 0 ? kPageDefault : static_cast<size_t>(std::min(request.page_size(), kWorkPageMax));

  WorkKey first;
  ContradictionKey first_contradiction;
  absl::string_view place = after;
  if (!place.empty() && !store::TakeField(&place, &first.since_us)) {
    return InvalidField("page_token", "is not a token of this method");
  }
  first_contradiction.since_us = first.since_us;
  const auto wanted = [&](const v1::WorkItem& item) {
    return (request.kind() == v1::WORK_KIND_UNSPECIFIED || item.kind() == request.kind()) &&
           (request.location_id().empty() || item.location_id() == request.location_id());
  };
  std::vector<Listed> found;
  size_t of_table = 0;  // rows from the current table; one more than a page is enough
  kWork.ForEachFrom(view, first, [&](const WorkKey& key, const rows::WorkRow& row, Position) {
    if (key.since_us > now || of_table > page_size) return false;
    Listed listed{RankOf('w', key), ItemOf(key.since_us, row, now)};
    listed.item.set_order_id(key.order.ToString());
    listed.item.set_fulfilment_id(key.fulfilment);
    if (listed.rank <= after || !wanted(listed.item)) return true;
    found.push_back(std::move(listed));
    ++of_table;
    return true;
  });
  of_table = 0;
  kContradictions.ForEachFrom(
      view, first_contradiction, [&](const ContradictionKey& key, const rows::WorkRow& row, Position) {
        if (of_table > page_size) return false;
        Listed listed{RankOf('c', key), ItemOf(key.since_us, row, now)};
        if (listed.rank <= after || !Locate(view, key, row, now, &listed.item) || !wanted(listed.item)) return true;
        found.push_back(std::move(listed));
        ++of_table;
        return true;
      });
  RETURN_IF_ERROR(view.status());
  std::sort(found.begin(), found.end(), [](const Listed& a, const Listed& b) { return a.rank < b.rank; });

  v1::ListWorkQueueResponse response;
  for (size_t i = 0; i < std::min(page_size, found.size()); ++i) *response.add_items() = std::move(found[i].item);
  if (found.size() > page_size) {
    response.set_next_page_token(EncodePageToken(Fingerprint(request), found[page_size - 1].rank));
  }
  return response;
}

}  // namespace halles::checkout::order
