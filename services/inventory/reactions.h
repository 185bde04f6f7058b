// The reactions of inventory to events of orders: it commits and releases holds, ships goods and takes returns.
#ifndef HALLES_SERVICES_INVENTORY_REACTIONS_H_
#define HALLES_SERVICES_INVENTORY_REACTIONS_H_

#include <vector>

#include "absl/types/span.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "libs/partition/domain.h"

namespace halles::inventory {

// One request per SKU, hold and location of the event, sorted; none for events that move no stock.
std::vector<v1::ApplyOrderFactRequest> React(const checkout::v1::OrderEvent& event,
                                             const partition::FactContext& context);
std::vector<v1::ApplyOrderFactRequest> React(const checkout::v1::ImportEvent& event,
                                             const partition::FactContext& context);

// Field numbers of the events that inventory reacts to.
absl::Span<const int> ReactedOrderFields();
absl::Span<const int> ReactedImportFields();

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_REACTIONS_H_
