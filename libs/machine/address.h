// Addresses that the process listens on.
#ifndef HALLES_LIBS_MACHINE_ADDRESS_H_
#define HALLES_LIBS_MACHINE_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles {

// Where to listen: "127.0.0.1:7400", "localhost:7400", "[::1]:7400". Port 0 lets the system choose.
struct ListenAddress {
  std::string host;
  uint16_t port = 0;

  std::string ToString() const;
  // 127.0.0.0/8, ::1 or localhost.
  bool loopback() const;

  // INVALID_ARGUMENT, reason MALFORMED_ADDRESS.
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);
};

// Checks that `what` ("the gRPC server") may and can listen at `address` now: FAILED_PRECONDITION with reason TLS_REQUIRED
// outside loopback, ALREADY_EXISTS with ADDRESS_IN_USE, UNAVAILABLE with CANNOT_LISTEN for whatever else the system says.
// Another process may still take the port before the caller does.
absl::Status CheckCanListen(const ListenAddress& address, absl::string_view what);

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_ADDRESS_H_
