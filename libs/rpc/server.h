// The gRPC server of the process.
#ifndef HALLES_LIBS_RPC_SERVER_H_
#define HALLES_LIBS_RPC_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/machine/address.h"
#include "libs/rpc/acceptor.h"
#include "libs/rpc/connections.h"

namespace halles::rpc {

struct ServerOptions {
  ListenAddress listen{"127.0.0.1", 0};
  int receive_bytes_max = 1024 * 1024;   // of a request; beyond it RESOURCE_EXHAUSTED
  int send_bytes_max = 4 * 1024 * 1024;  // of an answer
  int streams_max = 1024;                // calls at a time on one connection; more wait at the client
  int metadata_bytes_max = 16 * 1024;    // of a call
  // What gRPC may hold for all connections and calls. Beyond it, gRPC ends idle connections, then calls.
  size_t memory_bytes_max = 128 * 1024 * 1024;
  absl::Duration handshake_timeout = absl::Seconds(10);  // of a connection that says nothing
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  absl::Duration connection_age_max = absl::Minutes(30);  // so that clients find new servers
  absl::Duration connection_age_grace = absl::Minutes(1);
  ConnectionLimits connections;  // of what callers leave unfinished; streams_max is taken from above
};

// A callback server with health service and reflection. Every service begins as not serving; the process as a whole, the
// service "", serves once all of them do.
// Thread safety: any thread.
class Server {
 public:
  // Starts to listen. Errors: those of CheckCanListen. The services and the clock outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, const Clock& clock,
                                                       const std::vector<grpc::Service*>& services,
                                                       std::vector<std::string> service_names);
  // Drains without waiting for calls that are under way.
  ~Server();

  // With the port that was bound when the given one was 0.
  const ListenAddress& address() const { return acceptor_->address(); }

  // Connections that were closed at once because too many files were open.
  uint64_t refused_connections() const { return acceptor_->refused(); }
  const Connections& connections() const { return *connections_; }

  // Readiness of one of the service names, as the health service tells it. Without effect once the server drains.
  void SetServing(const std::string& service_name, bool serving) ABSL_LOCKS_EXCLUDED(mutex_);

  // `hook` runs at the beginning of a drain: the place for Door::EndStreams.
  void OnDrain(std::function<void()> hook) ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells NOT_SERVING, refuses new calls and waits for those under way; what is left at the deadline is cancelled, and
  // waited for until its method has answered. On a thread of gRPC it would wait for itself, which is a bug. A second
  // call waits for the first.
  void Drain(absl::Duration deadline) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Server(const Clock& clock, std::unique_ptr<Connections> connections, std::unique_ptr<grpc::Server> server, std::unique_ptr<Acceptor> acceptor,
         std::vector<std::string> service_names);

  const Clock& clock_;
  const std::unique_ptr<Connections> connections_;
  const std::unique_ptr<grpc::Server> server_;
  const std::unique_ptr<Acceptor> acceptor_;
  const std::vector<std::string> service_names_;

  Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::string> serving_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> hooks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_SERVER_H_
