// Accepts the connections of a gRPC server, and refuses them while few file descriptors are left.
#ifndef HALLES_LIBS_RPC_ACCEPTOR_H_
#define HALLES_LIBS_RPC_ACCEPTOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "grpcpp/server_builder.h"
#include "libs/base/clock.h"
#include "libs/machine/address.h"
#include "libs/machine/open_files.h"
#include "libs/rpc/connections.h"

namespace halles::rpc {

struct AcceptorOptions {
  ListenAddress listen{"127.0.0.1", 0};
  // A connection is refused while the process holds more files than this part of what it may hold, or more than this
  // many: the log, the store and the metrics need files too, and each connection takes some 20 to 50 KiB of memory.
  uint64_t open_files_percent_max = 80;
  uint64_t open_files_max = 5'000;
  // The real functions of the system; tests replace them.
  std::function<uint64_t()> open_files = CountOpenFiles;
  std::function<uint64_t()> open_files_allowed = OpenFilesAllowed;
};

// gRPC's own listener never accepts again after accept has failed for want of file descriptors. This one closes a
// connection that it cannot serve, counts it, and continues.
// Thread safety: any thread; its own thread waits for connections.
// Lifetime: clock and connections outlive it.
class Acceptor {
 public:
  // Listens. Connections wait in the backlog until Start. Errors: those of CheckCanListen.
  // `connections` is told of each before gRPC is, and watches them on the acceptor's thread.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Open(AcceptorOptions options, const Clock& clock,
                                                        Connections* connections);
  // Calls Stop.
  ~Acceptor();

  // Call it once. `server` is the result of ServerBuilder::experimental().AddExternalConnectionAcceptor, passed after
  // the server was built.
  void Start(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server);

  // Closes the port and joins the thread. Accepted connections stay open.
  void Stop();

  const ListenAddress& address() const { return address_; }
  // Connections closed at once because too many files were open.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  Acceptor(AcceptorOptions options, const Clock& clock, Connections* connections, ListeningSocket socket, OwnedFd wake);

  void Run();
  // Takes what is in the backlog, up to a limit. False when the system refuses for now.
  bool TakeAll();
  bool HasRoom();
  void Refuse(OwnedFd connection);

  const AcceptorOptions options_;
  const Clock& clock_;
  Connections& connections_;
  const ListenAddress address_;
  OwnedFd socket_;
  OwnedFd wake_;  // an eventfd: written to stop
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server_;
  std::thread thread_;
  std::atomic<uint64_t> refused_{0};
  // Used by the thread only.
  OwnedFd reserve_;         // released for a moment to accept and close a connection when no descriptor is left
  uint64_t open_ = 0;       // open files at the last count
  uint64_t taken_ = 0;      // connections since the last count
  int64_t counted_at_ = 0;  // on the monotonic clock, in microseconds
  bool refusing_ = false;   // already logged
  int64_t watched_at_ = 0;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_ACCEPTOR_H_
