// A real halles process for a test.
#include "tests/durability/program.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "halles/admin/v1/admin_service.grpc.pb.h"

namespace halles::durability {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

}  // namespace

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

std::string Folder(const char* name) {
  const char* folder = getenv(name);
  return folder == nullptr ? "." : folder;
}

absl::Time Soon() { return absl::Now() + kPatience; }

Program::Program() {
  std::string path = std::filesystem::temp_directory_path() / "halles-kill-XXXXXX";
  folder_ = mkdtemp(path.data());
  address_ = absl::StrCat("127.0.0.1:", FreePort());
}

Program::~Program() {
  process_.reset();
  std::filesystem::remove_all(folder_);
}

void Program::Start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{Folder("HALLES_BIN") + "/halles", "--data-dir", folder_ + "/data", "--listen", address_,
                               "--metrics", "127.0.0.1:0", "--slots", "8", "--executors", "2"},
      Process::Read::kErrors);
  ASSERT_FALSE(process_->ReadLineWith("\"serving\"", Soon()).empty()) << process_->seen();
  // A new channel, so that no backoff from before the restart delays it.
  channel_ = NewChannel();
  ASSERT_TRUE(channel_->WaitForConnected(absl::ToChronoTime(Soon())));
}

int Program::Terminate() {
  process_->Signal(SIGTERM);
  return AwaitEnd();
}

std::shared_ptr<grpc::Channel> Program::NewChannel() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  return grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
}

admin::v1::GetStatusResponse Program::CaughtUp() const {
  const auto stub = admin::v1::AdminService::NewStub(channel_);
  admin::v1::GetStatusResponse status;
  for (const absl::Time deadline = Soon(); absl::Now() < deadline;) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    if (stub->GetStatus(&context, {}, &status).ok() && status.caught_up()) return status;
  }
  ADD_FAILURE() << "the views never caught up: " << status.ShortDebugString();
  return status;
}

}  // namespace halles::durability
