// What may be asked of carts and orders: limits of the fields that their commands share.
#ifndef HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_
#define HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "google/protobuf/repeated_field.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/base/status.h"
#include "services/checkout/field_path.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout {

inline constexpr size_t kCartIdCharactersMax = 64;
inline constexpr size_t kLineIdCharactersMax = 64;
inline constexpr size_t kLocationCharactersMax = 64;
inline constexpr size_t kHoldIdCharactersMax = 128;
inline constexpr size_t kAddressTokenCharactersMax = 128;
inline constexpr int kSourceLocationsMax = 64;

// What the door asks before anything is submitted, identifiers already hashed: INVALID_ARGUMENT that names the first field
// which breaks a rule.
absl::Status Validate(const v1::AddCartLinesRequest& request);
absl::Status Validate(const v1::ChangeCartLineRequest& request);
absl::Status Validate(const v1::SetCartDeliveryRequest& request);
absl::Status Validate(const v1::SetCartCustomerRequest& request);
absl::Status Validate(const v1::MergeCartsRequest& request);
absl::Status Validate(const v1::UndoMergeCartsRequest& request);

// Parts of them, for whoever else has such fields.
absl::Status CheckCartId(const Path& path, absl::string_view cart_id);
absl::Status CheckOrigin(const Path& path, const v1::Origin& origin);
absl::Status CheckDelivery(const Path& path, const v1::Delivery& delivery);
// A price of one unit: given, exact, not negative.
absl::Status CheckUnitPrice(const Path& path, bool present, const common::v1::Decimal& price);
absl::Status CheckUnits(const Path& path, int64_t units, int64_t least);

// Identifiers that were not hashed; the rest of the rules about them.
absl::Status CheckNothingInClear(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);
absl::Status CheckIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers);

// VERSION_CHANGED unless the cart has the version that the command was made for; a cart that is not there has version 0.
template <class Request>
absl::Status CheckVersion(const Request& request, int64_t version) {
  if (!request.has_expected_version() || request.expected_version() == version) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_VERSION_CHANGED,
                absl::StrCat("it has version ", version, ", not ", request.expected_version()),
                {{"version", absl::StrCat(version)}, {"expected_version", absl::StrCat(request.expected_version())}});
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_
