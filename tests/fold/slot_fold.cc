// Folds a record into the state of its slot and into the views that follow it.
#include "tests/fold/slot_fold.h"

#include "libs/base/status.h"
#include "libs/partition/fold.h"
#include "libs/store/fold.h"

namespace halles::fold {
namespace {

std::string DigestOf(const store::MemoryRows& rows) {
  store::Digest digest;
  for (const auto& [key, row] : rows.rows()) digest.AddRow(key, row.value);
  return digest.Hex();
}

}  // namespace

SlotFold::SlotFold(const host::Definitions& definitions, const eventlog::LogIdentity& identity, SlotId slot)
    : slot_(slot), cursor_(eventlog::GenesisCursor(identity, slot)) {
  for (const partition::ServiceDefinition& service : definitions.services) {
    if (service.id == slot.service) service_ = &service;
  }
  for (const projection::ViewDefinition& view : definitions.views) {
    for (ServiceId source : view.SourceServices()) {
      if (source == slot.service) views_.emplace_back(&view, std::make_unique<store::MemoryRows>());
    }
  }
}

absl::Status SlotFold::Fold(Position position, absl::string_view bytes) {
  ASSIGN_OR_RETURN(const eventlog::Judgement judgement, eventlog::Adjudicate(bytes, position, &cursor_));
  if (judgement.verdict != eventlog::Verdict::kAccepted || judgement.header.kind != eventlog::RecordKind::kBatch) {
    return absl::OkStatus();
  }
  log::v1::RecordBody body;
  if (!body.ParseFromArray(judgement.body.data(), static_cast<int>(judgement.body.size())) || !body.has_batch()) {
    return absl::DataLossError("a batch does not parse");
  }
  const UnixMicros time = judgement.header.logical_time;
  state_.set_position(position);
  RETURN_IF_ERROR(partition::FoldBatch(*service_, slot_, position, time, body.batch(), state_));
  for (const auto& [view, rows] : views_) {
    rows->set_position(position);
    for (int i = 0; i < body.batch().events_size(); ++i) {
      const log::v1::Event& event = body.batch().events(i);
      const projection::SourceProjection* projection = view->Find(slot_.service, event.type(), event.payload());
      if (projection == nullptr) continue;
      RETURN_IF_ERROR(projection->project(*rows, event.payload(),
                                          partition::ContextOf(slot_, position, time, body.batch(), i), nullptr));
      RETURN_IF_ERROR(rows->status());
    }
  }
  return absl::OkStatus();
}

std::vector<FoldedRows> SlotFold::Folded() const {
  std::vector<FoldedRows> folded = {{"", slot_, cursor_.next, DigestOf(state_)}};
  for (const auto& [view, rows] : views_) folded.push_back({view->FullName(), slot_, cursor_.next, DigestOf(*rows)});
  return folded;
}

}  // namespace halles::fold
