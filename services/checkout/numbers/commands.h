// The rules of numbers.
#ifndef HALLES_SERVICES_CHECKOUT_NUMBERS_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_NUMBERS_COMMANDS_H_

#include "absl/status/statusor.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/number_events.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::checkout::numbers {

// Gives a document the next number of its site. The same document again gets the same number and records nothing.
// Refused only when malformed, which a saga's call is not.
absl::StatusOr<partition::Decision<v1::AssignOrderNumberResponse, v1::OrderNumberEvent>> Decide(
    const store::RowReader& state, const v1::AssignOrderNumberRequest& request,
    const partition::CommandContext& context);

}  // namespace halles::checkout::numbers

#endif  // HALLES_SERVICES_CHECKOUT_NUMBERS_COMMANDS_H_
