// The methods of the door of orders: submit a command, wait for its outcome, or run a query.
#include "services/checkout/order_service.h"

#include <optional>
#include <string>
#include <utility>

#include "halles/checkout/v1/order_service.limits.h"
#include "libs/base/status.h"
#include "libs/host/calls.h"
#include "libs/host/submit.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/order/work.h"
#include "services/checkout/queries.h"

namespace halles::checkout {
namespace {

const std::string& OrderOf(const v1::PlaceOrderRequest& request) { return request.cart_id(); }
template <typename Request>
const std::string& OrderOf(const Request& request) {
  return request.order_id();
}

// Submits the request, waits for the end of the saga that it began, and answers with the outcome. DEADLINE_EXCEEDED if
// the saga has not ended by the deadline.
template <typename Response, typename Request, typename Reply>
absl::Status SendAndWait(host::Host& host, const Request& request, const rpc::Call& call, Reply reply) {
  return host::Submit<Response>(
      host, request, call, [&host, request, deadline = call.deadline, reply](const absl::StatusOr<Response>& begun) {
        if (!begun.ok()) {
          reply(begun.status());
          return;
        }
        host::ReadStateWhen<Response>(
            host, ServiceId::kCheckout, OrderOf(request), begun->consistency_token(), deadline,
            [order = OrderId::FromString(OrderOf(request)), begun = *begun](
                const store::RowReader& state, SlotId slot,
                std::string token) -> absl::StatusOr<std::optional<Response>> {
              ASSIGN_OR_RETURN(std::optional<Response> ended, order::OutcomeOf(state, slot, order, begun));
              if (ended.has_value()) ended->set_consistency_token(std::move(token));
              return ended;
            },
            reply);
      });
}

}  // namespace

OrderDoor::OrderDoor(host::Host* host, telemetry::Metrics* metrics)
    : host_(*host), door_(v1::OrderService::service_full_name(), host->clock(), metrics) {}

grpc::ServerUnaryReactor* OrderDoor::PlaceOrder(grpc::CallbackServerContext* context,
                                                const v1::PlaceOrderRequest* request,
                                                v1::PlaceOrderResponse* response) {
  return door_.Command(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    return SendAndWait<v1::PlaceOrderResponse>(host_, asked, call, reply);
  });
}

grpc::ServerUnaryReactor* OrderDoor::CancelOrder(grpc::CallbackServerContext* context,
                                                 const v1::CancelOrderRequest* request,
                                                 v1::CancelOrderResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CancelOrderResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::ReturnLines(grpc::CallbackServerContext* context,
                                                 const v1::ReturnLinesRequest* request,
                                                 v1::ReturnLinesResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReturnLinesResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::ExchangeLines(grpc::CallbackServerContext* context,
                                                   const v1::ExchangeLinesRequest* request,
                                                   v1::ExchangeLinesResponse* response) {
  return door_.Command(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    return SendAndWait<v1::ExchangeLinesResponse>(host_, asked, call, reply);
  });
}

grpc::ServerUnaryReactor* OrderDoor::PrepareFulfilment(grpc::CallbackServerContext* context,
                                                       const v1::PrepareFulfilmentRequest* request,
                                                       v1::PrepareFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::PrepareFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::ReadyFulfilment(grpc::CallbackServerContext* context,
                                                     const v1::ReadyFulfilmentRequest* request,
                                                     v1::ReadyFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReadyFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::CollectFulfilment(grpc::CallbackServerContext* context,
                                                       const v1::CollectFulfilmentRequest* request,
                                                       v1::CollectFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CollectFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::ShipFulfilment(grpc::CallbackServerContext* context,
                                                    const v1::ShipFulfilmentRequest* request,
                                                    v1::ShipFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ShipFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::CompleteFulfilment(grpc::CallbackServerContext* context,
                                                        const v1::CompleteFulfilmentRequest* request,
                                                        v1::CompleteFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CompleteFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::DelayFulfilment(grpc::CallbackServerContext* context,
                                                     const v1::DelayFulfilmentRequest* request,
                                                     v1::DelayFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::DelayFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::CancelFulfilment(grpc::CallbackServerContext* context,
                                                      const v1::CancelFulfilmentRequest* request,
                                                      v1::CancelFulfilmentResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CancelFulfilmentResponse>(host_));
}

grpc::ServerUnaryReactor* OrderDoor::RerouteFulfilment(grpc::CallbackServerContext* context,
                                                       const v1::RerouteFulfilmentRequest* request,
                                                       v1::RerouteFulfilmentResponse* response) {
  return door_.Command(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    return SendAndWait<v1::RerouteFulfilmentResponse>(host_, asked, call, reply);
  });
}

grpc::ServerUnaryReactor* OrderDoor::GetOrder(grpc::CallbackServerContext* context, const v1::GetOrderRequest* request,
                                              v1::GetOrderResponse* response) {
  return door_.Query(context, request, response,
                     [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
                       ASSIGN_OR_RETURN(const OrderId order, NameOfOrder(imports::kTenant, asked));
                       host::ReadState<v1::GetOrderResponse>(
                           host_, ServiceId::kCheckout, order.ToString(), asked.consistency_token(), call.deadline,
                           [order](const store::RowReader& state, SlotId slot,
                                   std::string token) -> absl::StatusOr<v1::GetOrderResponse> {
                             ASSIGN_OR_RETURN(v1::GetOrderResponse found, FindOrder(state, slot, order));
                             found.set_consistency_token(std::move(token));
                             return found;
                           },
                           reply);
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* OrderDoor::ListWorkQueue(grpc::CallbackServerContext* context,
                                                   const v1::ListWorkQueueRequest* request,
                                                   v1::ListWorkQueueResponse* response) {
  return door_.Query(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    host::AnswerFromView<v1::ListWorkQueueResponse>(
        host_, ServiceId::kCheckout, order::kWorkView, asked.consistency_token(), call.deadline,
        [asked, now = host_.clock().Wall()](const store::RowReader& view) {
          return order::QueryWork(view, asked, now);
        },
        reply);
  });
}

}  // namespace halles::checkout
