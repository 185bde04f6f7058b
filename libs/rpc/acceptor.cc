// A thread that polls one listening socket.
#include "libs/rpc/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libs/base/check.h"
#include "libs/telemetry/log.h"

namespace halles::rpc {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

// Open files are counted again after so many connections or so much time, because counting lists a directory.
constexpr uint64_t kCountEvery = 64;
constexpr int64_t kCountAfterMicros = 100'000;
// How long the backlog waits if the system is out of memory or file descriptors.
constexpr int kRetryMillis = 100;
// As many connections are taken before those that are open are looked at.
constexpr int kTakenAtOnce = 64;
// While there are connections, they are looked at this often.
constexpr int kWatchMillis = 50;

OwnedFd OpenReserve() { return OwnedFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Open(AcceptorOptions options, const Clock& clock,
                                                         Connections* connections) {
  absl::StatusOr<ListeningSocket> socket = ListeningSocket::Open(options.listen, "the gRPC server");
  if (!socket.ok()) return socket.status();
  const int on = 1;
  setsockopt(socket->fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // connections inherit it
  OwnedFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  HALLES_CHECK(wake.get() >= 0, "no event descriptor: the process has no file handles left at its start");
  return std::unique_ptr<Acceptor>(
      new Acceptor(std::move(options), clock, connections, *std::move(socket), std::move(wake)));
}

Acceptor::Acceptor(AcceptorOptions options, const Clock& clock, Connections* connections, ListeningSocket socket,
                   OwnedFd wake)
    : options_(std::move(options)),
      clock_(clock),
      connections_(*connections),
      address_(socket.address()),
      socket_(std::move(socket).ReleaseFd()),
      wake_(std::move(wake)),
      reserve_(OpenReserve()) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Start(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server) {
  server_ = std::move(server);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    HALLES_CHECK(write(wake_.get(), &one, sizeof one) == sizeof one, "an event descriptor takes a number");
    thread_.join();
  }
  socket_ = OwnedFd();
}

void Acceptor::Run() {
  bool hears = true;
  while (true) {
    pollfd fds[] = {{wake_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    const int watch = connections_.open() > 0 ? kWatchMillis : -1;
    const int ready = poll(fds, hears ? 2 : 1, hears ? watch : kRetryMillis);
    if (ready < 0) continue;  // a signal
    if (fds[0].revents != 0) return;
    if (!hears || fds[1].revents != 0) hears = TakeAll();
    if (clock_.MonotonicMicros() - watched_at_ >= kWatchMillis * 1000) {
      connections_.Watch();
      watched_at_ = clock_.MonotonicMicros();
    }
  }
}

bool Acceptor::TakeAll() {
  for (int taken = 0; taken < kTakenAtOnce; ++taken) {
    OwnedFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.get() >= 0) {
      if (HasRoom() && connections_.Add(connection.get())) {
        ++taken_;
        grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
        parameters.listener_fd = socket_.get();
        parameters.fd = connection.Release();
        server_->HandleNewConnection(&parameters);
      } else {
        Refuse(std::move(connection));
      }
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return true;
      case EMFILE:
        // One descriptor is kept in reserve for this: the client sees at once that it is not served.
        reserve_ = OwnedFd();
        Refuse(OwnedFd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
        reserve_ = OpenReserve();
        // The system returns EMFILE before it checks for a waiting connection, so the backlog is polled again first.
        return reserve_.get() >= 0;
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return false;
      default:  // this connection ended before accept
        continue;
    }
  }
  return true;  // the rest is still in the backlog
}

bool Acceptor::HasRoom() {
  const int64_t now = clock_.MonotonicMicros();
  if (open_ == 0 || taken_ >= kCountEvery || now - counted_at_ > kCountAfterMicros) {
    open_ = options_.open_files();
    taken_ = 0;
    counted_at_ = now;
  }
  const uint64_t limit =
      std::min(options_.open_files_max, options_.open_files_allowed() / 100 * options_.open_files_percent_max);
  const bool room = open_ + taken_ < limit;
  if (room && refusing_) Log(LogLevel::kInfo, "rpc", "takes connections again", {{"refused_total", refused()}});
  if (room) refusing_ = false;
  return room;
}

void Acceptor::Refuse(OwnedFd connection) {
  if (connection.get() < 0) return;  // the client left
  refused_.fetch_add(1, std::memory_order_relaxed);
  if (!std::exchange(refusing_, true)) {
    Log(LogLevel::kWarning, "rpc",
        "refuses connections: too many files are open; close idle clients or raise the limit of open files",
        {{"open_files", options_.open_files()}, {"allowed", options_.open_files_allowed()}});
  }
}

}  // namespace halles::rpc
