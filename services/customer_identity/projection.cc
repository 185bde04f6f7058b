// Files facts under identifiers and mirrors the identity graph.
#include "services/customer_identity/projection.h"

#include <optional>
#include <utility>

#include "libs/base/status.h"
#include "services/customer_identity/filing.h"

namespace halles::customer_identity {
namespace {

// A return that names nobody belongs to whoever the order belongs to.
absl::Status FileLinked(const checkout::v1::ReturnLinked& linked, Filing* filing) {
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
  filing->Touch(linked.customer());
  return filing->Fact(linked.customer(), std::move(row));
}

absl::Status MirrorIdentifier(const common::v1::Identifier& identifier, Filing* filing) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return filing->Broken("an identifier is not hashed");
  kSeen.Put(filing->view(), {key->type, key->hash, filing->context().slot}, identifier);
  filing->Touch(identifier);
  return absl::OkStatus();
}

absl::Status MirrorLink(const v1::IdentifiersLinked& linked, Filing* filing) {
  const std::optional<IdentifierKey> first = KeyOf(linked.first());
  const std::optional<IdentifierKey> second = KeyOf(linked.second());
  if (!first.has_value() || !second.has_value()) return filing->Broken("an identifier is not hashed");
  rows::LinkRow row;
  row.set_strength(linked.strength());
  const SlotId source = filing->context().slot;
  kNeighbours.Put(filing->view(), {first->type, first->hash, second->type, second->hash, source}, row);
  kNeighbours.Put(filing->view(), {second->type, second->hash, first->type, first->hash, source}, row);
  filing->Touch(linked.first());
  filing->Touch(linked.second());
  return absl::OkStatus();
}

}  // namespace

absl::Status Project(store::Rows& view, const checkout::v1::OrderEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  Filing filing(view, context, topics);
  if (event.has_order_imported()) {
    return filing.Sale(event.order_imported().sale(), v1::TIMELINE_KIND_ORDER, context.aggregate_id);
  }
  if (event.has_return_imported()) {
    return filing.Sale(event.return_imported().sale(), v1::TIMELINE_KIND_RETURN, context.aggregate_id);
  }
  if (event.has_return_linked()) return FileLinked(event.return_linked(), &filing);
  return ProjectOrder(event, &filing);
}

absl::Status Project(store::Rows& view, const v1::IdentityEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  Filing filing(view, context, topics);
  switch (event.event_case()) {
    case v1::IdentityEvent::kIdentifierObserved:
      return MirrorIdentifier(event.identifier_observed().identifier(), &filing);
    case v1::IdentityEvent::kIdentifiersLinked:
      return MirrorLink(event.identifiers_linked(), &filing);
    case v1::IdentityEvent::EVENT_NOT_SET:
      break;
  }
  return filing.Broken("it is no event that this version knows");
}

}  // namespace halles::customer_identity
