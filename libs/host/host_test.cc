// Tests of a process: opened, closed, and damaged.
#include "libs/host/host.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/host/host_fixture.h"

namespace halles::host {
namespace {

namespace fs = std::filesystem;

using Reopen = HostTest;
using ForeignParts = HostTest;

TEST_F(Reopen, KeepsEventsAnswersAndDigests) {
  AddSome(50);
  const auto metas = Metas();
  Close();
  Open();
  EXPECT_EQ(Submit(partition::Add("r0", 1, "a"))->value(), 1) << "the first answer";
  const auto reopened = Metas();
  for (const auto& [fold, meta] : metas) {
    EXPECT_EQ(reopened.at(fold).digest, meta.digest) << fold.ToString();
  }
  EXPECT_TRUE(Quarantined().empty());
}

TEST_F(Reopen, WithoutTheStateRebuildsIt) {
  AddSome(50);
  const auto digests = Digests();
  Close();
  fs::remove_all(state_dir());
  Open();
  EXPECT_EQ(Digests(), digests);
  EXPECT_EQ(*Sum("a"), 8);
  EXPECT_EQ(Submit(partition::Add("r0", 1, "a"))->value(), 1);
}

TEST_F(Reopen, WithoutADrainReadsTheLogAgain) {
  AddSome(50);
  AwaitCaughtUp();
  const auto digests = Digests();
  Crash();
  Open();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(Reopen, WithoutItsKeysIsRefusedAndChangesNothing) {
  AddSome(5);
  const auto digests = Digests();
  Close();
  fs::rename(data_dir() + "/keys", data_dir() + "/elsewhere");
  EXPECT_EQ(ReasonOf(TryOpen()), "KEYS_MISSING");
  fs::remove_all(data_dir() + "/keys");
  fs::rename(data_dir() + "/elsewhere", data_dir() + "/keys");
  Open();
  EXPECT_EQ(Digests(), digests);
}

// Another install provides the foreign parts.
TEST_F(ForeignParts, KeysAreRefused) {
  AddSome(5);
  Close();
  fs::rename(data_dir(), data_dir() + "-mine");
  Open();
  Close();
  fs::remove_all(data_dir() + "-mine/keys");
  fs::copy(data_dir() + "/keys", data_dir() + "-mine/keys", fs::copy_options::recursive);
  fs::remove_all(data_dir());
  fs::rename(data_dir() + "-mine", data_dir());
  EXPECT_EQ(ReasonOf(TryOpen()), "KEYS_FOREIGN");
}

TEST_F(ForeignParts, StateIsMovedAsideAndRebuilt) {
  AddSome(30);
  const auto digests = Digests();
  Close();
  fs::rename(data_dir(), data_dir() + "-mine");
  Open();
  AddSome(5);
  Close();
  fs::remove_all(data_dir() + "-mine/state");
  fs::copy(state_dir(), data_dir() + "-mine/state", fs::copy_options::recursive);
  fs::remove_all(data_dir());
  fs::rename(data_dir() + "-mine", data_dir());
  Open();
  EXPECT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(Digests(), digests);
  Close();
  Open();
  EXPECT_EQ(Quarantined().size(), 1u) << "once";
}

TEST_F(ForeignParts, StateAheadOfTheLogIsMovedAsideAndRebuilt) {
  AddSome(10);
  const auto digests = Digests();
  Close();
  // A backup of log and keys, and a state that has advanced since.
  fs::create_directories(data_dir() + "-backup");
  fs::copy(data_dir() + "/log", data_dir() + "-backup/log", fs::copy_options::recursive);
  Open();
  AddSome(10);
  EXPECT_NE(Digests(), digests);
  Close();
  fs::remove_all(data_dir() + "/log");
  fs::rename(data_dir() + "-backup/log", data_dir() + "/log");
  Open();
  EXPECT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(Digests(), digests);
  EXPECT_EQ(*Sum("a"), 2);
}

TEST_F(ForeignParts, UnreadableStateIsMovedAsideAndRebuilt) {
  AddSome(10);
  const auto digests = Digests();
  Close();
  std::ofstream(state_dir() + "/CURRENT") << "nonsense";
  Open();
  EXPECT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(Digests(), digests);
}

TEST_F(Reopen, ForWantOfFileHandlesMovesNoStateAside) {
  AddSome(10);
  Metas();
  host_->Drain(kPatience);
  host_.reset();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  int failed = 0;
  bool opened = false;
  for (rlim_t handles = 3; handles < 300 && !opened; ++handles) {
    rlimit few = before;
    few.rlim_cur = handles;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    opened = installation_->OpenStore().ok();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (!opened) ++failed;
    ASSERT_TRUE(Quarantined().empty()) << handles;
  }
  EXPECT_TRUE(opened);
  EXPECT_GT(failed, 3);
  installation_.reset();
}

class DamagedRows : public HostTest {
 protected:
  void Flush() {
    const auto flushed = std::make_shared<absl::Notification>();
    ASSERT_TRUE(host_
                    ->With([&](Serving& serving) {
                      serving.store->FlushAsync([flushed](const absl::Status&) { flushed->Notify(); });
                    })
                    .ok());
    flushed->WaitForNotification();
  }
  // All files of rows.
  std::vector<fs::path> RowFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(state_dir())) {
      if (entry.path().extension() == ".sst") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    files.erase(files.begin());  // the first one ever written is the identity
    return files;
  }
  // One more for counter a, asked again while it passes.
  int64_t AddUntilServed() {
    const AddRequest request = partition::Add(absl::StrCat("r", next_++), 1, "a");
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      const ReplyPtr reply = Submit(request);
      if (reply->status().ok()) return reply->value();
      EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable) << reply->status();
    }
    ADD_FAILURE() << "not served";
    return -1;
  }
};

TEST_F(DamagedRows, AreFoldedAgainWhileCommandsAreServed) {
  AddSome(70);
  AwaitCaughtUp();
  Flush();
  ASSERT_GT(RowFiles().size(), 4u);
  for (const fs::path& path : RowFiles()) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(2);
    const int byte = file.get();
    file.seekp(2);
    file.put(static_cast<char>(byte ^ 0x40));
  }
  AddSome(7);
  Flush();  // finds the damage
  for (int64_t value = 12; value < 20; ++value) EXPECT_EQ(AddUntilServed(), value);
  Flush();
  EXPECT_TRUE(Verify().comparison.equal());
  EXPECT_EQ(*Sum("a"), 19);
  EXPECT_TRUE(Quarantined().empty());
  const auto digests = Digests();
  EXPECT_GT(digests.size(), 4u);
  Close();
  Open();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(DamagedRows, KeepNothingFromStarting) {
  AddSome(70);
  const auto digests = Digests();
  Close();
  for (const fs::path& path : RowFiles()) fs::resize_file(path, 20);
  Open();
  EXPECT_EQ(AddUntilServed(), 11);
  EXPECT_TRUE(Verify().comparison.equal());
  EXPECT_TRUE(Quarantined().empty());
  EXPECT_EQ(*Sum("a"), 11);
  EXPECT_EQ(Digests().size(), digests.size());
}

}  // namespace
}  // namespace halles::host
