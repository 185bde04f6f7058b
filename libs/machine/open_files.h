// The limit and the number of open files and sockets of the process.
#ifndef HALLES_LIBS_MACHINE_OPEN_FILES_H_
#define HALLES_LIBS_MACHINE_OPEN_FILES_H_

#include <cstdint>

namespace halles {

// The limit is never raised beyond this, even if the system would allow it.
inline constexpr uint64_t kOpenFilesMax = 1 << 20;

struct OpenFilesLimit {
  uint64_t before = 0;  // the soft limit of RLIMIT_NOFILE before
  uint64_t now = 0;     // the soft limit after
};

// Raises the soft limit of open files to the hard one. With a low limit, connections can use up all descriptors; the
// process then neither accepts connections nor opens its own files.
OpenFilesLimit RaiseOpenFilesLimit();

// The current soft limit.
uint64_t OpenFilesAllowed();

// The number of open files, sockets and pipes of this process. It lists a directory: some microseconds for each
// hundred. Returns the limit if the directory cannot be opened because the limit is reached.
uint64_t CountOpenFiles();

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_OPEN_FILES_H_
