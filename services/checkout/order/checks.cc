// Checks fields of commands about orders.
#include "services/checkout/order/checks.h"

#include <set>
#include <string>

#include "libs/base/status.h"
#include "services/checkout/checks.h"

namespace halles::checkout::order {
namespace {

template <class Request>
absl::Status CheckFulfilmentOf(const Request& request) {
  RETURN_IF_ERROR(CheckOrderId(request.order_id()));
  return CheckText("fulfilment_id", request.fulfilment_id(), 1, kFulfilmentIdCharactersMax);
}

absl::Status CheckNewLines(const v1::ExchangeLinesRequest& request) {
  if (request.new_lines().empty() || request.new_lines_size() > kReturnLinesMax) {
    return Invalid(Path("new_lines"), "takes 1 to 100 entries");
  }
  std::set<std::string> ids;
  for (int i = 0; i < request.new_lines_size(); ++i) {
    const Path at("new_lines", i);
    const v1::ExchangeLine& line = request.new_lines(i);
    RETURN_IF_ERROR(CheckText(Path(at, "line_id"), line.line_id(), 1, kLineIdCharactersMax));
    if (!ids.insert(line.line_id()).second) return Invalid(Path(at, "line_id"), "must be unique");
    RETURN_IF_ERROR(CheckText(Path(at, "sku"), line.sku(), 1, kSkuCharactersMax));
    RETURN_IF_ERROR(CheckUnits(Path(at, "units"), line.units(), 1));
    RETURN_IF_ERROR(CheckUnitPrice(Path(at, "unit_price"), line.has_unit_price(), line.unit_price()));
    RETURN_IF_ERROR(CheckText(Path(at, "description"), line.description(), 0, kDescriptionCharactersMax));
  }
  if (request.delivery().kind_case() == v1::Delivery::KIND_NOT_SET) {
    return Invalid(Path("delivery"), "must say how the goods reach the customer");
  }
  return CheckDelivery(Path("delivery"), request.delivery());
}

}  // namespace

absl::Status Validate(const v1::PlaceOrderRequest& request) {
  RETURN_IF_ERROR(CheckCartId(Path("cart_id"), request.cart_id()));
  return request.has_origin() ? CheckOrigin(Path("origin"), request.origin()) : absl::OkStatus();
}

absl::Status Validate(const v1::CancelOrderRequest& request) {
  RETURN_IF_ERROR(CheckOrderId(request.order_id()));
  return CheckText("cause", request.cause(), 0, kCauseCharactersMax);
}

absl::Status Validate(const v1::ExchangeLinesRequest& request) {
  RETURN_IF_ERROR(CheckOrderId(request.order_id()));
  RETURN_IF_ERROR(CheckText("exchange_id", request.exchange_id(), 1, kReturnIdCharactersMax));
  RETURN_IF_ERROR(CheckOrigin(Path("origin"), request.origin()));
  RETURN_IF_ERROR(CheckText("location_id", request.location_id(), 1, kLocationCharactersMax));
  RETURN_IF_ERROR(CheckReturnedLines("returned_lines", request.returned_lines()));
  return CheckNewLines(request);
}

absl::Status Validate(const v1::PrepareFulfilmentRequest& request) { return CheckFulfilmentOf(request); }

absl::Status Validate(const v1::ReadyFulfilmentRequest& request) { return CheckFulfilmentOf(request); }

absl::Status Validate(const v1::CollectFulfilmentRequest& request) { return CheckFulfilmentOf(request); }

absl::Status Validate(const v1::ShipFulfilmentRequest& request) {
  RETURN_IF_ERROR(CheckFulfilmentOf(request));
  return CheckText("tracking_reference", request.tracking_reference(), 0, kTrackingCharactersMax);
}

absl::Status Validate(const v1::CompleteFulfilmentRequest& request) { return CheckFulfilmentOf(request); }

absl::Status Validate(const v1::DelayFulfilmentRequest& request) {
  RETURN_IF_ERROR(CheckFulfilmentOf(request));
  RETURN_IF_ERROR(CheckText("cause", request.cause(), 1, kCauseCharactersMax));
  return CheckRecordedTime(Path("promised_time"), request.promised_time());
}

absl::Status Validate(const v1::CancelFulfilmentRequest& request) {
  RETURN_IF_ERROR(CheckFulfilmentOf(request));
  return CheckText("cause", request.cause(), 0, kCauseCharactersMax);
}

absl::Status Validate(const v1::RerouteFulfilmentRequest& request) {
  RETURN_IF_ERROR(CheckFulfilmentOf(request));
  return CheckText("to_location_id", request.to_location_id(), 1, kLocationCharactersMax);
}

}  // namespace halles::checkout::order
