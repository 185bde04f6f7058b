// Rules of order numbers.
#ifndef HALLES_SERVICES_CHECKOUT_NUMBERS_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_NUMBERS_COMMANDS_H_

#include "absl/status/statusor.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/number_events.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::checkout::numbers {

// Assigns the next number of its site to a document. A repeat for the same document gets the same number and records
// nothing. It is refused only if it is malformed, which a call of a saga never is.
absl::StatusOr<partition::Decision<v1::AssignOrderNumberResponse, v1::OrderNumberEvent>> Decide(
    const store::RowReader& state, const v1::AssignOrderNumberRequest& request,
    const partition::CommandContext& context);

}  // namespace halles::checkout::numbers

#endif  // HALLES_SERVICES_CHECKOUT_NUMBERS_COMMANDS_H_
