// Rules of carts.
#ifndef HALLES_SERVICES_CHECKOUT_CART_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_CART_COMMANDS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::checkout::cart {

// Each rule is total: any invalid command gets a refusal. Checks follow the order of RejectReason. A command that changes
// nothing records nothing.

// Adds lines; opens the cart if it does not exist.
absl::StatusOr<partition::Decision<v1::AddCartLinesResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::AddCartLinesRequest& request, const partition::CommandContext& context);

// Changes the units of a line; 0 removes it.
absl::StatusOr<partition::Decision<v1::ChangeCartLineResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::ChangeCartLineRequest& request, const partition::CommandContext& context);

// Sets how the goods reach the customer, and the customer if the request names one.
absl::StatusOr<partition::Decision<v1::SetCartDeliveryResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::SetCartDeliveryRequest& request, const partition::CommandContext& context);

// Sets the customer.
absl::StatusOr<partition::Decision<v1::SetCartCustomerResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::SetCartCustomerRequest& request, const partition::CommandContext& context);

// Begins to move all lines to another cart. The answer names the merge: its outcome is known later, see MergeOutcome.
// Another request for the same merge, during or after it, joins it, because several devices may see the same login.
absl::StatusOr<partition::Decision<v1::MergeCartsResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::MergeCartsRequest& request, const partition::CommandContext& context);

// Returns lines to the cart that they came from, with their present units; removed lines stay removed.
absl::StatusOr<partition::Decision<v1::UndoMergeCartsResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::UndoMergeCartsRequest& request, const partition::CommandContext& context);

// Takes the lines of another cart, and opens this one if it does not exist, or declines them. A repeated or late
// request does nothing.
absl::StatusOr<partition::Decision<v1::TakeCartResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::TakeCartRequest& request, const partition::CommandContext& context);

// Ends a merge in the cart that gave its lines: it is merged, or open again with its old lines or the returned ones. A
// repeated or late request does nothing.
absl::StatusOr<partition::Decision<v1::SettleMergeResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::SettleMergeRequest& request, const partition::CommandContext& context);

// The timer of the cart is due: the cart is abandoned. Does nothing if it is not open or not due. The holds of its
// lines end by their own expiry in inventory.
absl::StatusOr<partition::Decision<v1::CartTimerDueResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::CartTimerDueRequest& request, const partition::CommandContext& context);

// The outcome of this merge of a cart: nullopt while it is unknown; OK if the other cart took the lines, even if it has
// given them back since; MERGE_DECLINED if it declined them. A known outcome never changes.
std::optional<absl::Status> MergeOutcome(const store::RowReader& state, const OrderId& cart, int64_t merge);

// True if the cart has the lines of this merge back.
bool MergeIsUndone(const store::RowReader& state, const OrderId& cart, int64_t merge);

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_COMMANDS_H_
