// Builds, monitors and drains the gRPC server.
#include "libs/rpc/server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/support/log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/calls_under_way.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/log.h"

namespace halles::rpc {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

// How often a drain ends the calls that have begun to wait.
constexpr int64_t kWaitingLookMicros = 50'000;
// How long a drain waits for the last answers to be written.
constexpr absl::Duration kLastAnswers = absl::Seconds(1);

int Millis(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// The log lines of gRPC go to the log of the process.
void LogOfGrpc(gpr_log_func_args* args) {
  LogLevel level = LogLevel::kError;
  if (args->severity == GPR_LOG_SEVERITY_INFO) level = LogLevel::kInfo;
  if (args->severity == GPR_LOG_SEVERITY_DEBUG) level = LogLevel::kDebug;
  Log(level, "grpc", args->message);
}

// Once per process, before the first server.
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

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, const Clock& clock,
                                                      std::vector<ServedService> services) {
  ConnectionLimits limits = options.connections;
  limits.streams_max = static_cast<size_t>(options.streams_max);
  limits.header_bytes_max = 2 * static_cast<uint64_t>(options.metadata_bytes_max);
  auto watched = std::make_unique<Connections>(std::move(limits), clock);
  AcceptorOptions accept;
  accept.listen = options.listen;
  absl::StatusOr<std::unique_ptr<Acceptor>> acceptor = Acceptor::Open(std::move(accept), clock, watched.get());
  if (!acceptor.ok()) return acceptor.status();
  InitGrpc();
  grpc::ServerBuilder builder;
  auto connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  builder.SetResourceQuota(grpc::ResourceQuota("halles").Resize(options.memory_bytes_max));
  // A small message may inflate to a huge one, and gRPC checks the size only after that.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Millis(options.handshake_timeout));
  builder.SetMaxReceiveMessageSize(options.receive_bytes_max);
  builder.SetMaxSendMessageSize(options.send_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.metadata_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Clients may ping as often as the server.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Millis(options.keepalive_time) / 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Millis(options.connection_age_max));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Millis(options.connection_age_grace));
  // Reflection is the only synchronous service; one thread serves it.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
  builder.SetContextAllocator(std::make_unique<CallContexts>());
  auto unread = std::make_unique<UnreadAnswers>(options.unread_bytes_max, clock);
  auto unknown_methods = std::make_unique<UnknownMethods>();
  builder.RegisterCallbackGenericService(unknown_methods.get());
  for (const ServedService& served : services) {
    served.door->SetUnreadAnswers(unread.get());
    builder.RegisterService(served.service);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return Failure(
        absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
        absl::StrCat("the gRPC server cannot serve on ", options.listen.ToString(), "; gRPC logged why above"));
  }
  Log(LogLevel::kInfo, "rpc", "listening", {{"address", (*acceptor)->address().ToString()}});
  std::unique_ptr<Server> result(new Server(clock, std::move(watched), std::move(unread), std::move(unknown_methods),
                                            *std::move(acceptor), std::move(server), std::move(services)));
  result->acceptor_->Start(std::move(connections));
  return result;
}

Server::Server(const Clock& clock, std::unique_ptr<Connections> connections, std::unique_ptr<UnreadAnswers> unread,
               std::unique_ptr<UnknownMethods> unknown_methods, std::unique_ptr<Acceptor> acceptor,
               std::unique_ptr<grpc::Server> server, std::vector<ServedService> services)
    : clock_(clock),
      connections_(std::move(connections)),
      unread_(std::move(unread)),
      unknown_methods_(std::move(unknown_methods)),
      server_(std::move(server)),
      acceptor_(std::move(acceptor)),
      services_(std::move(services)) {
  grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
  health->SetServingStatus("", services_.empty());
  for (const ServedService& served : services_) health->SetServingStatus(served.name, false);
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
  const bool all = std::all_of(services_.begin(), services_.end(),
                               [this](const ServedService& served)
                                   ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return serving_.count(served.name) > 0; });
  server_->GetHealthCheckService()->SetServingStatus(service_name, serving);
  server_->GetHealthCheckService()->SetServingStatus("", all);
}

// Most answers come within moments; whoever still waits then is ended, and whoever begins to wait after that.
void Server::AwaitCalls(MonotonicMicros until) {
  const auto answered = [this](MonotonicMicros by) {
    return std::all_of(services_.begin(), services_.end(),
                       [by](const ServedService& served) { return served.door->AwaitCalls(by); });
  };
  for (MonotonicMicros now = clock_.MonotonicMicros(); now < until; now = clock_.MonotonicMicros()) {
    if (answered(std::min(until, now + kWaitingLookMicros))) return;
    for (const ServedService& served : services_) served.door->EndWaitingCalls();
  }
}

void Server::Drain(absl::Duration deadline) {
  HALLES_CHECK(!GrpcThread::IsCurrent(), "a drain on a thread of gRPC would wait for itself");
  {
    MutexLock lock(&mutex_);
    if (draining_) {
      mutex_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return drained_; });
      return;
    }
    draining_ = true;
  }
  Log(LogLevel::kInfo, "rpc", "draining", {{"deadline_ms", absl::ToInt64Milliseconds(deadline)}});
  const MonotonicMicros until = clock_.MonotonicMicros() + absl::ToInt64Microseconds(deadline);
  server_->GetHealthCheckService()->SetServingStatus(false);
  acceptor_->Stop();
  for (const ServedService& served : services_) served.door->BeginDrain();
  AwaitCalls(until);
  for (const ServedService& served : services_) served.door->EndCalls();
  const MonotonicMicros written = clock_.MonotonicMicros() + absl::ToInt64Microseconds(kLastAnswers);
  for (const ServedService& served : services_) served.door->AwaitEnd(written);
  // gRPC would keep a connection until its client has agreed or its streams have ended, and would cancel what comes after
  // Shutdown; a client takes a closed connection for UNAVAILABLE.
  connections_->ShutDown();
  server_->Shutdown(absl::ToChronoTime(absl::FromUnixMicros(clock_.Wall()) + kLastAnswers));
  server_->Wait();
  Log(LogLevel::kInfo, "rpc", "drained");
  MutexLock lock(&mutex_);
  drained_ = true;
}

}  // namespace halles::rpc
