// Projects the holds that inventory has for customers.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/inventory/v1/inventory_events.visit.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/customer_identity/customer_writer.h"

namespace halles::customer_identity {
namespace {

using inventory::v1::Allocation;
using inventory::v1::StockEvent;
using Allocations = google::protobuf::RepeatedPtrField<Allocation>;

// Adds or subtracts units at locations, as `sign` says. A location without units is removed.
void Shift(Allocations* allocations, const Allocations& by, int sign) {
  for (const Allocation& shift : by) {
    auto at = std::find_if(allocations->begin(), allocations->end(), [&](const Allocation& allocation) {
      return allocation.location_id() == shift.location_id();
    });
    if (at == allocations->end()) {
      allocations->Add()->set_location_id(shift.location_id());
      at = allocations->end() - 1;
    }
    at->set_units(at->units() + sign * shift.units());
    if (at->units() == 0) allocations->erase(at);
  }
}

// A hold of a customer while one of its events is folded. Holds without a customer have no rows.
class HoldFold {
 public:
  HoldFold(CustomerWriter* writer, const std::string& hold_id)
      : writer_(*writer),
        sku_(writer->context().aggregate_id),
        hold_id_(hold_id),
        key_{Sku::FromString(sku_), PartId::FromString(hold_id), writer->context().slot},
        row_(kHolds.Get(writer->view(), key_)) {}

  bool known() const { return row_.has_value(); }
  rows::HoldRow& row() { return *row_; }

  absl::Status Place(rows::HoldRow row) {
    row_ = std::move(row);
    RETURN_IF_ERROR(Write());
    RETURN_IF_ERROR(writer_.AddActivity(row_->customer(), ActivityKind::kHold, row_->hold_us(), sku_, hold_id_));
    return Tell(v1::TIMELINE_KIND_HOLD_PLACED);
  }

  absl::Status Write() {
    row_->set_event_index(writer_.context().index);
    kHolds.Put(writer_.view(), key_, *row_);
    return writer_.MarkChanged(row_->customer());
  }

  // Removes the hold, which has ended. UNSPECIFIED adds no entry to the timeline.
  absl::Status End(v1::TimelineKind kind) {
    RETURN_IF_ERROR(writer_.RemoveActivity(row_->customer(), ActivityKind::kHold, row_->hold_us(), sku_, hold_id_));
    if (kind != v1::TIMELINE_KIND_UNSPECIFIED) RETURN_IF_ERROR(Tell(kind));
    kHolds.Delete(writer_.view(), key_);
    return absl::OkStatus();
  }

 private:
  // Adds an entry to the timeline. Holds of an order that is being placed get none, because the order gets one.
  absl::Status Tell(v1::TimelineKind kind) {
    if (row_->purpose() == inventory::v1::HOLD_PURPOSE_CHECKOUT) return absl::OkStatus();
    rows::FactRow fact;
    fact.set_kind(kind);
    *fact.mutable_time() = TimestampOf(writer_.context().logical_time);
    if (row_->allocations_size() > 0) fact.set_location_id(row_->allocations(0).location_id());
    fact.mutable_external()->set_source(kHere);
    fact.mutable_external()->set_external_id(absl::StrCat(sku_, "/", hold_id_));
    fact.set_id(hold_id_);
    fact.set_detail(sku_);
    return writer_.PutFact(row_->customer(), std::move(fact));
  }

