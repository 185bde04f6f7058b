// Addresses that the process listens on.
#ifndef HALLES_LIBS_MACHINE_ADDRESS_H_
#define HALLES_LIBS_MACHINE_ADDRESS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles {

// A listen address: "127.0.0.1:7400", "localhost:7400", "[::1]:7400". Port 0 lets the system choose.
struct ListenAddress {
  std::string host;
  uint16_t port = 0;

  std::string ToString() const;
  // 127.0.0.0/8, ::1 or localhost.
  bool loopback() const;

  // INVALID_ARGUMENT, reason MALFORMED_ADDRESS.
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);
};

// Checks that `what` ("the gRPC server") may and can listen at `address` now. FAILED_PRECONDITION with reason
// TLS_REQUIRED outside loopback, ALREADY_EXISTS with ADDRESS_IN_USE, UNAVAILABLE with CANNOT_LISTEN for every other
// error of the system. Another process may still take the port before the caller does.
absl::Status CheckCanListen(const ListenAddress& address, absl::string_view what);

// A file descriptor that closes with its owner; negative if there is none.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.Release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  // The caller closes it.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// A TCP socket that listens and does not block in accept. No other process can take its port.
class ListeningSocket {
 public:
  // Errors: those of CheckCanListen.
  static absl::StatusOr<ListeningSocket> Open(const ListenAddress& address, absl::string_view what);

  int fd() const { return fd_.get(); }
  // With the port that the system chose if the given one was 0.
  const ListenAddress& address() const { return address_; }
  OwnedFd ReleaseFd() && { return std::move(fd_); }

 private:
  ListeningSocket(OwnedFd fd, ListenAddress address) : fd_(std::move(fd)), address_(std::move(address)) {}

  OwnedFd fd_;
  ListenAddress address_;
};

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_ADDRESS_H_
