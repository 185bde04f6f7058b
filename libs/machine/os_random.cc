// Asks the kernel for random bytes.
#include "libs/machine/os_random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace halles {

void OsRandom::Fill(absl::Span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t filled = getrandom(bytes.data(), bytes.size(), 0);
    if (filled < 0) {
      if (errno == EINTR) continue;
      std::perror("getrandom");  // without it, no ids or keys can be made
      std::abort();
    }
    bytes.remove_prefix(static_cast<size_t>(filled));
  }
}

}  // namespace halles
