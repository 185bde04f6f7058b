// The rules of orders and returns.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_

#include "absl/status/statusor.h"
#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::checkout {

// Returns that wait for one order may have this many bytes in all: they are linked in the record that holds the order,
// and the log takes no larger one. A return beyond it stays recorded and unlinked, its link is refused.
inline constexpr size_t kAwaitedBytesMax = size_t{176} << 10;

// Each is total: whatever is wrong with the command is a refusal. Checks stand in the order of RejectReason.

// Records an order and links the returns that waited for it, oldest first. The same order again answers the same and
// records nothing.
absl::StatusOr<partition::Decision<v1::ImportOrderResponse, v1::OrderEvent>> Decide(
    const store::RowReader& state, const v1::ImportOrderRequest& request, const partition::CommandContext& context);

// Records a return in its own slot. What it names as its order comes to know of it by React.
absl::StatusOr<partition::Decision<v1::ImportReturnResponse, v1::OrderEvent>> Decide(
    const store::RowReader& state, const v1::ImportReturnRequest& request, const partition::CommandContext& context);

// Links a return to its order, or lets it wait for it. Repeated, it does nothing.
absl::StatusOr<partition::Decision<v1::LinkReturnResponse, v1::OrderEvent>> Decide(
    const store::RowReader& state, const v1::LinkReturnRequest& request, const partition::CommandContext& context);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_COMMANDS_H_
