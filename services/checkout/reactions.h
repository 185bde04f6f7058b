// What checkout does about its own facts: returns find their orders, carts that merge find each other.
#ifndef HALLES_SERVICES_CHECKOUT_REACTIONS_H_
#define HALLES_SERVICES_CHECKOUT_REACTIONS_H_

#include <array>
#include <vector>

#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "libs/partition/domain.h"

namespace halles::checkout {

// Each reacts to the facts in its list and to nothing else.

// A return that names an order asks the order's slot to link it.
std::vector<v1::LinkReturnRequest> LinkReturns(const v1::OrderEvent& event, const partition::FactContext& context);
inline constexpr std::array<int, 1> kLinkReturnsFields = {v1::OrderEvent::kReturnImportedFieldNumber};

// A cart that gives its lines asks the other one to take them.
std::vector<v1::TakeCartRequest> TakeCarts(const v1::OrderEvent& event, const partition::FactContext& context);
inline constexpr std::array<int, 1> kTakeCartsFields = {v1::OrderEvent::kCartGivenFieldNumber};

// A cart that took lines, declined them or gives them back tells the cart that they came from.
std::vector<v1::SettleMergeRequest> SettleMerges(const v1::OrderEvent& event, const partition::FactContext& context);
inline constexpr std::array<int, 3> kSettleMergesFields = {v1::OrderEvent::kCartTakenFieldNumber,
                                                           v1::OrderEvent::kCartDeclinedFieldNumber,
                                                           v1::OrderEvent::kCartMergeUndoneFieldNumber};

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_REACTIONS_H_
