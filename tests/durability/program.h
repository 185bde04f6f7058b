// A real halles process for a test, restarted on the same folder and port.
#ifndef HALLES_TESTS_DURABILITY_PROGRAM_H_
#define HALLES_TESTS_DURABILITY_PROGRAM_H_

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "halles/admin/v1/admin_service.pb.h"
#include "tests/durability/process.h"

namespace halles::durability {

// A number from the environment, such as a seed.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);
// A folder that ctest passes, such as HALLES_BIN.
std::string Folder(const char* name);
// A minute from now, which is longer than anything a test waits for.
absl::Time Soon();

// Thread safety: Kill, address and NewChannel from any thread, the rest from one.
// Lifetime: the destructor kills the process and removes the folder.
class Program {
 public:
  Program();
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Returns when the process serves. Use with ASSERT_NO_FATAL_FAILURE.
  void Start();
  void Kill() const { process_->Signal(SIGKILL); }
  // Exit code, or minus the signal that ended it.
  int AwaitEnd() { return process_->Wait(Soon()); }
  int Terminate();

  const std::string& address() const { return address_; }
  const std::string& folder() const { return folder_; }
  // For the current run of the process.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // A separate connection that reconnects soon after a restart.
  std::shared_ptr<grpc::Channel> NewChannel() const;

  // Returns the status after all views have caught up.
  admin::v1::GetStatusResponse CaughtUp() const;

 private:
  std::string folder_;
  std::string address_;
  std::unique_ptr<Process> process_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace halles::durability

#endif  // HALLES_TESTS_DURABILITY_PROGRAM_H_
