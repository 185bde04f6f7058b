// Tests of a store that was opened without space to write it: it is read, and nothing of it changes.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/store/state_dir.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"

namespace halles::store {
namespace {

using ::testing::HasSubstr;

// The name and size of every file below the folder.
std::map<std::string, uintmax_t> FilesBelow(const std::string& dir) {
  std::map<std::string, uintmax_t> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) files[entry.path()] = entry.file_size();
  }
  return files;
}

class FullDisk : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Store>> Open() {
    ASSIGN_OR_RETURN(std::shared_ptr<StateDir> home, StateDir::Lock(dir_.State(), [this](const std::string& dir) {
                       if (!full_) return absl::OkStatus();
                       return Failure(absl::StatusCode::kResourceExhausted, "STATE_DISK_FULL",
                                      absl::StrCat("no space in ", dir));
                     }));
    return Store::OpenOn(std::move(home), Install(1), Quiet());
  }
  std::unique_ptr<Store> MustOpen() {
    auto store = Open();
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  // Stores one row each of a slot and of a view.
  void Fill() {
    const auto store = MustOpen();
    TestSlot slot(store.get(), Checkout(0));
    slot.Put("a", "1");
    const auto view = MustOpenView(store.get());
    Fold(view.get(), Checkout(0), 0, "v", "1");
    ASSERT_TRUE(store->FlushNow().ok());
  }

  const TempDir dir_;
  bool full_ = false;
};

TEST_F(FullDisk, IsReadAndNotTouched) {
  Fill();
  full_ = true;
  const auto before = FilesBelow(dir_.State());
  {
    const auto store = MustOpen();
    EXPECT_TRUE(store->read_only());
    EXPECT_EQ(ReasonOf(store->CheckRoom()), "STATE_DISK_FULL");
    TestSlot slot(store.get(), Checkout(0));
    EXPECT_EQ(slot.Get("a"), "1");
    const auto view = MustOpenView(store.get());
    EXPECT_EQ(ViewRows::Query(view.get()).Get("v")->value, "1");
    EXPECT_EQ(store->LoadMetas()->size(), 2u);
    EXPECT_TRUE(store->TakeSnapshot().ok());
  }
  EXPECT_EQ(FilesBelow(dir_.State()), before);
}

TEST_F(FullDisk, KeepsNewRowsInMemoryAndRefusesToWriteThem) {
  Fill();
  full_ = true;
  const auto before = FilesBelow(dir_.State());
  const auto store = MustOpen();
  TestSlot slot(store.get(), Checkout(0));
  slot.Put("b", "2");
  for (int i = 0; i < 2; ++i) {
    const absl::Status flushed = store->FlushNow();
    EXPECT_EQ(ReasonOf(flushed), "STATE_DISK_FULL");
    EXPECT_EQ(flushed.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(store->health().message()), HasSubstr("free space"));
  }
  EXPECT_EQ(slot.Get("b"), "2");
  EXPECT_GT(store->dirty_bytes(), 0u);
  EXPECT_EQ(ReasonOf(store->OpenBeside(Quiet()).status()), "STATE_DISK_FULL");
  EXPECT_EQ(FilesBelow(dir_.State()), before);
}

TEST_F(FullDisk, RefusesToDropRows) {
  Fill();
  full_ = true;
  const auto store = MustOpen();
  EXPECT_EQ(ReasonOf(store->Drop(RowSpace::State(Checkout(0)))), "STATE_DISK_FULL");
  EXPECT_EQ(TestSlot(store.get(), Checkout(0)).Get("a"), "1");
}

TEST_F(FullDisk, IsWrittenAgainWhenItIsOpenedWithSpace) {
  Fill();
  full_ = true;
  {
    const auto store = MustOpen();
    TestSlot slot(store.get(), Checkout(0));
    slot.Put("b", "2");
  }
  full_ = false;
  const auto store = MustOpen();
  EXPECT_FALSE(store->read_only());
  EXPECT_TRUE(store->CheckRoom().ok());
  TestSlot slot(store.get(), Checkout(0));
  EXPECT_EQ(slot.Get("b"), "absent") << "only the log knew it";
  slot.Put("b", "2");
  EXPECT_TRUE(store->FlushNow().ok());
}

TEST_F(FullDisk, HasNoSpaceForANewStore) {
  full_ = true;
  const auto store = Open();
  EXPECT_EQ(ReasonOf(store.status()), "STATE_DISK_FULL");
  EXPECT_EQ(store.status().code(), absl::StatusCode::kResourceExhausted);
  full_ = false;
  EXPECT_FALSE(MustOpen()->read_only());
}

}  // namespace
}  // namespace halles::store
