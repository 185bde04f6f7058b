// Files facts under identifiers and mirrors the identity graph.
#include "services/customer_identity/projection.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::customer_identity {
namespace {

absl::Status Broken(const partition::FactContext& context, absl::string_view why) {
  const EventRef ref{context.slot, context.position, context.index};
  return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_PROJECTED",
                 absl::StrCat(ref.ToString(), " cannot be projected: ", why), {{"event", ref.ToString()}});
}

absl::Status File(store::Rows& view, const common::v1::Identifier& identifier, rows::FactRow row,
                  const partition::FactContext& context) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(context, "an identifier is not sealed");
  row.set_event_index(context.index);
  const int64_t micros = row.time().seconds() * 1'000'000 + row.time().nanos() / 1'000;
  kFacts.Put(view,
             FactKey{key->type, key->hash, -micros, ExternalId::FromString(row.external().external_id()),
                     SourceId::FromString(row.external().source()), static_cast<uint8_t>(row.kind()), context.slot},
             row);
  return absl::OkStatus();
}

absl::Status FileSale(store::Rows& view, const checkout::v1::SaleRecord& sale, v1::TimelineKind kind,
                      const partition::FactContext& context) {
  if (sale.identifiers().empty()) return absl::OkStatus();  // nobody's
  rows::FactRow row;
  row.set_kind(kind);
  *row.mutable_time() = sale.recorded_time();
  row.set_channel(sale.channel());
  row.set_structure_id(sale.structure_id());
  *row.mutable_external() = sale.external();
  row.set_id(std::string(context.aggregate_id));
  *row.mutable_net() = sale.net();
  row.set_lines(static_cast<uint32_t>(sale.lines_size()));
  return File(view, sale.identifiers(0), std::move(row), context);
}

// A return that names nobody belongs to whoever the order belongs to.
absl::Status FileLinked(store::Rows& view, const checkout::v1::ReturnLinked& linked,
                        const partition::FactContext& context) {
  if (!linked.has_customer()) return absl::OkStatus();
  const checkout::v1::LinkedReturn& linked_return = linked.linked_return();
  rows::FactRow row;
  row.set_kind(v1::TIMELINE_KIND_RETURN);
  *row.mutable_time() = linked_return.recorded_time();
  row.set_channel(linked_return.channel());
  row.set_structure_id(linked_return.structure_id());
  *row.mutable_external() = linked_return.external();
  row.set_id(linked_return.return_id());
  *row.mutable_net() = linked_return.net();
  row.set_lines(linked_return.lines());
  return File(view, linked.customer(), std::move(row), context);
}

absl::Status MirrorIdentifier(store::Rows& view, const common::v1::Identifier& identifier,
                              const partition::FactContext& context) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(context, "an identifier is not sealed");
  kSeen.Put(view, {key->type, key->hash, context.slot}, identifier);
  return absl::OkStatus();
}

absl::Status MirrorLink(store::Rows& view, const v1::IdentifiersLinked& linked, const partition::FactContext& context) {
  const std::optional<IdentifierKey> first = KeyOf(linked.first());
  const std::optional<IdentifierKey> second = KeyOf(linked.second());
  if (!first.has_value() || !second.has_value()) return Broken(context, "an identifier is not sealed");
  rows::LinkRow row;
  row.set_strength(linked.strength());
  kNeighbours.Put(view, {first->type, first->hash, second->type, second->hash, context.slot}, row);
  kNeighbours.Put(view, {second->type, second->hash, first->type, first->hash, context.slot}, row);
  return absl::OkStatus();
}

}  // namespace

absl::Status Project(store::Rows& view, const checkout::v1::OrderEvent& event, const partition::FactContext& context) {
  switch (event.event_case()) {
    case checkout::v1::OrderEvent::kOrderImported:
      return FileSale(view, event.order_imported().sale(), v1::TIMELINE_KIND_ORDER, context);
    case checkout::v1::OrderEvent::kReturnImported:
      return FileSale(view, event.return_imported().sale(), v1::TIMELINE_KIND_RETURN, context);
    case checkout::v1::OrderEvent::kReturnLinked:
      return FileLinked(view, event.return_linked(), context);
    case checkout::v1::OrderEvent::kReturnAwaited:
      return absl::OkStatus();  // whose it is shows when the order comes
    case checkout::v1::OrderEvent::kCartOpened:
    case checkout::v1::OrderEvent::kCartLinesAdded:
    case checkout::v1::OrderEvent::kCartLineChanged:
    case checkout::v1::OrderEvent::kCartCustomerSet:
    case checkout::v1::OrderEvent::kCartDeliverySet:
    case checkout::v1::OrderEvent::kCartGiven:
    case checkout::v1::OrderEvent::kCartTaken:
    case checkout::v1::OrderEvent::kCartDeclined:
    case checkout::v1::OrderEvent::kCartMerged:
    case checkout::v1::OrderEvent::kCartMergeUndone:
    case checkout::v1::OrderEvent::kCartReopened:
    case checkout::v1::OrderEvent::kCartAbandoned:
    case checkout::v1::OrderEvent::kCheckoutStarted:
    case checkout::v1::OrderEvent::kSagaAdvanced:
    case checkout::v1::OrderEvent::kOrderConfirmed:
    case checkout::v1::OrderEvent::kOrderRejected:
    case checkout::v1::OrderEvent::kOrderCancelled:
    case checkout::v1::OrderEvent::kFulfilmentAdvanced:
    case checkout::v1::OrderEvent::kFulfilmentHandedOver:
    case checkout::v1::OrderEvent::kFulfilmentDelayed:
    case checkout::v1::OrderEvent::kFulfilmentEnded:
    case checkout::v1::OrderEvent::kRerouteStarted:
    case checkout::v1::OrderEvent::kFulfilmentRerouted:
    case checkout::v1::OrderEvent::kRerouteRefused:
    case checkout::v1::OrderEvent::kGoodsReturned:
    case checkout::v1::OrderEvent::kExchangeStarted:
    case checkout::v1::OrderEvent::kExchangeCommitted:
    case checkout::v1::OrderEvent::kExchangeRejected:
    case checkout::v1::OrderEvent::EVENT_NOT_SET:
      break;
  }
  return Broken(context, "it is no event that this version knows");
}

absl::Status Project(store::Rows& view, const v1::IdentityEvent& event, const partition::FactContext& context) {
  switch (event.event_case()) {
    case v1::IdentityEvent::kIdentifierObserved:
      return MirrorIdentifier(view, event.identifier_observed().identifier(), context);
    case v1::IdentityEvent::kIdentifiersLinked:
      return MirrorLink(view, event.identifiers_linked(), context);
    case v1::IdentityEvent::EVENT_NOT_SET:
      break;
  }
  return Broken(context, "it is no event that this version knows");
}

}  // namespace halles::customer_identity
