// Stores facts under identifiers, and mirrors the identity graph.
#include "services/customer_identity/projection.h"

#include <optional>
#include <utility>

#include "halles/checkout/v1/import_events.visit.h"
#include "halles/customer_identity/v1/customer_identity_events.visit.h"
#include "libs/base/status.h"
#include "services/customer_identity/customer_writer.h"

namespace halles::customer_identity {
namespace {

// A return without a customer belongs to the customer of its order.
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

struct ImportProjector : PassesOver<checkout::v1::ReturnAwaited> {
  using PassesOver::operator();

  absl::Status operator()(const checkout::v1::OrderImported& imported) const {
    return writer->PutSale(imported.sale(), v1::TIMELINE_KIND_ORDER, writer->context().aggregate_id);
  }
  absl::Status operator()(const checkout::v1::ReturnImported& imported) const {
    return writer->PutSale(imported.sale(), v1::TIMELINE_KIND_RETURN, writer->context().aggregate_id);
  }
  absl::Status operator()(const checkout::v1::ReturnLinked& linked) const { return ProjectLinked(linked, writer); }
  absl::Status operator()(const checkout::v1::GoodsReturned& returned) const { return writer->PutReturn(returned); }
  absl::Status operator()(NoEvent) const { return writer->Broken("this version does not know the event"); }

  CustomerWriter* writer;
};

struct IdentityProjector {
  absl::Status operator()(const v1::IdentifierObserved& observed) const {
    return MirrorIdentifier(observed.identifier(), writer);
  }
  absl::Status operator()(const v1::IdentifiersLinked& linked) const { return MirrorLink(linked, writer); }
  absl::Status operator()(NoEvent) const { return writer->Broken("this version does not know the event"); }

  CustomerWriter* writer;
};

}  // namespace

absl::Status Project(store::Rows& view, const checkout::v1::ImportEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  return Visit(event, ImportProjector{{}, &writer});
}

absl::Span<const int> ProjectedImportFields() { return kHandledFields<checkout::v1::ImportEvent, ImportProjector>; }

absl::Status Project(store::Rows& view, const v1::IdentityEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  return Visit(event, IdentityProjector{&writer});
}

}  // namespace halles::customer_identity
