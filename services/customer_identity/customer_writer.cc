// Writes facts and activities under identifiers.
#include "services/customer_identity/customer_writer.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"

namespace halles::customer_identity {
namespace {

constexpr absl::string_view kNotHashed = "an identifier is not hashed";

FactKey FactKeyOf(const IdentifierKey& key, const rows::FactRow& row, SlotId source) {
  return {key.type,
          key.hash,
          -MicrosOf(row.time()),
          ExternalId::FromString(row.external().external_id()),
          SourceId::FromString(row.external().source()),
          static_cast<uint8_t>(row.kind()),
          source};
}

ActivityKey ActivityKeyOf(const IdentifierKey& key, ActivityKind kind, UnixMicros since, absl::string_view id,
                          absl::string_view part, SlotId source) {
  return {key.type, key.hash, static_cast<uint8_t>(kind), -since, PartId::FromString(id), PartId::FromString(part),
          source};
}

}  // namespace

std::string TopicOf(const common::v1::Identifier& identifier) {
  return absl::StrCat(static_cast<int>(identifier.type()), ":", identifier.keyed_hash());
}

absl::Status CustomerWriter::Broken(absl::string_view why) const {
  const EventRef ref{context_.slot, context_.position, context_.index};
  return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_PROJECTED",
                 absl::StrCat(ref.ToString(), " cannot be projected: ", why), {{"event", ref.ToString()}});
}

absl::Status CustomerWriter::PutFact(const common::v1::Identifier& identifier, rows::FactRow row) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(kNotHashed);
  row.set_event_index(context_.index);
  kFacts.Put(view_, FactKeyOf(*key, row, context_.slot), row);
  return absl::OkStatus();
}

absl::Status CustomerWriter::DropFact(const common::v1::Identifier& identifier, const rows::FactRow& row) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(kNotHashed);
  kFacts.Delete(view_, FactKeyOf(*key, row, context_.slot));
  return absl::OkStatus();
}

absl::Status CustomerWriter::PutSale(const checkout::v1::SaleRecord& sale, v1::TimelineKind kind, absl::string_view id,
                                     const std::string& location_id) {
  if (sale.identifiers().empty()) return absl::OkStatus();  // no customer
  for (const common::v1::Identifier& identifier : sale.identifiers()) Touch(identifier);
  rows::FactRow row;
  row.set_kind(kind);
  *row.mutable_time() = sale.recorded_time();
  row.set_channel(sale.channel());
  row.set_site_id(sale.site_id());
  row.set_location_id(location_id);
  *row.mutable_external() = sale.external();
  row.set_id(std::string(id));
  *row.mutable_net() = sale.net();
  row.set_lines(static_cast<uint32_t>(sale.lines_size()));
  return PutFact(sale.identifiers(0), std::move(row));
}

absl::Status CustomerWriter::PutReturn(const checkout::v1::GoodsReturned& returned) {
  if (!returned.sale().identifiers().empty()) RETURN_IF_ERROR(MarkChanged(returned.sale().identifiers(0)));
  return PutSale(returned.sale(), v1::TIMELINE_KIND_RETURN, returned.return_id(), returned.location_id());
}

absl::Status CustomerWriter::AddActivity(const common::v1::Identifier& identifier, ActivityKind kind, UnixMicros since,
                                         absl::string_view id, absl::string_view part) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(kNotHashed);
  kActivities.Put(view_, ActivityKeyOf(*key, kind, since, id, part, context_.slot), {});
  return MarkChanged(identifier);
}

absl::Status CustomerWriter::RemoveActivity(const common::v1::Identifier& identifier, ActivityKind kind,
                                            UnixMicros since, absl::string_view id, absl::string_view part) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(kNotHashed);
  kActivities.Delete(view_, ActivityKeyOf(*key, kind, since, id, part, context_.slot));
  return MarkChanged(identifier);
}

absl::Status CustomerWriter::MarkChanged(const common::v1::Identifier& identifier) {
  const std::optional<IdentifierKey> key = KeyOf(identifier);
  if (!key.has_value()) return Broken(kNotHashed);
  kChanged.Put(view_, {key->type, key->hash, context_.slot}, {});
  Touch(identifier);
  return absl::OkStatus();
}

void CustomerWriter::Touch(const common::v1::Identifier& identifier) {
  if (topics_ != nullptr) topics_->push_back(TopicOf(identifier));
}

}  // namespace halles::customer_identity
