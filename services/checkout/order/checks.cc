// Checks fields of commands about orders.
#include "services/checkout/order/checks.h"

#include <set>
#include <string>

#include "libs/base/status.h"
#include "services/checkout/cart/checks.h"
#include "services/checkout/field_path.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/order/returns.h"

namespace halles::checkout::order {
namespace {

template <class Request>
absl::Status CheckOrderId(const Request& request) {
  return CheckText("order_id", request.order_id(), 1, kCartIdCharactersMax);
}

template <class Request>
absl::Status CheckFulfilmentOf(const Request& request) {
  RETURN_IF_ERROR(CheckOrderId(request));
  return CheckText("fulfilment_id", request.fulfilment_id(), 1, kFulfilmentIdCharactersMax);
}

absl::Status CheckReturnedLines(absl::string_view field, const ReturnedLines& lines) {
  const Path path(field);
  if (lines.empty() || lines.size() > kReturnLinesMax) return Invalid(path, "takes 1 to 100 entries");
  for (int i = 0; i < lines.size(); ++i) {
    const Path at(field, i);
    RETURN_IF_ERROR(CheckText(Path(at, "line_id"), lines[i].line_id(), 1, kLineIdCharactersMax));
    RETURN_IF_ERROR(CheckText(Path(at, "sku"), lines[i].sku(), 0, kSkuCharactersMax));
    RETURN_IF_ERROR(CheckUnits(Path(at, "units"), lines[i].units(), 1));
    if (lines[i].disposition() != v1::DISPOSITION_RESTOCK && lines[i].disposition() != v1::DISPOSITION_UNUSABLE) {
      return Invalid(Path(at, "disposition"), "must say what happens to the goods");
    }
    RETURN_IF_ERROR(CheckText(Path(at, "reason"), lines[i].reason(), 0, kReasonCharactersMax));
  }
  return absl::OkStatus();
}

template <class Request>
absl::Status CheckHead(const Request& request, absl::string_view id_field, const std::string& id) {
  RETURN_IF_ERROR(CheckOrderId(request));
  RETURN_IF_ERROR(CheckText(id_field, id, 1, kReturnIdCharactersMax));
  return CheckOrigin(Path("origin"), request.origin());
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
  RETURN_IF_ERROR(CheckOrderId(request));
  return CheckText("cause", request.cause(), 0, kCauseCharactersMax);
}

absl::Status Validate(const v1::ReturnLinesRequest& request) {
  RETURN_IF_ERROR(CheckHead(request, "return_id", request.return_id()));
  return CheckReturnedLines("lines", request.lines());
}

absl::Status Validate(const v1::ExchangeLinesRequest& request) {
  RETURN_IF_ERROR(CheckHead(request, "exchange_id", request.exchange_id()));
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
  return CheckRecordedTime("promised_time", request.promised_time());
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
