// Parses listen addresses and asks the system whether they are free.
#include "libs/machine/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles {
namespace {

absl::Status CannotListen(absl::string_view what, const ListenAddress& address, int error) {
  if (error == EADDRINUSE) {
    return Failure(absl::StatusCode::kAlreadyExists, "ADDRESS_IN_USE",
                   absl::StrCat(what, " cannot listen on ", address.ToString(),
                                ": the port is in use; stop who uses it or choose another, 0 for any free one"),
                   {{"address", address.ToString()}});
  }
  return Failure(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                 absl::StrCat(what, " cannot listen on ", address.ToString(), ": ", std::strerror(error)),
                 {{"address", address.ToString()}});
}

template <typename SocketAddress>
int TryBind(int family, const SocketAddress& socket_address) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // past connections are no obstacle, listeners are
  const int error =
      bind(fd, reinterpret_cast<const sockaddr*>(&socket_address), sizeof socket_address) == 0 ? 0 : errno;
  close(fd);
  return error;
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
  if (!address.loopback()) {
    return Failure(absl::StatusCode::kFailedPrecondition, "TLS_REQUIRED",
                   absl::StrCat(what, " does not listen on ", address.ToString(),
                                ": TLS is required outside loopback and is not set up; use 127.0.0.1 or [::1]"),
                   {{"address", address.ToString()}});
  }
  int error = 0;
  if (in6_addr v6; inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_addr = v6;
    to.sin6_port = htons(address.port);
    error = TryBind(AF_INET6, to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    if (inet_pton(AF_INET, address.host.c_str(), &to.sin_addr) != 1) to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    error = TryBind(AF_INET, to);
  }
  return error == 0 ? absl::OkStatus() : CannotListen(what, address, error);
}

}  // namespace halles
