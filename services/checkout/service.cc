// The methods of checkout's door: submit a command or run a query.
#include "services/checkout/service.h"

#include "halles/checkout/v1/checkout_service.limits.h"
#include "halles/checkout/v1/grpc_services.h"
#include "libs/host/calls.h"
#include "libs/host/submit.h"
#include "libs/program/doors.h"
#include "services/checkout/cart_service.h"
#include "services/checkout/definition.h"
#include "services/checkout/order_service.h"
#include "services/checkout/projection.h"
#include "services/checkout/queries.h"

namespace halles::checkout {

CheckoutDoor::CheckoutDoor(host::Host* host, telemetry::Metrics* metrics)
    : host_(*host), door_(v1::CheckoutService::service_full_name(), host->clock(), metrics) {}

grpc::ServerUnaryReactor* CheckoutDoor::ImportOrder(grpc::CallbackServerContext* context,
                                                    const v1::ImportOrderRequest* request,
                                                    v1::ImportOrderResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ImportOrderResponse>(host_));
}

grpc::ServerUnaryReactor* CheckoutDoor::ImportReturn(grpc::CallbackServerContext* context,
                                                     const v1::ImportReturnRequest* request,
                                                     v1::ImportReturnResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ImportReturnResponse>(host_));
}

grpc::ServerUnaryReactor* CheckoutDoor::GetTotals(grpc::CallbackServerContext* context,
                                                  const v1::GetTotalsRequest* request,
                                                  v1::GetTotalsResponse* response) {
  return door_.Query(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    host::AnswerFromView<v1::GetTotalsResponse>(
        host_, ServiceId::kCheckout, kTotalsView, asked.consistency_token(), call.deadline,
        [asked](const store::RowReader& view) { return QueryTotals(view, asked); }, reply);
  });
}

void OpenDoors(const program::DoorParts& parts, program::Doors* doors) {
  doors->Open<v1::GrpcServices, CheckoutDoor, CartDoor, OrderDoor>(parts);
}

}  // namespace halles::checkout
