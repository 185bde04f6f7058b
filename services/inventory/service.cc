// The methods of inventory's door: submit a command or run a query.
#include "services/inventory/service.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "halles/inventory/v1/grpc_services.h"
#include "halles/inventory/v1/inventory_service.limits.h"
#include "libs/base/status.h"
#include "libs/host/calls.h"
#include "libs/host/submit.h"
#include "libs/program/doors.h"
#include "services/inventory/definition.h"
#include "services/inventory/projection.h"
#include "services/inventory/queries.h"
#include "services/inventory/watches.h"

namespace halles::inventory {

InventoryDoor::InventoryDoor(host::Host* host, std::shared_ptr<host::Watches> watches, telemetry::Metrics* metrics)
    : host_(*host),
      watches_(std::move(watches)),
      door_(v1::InventoryService::service_full_name(), host->clock(), metrics) {
  watches_->Attach(host);
}

grpc::ServerUnaryReactor* InventoryDoor::ReceiveStock(grpc::CallbackServerContext* context,
                                                      const v1::ReceiveStockRequest* request,
                                                      v1::ReceiveStockResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReceiveStockResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::CountStock(grpc::CallbackServerContext* context,
                                                    const v1::CountStockRequest* request,
                                                    v1::CountStockResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CountStockResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::AdjustStock(grpc::CallbackServerContext* context,
                                                     const v1::AdjustStockRequest* request,
                                                     v1::AdjustStockResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::AdjustStockResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::AllowBackorder(grpc::CallbackServerContext* context,
                                                        const v1::AllowBackorderRequest* request,
                                                        v1::AllowBackorderResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::AllowBackorderResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::ReserveStock(grpc::CallbackServerContext* context,
                                                      const v1::ReserveStockRequest* request,
                                                      v1::ReserveStockResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReserveStockResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::ExtendHold(grpc::CallbackServerContext* context,
                                                    const v1::ExtendHoldRequest* request,
                                                    v1::ExtendHoldResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ExtendHoldResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::MoveHold(grpc::CallbackServerContext* context,
                                                  const v1::MoveHoldRequest* request, v1::MoveHoldResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::MoveHoldResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::ReleaseHold(grpc::CallbackServerContext* context,
                                                     const v1::ReleaseHoldRequest* request,
                                                     v1::ReleaseHoldResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReleaseHoldResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::CommitHold(grpc::CallbackServerContext* context,
                                                    const v1::CommitHoldRequest* request,
                                                    v1::CommitHoldResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CommitHoldResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::ShipStock(grpc::CallbackServerContext* context,
                                                   const v1::ShipStockRequest* request,
                                                   v1::ShipStockResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ShipStockResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::CancelReservation(grpc::CallbackServerContext* context,
                                                           const v1::CancelReservationRequest* request,
                                                           v1::CancelReservationResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::CancelReservationResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::ReturnStock(grpc::CallbackServerContext* context,
                                                     const v1::ReturnStockRequest* request,
                                                     v1::ReturnStockResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReturnStockResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::SendTransfer(grpc::CallbackServerContext* context,
                                                      const v1::SendTransferRequest* request,
                                                      v1::SendTransferResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::SendTransferResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::ReceiveTransfer(grpc::CallbackServerContext* context,
                                                         const v1::ReceiveTransferRequest* request,
                                                         v1::ReceiveTransferResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ReceiveTransferResponse>(host_));
}

grpc::ServerUnaryReactor* InventoryDoor::GetAvailability(grpc::CallbackServerContext* context,
                                                         const v1::GetAvailabilityRequest* request,
                                                         v1::GetAvailabilityResponse* response) {
  // TOKEN and LINEARIZABLE are the same here. The read runs on the queue of the slot's only owner, on rows that hold
  // every confirmed record, and a command is answered only after its record is confirmed. So a read sees every command
  // that was answered before it, and everything that it sees is on disk.
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        host::ReadState<v1::GetAvailabilityResponse>(
            host_, ServiceId::kInventory, asked.sku(), asked.consistency_token(), call.deadline,
            [asked, &tokens = host_.tokens()](const store::RowReader& state, SlotId slot,
                                              std::string token) -> absl::StatusOr<v1::GetAvailabilityResponse> {
              v1::GetAvailabilityResponse found = FindAvailability(state, asked);
              ASSIGN_OR_RETURN(const TokenPositions at, tokens.Read(token));
              found.set_as_of(AsOf(slot, at.at(slot)));
              found.set_consistency_token(std::move(token));
              return found;
            },
            reply);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* InventoryDoor::GetHold(grpc::CallbackServerContext* context,
                                                 const v1::GetHoldRequest* request, v1::GetHoldResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        host::ReadState<v1::GetHoldResponse>(
            host_, ServiceId::kInventory, asked.sku(), asked.consistency_token(), call.deadline,
            [asked](const store::RowReader& state, SlotId, std::string token) -> absl::StatusOr<v1::GetHoldResponse> {
              v1::GetHoldResponse found;
              ASSIGN_OR_RETURN(*found.mutable_hold(), FindOneHold(state, asked));
              found.set_consistency_token(std::move(token));
              return found;
            },
            reply);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* InventoryDoor::ListStock(grpc::CallbackServerContext* context,
                                                   const v1::ListStockRequest* request,
                                                   v1::ListStockResponse* response) {
  return door_.Query(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    host::AnswerFromView<v1::ListStockResponse>(
        host_, ServiceId::kInventory, kStockView, asked.consistency_token(), call.deadline,
        [asked](const store::RowReader& view) { return inventory::ListStock(view, asked); }, reply);
  });
}

grpc::ServerUnaryReactor* InventoryDoor::ExplainStock(grpc::CallbackServerContext* context,
                                                      const v1::ExplainStockRequest* request,
                                                      v1::ExplainStockResponse* response) {
  return door_.Query(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    host::AnswerFromView<v1::ExplainStockResponse>(
        host_, ServiceId::kInventory, kStockView, asked.consistency_token(), call.deadline,
        [asked](const store::RowReader& view) { return inventory::ExplainStock(view, asked); }, reply);
  });
}

grpc::ServerWriteReactor<v1::WatchAvailabilityResponse>* InventoryDoor::WatchAvailability(
    grpc::CallbackServerContext* context, const v1::WatchAvailabilityRequest* request) {
  return door_.Watch<v1::WatchAvailabilityResponse>(
      context, request,
      [this](const auto& asked, const rpc::Call&,
             rpc::StreamWriter<v1::WatchAvailabilityResponse> writer) -> absl::Status {
        std::optional<TokenPositions> resume;
        if (!asked.resume_token().empty()) {
          ASSIGN_OR_RETURN(resume, host_.tokens().Read(asked.resume_token()));
        }
        return watches_->Add(
            std::make_shared<StockWatcher>(std::set<std::string>(asked.skus().begin(), asked.skus().end()),
                                           std::move(resume), host_.tokens(), std::move(writer)));
      });
}

void OpenDoors(const program::DoorParts& parts, program::Doors* doors) {
  doors->Open<v1::GrpcServices, InventoryDoor>(parts);
}

}  // namespace halles::inventory
