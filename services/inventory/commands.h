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

// Holds that one PromiseBroken names at most.
inline constexpr int kBrokenHoldsMax = 100;
// Lines that the metadata of INSUFFICIENT_STOCK tells of: an error has to fit the headers of an answer.
inline constexpr size_t kFailedLinesMax = 20;

template <typename Response>
using StockDecision = absl::StatusOr<partition::Decision<Response, v1::StockEvent>>;

// Each is total: whatever is wrong with the command is a refusal. Checks stand in the order of RejectReason. What the
// refusals are is said at the methods of InventoryService.

// What lies where (commands.cc) -----------------------------------------------------------------------------------------

StockDecision<v1::ReceiveStockResponse> Decide(const store::RowReader& state, const v1::ReceiveStockRequest& request,
                                               const partition::CommandContext& context);
// A count or a correction that leaves less than is promised says which promises it breaks.
StockDecision<v1::CountStockResponse> Decide(const store::RowReader& state, const v1::CountStockRequest& request,
                                             const partition::CommandContext& context);
StockDecision<v1::AdjustStockResponse> Decide(const store::RowReader& state, const v1::AdjustStockRequest& request,
                                              const partition::CommandContext& context);
StockDecision<v1::AllowBackorderResponse> Decide(const store::RowReader& state,
                                                 const v1::AllowBackorderRequest& request,
                                                 const partition::CommandContext& context);
StockDecision<v1::ReturnStockResponse> Decide(const store::RowReader& state, const v1::ReturnStockRequest& request,
                                              const partition::CommandContext& context);
// What is sent is off the stock here and in transit there, in one fact: it is never counted twice.
StockDecision<v1::SendTransferResponse> Decide(const store::RowReader& state, const v1::SendTransferRequest& request,
                                               const partition::CommandContext& context);
StockDecision<v1::ReceiveTransferResponse> Decide(const store::RowReader& state,
                                                  const v1::ReceiveTransferRequest& request,
                                                  const partition::CommandContext& context);

// Who holds it (hold_commands.cc) ---------------------------------------------------------------------------------------

// All lines are judged together, over all their candidates (plan.h).
StockDecision<v1::ReserveStockResponse> Decide(const store::RowReader& state, const v1::ReserveStockRequest& request,
                                               const partition::CommandContext& context);
StockDecision<v1::ExtendHoldResponse> Decide(const store::RowReader& state, const v1::ExtendHoldRequest& request,
                                             const partition::CommandContext& context);
// The new place is asked as by ReserveStock; both places change in one fact.
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
// Of the slot's timer. A hold that does not end yet, or has ended, is left alone.
StockDecision<v1::ExpireHoldResponse> Decide(const store::RowReader& state, const v1::ExpireHoldRequest& request,
                                             const partition::CommandContext& context);

// What orders ask (order_facts.cc) ------------------------------------------------------------------------------------

// Of a reaction (reactions.h): what does not fit is a StockContradicted, never a refusal.
StockDecision<v1::ApplyOrderFactResponse> Decide(const store::RowReader& state,
                                                 const v1::ApplyOrderFactRequest& request,
                                                 const partition::CommandContext& context);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_COMMANDS_H_