  CustomerWriter& writer_;
  const std::string sku_;
  const std::string hold_id_;
  const HoldKey key_;
  std::optional<rows::HoldRow> row_;
};

absl::Status ProjectHeld(const inventory::v1::StockHeld& held, CustomerWriter* writer) {
  if (!held.replaced_hold_id().empty()) {
    HoldFold replaced(writer, held.replaced_hold_id());
    if (replaced.known()) RETURN_IF_ERROR(replaced.End(v1::TIMELINE_KIND_UNSPECIFIED));
  }
  if (!held.owner().has_customer()) return absl::OkStatus();
  rows::HoldRow row;
  *row.mutable_customer() = held.owner().customer();
  *row.mutable_allocations() = held.allocations();
  row.set_purpose(held.purpose());
  row.set_owner_ref(held.owner().ref());
  row.set_hold_us(writer->context().logical_time);
  if (held.has_expire_time()) *row.mutable_expire_time() = held.expire_time();
  return HoldFold(writer, held.hold_id()).Place(std::move(row));
}

// Projects an event of a hold. The event names the customer of the hold; without a customer there is no row.
template <typename Fact, typename Change>
absl::Status ProjectHold(const Fact& fact, CustomerWriter* writer, const Change& change) {
  if (!fact.has_customer()) return absl::OkStatus();
  HoldFold hold(writer, fact.hold_id());
  return hold.known() ? change(hold) : absl::OkStatus();
}

template <typename Fact>
absl::Status ProjectEnd(const Fact& fact, v1::TimelineKind kind, CustomerWriter* writer) {
  return ProjectHold(fact, writer, [kind](HoldFold& hold) { return hold.End(kind); });
}

// The ignored events change no hold in the view.
struct StockProjector
    : PassesOver<inventory::v1::StockReceived, inventory::v1::StockCounted, inventory::v1::StockAdjusted,
                 inventory::v1::BackorderAllowed, inventory::v1::StockShipped, inventory::v1::StockReturned,
                 inventory::v1::TransferReceived, inventory::v1::PromiseBroken, inventory::v1::StockContradicted> {
  using PassesOver::operator();

  absl::Status operator()(const inventory::v1::StockHeld& held) const { return ProjectHeld(held, writer); }
  absl::Status operator()(const inventory::v1::HoldExtended& extended) const {
    return ProjectHold(extended, writer, [&](HoldFold& hold) {
      *hold.row().mutable_expire_time() = extended.expire_time();
      return hold.Write();
    });
  }
  absl::Status operator()(const inventory::v1::HoldMoved& moved) const {
    return ProjectHold(moved, writer, [&](HoldFold& hold) {
      Shift(hold.row().mutable_allocations(), moved.from(), -1);
      Shift(hold.row().mutable_allocations(), moved.to(), 1);
      return hold.Write();
    });
  }
  absl::Status operator()(const inventory::v1::HoldReleased& released) const {
    return ProjectHold(released, writer, [&](HoldFold& hold) {
      if (released.ended()) return hold.End(v1::TIMELINE_KIND_HOLD_RELEASED);
      Shift(hold.row().mutable_allocations(), released.allocations(), -1);
      return hold.Write();
    });
  }
  absl::Status operator()(const inventory::v1::HoldCommitted& committed) const {
    return ProjectEnd(committed, v1::TIMELINE_KIND_HOLD_COMMITTED, writer);
  }
  absl::Status operator()(const inventory::v1::HoldExpired& expired) const {
    return ProjectEnd(expired, v1::TIMELINE_KIND_HOLD_EXPIRED, writer);
  }
  absl::Status operator()(const inventory::v1::ReservationCancelled& cancelled) const {
    return ProjectEnd(cancelled, v1::TIMELINE_KIND_HOLD_RELEASED, writer);
  }
  // Goods that were sent are no longer held. The event does not name the customer.
  absl::Status operator()(const inventory::v1::TransferSent& sent) const {
    if (sent.hold_id().empty()) return absl::OkStatus();
    HoldFold hold(writer, sent.hold_id());
    if (!hold.known()) return absl::OkStatus();
    Allocations taken;
    taken.Add()->set_location_id(sent.from_location_id());
    taken[0].set_units(sent.units());
    Allocations left = hold.row().allocations();
    Shift(&left, taken, -1);
    if (left.empty()) return hold.End(v1::TIMELINE_KIND_HOLD_SENT);
    *hold.row().mutable_allocations() = std::move(left);
    return hold.Write();
  }
  absl::Status operator()(NoEvent) const { return writer->Broken("this version does not know the event"); }

  CustomerWriter* writer;
};

}  // namespace

absl::Status Project(store::Rows& view, const StockEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  return Visit(event, StockProjector{{}, &writer});
}

absl::Span<const int> ProjectedStockFields() { return kHandledFields<StockEvent, StockProjector>; }

}  // namespace halles::customer_identity
