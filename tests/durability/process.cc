// Starts real executables for a test, reads their output, and ends them by their ids.
#include "tests/durability/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "absl/time/clock.h"
#include "libs/base/check.h"

namespace halles::durability {
namespace {

constexpr uint16_t kPortsFrom = 20000;
constexpr uint16_t kPortsTo = 32000;

int MillisUntil(absl::Time deadline) {
  return static_cast<int>(std::clamp<int64_t>(absl::ToInt64Milliseconds(deadline - absl::Now()), 0, 60'000));
}

}  // namespace

Process::Process(const std::vector<std::string>& command, Read read) {
  int input[2];
  int output[2];
  HALLES_CHECK(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0, "no pipes");
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  HALLES_CHECK(pid_ >= 0, "no process");
  if (pid_ == 0) {
    // Ends with the test, even if the test is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], read == Read::kOutput ? STDOUT_FILENO : STDERR_FILENO);
    execv(words[0], words.data());
    _exit(127);
  }
  close(input[0]);
  close(output[1]);
  input_ = input[1];
  output_ = output[0];
}

Process::~Process() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (input_ >= 0) close(input_);
  close(output_);
}

std::string Process::ReadLine(absl::Time deadline) {
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      seen_ += line + "\n";
      return line;
    }
    pollfd wait{output_, POLLIN, 0};
    if (poll(&wait, 1, MillisUntil(deadline)) <= 0) return "";
    char bytes[65536];
    const ssize_t count = read(output_, bytes, sizeof bytes);
    if (count <= 0) return "";
    buffer_.append(bytes, static_cast<size_t>(count));
  }
}

std::string Process::ReadLineWith(const std::string& text, absl::Time deadline) {
  for (;;) {
    std::string line = ReadLine(deadline);
    if (line.empty() || line.find(text) != std::string::npos) return line;
  }
}

void Process::WriteAndClose(const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(input_, text.data() + written, text.size() - written);
    HALLES_CHECK(count > 0, "the process does not read its input");
    written += static_cast<size_t>(count);
  }
  close(input_);
  input_ = -1;
}

void Process::Signal(int signal) const { kill(pid_, signal); }

int Process::Wait(absl::Time deadline) {
  // The process closes its streams when it ends; reading them keeps it from blocking on a full pipe.
  while (absl::Now() < deadline && !ReadLine(deadline).empty()) {
  }
  while (!ended_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      ended_ = true;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    if (absl::Now() >= deadline) break;
    // The process ends shortly after its streams.
    poll(nullptr, 0, 1);
  }
  return -1000;
}

uint16_t FreePort() {
  std::random_device random;
  for (;;) {
    const auto port = static_cast<uint16_t>(kPortsFrom + random() % (kPortsTo - kPortsFrom));
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(listener);
    if (free) return port;
  }
}

}  // namespace halles::durability
