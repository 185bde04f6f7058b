// Rules of imported orders and returns.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_

#include "absl/status/statusor.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::imports {

// Maximum total size of the returns that wait for one order, in bytes: they are linked in the record of the order, and
// the size of a record is limited. A return beyond it stays recorded but unlinked, because its link is refused. The
// same holds beyond the limits in return_lines.h.
inline constexpr size_t kAwaitedBytesMax = size_t{176} << 10;

// Each rule is total: any invalid command gets a refusal. Checks follow the order of RejectReason.

// Records an order and links the returns that waited for it, oldest first. A repeat of the same order gets the same
// answer and records nothing.
absl::StatusOr<partition::Decision<v1::ImportOrderResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ImportOrderRequest& request, const partition::CommandContext& context);

// Records a return in its own slot. A reaction links it to its order.
absl::StatusOr<partition::Decision<v1::ImportReturnResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ImportReturnRequest& request, const partition::CommandContext& context);

// Links a return to its order, or lets it wait for the order. A repeat does nothing.
absl::StatusOr<partition::Decision<v1::LinkReturnResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::LinkReturnRequest& request, const partition::CommandContext& context);

// Takes back goods of an imported order here. Its lines have the ids "1", "2" and so on. The refund is the value of the
// lines minus their share of the discounts on the whole order, and at most what is left of the SKU and of the order.
absl::StatusOr<partition::Decision<v1::ReturnLinesResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ReturnLinesRequest& request, const partition::CommandContext& context);

// The counts of a recorded order: its version and its returns.
rows::ImportedCountsRow CountsOf(const store::RowReader& state, const OrderId& order);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_
