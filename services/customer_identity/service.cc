// The methods of customer identity's door: hash the name of the customer, then read the view or watch it.
#include "services/customer_identity/service.h"

#include <memory>
#include <optional>
#include <utility>

#include "halles/customer_identity/v1/customer_identity_service.limits.h"
#include "halles/customer_identity/v1/grpc_services.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "libs/host/calls.h"
#include "libs/program/doors.h"
#include "services/customer_identity/definition.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/queries.h"
#include "services/customer_identity/watches.h"

namespace halles::customer_identity {
namespace {

// Replaces an identifier in clear by its keyed hash.
absl::Status HashName(const host::Host& host, v1::CustomerName* name) {
  if (!name->has_identifier()) return absl::OkStatus();
  return HashIdentifier(host.identifier_keys(), "customer.identifier", name->mutable_identifier());
}

}  // namespace

CustomerIdentityDoor::CustomerIdentityDoor(host::Host* host, std::shared_ptr<host::Watches> watches,
                                           telemetry::Metrics* metrics)
    : host_(*host),
      watches_(std::move(watches)),
      door_(v1::CustomerIdentityService::service_full_name(), host->clock(), metrics) {
  watches_->Attach(host);
}

grpc::ServerUnaryReactor* CustomerIdentityDoor::GetCustomerView(grpc::CallbackServerContext* context,
                                                                const v1::GetCustomerViewRequest* request,
                                                                v1::GetCustomerViewResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        v1::GetCustomerViewRequest query = asked;
        RETURN_IF_ERROR(HashName(host_, query.mutable_customer()));
        host::AnswerFromView<v1::GetCustomerViewResponse>(
            host_, ServiceId::kCustomerIdentity, kCustomersView, asked.consistency_token(), call.deadline,
            [query](const store::RowReader& view) -> absl::StatusOr<v1::GetCustomerViewResponse> {
              v1::GetCustomerViewResponse found;
              ASSIGN_OR_RETURN(const Party party, ResolveParty(view, query.customer()));
              ASSIGN_OR_RETURN(*found.mutable_view(), BuildCustomerView(view, party, query.include_events()));
              return found;
            },
            reply);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* CustomerIdentityDoor::FindCustomer(grpc::CallbackServerContext* context,
                                                             const v1::FindCustomerRequest* request,
                                                             v1::FindCustomerResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        v1::FindCustomerRequest query = asked;
        RETURN_IF_ERROR(HashIdentifier(host_.identifier_keys(), "identifier", query.mutable_identifier()));
        host::AnswerFromView<v1::FindCustomerResponse>(
            host_, ServiceId::kCustomerIdentity, kCustomersView, asked.consistency_token(), call.deadline,
            [query](const store::RowReader& view) -> absl::StatusOr<v1::FindCustomerResponse> {
              v1::FindCustomerResponse found;
              ASSIGN_OR_RETURN(std::vector<v1::Candidate> candidates, FindCandidates(view, query.identifier()));
              for (v1::Candidate& candidate : candidates) *found.add_candidates() = std::move(candidate);
              return found;
            },
            reply);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* CustomerIdentityDoor::ListTimeline(grpc::CallbackServerContext* context,
                                                             const v1::ListTimelineRequest* request,
                                                             v1::ListTimelineResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        v1::ListTimelineRequest query = asked;
        RETURN_IF_ERROR(HashName(host_, query.mutable_customer()));
        host::AnswerFromView<v1::ListTimelineResponse>(
            host_, ServiceId::kCustomerIdentity, kCustomersView, asked.consistency_token(), call.deadline,
            [query](const store::RowReader& view) { return customer_identity::ListTimeline(view, query); }, reply);
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<v1::WatchCustomerResponse>* CustomerIdentityDoor::WatchCustomer(
    grpc::CallbackServerContext* context, const v1::WatchCustomerRequest* request) {
  return door_.Watch<v1::WatchCustomerResponse>(
      context, request,
      [this](const auto& asked, const rpc::Call&, rpc::StreamWriter<v1::WatchCustomerResponse> writer) -> absl::Status {
        v1::CustomerName name = asked.customer();
        RETURN_IF_ERROR(HashName(host_, &name));
        std::optional<TokenPositions> resume;
        if (!asked.resume_token().empty()) {
          ASSIGN_OR_RETURN(resume, host_.tokens().Read(asked.resume_token()));
        }
        return watches_->Add(
            std::make_shared<CustomerWatcher>(std::move(name), std::move(resume), host_.tokens(), std::move(writer)));
      });
}

void OpenDoors(const program::DoorParts& parts, program::Doors* doors) {
  doors->Open<v1::GrpcServices, CustomerIdentityDoor>(parts);
}

}  // namespace halles::customer_identity
