// Folds events of order numbers.
#include "services/checkout/numbers/state.h"

#include "halles/checkout/v1/number_events.visit.h"
#include "services/checkout/broken.h"
#include "services/checkout/series.h"

namespace halles::checkout::numbers {
namespace {

// Folds one event; DATA_LOSS if it breaks an invariant.
struct Evolver {
  absl::Status operator()(const v1::NumberAssigned& assigned) {
    const SiteId site = SiteOf(context.aggregate_id);
    const DocumentKey key{site, assigned.document_id()};
    rows::NumberSeriesRow series = kSeries.Get(state, {site}).value_or(rows::NumberSeriesRow());
    if (assigned.number() != series.last() + 1) return Broken(context, "the number is not the next one");
    if (kNumbers.Contains(state, key)) return Broken(context, "the document has a number already");
    series.set_last(assigned.number());
    kSeries.Put(state, {site}, series);
    rows::NumberRow row;
    row.set_number(assigned.number());
    kNumbers.Put(state, key, row);
    return absl::OkStatus();
  }

  absl::Status operator()(NoEvent) const { return Broken(context, "this version does not know the event"); }

  store::Rows& state;
  const partition::FactContext& context;
};

}  // namespace

absl::Status Evolve(store::Rows& state, const v1::OrderNumberEvent& event, const partition::FactContext& context) {
  return Visit(event, Evolver{state, context});
}

}  // namespace halles::checkout::numbers
