// The error of a fold of checkout for an event that breaks an invariant: the slot stops.
#ifndef HALLES_SERVICES_CHECKOUT_BROKEN_H_
#define HALLES_SERVICES_CHECKOUT_BROKEN_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/status.h"
#include "libs/partition/domain.h"

namespace halles::checkout {

// DATA_LOSS, reason EVENT_CANNOT_BE_EVOLVED, with the reference of the event.
inline absl::Status Broken(const partition::FactContext& context, absl::string_view why) {
  const EventRef ref{context.slot, context.position, context.index};
  return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_EVOLVED",
                 absl::StrCat(ref.ToString(), " cannot be evolved: ", why), {{"event", ref.ToString()}});
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_BROKEN_H_
