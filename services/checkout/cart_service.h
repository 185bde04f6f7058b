// The door of carts.
#ifndef HALLES_SERVICES_CHECKOUT_CART_SERVICE_H_
#define HALLES_SERVICES_CHECKOUT_CART_SERVICE_H_

#include "halles/checkout/v1/cart_service.grpc.pb.h"
#include "libs/host/host.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace halles::checkout {

// Thread safety: any thread.
// Lifetime: host and metrics outlive it; it outlives the server.
class CartDoor final : public v1::CartService::CallbackService {
 public:
  CartDoor(host::Host* host, telemetry::Metrics* metrics);

  grpc::ServerUnaryReactor* AddCartLines(grpc::CallbackServerContext* context, const v1::AddCartLinesRequest* request,
                                         v1::AddCartLinesResponse* response) override;
  grpc::ServerUnaryReactor* ChangeCartLine(grpc::CallbackServerContext* context,
                                           const v1::ChangeCartLineRequest* request,
                                           v1::ChangeCartLineResponse* response) override;
  grpc::ServerUnaryReactor* SetCartDelivery(grpc::CallbackServerContext* context,
                                            const v1::SetCartDeliveryRequest* request,
                                            v1::SetCartDeliveryResponse* response) override;
  grpc::ServerUnaryReactor* SetCartCustomer(grpc::CallbackServerContext* context,
                                            const v1::SetCartCustomerRequest* request,
                                            v1::SetCartCustomerResponse* response) override;
  // Answers after the other cart has taken or declined the lines.
  grpc::ServerUnaryReactor* MergeCarts(grpc::CallbackServerContext* context, const v1::MergeCartsRequest* request,
                                       v1::MergeCartsResponse* response) override;
  grpc::ServerUnaryReactor* UndoMergeCarts(grpc::CallbackServerContext* context,
                                           const v1::UndoMergeCartsRequest* request,
                                           v1::UndoMergeCartsResponse* response) override;
  grpc::ServerUnaryReactor* GetCart(grpc::CallbackServerContext* context, const v1::GetCartRequest* request,
                                    v1::GetCartResponse* response) override;

  rpc::Door& door() { return door_; }

 private:
  host::Host& host_;
  rpc::Door door_;
};

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_CART_SERVICE_H_
