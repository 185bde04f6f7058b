// Checks the fields of commands one by one, in their order.
#include "services/inventory/limits.h"

#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "google/protobuf/repeated_field.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles::inventory {
namespace {

constexpr int64_t kSecondsMax = 7'258'118'399;  // the end of 2199

absl::Status CheckUnits(absl::string_view field, int64_t units, int64_t units_min) {
  if (units >= units_min && units <= kCommandUnitsMax) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("must be ", units_min, " to 10^12"));
}

absl::Status CheckHoldId(absl::string_view hold_id) { return CheckText("hold_id", hold_id, 1, kHoldIdCharactersMax); }

absl::Status CheckTime(absl::string_view field, const google::protobuf::Timestamp& time) {
  if (time.seconds() > 0 && time.seconds() <= kSecondsMax && time.nanos() >= 0 && time.nanos() <= 999'999'999) {
    return absl::OkStatus();
  }
  return InvalidField(field, "must be in the years 1970 to 2199");
}

absl::Status CheckSplit(v1::SplitPolicy split) {
  return v1::SplitPolicy_IsValid(split) ? absl::OkStatus() : InvalidField("split", "is no policy");
}

absl::Status CheckAllocations(const google::protobuf::RepeatedPtrField<v1::Allocation>& allocations) {
  if (allocations.size() > kCandidatesMax) return InvalidField("allocations", "takes at most 64 entries");
  std::set<absl::string_view> seen;
  for (int i = 0; i < allocations.size(); ++i) {
    const std::string field = absl::StrCat("allocations[", i, "]");
    RETURN_IF_ERROR(CheckLocation(absl::StrCat(field, ".location_id"), allocations[i].location_id()));
    RETURN_IF_ERROR(CheckUnits(absl::StrCat(field, ".units"), allocations[i].units(), 1));
    if (!seen.insert(allocations[i].location_id()).second) {
      return InvalidField(absl::StrCat(field, ".location_id"), "must come once");
    }
  }
  return absl::OkStatus();
}

// Counts the locations of a command.
class Candidates {
 public:
  absl::Status Check(const std::string& field, const google::protobuf::RepeatedPtrField<std::string>& locations) {
    for (int i = 0; i < locations.size(); ++i) {
      if (!seen_.insert(locations[i]).second) continue;
      RETURN_IF_ERROR(CheckLocation(absl::StrCat(field, "[", i, "]"), locations[i]));
      if (seen_.size() > kCandidatesMax) {
        return InvalidField(absl::StrCat(field, "[", i, "]"), "all lines together name at most 64 locations");
      }
    }
    return absl::OkStatus();
  }

 private:
  std::set<absl::string_view> seen_;
};

absl::Status CheckLines(const v1::ReserveStockRequest& request) {
  if (request.lines_size() < 1 || request.lines_size() > kLinesMax) {
    return InvalidField("lines", "must have 1 to 100 entries");
  }
  Candidates candidates;
  for (int i = 0; i < request.lines_size(); ++i) {
    const v1::ReserveLine& line = request.lines(i);
    const std::string field = absl::StrCat("lines[", i, "]");
    RETURN_IF_ERROR(CheckUnits(absl::StrCat(field, ".units"), line.units(), 1));
    if (line.candidate_location_ids().empty() && request.candidate_location_ids().empty()) {
      return InvalidField(absl::StrCat(field, ".candidate_location_ids"),
                          "must name a location, here or in the request");
    }
    RETURN_IF_ERROR(candidates.Check(absl::StrCat(field, ".candidate_location_ids"), line.candidate_location_ids()));
  }
  return candidates.Check("candidate_location_ids", request.candidate_location_ids());
}

bool NeedsExpiry(v1::HoldPurpose purpose) {
  return purpose != v1::HOLD_PURPOSE_CHECKOUT && purpose != v1::HOLD_PURPOSE_TRANSFER;
}

}  // namespace

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t characters_min, size_t characters_max) {
  const std::optional<size_t> length = PrintableLength(text);
  if (!length.has_value()) return InvalidField(field, "must be printable text");
  if (*length < characters_min || *length > characters_max) {
    return InvalidField(
        field, absl::StrCat("must have ", characters_min, " to ", characters_max, " characters, not ", *length));
  }
  return absl::OkStatus();
}

absl::Status CheckSku(absl::string_view sku) { return CheckText("sku", sku, 1, kSkuCharactersMax); }

absl::Status CheckLocation(absl::string_view field, absl::string_view location_id) {
  return CheckText(field, location_id, 1, kLocationCharactersMax);
}

absl::Status Validate(const v1::ReceiveStockRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckLocation("location_id", request.location_id()));
  RETURN_IF_ERROR(CheckUnits("units", request.units(), 1));
  return CheckText("reference", request.reference(), 0, kReferenceCharactersMax);
}

absl::Status Validate(const v1::CountStockRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckLocation("location_id", request.location_id()));
  return CheckUnits("counted_units", request.counted_units(), 0);
}

