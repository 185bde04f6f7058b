// Decides on order numbers.
#include "services/checkout/numbers/commands.h"

#include <optional>

#include "halles/checkout/v1/checkout_internal.limits.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/base/status.h"
#include "services/checkout/checks.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/series.h"

namespace halles::checkout::numbers {
absl::StatusOr<partition::Decision<v1::AssignOrderNumberResponse, v1::OrderNumberEvent>> Decide(
    const store::RowReader& state, const v1::AssignOrderNumberRequest& request, const partition::CommandContext&) {
  RETURN_IF_ERROR(Malformed(CheckLimits(request)));
  const SiteId site = SiteId::FromString(request.site_id());
  partition::Decision<v1::AssignOrderNumberResponse, v1::OrderNumberEvent> decision;
  if (const std::optional<rows::NumberRow> row = kNumbers.Get(state, {site, request.document_id()})) {
    decision.response.set_number(row->number());
    return decision;
  }
  const rows::NumberSeriesRow series = kSeries.Get(state, {site}).value_or(rows::NumberSeriesRow());
  decision.response.set_number(series.last() + 1);
  partition::Fact<v1::OrderNumberEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = SeriesOf(request.site_id());
  fact.event.mutable_number_assigned()->set_number(series.last() + 1);
  fact.event.mutable_number_assigned()->set_document_id(request.document_id());
  return decision;
}

}  // namespace halles::checkout::numbers
