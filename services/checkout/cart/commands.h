// The rules of carts.
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

// Each is total: whatever is wrong with the command is a refusal. Checks stand in the order of RejectReason, but for
// AMOUNT_OVERFLOW, which is found last, when amounts are added up. A command that changes nothing records nothing.

// Adds lines; opens the cart when there is none.
absl::StatusOr<partition::Decision<v1::AddCartLinesResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::AddCartLinesRequest& request, const partition::CommandContext& context);

// Changes the units of a line; 0 takes it out.
absl::StatusOr<partition::Decision<v1::ChangeCartLineResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::ChangeCartLineRequest& request, const partition::CommandContext& context);

// Says how the goods reach the customer, and who she is when the request says so.
absl::StatusOr<partition::Decision<v1::SetCartDeliveryResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::SetCartDeliveryRequest& request, const partition::CommandContext& context);

// Says who the customer is.
absl::StatusOr<partition::Decision<v1::SetCartCustomerResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::SetCartCustomerRequest& request, const partition::CommandContext& context);

// Begins to give all lines to another cart. The answer is empty: what becomes of it is known later, see MergeOutcome.
// Asked again while it goes on, or when that cart has them, it does nothing: several devices may see the same login.
absl::StatusOr<partition::Decision<v1::MergeCartsResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::MergeCartsRequest& request, const partition::CommandContext& context);

// Gives lines back to the cart that they came from, with the units that they have now; what was taken out stays out.
absl::StatusOr<partition::Decision<v1::UndoMergeCartsResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::UndoMergeCartsRequest& request, const partition::CommandContext& context);

// Takes what another cart gives, opening this one when there is none, or declines it. Repeated, late or out of order it
// does nothing.
absl::StatusOr<partition::Decision<v1::TakeCartResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::TakeCartRequest& request, const partition::CommandContext& context);

// Ends a merge in the cart that gave its lines: merged, or open again with what it had or what came back. Repeated, late
// or out of order it does nothing.
absl::StatusOr<partition::Decision<v1::SettleMergeResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::SettleMergeRequest& request, const partition::CommandContext& context);

// The cart's timer has come: it is abandoned. Does nothing when it is not open, or not due. Holds of its lines are not
// ended: inventory ends them by their own expiry.
absl::StatusOr<partition::Decision<v1::CartTimerDueResponse, v1::CartEvent>> Decide(
    const store::RowReader& state, const v1::CartTimerDueRequest& request, const partition::CommandContext& context);

// What became of this merge of a cart: nullopt while that is not known; OK when the other cart took the lines, even if it
// gave them back since; MERGE_DECLINED. Of a merge that is not the cart's last one: OK.
std::optional<absl::Status> MergeOutcome(const store::RowReader& state, const OrderId& cart, int64_t merge);

// True when the cart has back what it gave with this merge.
bool MergeIsUndone(const store::RowReader& state, const OrderId& cart, int64_t merge);

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_COMMANDS_H_