absl::Status Validate(const v1::AdjustStockRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckLocation("location_id", request.location_id()));
  if (request.delta_units() == 0 || request.delta_units() > kCommandUnitsMax ||
      request.delta_units() < -kCommandUnitsMax) {
    return InvalidField("delta_units", "must be -10^12 to 10^12 and not 0");
  }
  if (request.reason() == v1::ADJUST_REASON_UNSPECIFIED || !v1::AdjustReason_IsValid(request.reason())) {
    return InvalidField("reason", "must be given");
  }
  return CheckText("note", request.note(), 0, kNoteCharactersMax);
}

absl::Status Validate(const v1::AllowBackorderRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckLocation("location_id", request.location_id()));
  return CheckUnits("units", request.units(), 0);
}

absl::Status Validate(const v1::ReserveStockRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  RETURN_IF_ERROR(CheckLines(request));
  RETURN_IF_ERROR(CheckSplit(request.split()));
  if (request.purpose() == v1::HOLD_PURPOSE_UNSPECIFIED || !v1::HoldPurpose_IsValid(request.purpose())) {
    return InvalidField("purpose", "must be given");
  }
  RETURN_IF_ERROR(CheckText("owner.ref", request.owner().ref(), 1, kOwnerCharactersMax));
  if (request.owner().has_customer()) RETURN_IF_ERROR(CheckHashed("owner.customer", request.owner().customer()));
  if (request.has_expire_time()) {
    RETURN_IF_ERROR(CheckTime("expire_time", request.expire_time()));
  } else if (NeedsExpiry(request.purpose())) {
    return InvalidField("expire_time", "must be given unless the hold is for CHECKOUT or TRANSFER");
  }
  if (request.replaces_hold_id() == request.hold_id()) return InvalidField("replaces_hold_id", "must be another hold");
  RETURN_IF_ERROR(CheckText("replaces_owner_id", request.replaces_owner_id(), 0, kOwnerCharactersMax));
  return CheckText("replaces_hold_id", request.replaces_hold_id(), 0, kHoldIdCharactersMax);
}

absl::Status Validate(const v1::ExtendHoldRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  if (!request.has_expire_time()) return InvalidField("expire_time", "must be given");
  return CheckTime("expire_time", request.expire_time());
}

absl::Status Validate(const v1::MoveHoldRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  if (!request.cancelled_request_id().empty()) {
    RETURN_IF_ERROR(CheckText("cancelled_request_id", request.cancelled_request_id(), 1, kRequestIdCharactersMax));
    if (!request.from_location_id().empty() || !request.candidate_location_ids().empty() || request.units() != 0 ||
        request.split() != v1::SPLIT_POLICY_UNSPECIFIED) {
      return InvalidField("cancelled_request_id", "must come without the fields of a move of its own");
    }
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckText("from_location_id", request.from_location_id(), 0, kLocationCharactersMax));
  if (request.candidate_location_ids().empty()) {
    return InvalidField("candidate_location_ids", "must name a location");
  }
  RETURN_IF_ERROR(Candidates().Check("candidate_location_ids", request.candidate_location_ids()));
  RETURN_IF_ERROR(CheckSplit(request.split()));
  return CheckUnits("units", request.units(), 0);
}

absl::Status Validate(const v1::ReleaseHoldRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  return CheckAllocations(request.allocations());
}

absl::Status Validate(const v1::CommitHoldRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  return CheckText("order_id", request.order_id(), 1, kOrderIdCharactersMax);
}

absl::Status Validate(const v1::ShipStockRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  return CheckAllocations(request.allocations());
}

absl::Status Validate(const v1::CancelReservationRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckHoldId(request.hold_id()));
  return CheckText("cancelled_request_id", request.cancelled_request_id(), 1, kRequestIdCharactersMax);
}

absl::Status Validate(const v1::ReturnStockRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckLocation("location_id", request.location_id()));
  RETURN_IF_ERROR(CheckUnits("units", request.units(), 0));
  RETURN_IF_ERROR(CheckUnits("unusable_units", request.unusable_units(), request.units() == 0 ? 1 : 0));
  return CheckText("reference", request.reference(), 1, kReturnReferenceCharactersMax);
}

absl::Status Validate(const v1::SendTransferRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckText("transfer_id", request.transfer_id(), 1, kTransferIdCharactersMax));
  RETURN_IF_ERROR(CheckLocation("from_location_id", request.from_location_id()));
  RETURN_IF_ERROR(CheckLocation("to_location_id", request.to_location_id()));
  if (request.from_location_id() == request.to_location_id()) {
    return InvalidField("to_location_id", "must be another location");
  }
  RETURN_IF_ERROR(CheckUnits("units", request.units(), 1));
  return CheckText("hold_id", request.hold_id(), 0, kHoldIdCharactersMax);
}

absl::Status Validate(const v1::ReceiveTransferRequest& request) {
  RETURN_IF_ERROR(CheckSku(request.sku()));
  RETURN_IF_ERROR(CheckText("transfer_id", request.transfer_id(), 1, kTransferIdCharactersMax));
  RETURN_IF_ERROR(CheckUnits("units", request.units(), 0));
  return CheckUnits("lost_units", request.lost_units(), request.units() == 0 ? 1 : 0);
}

}  // namespace halles::inventory
