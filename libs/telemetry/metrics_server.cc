// A small HTTP server on one thread and poll. The exposer of prometheus-cpp gives each connection a thread, so a few
// clients that never finish a request stop all scrapes, and the distribution's build of it cannot listen on IPv6.
#include "libs/telemetry/metrics_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/base/check.h"
#include "libs/base/scheduler.h"

namespace halles::telemetry {
namespace {

constexpr char kHeadEnd[] = "\r\n\r\n";
// The delay before the next try if the system refuses connections.
constexpr int kRetryMillis = 100;

std::string Response(absl::string_view status, absl::string_view type, absl::string_view body) {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Type: ", type, "\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

std::string Refusal(absl::string_view status, absl::string_view what) {
  return Response(status, "text/plain; charset=utf-8", absl::StrCat(what, "\n"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Open(const ListenAddress& address, const Metrics& metrics,
                                                                   const Clock& clock,
                                                                   const MetricsServerOptions& options) {
  absl::StatusOr<ListeningSocket> socket = ListeningSocket::Open(address, "the metrics endpoint");
  if (!socket.ok()) return socket.status();
  OwnedFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  HALLES_CHECK(wake.get() >= 0, "no event descriptor: the process has no file handles left at its start");
  return std::unique_ptr<MetricsServer>(
      new MetricsServer(metrics, clock, options, *std::move(socket), std::move(wake)));
}

MetricsServer::MetricsServer(const Metrics& metrics, const Clock& clock, const MetricsServerOptions& options,
                             ListeningSocket socket, OwnedFd wake)
    : metrics_(metrics),
      clock_(clock),
      options_(options),
      socket_(std::move(socket)),
      wake_(std::move(wake)),
      thread_([this] { Run(); }) {}

MetricsServer::~MetricsServer() {
  const uint64_t one = 1;
  HALLES_CHECK(write(wake_.get(), &one, sizeof one) == sizeof one, "an event descriptor takes a number");
  thread_.join();
}

void MetricsServer::Run() {
  bool accepts = true;
  std::vector<pollfd> fds;
  while (true) {
    fds.assign({{wake_.get(), POLLIN, 0}, {socket_.fd(), static_cast<int16_t>(accepts ? POLLIN : 0), 0}});
    int64_t next = kNoDeadline;
    for (const Connection& connection : connections_) {
      fds.push_back({connection.fd.get(), static_cast<int16_t>(connection.answer.empty() ? POLLIN : POLLOUT), 0});
      next = std::min(next, connection.deadline);
    }
    int wait = accepts ? -1 : kRetryMillis;
    if (next != kNoDeadline) {
      const int64_t left = std::max<int64_t>(next - clock_.MonotonicMicros(), 0);
      const int until = static_cast<int>((left + 999) / 1000);
      wait = wait < 0 ? until : std::min(wait, until);
    }
    if (poll(fds.data(), fds.size(), wait) < 0) continue;  // a signal
    if (fds[0].revents != 0) return;
    const int64_t now = clock_.MonotonicMicros();
    size_t index = 2;
    for (auto it = connections_.begin(); it != connections_.end(); ++index) {
      const bool stays = it->deadline > now && (fds[index].revents == 0 || Advance(&*it, now));
      it = stays ? std::next(it) : connections_.erase(it);
    }
    accepts = true;
    if (fds[1].revents != 0) accepts = TakeAll(now);
  }
}

bool MetricsServer::TakeAll(int64_t now) {
  while (true) {
    OwnedFd fd(accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0) {
      if (errno == EAGAIN) return true;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return false;
      continue;  // this connection ended before accept
    }
    if (connections_.size() >= options_.connections_max) {
      Advance(&connections_.front(), now);  // its request may have come, with so many that it was not looked at yet
      connections_.pop_front();
    }
    connections_.push_back({std::move(fd), now + absl::ToInt64Microseconds(options_.request_timeout), "", "", 0});
  }
}

bool MetricsServer::Advance(Connection* connection, int64_t now) const {
  if (connection->answer.empty() && !Read(connection, now)) return false;
  while (connection->sent < connection->answer.size()) {
    const ssize_t n = send(connection->fd.get(), connection->answer.data() + connection->sent,
                           connection->answer.size() - connection->sent, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    connection->sent += static_cast<size_t>(n);
  }
  return connection->answer.empty();
}

// Reads the available bytes, and makes the answer when the head of the request is complete.
bool MetricsServer::Read(Connection* connection, int64_t now) const {
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t n = recv(connection->fd.get(), buffer.data(), buffer.size(), 0);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    connection->request.append(buffer.data(), static_cast<size_t>(n));
    if (connection->request.find(kHeadEnd) != std::string::npos) {
      connection->answer = Answer(connection->request);
    } else if (connection->request.size() > options_.request_bytes_max) {
      connection->answer = Refusal("431 Request Header Fields Too Large", "the headers are too large");
    } else {
      continue;
    }
    connection->deadline = now + absl::ToInt64Microseconds(options_.answer_timeout);
    return true;
  }
}

std::string MetricsServer::Answer(const std::string& request) const {
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::string_view(request).substr(0, request.find("\r\n")), ' ');
  if (words.size() != 3 || !absl::StartsWith(words[2], "HTTP/1.")) {
    return Refusal("400 Bad Request", "this is no request of HTTP/1.1");
  }
  if (words[0] != "GET") return Refusal("405 Method Not Allowed", "only GET is answered");
  if (words[1].substr(0, words[1].find('?')) != "/metrics") return Refusal("404 Not Found", "metrics are at /metrics");
  return Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics_.Text());
}

}  // namespace halles::telemetry
