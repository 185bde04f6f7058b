// The context of every command of hallesctl: the connection to halles and the output streams.
#ifndef HALLES_SERVICES_HALLESCTL_SESSION_H_
#define HALLES_SERVICES_HALLESCTL_SESSION_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "services/hallesctl/client.h"

namespace halles::hallesctl {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// `out` gets the result, as JSON only or as tables; everything else goes to `err`.
struct Session {
  Client& client;
  bool json;
  std::ostream& out;
  std::ostream& err;
  int out_width;  // width of tables
  int err_width;  // width of the terminal behind `err`; 0 when it is no terminal
  Clock& clock;
};

// The error of a wrong command line, with exit code 2 and reason USAGE.
absl::Status UsageError(absl::string_view message);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_SESSION_H_
