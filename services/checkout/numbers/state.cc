// Folds facts about numbers.
#include "services/checkout/numbers/state.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/checkout/broken.h"

namespace halles::checkout::numbers {
namespace {

constexpr absl::string_view kPrefix = "numbers/";

}  // namespace

std::string SeriesOf(absl::string_view site_id) { return absl::StrCat(kPrefix, site_id); }

SiteId SiteOf(absl::string_view series) { return SiteId::FromString(absl::StripPrefix(series, kPrefix)); }

absl::Status Evolve(store::Rows& state, const v1::NumberSeriesEvent& event, const partition::FactContext& context) {
  if (!event.has_number_assigned()) return Broken(context, "it is no event that this version knows");
  const v1::NumberAssigned& assigned = event.number_assigned();
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

}  // namespace halles::checkout::numbers
