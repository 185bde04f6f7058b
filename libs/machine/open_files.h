// How many files and sockets the process may hold open, and how many it does.
#ifndef HALLES_LIBS_MACHINE_OPEN_FILES_H_
#define HALLES_LIBS_MACHINE_OPEN_FILES_H_

#include <cstdint>

namespace halles {

// More are not asked for, whatever the system would allow.
inline constexpr uint64_t kOpenFilesMax = 1 << 20;

struct OpenFilesLimit {
  uint64_t before = 0;  // the soft limit of RLIMIT_NOFILE as the process found it
  uint64_t now = 0;     // as it stands
};

// Raises the soft limit of open files to the hard one. A process with a low limit goes deaf when its connections use it
// up, and cannot open its own files then.
OpenFilesLimit RaiseOpenFilesLimit();

// The soft limit as it stands.
uint64_t OpenFilesAllowed();

// Open files, sockets and pipes of this process. Lists a directory: some microseconds for each hundred. At the limit, when
// the directory cannot be opened, the limit.
uint64_t CountOpenFiles();

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_OPEN_FILES_H_
