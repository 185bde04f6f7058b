// Builds, watches and drains the gRPC server.
#include "libs/rpc/server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/support/log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/telemetry/log.h"

namespace halles::rpc {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

int Millis(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// What gRPC has to say goes where everything else goes.
void LogOfGrpc(gpr_log_func_args* args) {
  LogLevel level = LogLevel::kError;
  if (args->severity == GPR_LOG_SEVERITY_INFO) level = LogLevel::kInfo;
  if (args->severity == GPR_LOG_SEVERITY_DEBUG) level = LogLevel::kDebug;
  Log(level, "grpc", args->message);
}

// Once in the process, before the first server.
void InitGrpc() {
  static const bool done = [] {
    gpr_set_log_function(LogOfGrpc);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services,
                                                      std::vector<std::string> service_names) {
  RETURN_IF_ERROR(CheckCanListen(options.listen, "the gRPC server"));
  InitGrpc();
  grpc::ServerBuilder builder;
  ListenAddress bound = options.listen;
  int port = 0;
  builder.AddListeningPort(bound.ToString(), grpc::InsecureServerCredentials(), &port);
  // Two processes on one port would share its connections without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(options.receive_bytes_max);
  builder.SetMaxSendMessageSize(options.send_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.metadata_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Clients may ping as often as we do.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Millis(options.keepalive_time) / 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Millis(options.connection_age_max));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Millis(options.connection_age_grace));
  // Reflection is the one synchronous service; a single thread looks after it.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port <= 0) {
    return Failure(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("the gRPC server cannot listen on ", options.listen.ToString(),
                                ": somebody took the port this moment, or gRPC logged why above"));
  }
  bound.port = static_cast<uint16_t>(port);
  Log(LogLevel::kInfo, "rpc", "listening", {{"address", bound.ToString()}});
  return std::unique_ptr<Server>(new Server(std::move(server), std::move(bound), std::move(service_names)));
}

Server::Server(std::unique_ptr<grpc::Server> server, ListenAddress address, std::vector<std::string> service_names)
    : server_(std::move(server)), address_(std::move(address)), service_names_(std::move(service_names)) {
  grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
  health->SetServingStatus("", service_names_.empty());
  for (const std::string& name : service_names_) health->SetServingStatus(name, false);
}

Server::~Server() { Drain(absl::ZeroDuration()); }

void Server::SetServing(const std::string& service_name, bool serving) {
  MutexLock lock(&mutex_);
  if (draining_) return;
  if (serving) {
    serving_.insert(service_name);
  } else {
    serving_.erase(service_name);
  }
  const bool all = std::all_of(service_names_.begin(), service_names_.end(),
                               [this](const std::string& name)
                                   ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return serving_.count(name) > 0; });
  server_->GetHealthCheckService()->SetServingStatus(service_name, serving);
  server_->GetHealthCheckService()->SetServingStatus("", all);
}

void Server::OnDrain(std::function<void()> hook) {
  MutexLock lock(&mutex_);
  hooks_.push_back(std::move(hook));
}

void Server::Drain(absl::Duration deadline) {
  HALLES_CHECK(!GrpcThread::IsCurrent(), "a drain on a thread of gRPC would wait for itself");
  std::vector<std::function<void()>> hooks;
  {
    MutexLock lock(&mutex_);
    if (draining_) {
      mutex_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return drained_; });
      return;
    }
    draining_ = true;
    hooks = std::move(hooks_);
  }
  Log(LogLevel::kInfo, "rpc", "draining", {{"deadline_ms", absl::ToInt64Milliseconds(deadline)}});
  server_->GetHealthCheckService()->SetServingStatus(false);
  for (const auto& hook : hooks) hook();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + deadline));
  server_->Wait();
  Log(LogLevel::kInfo, "rpc", "drained");
  MutexLock lock(&mutex_);
  drained_ = true;
}

}  // namespace halles::rpc
