// How much memory the process holds.
#ifndef HALLES_LIBS_MACHINE_RESIDENT_H_
#define HALLES_LIBS_MACHINE_RESIDENT_H_

#include <cstdint>

namespace halles {

// Bytes of memory that the system has given to this process, those of mapped files included; 0 where /proc is missing.
uint64_t ResidentBytes();

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_RESIDENT_H_
