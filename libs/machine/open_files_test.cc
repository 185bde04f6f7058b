// Tests of the limit of open files and of their count.
#include "libs/machine/open_files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(OpenFiles, AreRaisedToTheHardLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const OpenFilesLimit limit = RaiseOpenFilesLimit();
  EXPECT_EQ(limit.before, 100u);
  EXPECT_EQ(limit.now, before.rlim_max < kOpenFilesMax ? before.rlim_max : kOpenFilesMax);
  EXPECT_EQ(OpenFilesAllowed(), limit.now);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(OpenFiles, AreCounted) {
  const uint64_t before = CountOpenFiles();
  const int fd = open("/dev/null", O_RDONLY);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(CountOpenFiles(), before + 1);
  close(fd);
  EXPECT_EQ(CountOpenFiles(), before);
}

}  // namespace
}  // namespace halles
