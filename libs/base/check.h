// HALLES_CHECK: ends the process when an invariant is broken. For bugs only, never for bad input or outside failures.
#ifndef HALLES_LIBS_BASE_CHECK_H_
#define HALLES_LIBS_BASE_CHECK_H_

namespace halles {

[[noreturn]] void CheckFailed(const char* file, int line, const char* what);

}  // namespace halles

// Ends the process with the message `what` unless `condition` holds.
#define HALLES_CHECK(condition, what)                                  \
  do {                                                                 \
    if (!(condition)) ::halles::CheckFailed(__FILE__, __LINE__, what); \
  } while (false)

#endif  // HALLES_LIBS_BASE_CHECK_H_
