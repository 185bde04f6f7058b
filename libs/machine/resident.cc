// /proc/self/statm.
#include "libs/machine/resident.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace halles {

uint64_t ResidentBytes() {
  // Kept open, so that it can be read when no file can be opened any more. A child process would read of its parent.
  static const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 128> text{};
  const ssize_t n = pread(fd, text.data(), text.size() - 1, 0);
  unsigned long size = 0, resident = 0;  // in pages
  if (n <= 0 || sscanf(text.data(), "%lu %lu", &size, &resident) != 2) return 0;
  return uint64_t{resident} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace halles
