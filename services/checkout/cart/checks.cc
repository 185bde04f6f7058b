// Checks the fields of commands about carts.
#include "services/checkout/cart/checks.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "libs/base/money.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/checks.h"

namespace halles::checkout::cart {
namespace {

template <class Request>
absl::Status CheckCommand(const Request& request) {
  RETURN_IF_ERROR(CheckText("request_id", request.request_id(), 1, kRequestIdCharactersMax));
  RETURN_IF_ERROR(CheckCartId(Path("cart_id"), request.cart_id()));
  if (request.has_expected_version() && request.expected_version() < 0) {
    return InvalidField("expected_version", "must not be negative");
  }
  return absl::OkStatus();
}

absl::Status CheckLine(const Path& path, const v1::CartLine& line) {
  RETURN_IF_ERROR(CheckText(Path(path, "line_id"), line.line_id(), 1, kLineIdCharactersMax));
  RETURN_IF_ERROR(CheckText(Path(path, "sku"), line.sku(), 1, kSkuCharactersMax));
  RETURN_IF_ERROR(CheckUnits(Path(path, "units"), line.units(), 1));
  RETURN_IF_ERROR(CheckUnitPrice(Path(path, "unit_price"), line.has_unit_price(), line.unit_price()));
  RETURN_IF_ERROR(CheckText(Path(path, "description"), line.description(), 0, kDescriptionCharactersMax));
  RETURN_IF_ERROR(CheckText(Path(path, "hold_id"), line.hold_id(), 0, kHoldIdCharactersMax));
  if (line.has_amount()) return Invalid(Path(path, "amount"), "is output only");
  if (line.origins_size() > 0) return Invalid(Path(path, "origins"), "is output only");
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const v1::AddCartLinesRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckOrigin(Path("origin"), request.origin()));
  if (!Currency::Parse(request.currency_code()).ok()) {
    return InvalidField("currency_code", "must be a currency of ISO 4217 such as GBP");
  }
  if (request.lines_size() < 1 || request.lines_size() > kLinesAddedMax) {
    return InvalidField("lines", absl::StrCat("takes 1 to ", kLinesAddedMax, " entries, not ", request.lines_size()));
  }
  std::set<absl::string_view> ids;
  for (int i = 0; i < request.lines_size(); ++i) {
    const Path lines("lines", i);
    RETURN_IF_ERROR(CheckLine(lines, request.lines(i)));
    if (!ids.insert(request.lines(i).line_id()).second) return Invalid(Path(lines, "line_id"), "must come once");
  }
  return CheckIdentifiers(request.identifiers());
}

absl::Status Validate(const v1::ChangeCartLineRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckOrigin(Path("origin"), request.origin()));
  RETURN_IF_ERROR(CheckText("line_id", request.line_id(), 1, kLineIdCharactersMax));
  return CheckUnits(Path("units"), request.units(), 0);
}

absl::Status Validate(const v1::SetCartDeliveryRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckDelivery(Path("delivery"), request.delivery()));
  return CheckIdentifiers(request.identifiers());
}

absl::Status Validate(const v1::SetCartCustomerRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  if (request.identifiers_size() == 0) return InvalidField("identifiers", "must name the customer");
  return CheckIdentifiers(request.identifiers());
}

absl::Status Validate(const v1::MergeCartsRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckCartId(Path("into_cart_id"), request.into_cart_id()));
  if (request.into_cart_id() == request.cart_id()) return InvalidField("into_cart_id", "must be another cart");
  return absl::OkStatus();
}

absl::Status Validate(const v1::UndoMergeCartsRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  return CheckCartId(Path("from_cart_id"), request.from_cart_id());
}

}  // namespace halles::checkout::cart
