// The view "totals": sums over orders and returns by channel, site and month of the recorded time.
#ifndef HALLES_SERVICES_CHECKOUT_PROJECTION_H_
#define HALLES_SERVICES_CHECKOUT_PROJECTION_H_

#include <array>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/slot.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout {

inline constexpr uint8_t kTotalsView = 1;
inline constexpr char kTotalsViewName[] = "totals";

// Months are year times 100 plus month, of UTC. Every row belongs to one source slot; queries add them up.
struct TotalsKey {
  std::string currency;
  common::v1::Channel channel = common::v1::CHANNEL_UNSPECIFIED;
  SiteId site;
  uint32_t month = 0;
  SlotId source;
  static constexpr std::array kFieldNames = {"currency", "channel", "site", "month", "source"};
  auto Fields() const { return std::tie(currency, channel, site, month, source); }
  auto Fields() { return std::tie(currency, channel, site, month, source); }
};

struct MonthKey {
  std::string currency;
  common::v1::Channel channel = common::v1::CHANNEL_UNSPECIFIED;
  uint32_t month = 0;
  SlotId source;
  static constexpr std::array kFieldNames = {"currency", "channel", "month", "source"};
  auto Fields() const { return std::tie(currency, channel, month, source); }
  auto Fields() { return std::tie(currency, channel, month, source); }
};

struct SiteKey {
  std::string currency;
  common::v1::Channel channel = common::v1::CHANNEL_UNSPECIFIED;
  SiteId site;
  SlotId source;
  static constexpr std::array kFieldNames = {"currency", "channel", "site", "source"};
  auto Fields() const { return std::tie(currency, channel, site, source); }
  auto Fields() { return std::tie(currency, channel, site, source); }
};

// Invariants: a row of kTotalsByMonth is the sum of those of kTotals that differ from it in the site only, and
// kSites lists exactly the months for which kTotals has a row.
inline constexpr store::Table<TotalsKey, rows::TotalsRow> kTotals(1, "totals");
inline constexpr store::Table<MonthKey, rows::TotalsRow> kTotalsByMonth(2, "totals_by_month");
inline constexpr store::Table<SiteKey, rows::SiteRow> kSites(3, "sites");

inline store::Schema TotalsSchema() { return store::Schema().Add(kTotals).Add(kTotalsByMonth).Add(kSites); }

// Fold an event into the rows of its source slot. DATA_LOSS if this version does not know the event.
absl::Status Project(store::Rows& view, const v1::OrderEvent& event, const partition::FactContext& context);
absl::Status Project(store::Rows& view, const v1::ImportEvent& event, const partition::FactContext& context);
// Field numbers of the events that move money.
absl::Span<const int> TotalsOrderFields();
absl::Span<const int> TotalsImportFields();

Int128 ValueOf(const rows::Sum& sum);
void AddTo(Int128 amount, rows::Sum* sum);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_PROJECTION_H_
