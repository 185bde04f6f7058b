// RLIMIT_NOFILE and /proc/self/fd.
#include "libs/machine/open_files.h"

#include <dirent.h>
#include <sys/resource.h>

#include <algorithm>

namespace halles {

OpenFilesLimit RaiseOpenFilesLimit() {
  OpenFilesLimit result{.before = OpenFilesAllowed(), .now = 0};
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, kOpenFilesMax);
    if (limit.rlim_cur < wanted) {
      limit.rlim_cur = wanted;
      setrlimit(RLIMIT_NOFILE, &limit);  // if this fails, the old limit remains and is returned
    }
  }
  result.now = OpenFilesAllowed();
  return result;
}

uint64_t OpenFilesAllowed() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<uint64_t>(limit.rlim_cur) : 0;
}

uint64_t CountOpenFiles() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return OpenFilesAllowed();
  uint64_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count - 1;  // the directory itself is one of them
}

}  // namespace halles
