// The queries of inventory's door: availability, holds, stock, and the events behind a number.
#ifndef HALLES_SERVICES_INVENTORY_QUERIES_H_
#define HALLES_SERVICES_INVENTORY_QUERIES_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/store/rows.h"

namespace halles::inventory {

inline constexpr int kStockPageDefault = 100;
inline constexpr int kStockPageMax = 1000;

// The door checks the limits of all fields.

// "inventory/17@4711": the first position that an answer does not include.
std::string AsOf(SlotId slot, Position position);

// The levels from the state of the SKU's slot. The door adds position and token.
v1::GetAvailabilityResponse FindAvailability(const store::RowReader& state, const v1::GetAvailabilityRequest& request);

// The hold; NOT_FOUND with reason HOLD_UNKNOWN.
absl::StatusOr<v1::Hold> FindOneHold(const store::RowReader& state, const v1::GetHoldRequest& request);

// One page from the view. The door adds the consistency token. INVALID_ARGUMENT for a page token of another request.
absl::StatusOr<v1::ListStockResponse> ListStock(const store::RowReader& view, const v1::ListStockRequest& request);
absl::StatusOr<v1::ExplainStockResponse> ExplainStock(const store::RowReader& view,
                                                      const v1::ExplainStockRequest& request);

// All levels of the SKU in the view; nullopt when nothing has changed since `seen`.
std::optional<v1::GetAvailabilityResponse> AvailabilityFromView(const store::RowReader& view, const std::string& sku,
                                                                const std::optional<TokenPositions>& seen);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_QUERIES_H_
