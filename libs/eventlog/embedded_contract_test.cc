// Runs the contract of the log on the embedded driver: on a disk in memory, on files, and with reads from segments
// only.
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/eventlog/log_contract_test.h"
#include "libs/machine/os_random.h"
#include "libs/machine/system_clock.h"
#include "libs/testing/faulty_file.h"

namespace halles::eventlog {
namespace {

class EmbeddedUnderTest : public LogUnderTest {
 public:
  explicit EmbeddedUnderTest(EmbeddedLogOptions options) : options_(std::move(options)) {
    options_.clock = &clock_;
    options_.random = &random_;
    Reopen();
  }

  EventLog& log() override { return *log_; }
  void Close() { log_.reset(); }
  bool Reopen() override {
    Close();
    auto opened = EmbeddedLog::Open(options_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
    return true;
  }

 private:
  const SystemClock clock_;
  OsRandom random_;
  EmbeddedLogOptions options_;
  std::unique_ptr<EmbeddedLog> log_;
};

class OnMemoryDisk : public LogUnderTest {
 public:
  explicit OnMemoryDisk(size_t recent_bytes_max)
      : recent_bytes_max_(recent_bytes_max),
        log_({.directory = "/data/log",
              .segment_bytes = 1024 * 1024,
              .recent_bytes_max = recent_bytes_max,
              .file_system = &disk_}) {}
  EventLog& log() override { return log_.log(); }
  bool Reopen() override { return log_.Reopen(); }
  bool SetUnreadable(bool unreadable) override {
    if (recent_bytes_max_ > 0) return false;  // recent records are read from memory
    disk_.SetFault([unreadable](testing::DiskOperation operation, const std::string&) {
      const bool reads = operation == testing::DiskOperation::kOpen || operation == testing::DiskOperation::kRead;
      return unreadable && reads ? absl::UnavailableError("Too many open files") : absl::OkStatus();
    });
    return true;
  }

 private:
  const size_t recent_bytes_max_;
  testing::FaultyDisk disk_;
  EmbeddedUnderTest log_;
};

class OnFiles : public LogUnderTest {
 public:
  explicit OnFiles(size_t recent_bytes_max)
      : log_({.directory = directory_.string(), .segment_bytes = 1024 * 1024, .recent_bytes_max = recent_bytes_max}) {}
  ~OnFiles() override {
    log_.Close();
    std::filesystem::remove_all(directory_);
  }
  EventLog& log() override { return log_.log(); }
  bool Reopen() override { return log_.Reopen(); }

 private:
  static std::filesystem::path NewDirectory() {
    static int count = 0;
    const auto path =
        std::filesystem::path(::testing::TempDir()) / absl::StrCat("log_contract_", getpid(), "_", ++count);
    std::filesystem::remove_all(path);
    return path;
  }
  const std::filesystem::path directory_ = NewDirectory();
  EmbeddedUnderTest log_;
};

INSTANTIATE_TEST_SUITE_P(
    Embedded, LogContract,
    ::testing::Values(LogDriver{"OnMemoryDisk", [] { return std::make_unique<OnMemoryDisk>(8 * 1024 * 1024); }},
                      LogDriver{"OnMemoryDiskWithoutRecentBytes", [] { return std::make_unique<OnMemoryDisk>(0); }},
                      LogDriver{"OnFiles", [] { return std::make_unique<OnFiles>(8 * 1024 * 1024); }},
                      LogDriver{"OnFilesWithoutRecentBytes", [] { return std::make_unique<OnFiles>(0); }}),
    LogDriverName);

}  // namespace
}  // namespace halles::eventlog
