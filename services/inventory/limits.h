// What the fields of a command may hold: asked at the door, and again before a decision.
#ifndef HALLES_SERVICES_INVENTORY_LIMITS_H_
#define HALLES_SERVICES_INVENTORY_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "halles/inventory/v1/inventory_service.pb.h"

namespace halles::inventory {

inline constexpr size_t kSkuCharactersMax = 64;
inline constexpr size_t kLocationCharactersMax = 64;
inline constexpr size_t kHoldIdCharactersMax = 128;
inline constexpr size_t kTransferIdCharactersMax = 128;
inline constexpr size_t kOwnerCharactersMax = 128;
inline constexpr size_t kOrderIdCharactersMax = 64;
inline constexpr size_t kReferenceCharactersMax = 128;
inline constexpr size_t kReturnReferenceCharactersMax = 160;
inline constexpr size_t kNoteCharactersMax = 200;
inline constexpr size_t kRequestIdCharactersMax = 128;
inline constexpr int64_t kCommandUnitsMax = 1'000'000'000'000;
inline constexpr int kLinesMax = 100;
// Of one command, all its lines together: each is a row that the decision reads.
inline constexpr int kCandidatesMax = 64;
inline constexpr int kExpiryDaysMax = 400;

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t characters_min, size_t characters_max);
absl::Status CheckSku(absl::string_view sku);
absl::Status CheckLocation(absl::string_view field, absl::string_view location_id);

// INVALID_ARGUMENT that names the first field which breaks a limit, such as "lines[3].units". Customers are hashed before.
absl::Status Validate(const v1::ReceiveStockRequest& request);
absl::Status Validate(const v1::CountStockRequest& request);
absl::Status Validate(const v1::AdjustStockRequest& request);
absl::Status Validate(const v1::AllowBackorderRequest& request);
absl::Status Validate(const v1::ReserveStockRequest& request);
absl::Status Validate(const v1::ExtendHoldRequest& request);
absl::Status Validate(const v1::MoveHoldRequest& request);
absl::Status Validate(const v1::ReleaseHoldRequest& request);
absl::Status Validate(const v1::CommitHoldRequest& request);
absl::Status Validate(const v1::ShipStockRequest& request);
absl::Status Validate(const v1::CancelReservationRequest& request);
absl::Status Validate(const v1::ReturnStockRequest& request);
absl::Status Validate(const v1::SendTransferRequest& request);
absl::Status Validate(const v1::ReceiveTransferRequest& request);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_LIMITS_H_
