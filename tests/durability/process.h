// Starts the real executables for a test, waits for what they say, ends them by their ids.
#ifndef HALLES_TESTS_DURABILITY_PROCESS_H_
#define HALLES_TESTS_DURABILITY_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace halles::durability {

// A child process. Its standard input is a pipe, and so is the one of its other streams that the test reads.
// Thread safety: one thread, but for Signal.
// Lifetime: the destructor kills the process and waits for its end.
class Process {
 public:
  enum class Read { kOutput, kErrors };

  // `read` is the stream that ReadLine reads; the other one is that of the test.
  Process(const std::vector<std::string>& command, Read read);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The next line without its end; "" at the end of the stream or at the deadline.
  std::string ReadLine(absl::Time deadline);
  // The next line that holds `text`; "" when the stream or the time ended before. `seen` keeps all lines read so far.
  std::string ReadLineWith(const std::string& text, absl::Time deadline);
  const std::string& seen() const { return seen_; }

  // Writes to its standard input and closes that.
  void WriteAndClose(const std::string& text);

  void Signal(int signal) const;
  // Exit code, or minus the signal that ended it; -1000 when it runs on at the deadline. Reads what it still says.
  int Wait(absl::Time deadline);

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  bool ended_ = false;
  std::string buffer_;
  std::string seen_;
};

// A port below those that the kernel gives to clients, free a moment ago.
uint16_t FreePort();

}  // namespace halles::durability

#endif  // HALLES_TESTS_DURABILITY_PROCESS_H_
