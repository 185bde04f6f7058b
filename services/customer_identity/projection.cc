// Files facts under identifiers and mirrors the identity graph.
#include "services/customer_identity/projection.h"

#include <optional>
#include <utility>

#include "libs/base/status.h"
#include "services/customer_identity/customer_writer.h"

namespace halles::customer_identity {
namespace {

// A return that names nobody belongs to whoever the order belongs to.
absl::Status ProjectLinked(const checkout::v1::ReturnLinked& linked, CustomerWriter* writer) {
  if (!linked.has_customer()) return absl::OkStatus();
  const checkout::v1::LinkedReturn& linked_return = linked.linked_return();
  rows::FactRow row;
  row.set_kind(v1::TIMELINE_KIND_RETURN);
  *row.mutable_time() = linked_return.recorded_time();
  row.set_channel(linked_return.channel());
  row.set_site_id(linked_return.site_id());
  *row.mutable_external() = linked_return.external();
  row.set_id(linked_return.return_id());
  *row.mutable_net() = linked_return.net();
  row.set_lines(linked_return.lines());
  writer->Touch(linked.customer());
  return writer->PutFact(linked.customer(), std::move(row));
}

absl::Status MirrorIdentifier(const common::v1::Identifier& identifier, CustomerWriter* writer) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return writer->Broken("an identifier is not hashed");
  kSeen.Put(writer->view(), {key->type, key->hash, writer->context().slot}, identifier);
  writer->Touch(identifier);
  return absl::OkStatus();
}

absl::Status MirrorLink(const v1::IdentifiersLinked& linked, CustomerWriter* writer) {
  const std::optional<IdentifierKey> first = KeyOf(linked.first());
  const std::optional<IdentifierKey> second = KeyOf(linked.second());
  if (!first.has_value() || !second.has_value()) return writer->Broken("an identifier is not hashed");
  rows::LinkRow row;
  row.set_strength(linked.strength());
  const SlotId source = writer->context().slot;
  kNeighbours.Put(writer->view(), {first->type, first->hash, second->type, second->hash, source}, row);
  kNeighbours.Put(writer->view(), {second->type, second->hash, first->type, first->hash, source}, row);
  writer->Touch(linked.first());
  writer->Touch(linked.second());
  return absl::OkStatus();
}

}  // namespace

absl::Status Project(store::Rows& view, const checkout::v1::OrderEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  if (event.has_order_imported()) {
    return writer.PutSale(event.order_imported().sale(), v1::TIMELINE_KIND_ORDER, context.aggregate_id);
  }
  if (event.has_return_imported()) {
    return writer.PutSale(event.return_imported().sale(), v1::TIMELINE_KIND_RETURN, context.aggregate_id);
  }
  if (event.has_return_linked()) return ProjectLinked(event.return_linked(), &writer);
  return ProjectOrder(event, &writer);
}

absl::Status Project(store::Rows& view, const v1::IdentityEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  switch (event.event_case()) {
    case v1::IdentityEvent::kIdentifierObserved:
      return MirrorIdentifier(event.identifier_observed().identifier(), &writer);
    case v1::IdentityEvent::kIdentifiersLinked:
      return MirrorLink(event.identifiers_linked(), &writer);
    case v1::IdentityEvent::EVENT_NOT_SET:
      break;
  }
  return writer.Broken("it is no event that this version knows");
}

}  // namespace halles::customer_identity
