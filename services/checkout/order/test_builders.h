// Builders for tests of orders placed here.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_TEST_BUILDERS_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_TEST_BUILDERS_H_

#include <string>
#include <utility>
#include <vector>

#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/saga/saga.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/order/state.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::order {

template <class Request>
Request OfFulfilment(const std::string& fulfilment_id) {
  Request request = Of<Request>();
  request.set_fulfilment_id(fulfilment_id);
  return request;
}

inline v1::PlaceOrderRequest Place() {
  v1::PlaceOrderRequest request;
  request.set_request_id("request");
  request.set_cart_id(kOrderId);
  return request;
}

inline v1::Delivery ShipFrom(const std::vector<std::string>& locations) {
  v1::Delivery delivery;
  delivery.mutable_shipment()->set_address_token("token");
  for (const std::string& location : locations) delivery.mutable_shipment()->add_source_location_ids(location);
  return delivery;
}
inline v1::Delivery PickUp(const std::string& location) {
  v1::Delivery delivery;
  delivery.mutable_pickup()->set_location_id(location);
  return delivery;
}
inline v1::Delivery TakeAlong(const std::string& location) {
  v1::Delivery delivery;
  delivery.mutable_carry_out()->set_location_id(location);
  return delivery;
}

inline v1::ExchangeLinesRequest Swap(const std::string& exchange_id, const v1::ReturnedLine& returned,
                                     const std::string& new_line_id, const std::string& price) {
  v1::ExchangeLinesRequest request = Of<v1::ExchangeLinesRequest>();
  request.set_exchange_id(exchange_id);
  *request.mutable_origin() = InShop("nice");
  request.set_location_id("nice-stock");
  *request.add_returned_lines() = returned;
  v1::ExchangeLine& line = *request.add_new_lines();
  line.set_line_id(new_line_id);
  line.set_sku("boot");
  line.set_units(1);
  *line.mutable_unit_price() = Exact(price);
  *request.mutable_delivery() = TakeAlong("nice");
  return request;
}
inline v1::RerouteFulfilmentRequest MoveTo(const std::string& fulfilment_id, const std::string& location) {
  v1::RerouteFulfilmentRequest request = OfFulfilment<v1::RerouteFulfilmentRequest>(fulfilment_id);
  request.set_to_location_id(location);
  return request;
}

inline absl::Status Insufficient(const std::string& lines, const std::string& available) {
  return Reject(inventory::v1::REJECT_REASON_INSUFFICIENT_STOCK, "not enough",
                {{"lines", lines}, {"line_" + lines.substr(0, 1) + "_available_units", available}});
}

// A slot of checkout in which the test answers the calls of sagas.
class GivenOrder : public GivenCheckout {
 public:
  GivenOrder() : GivenCheckout(kSlot) {}

  // A cart with these lines and this delivery.
  GivenOrder(const std::vector<v1::CartLine>& lines, const v1::Delivery& delivery) : GivenOrder() {
    Record(Add(kOrderId, lines));
    v1::SetCartDeliveryRequest request;
    request.set_request_id("request");
    request.set_cart_id(kOrderId);
    *request.mutable_delivery() = delivery;
    Record(request);
  }

  rows::OrderRow Order() const {
    return kOrders.Get(rows(), {OrderId::FromString(kOrderId)}).value_or(rows::OrderRow());
  }
  saga::v1::Saga Saga() const { return kSagas.Get(rows(), {OrderId::FromString(kOrderId)}).value_or(saga::v1::Saga()); }
  rows::CartRow Cart() const { return CartIn(rows(), kOrderId); }
  v1::OrderFulfilment Fulfilment(const std::string& id) const {
    const rows::OrderRow row = Order();
    const v1::OrderFulfilment* fulfilment = FindFulfilment(row, id);
    return fulfilment == nullptr ? v1::OrderFulfilment() : *fulfilment;
  }
  v1::OrderLine LineOf(const std::string& id) const {
    const rows::OrderRow row = Order();
    const v1::OrderLine* line = FindLine(row, id);
    return line == nullptr ? v1::OrderLine() : *line;
  }

  // The answer to a command whose record answered `begun`.
  template <class Response>
  auto AnswerTo(const Response& begun) const {
    return OutcomeOf(rows(), kSlot, OrderId::FromString(kOrderId), begun);
  }

  // Reports the outcome of a step, or of its cancellation, to the order.
  auto Succeed(const std::string& tag, const std::string& response) {
    v1::RecordOutcomesRequest request;
    request.set_order_id(kOrderId);
    v1::CallOutcome& outcome = *request.add_outcomes();
    outcome.set_tag(tag);
    outcome.set_succeeded(true);
    outcome.set_response(response);
    return Record(request);
  }
  auto Refuse(const std::string& tag, const absl::Status& refusal) {
    v1::RecordOutcomesRequest request;
    request.set_order_id(kOrderId);
    request.add_outcomes()->set_tag(tag);
    request.mutable_outcomes(0)->set_refusal(saga::EncodeRefusal(refusal));
    return Record(request);
  }
  auto TimerDue(const std::string& timer) {
    v1::OrderTimerDueRequest request;
    request.set_order_id(kOrderId);
    request.set_timer(timer);
    return Record(request);
  }

  // Answers all calls of the saga until it ends. The first candidate has all units, and the number is `number`.
  GivenOrder& AnswerAll(int64_t number = 1) {
    for (saga::v1::Saga saga = Saga(); saga.steps_size() > 0; saga = Saga()) {
      for (int i = 0; i < saga.steps_size(); ++i) {
        const saga::v1::Step& step = saga.plan().steps(i);
        const std::string tag = saga.plan().saga_id() + "/" + step.name();
        if (saga.steps(i).state() == saga::v1::STEP_STATE_SENT) Succeed(tag, ResponseTo(step, number));
        if (saga.steps(i).state() == saga::v1::STEP_STATE_CANCEL_SENT) Succeed(tag + "/cancel", "");
      }
    }
    return *this;
  }

  // The response of inventory or of the number series.
  static std::string ResponseTo(const saga::v1::Step& step, int64_t number) {
    inventory::v1::ReserveStockRequest asked;
    if (step.method() == asked.GetTypeName()) {
      asked.ParseFromString(step.request());
      inventory::v1::ReserveStockResponse response;
      for (const inventory::v1::ReserveLine& line : asked.lines()) {
        inventory::v1::Allocation& allocation = *response.add_line_plans()->add_allocations();
        allocation.set_location_id(asked.candidate_location_ids(0));
        allocation.set_units(line.units());
      }
      return response.SerializeAsString();
    }
    v1::AssignOrderNumberResponse response;
    response.set_number(number);
    return step.pivot() ? response.SerializeAsString() : std::string();
  }
};

// A placed order of two lines: "a" is 3 shoes for 10.00 in total, "b" is 1 hat for 5.00.
inline GivenOrder Placed(const v1::Delivery& delivery = ShipFrom({"paris"})) {
  GivenOrder given({CartLineOf("a", 3, "3.333", "shoe"), CartLineOf("b", 1, "5.00", "hat")}, delivery);
  given.Record(Place());
  given.AnswerAll();
  return given;
}
// The same, with all goods handed over.
inline GivenOrder HandedOver() {
  GivenOrder given = Placed(TakeAlong("paris"));
  given.Record(OfFulfilment<v1::CollectFulfilmentRequest>("f1"));
  return given;
}

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_TEST_BUILDERS_H_
