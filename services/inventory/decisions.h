// Shared code of inventory's rules: refusals, levels after an event, events of a SKU.
#ifndef HALLES_SERVICES_INVENTORY_DECISIONS_H_
#define HALLES_SERVICES_INVENTORY_DECISIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "libs/base/ids.h"
#include "libs/base/status.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "services/inventory/commands.h"
#include "services/inventory/limits.h"
#include "services/inventory/movements.h"
#include "services/inventory/state.h"

namespace halles::inventory {

// Turns the door's error into a refusal.
inline absl::Status Malformed(const absl::Status& finding) {
  if (finding.ok()) return finding;
  return Reject(v1::REJECT_REASON_MALFORMED_COMMAND, finding.message(), {{"field", MetadataOf(finding, "field")}});
}

template <typename Request>
absl::Status CheckShape(const Request& request) {
  return Malformed(Validate(request));
}

inline absl::Status RefuseHold(v1::RejectReason reason, const std::string& hold_id, absl::string_view why) {
  return Reject(reason, absl::StrCat("the hold ", hold_id, " ", why), {{"hold_id", hold_id}});
}

inline rows::LevelRow LevelAt(const store::RowReader& state, const Sku& sku, const std::string& location_id) {
  return kLevels.Get(state, {sku, LocationId::FromString(location_id)}).value_or(rows::LevelRow());
}

template <typename Response>
v1::StockEvent& AddFact(const std::string& sku, partition::Decision<Response, v1::StockEvent>* decision) {
  partition::Fact<v1::StockEvent>& fact = decision->facts.emplace_back();
  fact.aggregate_id = sku;
  return fact.event;
}

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_DECISIONS_H_
