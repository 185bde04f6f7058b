// How much memory the process may use.
#ifndef HALLES_LIBS_MACHINE_MEMORY_LIMIT_H_
#define HALLES_LIBS_MACHINE_MEMORY_LIMIT_H_

#include <cstdint>
#include <string>

namespace halles {

// Bytes of memory that the process may use: the least of the memory of the machine and the limits of its control groups,
// of version 1 and 2, and of those that they belong to. 0 if the system does not say. `root` replaces "/" in tests.
uint64_t MemoryLimitBytes(const std::string& root = "");

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_MEMORY_LIMIT_H_
