// The amount of money in an event, read from the JSON that explains it.
#ifndef HALLES_SERVICES_HALLESCTL_EXPLAINED_H_
#define HALLES_SERVICES_HALLESCTL_EXPLAINED_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/common/v1/common.pb.h"

namespace halles::hallesctl {

// The money that an event of checkout moved.
struct EventValue {
  std::string type;         // "order_imported"
  std::string external_id;  // id of the order or return
  common::v1::Money net;
};

// Parses the JSON of AdminService.ExplainEvent. DATA_LOSS, reason NOT_A_SALE, for an event that moves no money.
absl::StatusOr<EventValue> ValueOfEvent(const std::string& event_json);

// Indents the JSON; text that is not JSON stays unchanged.
std::string IndentJson(const std::string& json);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_EXPLAINED_H_
