// The state of the order numbers of a site: without gaps, one per document.
#ifndef HALLES_SERVICES_CHECKOUT_NUMBERS_STATE_H_
#define HALLES_SERVICES_CHECKOUT_NUMBERS_STATE_H_

#include <array>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "halles/checkout/v1/number_events.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::numbers {

// A series lives in the slot of its key, "numbers/<site>". Invariants, none of which Evolve breaks:
//   1. The numbers of a site are 1, 2, 3 and so on, without a gap.
//   2. A document has one number, for ever.

struct SeriesKey {
  SiteId site;
  static constexpr std::array kFieldNames = {"site"};
  auto Fields() const { return std::tie(site); }
  auto Fields() { return std::tie(site); }
};

struct DocumentKey {
  SiteId site;
  std::string document;
  static constexpr std::array kFieldNames = {"site", "document"};
  auto Fields() const { return std::tie(site, document); }
  auto Fields() { return std::tie(site, document); }
};

inline constexpr store::Table<SeriesKey, rows::NumberSeriesRow> kSeries(24, "number_series");
inline constexpr store::Table<DocumentKey, rows::NumberRow> kNumbers(25, "numbers");

inline store::Schema AddTables(store::Schema schema) { return schema.Add(kSeries).Add(kNumbers); }

// Folds one event. DATA_LOSS if it breaks an invariant.
absl::Status Evolve(store::Rows& state, const v1::OrderNumberEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout::numbers

#endif  // HALLES_SERVICES_CHECKOUT_NUMBERS_STATE_H_
