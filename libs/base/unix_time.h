// The type of points in time.
#ifndef HALLES_LIBS_BASE_UNIX_TIME_H_
#define HALLES_LIBS_BASE_UNIX_TIME_H_

#include <cstdint>

namespace halles {

// Microseconds since 1970-01-01T00:00:00Z.
using UnixMicros = int64_t;

}  // namespace halles

#endif  // HALLES_LIBS_BASE_UNIX_TIME_H_
