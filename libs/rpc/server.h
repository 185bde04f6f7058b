// The gRPC server of the process.
#ifndef HALLES_LIBS_RPC_SERVER_H_
#define HALLES_LIBS_RPC_SERVER_H_

#include <cstddef>
#include <cstdint>
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
#include "libs/base/scheduler.h"
#include "libs/machine/address.h"
#include "libs/rpc/acceptor.h"
#include "libs/rpc/connections.h"
#include "libs/rpc/unknown_methods.h"
#include "libs/rpc/unread_answers.h"

namespace halles::rpc {

struct ServerOptions {
  ListenAddress listen{"127.0.0.1", 0};
  int receive_bytes_max = 1024 * 1024;         // of a request; RESOURCE_EXHAUSTED beyond it
  int send_bytes_max = 4 * 1024 * 1024;        // of an answer
  int streams_max = 1024;                      // concurrent calls of one connection; further calls wait at the client
  int metadata_bytes_max = 16 * 1024;          // of a call
  size_t unread_bytes_max = 64 * 1024 * 1024;  // of answers of all calls that were not sent, since nobody reads them
  // Memory for all connections and calls together. Beyond it, gRPC ends idle connections, then calls.
  size_t memory_bytes_max = 128 * 1024 * 1024;
  absl::Duration handshake_timeout = absl::Seconds(10);  // of a connection that sends nothing
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  absl::Duration connection_age_max = absl::Minutes(30);  // so that clients discover new servers
  absl::Duration connection_age_grace = absl::Minutes(1);
  ConnectionLimits connections;  // of what callers leave unfinished; those of streams and headers are taken from above
};

class Door;

// A service and the door that its methods pass.
struct ServedService {
  grpc::Service* service;
  std::string name;  // as the health service tells it
  Door* door;
};

// A callback server with health service and reflection. Every service begins as NOT_SERVING; the process as a whole,
// the service "", serves when all of them do.
// Thread safety: any thread.
class Server {
 public:
  // Starts to listen. Errors: those of CheckCanListen. Services, doors and the clock outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, const Clock& clock,
                                                       std::vector<ServedService> services);
  // Drains without waiting for calls that are under way, but for a second until it is told.
  ~Server();

  // With the bound port if the given one was 0.
  const ListenAddress& address() const { return acceptor_->address(); }

  // Connections closed at once because too many files were open.
  uint64_t refused_connections() const { return acceptor_->refused(); }
  const Connections& connections() const { return *connections_; }
  // Calls of methods that nobody has.
  uint64_t unknown_methods() const { return unknown_methods_->calls(); }
  // The bytes of answers that were not sent yet, without small ones; and the calls that were ended for them.
  size_t unread_bytes() const { return unread_->bytes(); }
  uint64_t unread_ended() const { return unread_->ended(); }

  // Sets the readiness of a service as the health service reports it. No effect once the server drains.
  void SetServing(const std::string& service_name, bool serving) ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells NOT_SERVING, closes the port, ends streams and calls that only wait, and lets the other calls under way be
  // answered for so long. Calls that come meanwhile are kept. Then whatever is left is answered UNAVAILABLE, which a
  // client tries again elsewhere or later, and all connections are closed: a client that keeps one open, or watches the
  // health, holds up nothing. Answers that a client does not read are waited for one second. On a thread of gRPC it would
  // wait for itself, which is a bug. A second call waits for the first.
  void Drain(absl::Duration deadline) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Server(const Clock& clock, std::unique_ptr<Connections> connections, std::unique_ptr<UnreadAnswers> unread,
         std::unique_ptr<UnknownMethods> unknown_methods, std::unique_ptr<Acceptor> acceptor,
         std::unique_ptr<grpc::Server> server, std::vector<ServedService> services);
  void AwaitCalls(MonotonicMicros until);

  const Clock& clock_;
  const std::unique_ptr<Connections> connections_;
  const std::unique_ptr<UnreadAnswers> unread_;
  const std::unique_ptr<UnknownMethods> unknown_methods_;
  const std::unique_ptr<grpc::Server> server_;
  const std::unique_ptr<Acceptor> acceptor_;
  const std::vector<ServedService> services_;

  Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::string> serving_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_SERVER_H_
