// Checks the rules between the fields of commands.
#include "services/inventory/limits.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_field.h"
#include "libs/base/identifiers/identifier.h"

namespace halles::inventory {
namespace {

// Counts the distinct candidate locations of a command.
class Candidates {
 public:
  absl::Status Add(absl::string_view field, const google::protobuf::RepeatedPtrField<std::string>& locations) {
    for (int i = 0; i < locations.size(); ++i) {
      if (!seen_.insert(locations[i]).second || seen_.size() <= kCandidatesMax) continue;
      return InvalidField(absl::StrCat(field, "[", i, "]"), "all lines together name at most 64 locations");
    }
    return absl::OkStatus();
  }

 private:
  std::set<absl::string_view> seen_;
};

absl::Status CheckCandidates(const v1::ReserveStockRequest& request) {
  Candidates candidates;
  for (int i = 0; i < request.lines_size(); ++i) {
    const auto& locations = request.lines(i).candidate_location_ids();
    if (locations.empty() && !request.candidate_location_ids().empty()) continue;
    const std::string field = absl::StrCat("lines[", i, "].candidate_location_ids");
    if (locations.empty()) return InvalidField(field, "must name a location, here or in the request");
    RETURN_IF_ERROR(candidates.Add(field, locations));
  }
  return candidates.Add("candidate_location_ids", request.candidate_location_ids());
}

bool NeedsExpiry(v1::HoldPurpose purpose) {
  return purpose != v1::HOLD_PURPOSE_CHECKOUT && purpose != v1::HOLD_PURPOSE_TRANSFER;
}

}  // namespace

absl::Status CheckBetweenFields(const v1::ReserveStockRequest& request) {
  RETURN_IF_ERROR(CheckCandidates(request));
  if (request.owner().has_customer()) RETURN_IF_ERROR(CheckHashed("owner.customer", request.owner().customer()));
  if (!request.has_expire_time() && NeedsExpiry(request.purpose())) {
    return InvalidField("expire_time", "must be given unless the hold is for CHECKOUT or TRANSFER");
  }
  if (request.replaces_hold_id() == request.hold_id()) return InvalidField("replaces_hold_id", "must be another hold");
  return absl::OkStatus();
}

absl::Status CheckBetweenFields(const v1::MoveHoldRequest& request) {
  if (request.cancelled_request_id().empty()) {
    if (!request.candidate_location_ids().empty()) return absl::OkStatus();
    return InvalidField("candidate_location_ids", "must name a location");
  }
  if (!request.from_location_id().empty() || !request.candidate_location_ids().empty() || request.units() != 0 ||
      request.split() != v1::SPLIT_POLICY_UNSPECIFIED) {
    return InvalidField("cancelled_request_id", "must come without the fields of a move of its own");
  }
  return absl::OkStatus();
}

absl::Status CheckBetweenFields(const v1::ReturnStockRequest& request) {
  if (request.units() > 0 || request.unusable_units() > 0) return absl::OkStatus();
  return InvalidField("unusable_units", "must be positive when units is 0");
}

absl::Status CheckBetweenFields(const v1::SendTransferRequest& request) {
  if (request.from_location_id() != request.to_location_id()) return absl::OkStatus();
  return InvalidField("to_location_id", "must be another location");
}

absl::Status CheckBetweenFields(const v1::ReceiveTransferRequest& request) {
  if (request.units() > 0 || request.lost_units() > 0) return absl::OkStatus();
  return InvalidField("lost_units", "must be positive when units is 0");
}

}  // namespace halles::inventory
