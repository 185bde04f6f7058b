// What every command of hallesctl gets: the connection to halles and the output streams.
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

// Output is JSON alone or tables on `out`; everything else goes to `err`.
struct Session {
  Client& client;
  bool json;
  std::ostream& out;
  std::ostream& err;
  int out_width;  // of tables
  int err_width;  // of the terminal behind `err`; 0 when it is none
  Clock& clock;
};

// A wrong command line: exit code 2. The reason is USAGE.
absl::Status UsageError(absl::string_view message);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_SESSION_H_
