// Ends a process that found a bug in itself.
#include "libs/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace halles {

void CheckFailed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: bug: %s\n", file, line, what);
  std::abort();
}

}  // namespace halles
