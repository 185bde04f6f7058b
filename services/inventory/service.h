// The door of inventory.
#ifndef HALLES_SERVICES_INVENTORY_SERVICE_H_
#define HALLES_SERVICES_INVENTORY_SERVICE_H_

#include <memory>

#include "halles/inventory/v1/inventory_service.grpc.pb.h"
#include "libs/host/host.h"
#include "libs/host/watches.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace halles::inventory {

// Thread safety: any thread.
// Lifetime: host and metrics outlive it; it outlives the server.
class InventoryDoor final : public v1::InventoryService::CallbackService {
 public:
  // The host notifies `watches` of the topics that events touch.
  InventoryDoor(host::Host* host, std::shared_ptr<host::Watches> watches, telemetry::Metrics* metrics);

  grpc::ServerUnaryReactor* ReceiveStock(grpc::CallbackServerContext* context, const v1::ReceiveStockRequest* request,
                                         v1::ReceiveStockResponse* response) override;
  grpc::ServerUnaryReactor* CountStock(grpc::CallbackServerContext* context, const v1::CountStockRequest* request,
                                       v1::CountStockResponse* response) override;
  grpc::ServerUnaryReactor* AdjustStock(grpc::CallbackServerContext* context, const v1::AdjustStockRequest* request,
                                        v1::AdjustStockResponse* response) override;
  grpc::ServerUnaryReactor* AllowBackorder(grpc::CallbackServerContext* context,
                                           const v1::AllowBackorderRequest* request,
                                           v1::AllowBackorderResponse* response) override;
  grpc::ServerUnaryReactor* ReserveStock(grpc::CallbackServerContext* context, const v1::ReserveStockRequest* request,
                                         v1::ReserveStockResponse* response) override;
  grpc::ServerUnaryReactor* ExtendHold(grpc::CallbackServerContext* context, const v1::ExtendHoldRequest* request,
                                       v1::ExtendHoldResponse* response) override;
  grpc::ServerUnaryReactor* MoveHold(grpc::CallbackServerContext* context, const v1::MoveHoldRequest* request,
                                     v1::MoveHoldResponse* response) override;
  grpc::ServerUnaryReactor* ReleaseHold(grpc::CallbackServerContext* context, const v1::ReleaseHoldRequest* request,
                                        v1::ReleaseHoldResponse* response) override;
  grpc::ServerUnaryReactor* CommitHold(grpc::CallbackServerContext* context, const v1::CommitHoldRequest* request,
                                       v1::CommitHoldResponse* response) override;
  grpc::ServerUnaryReactor* ShipStock(grpc::CallbackServerContext* context, const v1::ShipStockRequest* request,
                                      v1::ShipStockResponse* response) override;
  grpc::ServerUnaryReactor* CancelReservation(grpc::CallbackServerContext* context,
                                              const v1::CancelReservationRequest* request,
                                              v1::CancelReservationResponse* response) override;
  grpc::ServerUnaryReactor* ReturnStock(grpc::CallbackServerContext* context, const v1::ReturnStockRequest* request,
                                        v1::ReturnStockResponse* response) override;
  grpc::ServerUnaryReactor* SendTransfer(grpc::CallbackServerContext* context, const v1::SendTransferRequest* request,
                                         v1::SendTransferResponse* response) override;
  grpc::ServerUnaryReactor* ReceiveTransfer(grpc::CallbackServerContext* context,
                                            const v1::ReceiveTransferRequest* request,
                                            v1::ReceiveTransferResponse* response) override;
  grpc::ServerUnaryReactor* GetAvailability(grpc::CallbackServerContext* context,
                                            const v1::GetAvailabilityRequest* request,
                                            v1::GetAvailabilityResponse* response) override;
  grpc::ServerUnaryReactor* GetHold(grpc::CallbackServerContext* context, const v1::GetHoldRequest* request,
                                    v1::GetHoldResponse* response) override;
  grpc::ServerUnaryReactor* ListStock(grpc::CallbackServerContext* context, const v1::ListStockRequest* request,
                                      v1::ListStockResponse* response) override;
  grpc::ServerUnaryReactor* ExplainStock(grpc::CallbackServerContext* context, const v1::ExplainStockRequest* request,
                                         v1::ExplainStockResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchAvailabilityResponse>* WatchAvailability(
      grpc::CallbackServerContext* context, const v1::WatchAvailabilityRequest* request) override;

  rpc::Door& door() { return door_; }

 private:
  host::Host& host_;
  const std::shared_ptr<host::Watches> watches_;  // shared with the host's listener, other doors and tasks
  rpc::Door door_;
};

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_SERVICE_H_
