// The door of customer identity.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_SERVICE_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_SERVICE_H_

#include <memory>

#include "halles/customer_identity/v1/customer_identity_service.grpc.pb.h"
#include "libs/host/host.h"
#include "libs/host/watches.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace halles::customer_identity {

// Thread safety: any thread.
// Lifetime: host and metrics outlive it; it outlives the server.
class CustomerIdentityDoor final : public v1::CustomerIdentityService::CallbackService {
 public:
  // The host notifies `watches` of the topics that events touch.
  CustomerIdentityDoor(host::Host* host, std::shared_ptr<host::Watches> watches, telemetry::Metrics* metrics);

  grpc::ServerUnaryReactor* GetCustomerView(grpc::CallbackServerContext* context,
                                            const v1::GetCustomerViewRequest* request,
                                            v1::GetCustomerViewResponse* response) override;
  grpc::ServerUnaryReactor* FindCustomer(grpc::CallbackServerContext* context, const v1::FindCustomerRequest* request,
                                         v1::FindCustomerResponse* response) override;
  grpc::ServerUnaryReactor* ListTimeline(grpc::CallbackServerContext* context, const v1::ListTimelineRequest* request,
                                         v1::ListTimelineResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchCustomerResponse>* WatchCustomer(grpc::CallbackServerContext* context,
                                                                     const v1::WatchCustomerRequest* request) override;

  rpc::Door& door() { return door_; }

 private:
  host::Host& host_;
  const std::shared_ptr<host::Watches> watches_;  // shared with the host's listener, other doors and tasks
  rpc::Door door_;
};

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_SERVICE_H_
