// What may be asked of orders that are placed here: limits of the fields of their commands.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_CHECKS_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_CHECKS_H_

#include "absl/status/status.h"
#include "halles/checkout/v1/order_service.pb.h"

namespace halles::checkout::order {

inline constexpr size_t kCauseCharactersMax = 200;
inline constexpr size_t kTrackingCharactersMax = 64;
inline constexpr size_t kFulfilmentIdCharactersMax = 64;

// What the door asks before anything is submitted: INVALID_ARGUMENT that names the first field which breaks a rule.
absl::Status Validate(const v1::PlaceOrderRequest& request);
absl::Status Validate(const v1::CancelOrderRequest& request);
absl::Status Validate(const v1::ExchangeLinesRequest& request);
absl::Status Validate(const v1::PrepareFulfilmentRequest& request);
absl::Status Validate(const v1::ReadyFulfilmentRequest& request);
absl::Status Validate(const v1::CollectFulfilmentRequest& request);
absl::Status Validate(const v1::ShipFulfilmentRequest& request);
absl::Status Validate(const v1::CompleteFulfilmentRequest& request);
absl::Status Validate(const v1::DelayFulfilmentRequest& request);
absl::Status Validate(const v1::CancelFulfilmentRequest& request);
absl::Status Validate(const v1::RerouteFulfilmentRequest& request);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_CHECKS_H_
