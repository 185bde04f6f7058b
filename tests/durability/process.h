// Starts real executables for a test, reads their output, and ends them by their ids.
#ifndef HALLES_TESTS_DURABILITY_PROCESS_H_
#define HALLES_TESTS_DURABILITY_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace halles::durability {

// A child process. Its standard input is a pipe, and so is the output stream that the test reads.
// Thread safety: one thread, except Signal.
// Lifetime: the destructor kills the process and waits for its end.
class Process {
 public:
  enum class Read { kOutput, kErrors };

  // `read` is the stream that ReadLine reads; the other stream is inherited from the test.
  Process(const std::vector<std::string>& command, Read read);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The next line without its end; "" at the end of the stream or at the deadline.
  std::string ReadLine(absl::Time deadline);
  // The next line that contains `text`; "" at the end of the stream or at the deadline. `seen` collects all lines read.
  std::string ReadLineWith(const std::string& text, absl::Time deadline);
  const std::string& seen() const { return seen_; }

  // Writes to the standard input and closes it.
  void WriteAndClose(const std::string& text);

  void Signal(int signal) const;
  // The exit code, or minus the signal that ended the process; -1000 when it still runs at the deadline. Reads the rest
  // of its output.
  int Wait(absl::Time deadline);

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  bool ended_ = false;
  std::string buffer_;
  std::string seen_;
};

// A port below the range that the kernel assigns to clients, free a moment ago.
uint16_t FreePort();

}  // namespace halles::durability

#endif  // HALLES_TESTS_DURABILITY_PROCESS_H_
