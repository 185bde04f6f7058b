// The connection to halles: channels, stubs, deadlines, and errors that tell the operator what to do.
#ifndef HALLES_SERVICES_HALLESCTL_CLIENT_H_
#define HALLES_SERVICES_HALLESCTL_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "halles/admin/v1/admin_service.grpc.pb.h"
#include "halles/checkout/v1/cart_service.grpc.pb.h"
#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "halles/checkout/v1/order_service.grpc.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.grpc.pb.h"
#include "halles/inventory/v1/inventory_service.grpc.pb.h"

namespace halles::hallesctl {

// Limits: an answer with more bytes is refused (a customer with the events of many years is large).
inline constexpr int kReceiveBytesMax = 64 * 1024 * 1024;

// A channel with its own connection; it reconnects within half a second after the server is back.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& target);

// The connection that a command of hallesctl uses.
class Client {
 public:
  // Each unary call has the deadline `timeout`. Nothing is sent yet.
  Client(std::shared_ptr<grpc::Channel> channel, std::string target, absl::Duration timeout);

  // Makes one call: client.Call(&OrderService::Stub::GetOrder, *client.orders, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                Stub& stub, const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return ErrorOf(status);
    return response;
  }

  // The error of a call. If there was no answer, the error names the target.
  absl::Status ErrorOf(const grpc::Status& status) const;

  const std::string target;
  const absl::Duration timeout;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<checkout::v1::CheckoutService::Stub> checkout;
  const std::unique_ptr<checkout::v1::CartService::Stub> carts;
  const std::unique_ptr<checkout::v1::OrderService::Stub> orders;
  const std::unique_ptr<inventory::v1::InventoryService::Stub> inventory;
  const std::unique_ptr<customer_identity::v1::CustomerIdentityService::Stub> customers;
  const std::unique_ptr<admin::v1::AdminService::Stub> admin;
};

// True if the request should be sent again with the same request id: it was not refused.
bool IsWorthAnotherTry(const absl::Status& status);

// A new, unique request id.
std::string NewRequestId();

// The error for people: code, reason, fields, metadata, and what to do. Ends with a line end.
std::string ErrorText(const absl::Status& status);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_CLIENT_H_
