// The rules of stock and holds.
#ifndef HALLES_SERVICES_INVENTORY_COMMANDS_H_
#define HALLES_SERVICES_INVENTORY_COMMANDS_H_

#include "absl/status/statusor.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::inventory {

// Maximum number of holds named by one event.
inline constexpr int kBrokenHoldsMax = 100;
// Maximum number of failing lines in the metadata of INSUFFICIENT_STOCK, because an error must fit into the trailers of
// a reply.
inline constexpr size_t kFailedLinesMax = 20;

template <typename Response>
using StockDecision = absl::StatusOr<partition::Decision<Response, v1::StockEvent>>;

// Each rule is total: any invalid command gets a refusal. Checks follow the order of RejectReason. The methods of
// InventoryService list the refusals.

// Stock (commands.cc) -------------------------------------------------------------------------------------------------

StockDecision<v1::ReceiveStockResponse> Decide(const store::RowReader& state, const v1::ReceiveStockRequest& request,
                                               const partition::CommandContext& context);
// A count or a correction that finds fewer units than are promised names the holds that it breaks.
StockDecision<v1::CountStockResponse> Decide(const store::RowReader& state, const v1::CountStockRequest& request,
                                             const partition::CommandContext& context);
StockDecision<v1::AdjustStockResponse> Decide(const store::RowReader& state, const v1::AdjustStockRequest& request,
                                              const partition::CommandContext& context);
StockDecision<v1::AllowBackorderResponse> Decide(const store::RowReader& state,
                                                 const v1::AllowBackorderRequest& request,
                                                 const partition::CommandContext& context);
StockDecision<v1::ReturnStockResponse> Decide(const store::RowReader& state, const v1::ReturnStockRequest& request,
                                              const partition::CommandContext& context);
// One event moves the units from the stock of the sender into transit to the receiver, so they are never counted twice.
StockDecision<v1::SendTransferResponse> Decide(const store::RowReader& state, const v1::SendTransferRequest& request,
                                               const partition::CommandContext& context);
StockDecision<v1::ReceiveTransferResponse> Decide(const store::RowReader& state,
                                                  const v1::ReceiveTransferRequest& request,
                                                  const partition::CommandContext& context);

// Holds (hold_commands.cc) --------------------------------------------------------------------------------------------

// All lines are decided together, over all their candidate locations (plan.h).
StockDecision<v1::ReserveStockResponse> Decide(const store::RowReader& state, const v1::ReserveStockRequest& request,
                                               const partition::CommandContext& context);
StockDecision<v1::ExtendHoldResponse> Decide(const store::RowReader& state, const v1::ExtendHoldRequest& request,
                                             const partition::CommandContext& context);
// The new locations are chosen as by ReserveStock; one event changes old and new locations.
StockDecision<v1::MoveHoldResponse> Decide(const store::RowReader& state, const v1::MoveHoldRequest& request,
                                           const partition::CommandContext& context);
StockDecision<v1::ReleaseHoldResponse> Decide(const store::RowReader& state, const v1::ReleaseHoldRequest& request,
                                              const partition::CommandContext& context);
StockDecision<v1::CommitHoldResponse> Decide(const store::RowReader& state, const v1::CommitHoldRequest& request,
                                             const partition::CommandContext& context);
StockDecision<v1::ShipStockResponse> Decide(const store::RowReader& state, const v1::ShipStockRequest& request,
                                            const partition::CommandContext& context);
StockDecision<v1::CancelReservationResponse> Decide(const store::RowReader& state,
                                                    const v1::CancelReservationRequest& request,
                                                    const partition::CommandContext& context);
// Sent by the timer of the hold. Does nothing if the hold has not expired yet or has already ended.
StockDecision<v1::ExpireHoldResponse> Decide(const store::RowReader& state, const v1::ExpireHoldRequest& request,
                                             const partition::CommandContext& context);

// Events of orders (order_facts.cc) -----------------------------------------------------------------------------------

// Sent by a reaction (reactions.h). A contradiction is recorded as StockContradicted, never refused.
StockDecision<v1::ApplyOrderFactResponse> Decide(const store::RowReader& state,
                                                 const v1::ApplyOrderFactRequest& request,
                                                 const partition::CommandContext& context);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_COMMANDS_H_
