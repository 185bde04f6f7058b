// The door of checkout.
#ifndef HALLES_SERVICES_CHECKOUT_SERVICE_H_
#define HALLES_SERVICES_CHECKOUT_SERVICE_H_

#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "libs/host/host.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace halles::checkout {

// Thread safety: any thread.
// Lifetime: host and metrics outlive it; it outlives the server.
class CheckoutDoor final : public v1::CheckoutService::CallbackService {
 public:
  CheckoutDoor(host::Host* host, telemetry::Metrics* metrics);

  grpc::ServerUnaryReactor* ImportOrder(grpc::CallbackServerContext* context, const v1::ImportOrderRequest* request,
                                        v1::ImportOrderResponse* response) override;
  grpc::ServerUnaryReactor* ImportReturn(grpc::CallbackServerContext* context, const v1::ImportReturnRequest* request,
                                         v1::ImportReturnResponse* response) override;
  grpc::ServerUnaryReactor* GetTotals(grpc::CallbackServerContext* context, const v1::GetTotalsRequest* request,
                                      v1::GetTotalsResponse* response) override;

  rpc::Door& door() { return door_; }

 private:
  host::Host& host_;
  rpc::Door door_;
};

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_SERVICE_H_
