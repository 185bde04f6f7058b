// The door of orders that are placed here.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_SERVICE_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_SERVICE_H_

#include "halles/checkout/v1/order_service.grpc.pb.h"
#include "libs/host/host.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace halles::checkout {

// PlaceOrder, ExchangeLines and RerouteFulfilment answer after their saga has ended.
// Thread safety: any thread.
// Lifetime: host and metrics outlive it; it outlives the server.
class OrderDoor final : public v1::OrderService::CallbackService {
 public:
  OrderDoor(host::Host* host, telemetry::Metrics* metrics);

  grpc::ServerUnaryReactor* PlaceOrder(grpc::CallbackServerContext* context, const v1::PlaceOrderRequest* request,
                                       v1::PlaceOrderResponse* response) override;
  grpc::ServerUnaryReactor* CancelOrder(grpc::CallbackServerContext* context, const v1::CancelOrderRequest* request,
                                        v1::CancelOrderResponse* response) override;
  grpc::ServerUnaryReactor* ReturnLines(grpc::CallbackServerContext* context, const v1::ReturnLinesRequest* request,
                                        v1::ReturnLinesResponse* response) override;
  grpc::ServerUnaryReactor* ExchangeLines(grpc::CallbackServerContext* context, const v1::ExchangeLinesRequest* request,
                                          v1::ExchangeLinesResponse* response) override;
  grpc::ServerUnaryReactor* PrepareFulfilment(grpc::CallbackServerContext* context,
                                              const v1::PrepareFulfilmentRequest* request,
                                              v1::PrepareFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* ReadyFulfilment(grpc::CallbackServerContext* context,
                                            const v1::ReadyFulfilmentRequest* request,
                                            v1::ReadyFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* CollectFulfilment(grpc::CallbackServerContext* context,
                                              const v1::CollectFulfilmentRequest* request,
                                              v1::CollectFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* ShipFulfilment(grpc::CallbackServerContext* context,
                                           const v1::ShipFulfilmentRequest* request,
                                           v1::ShipFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* CompleteFulfilment(grpc::CallbackServerContext* context,
                                               const v1::CompleteFulfilmentRequest* request,
                                               v1::CompleteFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* DelayFulfilment(grpc::CallbackServerContext* context,
                                            const v1::DelayFulfilmentRequest* request,
                                            v1::DelayFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* CancelFulfilment(grpc::CallbackServerContext* context,
                                             const v1::CancelFulfilmentRequest* request,
                                             v1::CancelFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* RerouteFulfilment(grpc::CallbackServerContext* context,
                                              const v1::RerouteFulfilmentRequest* request,
                                              v1::RerouteFulfilmentResponse* response) override;
  grpc::ServerUnaryReactor* GetOrder(grpc::CallbackServerContext* context, const v1::GetOrderRequest* request,
                                     v1::GetOrderResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkQueue(grpc::CallbackServerContext* context, const v1::ListWorkQueueRequest* request,
                                          v1::ListWorkQueueResponse* response) override;

  rpc::Door& door() { return door_; }

 private:
  host::Host& host_;
  rpc::Door door_;
};

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_SERVICE_H_
