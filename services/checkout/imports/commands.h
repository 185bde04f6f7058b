// The rules of imported orders and returns.
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

namespace halles::checkout::imports {

// Returns that wait for one order may have this many bytes in all: they are linked in the record that holds the order,
// and the log takes no larger one. A return beyond it stays recorded and unlinked, its link is refused.
inline constexpr size_t kAwaitedBytesMax = size_t{176} << 10;

// Each is total: whatever is wrong with the command is a refusal. Checks stand in the order of RejectReason.

// Records an order and links the returns that waited for it, oldest first. The same order again answers the same and
// records nothing.
absl::StatusOr<partition::Decision<v1::ImportOrderResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ImportOrderRequest& request, const partition::CommandContext& context);

// Records a return in its own slot. What it names as its order comes to know of it by React.
absl::StatusOr<partition::Decision<v1::ImportReturnResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ImportReturnRequest& request, const partition::CommandContext& context);

// Links a return to its order, or lets it wait for it. Repeated, it does nothing.
absl::StatusOr<partition::Decision<v1::LinkReturnResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::LinkReturnRequest& request, const partition::CommandContext& context);

// Takes goods of an imported order back here, whose lines are named "1", "2" and so on. They are worth what the order says,
// less their share of what was taken off it as a whole.
absl::StatusOr<partition::Decision<v1::ReturnLinesResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ReturnLinesRequest& request, const partition::CommandContext& context);

// How often an order that is recorded was changed: by its import and by each return, from 1.
int64_t VersionOf(const store::RowReader& state, const OrderId& order);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_
