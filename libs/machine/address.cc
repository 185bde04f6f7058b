// Parses listen addresses and checks whether they are free.
#include "libs/machine/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles {
namespace {

absl::Status CannotListen(absl::string_view what, const ListenAddress& address, int error) {
  if (error == EADDRINUSE) {
    return Failure(
        absl::StatusCode::kAlreadyExists, "ADDRESS_IN_USE",
        absl::StrCat(
            what, " cannot listen on ", address.ToString(),
            ": the port is in use; stop the process that uses it, or choose another port (0 takes a free one)"),
        {{"address", address.ToString()}});
  }
  return Failure(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                 absl::StrCat(what, " cannot listen on ", address.ToString(), ": ", std::strerror(error)),
                 {{"address", address.ToString()}});
}

// Large enough for either family.
struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

SocketAddress ToSocketAddress(const ListenAddress& address) {
  SocketAddress result;
  if (in6_addr v6; inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_addr = v6;
    to.sin6_port = htons(address.port);
    std::memcpy(&result.bytes, &to, sizeof to);
    result.size = sizeof to;
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    if (inet_pton(AF_INET, address.host.c_str(), &to.sin_addr) != 1) to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(&result.bytes, &to, sizeof to);
    result.size = sizeof to;
  }
  return result;
}

// A bound socket that does not block.
absl::StatusOr<OwnedFd> Bind(const ListenAddress& address, absl::string_view what) {
  if (!address.loopback()) {
    return Failure(absl::StatusCode::kFailedPrecondition, "TLS_REQUIRED",
                   absl::StrCat(what, " does not listen on ", address.ToString(),
                                ": TLS is required outside loopback and is not set up; use 127.0.0.1 or [::1]"),
                   {{"address", address.ToString()}});
  }
  const SocketAddress to = ToSocketAddress(address);
  OwnedFd fd(socket(to.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return CannotListen(what, address, errno);
  const int on = 1;
  // earlier connections do not prevent the bind, listeners do
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&to.bytes), to.size) != 0) {
    return CannotListen(what, address, errno);
  }
  return fd;
}

}  // namespace

std::string ListenAddress::ToString() const {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

bool ListenAddress::loopback() const {
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

absl::StatusOr<ListenAddress> ListenAddress::Parse(absl::string_view text) {
  ListenAddress address;
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  bool good = colon != absl::string_view::npos && colon > 0 && absl::SimpleAtoi(text.substr(colon + 1), &port) &&
              port <= std::numeric_limits<uint16_t>::max();
  if (good) {
    absl::string_view host = text.substr(0, colon);
    if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
      host = host.substr(1, host.size() - 2);
      good = host.find(':') != absl::string_view::npos;
    } else {
      good = host.find_first_of(":[] /") == absl::string_view::npos;
    }
    address.host = std::string(host);
    address.port = static_cast<uint16_t>(port);
  }
  if (!good || address.host.empty()) {
    return Failure(absl::StatusCode::kInvalidArgument, "MALFORMED_ADDRESS",
                   absl::StrCat("\"", text, "\" is no address to listen on such as 127.0.0.1:7400"));
  }
  return address;
}

absl::Status CheckCanListen(const ListenAddress& address, absl::string_view what) {
  return Bind(address, what).status();
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<ListeningSocket> ListeningSocket::Open(const ListenAddress& address, absl::string_view what) {
  absl::StatusOr<OwnedFd> fd = Bind(address, what);
  if (!fd.ok()) return fd.status();
  if (listen(fd->get(), SOMAXCONN) != 0) return CannotListen(what, address, errno);
  ListenAddress bound = address;
  SocketAddress name;
  name.size = sizeof name.bytes;
  if (getsockname(fd->get(), reinterpret_cast<sockaddr*>(&name.bytes), &name.size) != 0) {
    return CannotListen(what, address, errno);
  }
  // The port is at the same offset in both families.
  sockaddr_in with_port{};
  std::memcpy(&with_port, &name.bytes, sizeof with_port);
  bound.port = ntohs(with_port.sin_port);
  return ListeningSocket(*std::move(fd), std::move(bound));
}

}  // namespace halles
