// Distinguishes transient from permanent errors.
#include "libs/eventlog/log.h"

namespace halles::eventlog {

bool IsPassing(const absl::Status& status) {
  return !absl::IsDataLoss(status) && !absl::IsOutOfRange(status) && !absl::IsFailedPrecondition(status) &&
         !absl::IsInvalidArgument(status);
}

}  // namespace halles::eventlog
