// Tests of the memory limit, in trees of files such as the system has.
#include "libs/machine/memory_limit.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace halles {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class MemoryLimit : public ::testing::Test {
 protected:
  ~MemoryLimit() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }

  const std::string root_ = [] {
    std::string folder = (std::filesystem::temp_directory_path() / "halles-memory-XXXXXX").string();
    return std::string(mkdtemp(folder.data()));
  }();
};

TEST_F(MemoryLimit, IsUnknownWhereTheSystemSaysNothing) { EXPECT_EQ(MemoryLimitBytes(root_), 0u); }

TEST_F(MemoryLimit, IsTheMemoryOfTheMachine) {
  Write("/proc/meminfo", "MemTotal:       16384 kB\nMemFree:         1024 kB\n");
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 16 * kMiB);
}

TEST_F(MemoryLimit, IsThatOfTheGroup) {
  Write("/proc/meminfo", "MemTotal:       1048576 kB\n");
  Write("/proc/self/cgroup", "0::/pods/a\n");
  Write("/sys/fs/cgroup/pods/a/memory.max", "268435456\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 256 * kMiB);
}

TEST_F(MemoryLimit, IsThatOfAGroupAbove) {
  Write("/proc/self/cgroup", "0::/pods/a\n");
  Write("/sys/fs/cgroup/pods/a/memory.max", "max\n");
  Write("/sys/fs/cgroup/pods/memory.max", "134217728\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 128 * kMiB);
}

// A container sees its own group at the top, under the name that it has outside.
TEST_F(MemoryLimit, IsThatOfTheTopInAContainer) {
  Write("/proc/self/cgroup", "0::/outside/name\n");
  Write("/sys/fs/cgroup/memory.max", "536870912\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 512 * kMiB);
}

TEST_F(MemoryLimit, OfVersionOneIsRead) {
  Write("/proc/meminfo", "MemTotal:       1048576 kB\n");
  Write("/proc/self/cgroup", "5:devices:/a\n4:cpu,memory:/a\n0::/\n");
  Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "67108864\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 64 * kMiB);
  Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 1024 * kMiB);
}

TEST_F(MemoryLimit, OfThisMachineIsKnown) { EXPECT_GT(MemoryLimitBytes(), kMiB); }

}  // namespace
}  // namespace halles
