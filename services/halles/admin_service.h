// The operator's door: status, records of the log, verify and rebuild.
#ifndef HALLES_SERVICES_HALLES_ADMIN_SERVICE_H_
#define HALLES_SERVICES_HALLES_ADMIN_SERVICE_H_

#include <functional>
#include <memory>

#include "halles/admin/v1/admin_service.grpc.pb.h"
#include "libs/base/scheduler.h"
#include "libs/host/host.h"
#include "libs/program/doors.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace halles::program {

// GetStatus answers before the host is started; the other methods are UNAVAILABLE (STARTING) until then.
// Thread safety: any thread.
// Lifetime: host and metrics outlive it; it outlives the server. The destructor cancels a running verify or rebuild.
class AdminDoor final : public admin::v1::AdminService::CallbackService {
 public:
  explicit AdminDoor(const program::DoorParts& parts);
  ~AdminDoor() override;

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const admin::v1::GetStatusRequest* request,
                                      admin::v1::GetStatusResponse* response) override;
  grpc::ServerWriteReactor<admin::v1::TailLogResponse>* TailLog(grpc::CallbackServerContext* context,
                                                                const admin::v1::TailLogRequest* request) override;
  grpc::ServerUnaryReactor* ExplainEvent(grpc::CallbackServerContext* context,
                                         const admin::v1::ExplainEventRequest* request,
                                         admin::v1::ExplainEventResponse* response) override;
  grpc::ServerWriteReactor<admin::v1::VerifyResponse>* Verify(grpc::CallbackServerContext* context,
                                                              const admin::v1::VerifyRequest* request) override;
  grpc::ServerWriteReactor<admin::v1::RebuildResponse>* Rebuild(grpc::CallbackServerContext* context,
                                                                const admin::v1::RebuildRequest* request) override;

  rpc::Door& door() { return door_; }

 private:
  class Tail;
  // RESOURCE_EXHAUSTED (PROOF_RUNNING) unless a verify or rebuild may begin now.
  absl::Status BeginProof();

  host::Host& host_;
  const std::function<absl::Status()> log_health_;
  const std::function<StartReport()> start_;
  rpc::Door door_;
  std::atomic<bool> stopping_{false};        // relaxed: polled repeatedly
  std::atomic<bool> proving_{false};         // a verify or rebuild runs, or is about to
  const std::unique_ptr<TaskQueue> proofs_;  // verify and rebuild run here
  const std::unique_ptr<TaskQueue> tails_;   // records are read and decoded here
};

}  // namespace halles::program

#endif  // HALLES_SERVICES_HALLES_ADMIN_SERVICE_H_
