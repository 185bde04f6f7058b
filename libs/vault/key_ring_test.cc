// Tests of the key ring: created once, kept, and never mixed up with that of another install.
#include "libs/vault/key_ring.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles {
namespace {

class KeyRingTest : public testing::Test {
 protected:
  KeyRingTest() : dir_(testing::TempDir() + "/keys-" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(dir_);
  }
  absl::StatusOr<KeyRing> Open(bool may_create) { return KeyRing::Open(dir_, install_, may_create, random_); }
  std::string Text() {
    std::ifstream in(dir_ + "/ring");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void SetText(const std::string& text) { std::ofstream(dir_ + "/ring") << text; }

  const std::string dir_;
  SeededRandom random_{7};
  InstallId install_ = InstallId::Random(random_);
};

TEST_F(KeyRingTest, IsCreatedOnceAndStaysTheSame) {
  const auto made = Open(true);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto again = Open(false);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(made->newest(kIdentifierKey), again->newest(kIdentifierKey));
  EXPECT_NE(made->newest(kIdentifierKey), made->newest(kRequestKey));
  struct stat info;
  ASSERT_EQ(stat((dir_ + "/ring").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(KeyRingTest, IsNotCreatedForALogWithRecords) {
  EXPECT_EQ(ReasonOf(Open(false).status()), "KEYS_MISSING");
  EXPECT_FALSE(std::filesystem::exists(dir_));
}

TEST_F(KeyRingTest, RefusesTheRingOfAnotherInstall) {
  ASSERT_TRUE(Open(true).ok());
  const std::string before = Text();
  install_ = InstallId::Random(random_);
  EXPECT_EQ(ReasonOf(Open(true).status()), "KEYS_FOREIGN");
  EXPECT_EQ(Text(), before);
}

TEST_F(KeyRingTest, RefusesANewerFormat) {
  ASSERT_TRUE(Open(true).ok());
  SetText("halles-keys 2\n" + Text());
  EXPECT_EQ(ReasonOf(Open(true).status()), "KEYS_NEWER_FORMAT");
}

TEST_F(KeyRingTest, RefusesAnyFlippedByte) {
  ASSERT_TRUE(Open(true).ok());
  const std::string good = Text();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    SetText(bad);
    EXPECT_FALSE(Open(true).ok()) << "byte " << i;
  }
}

}  // namespace
}  // namespace halles
