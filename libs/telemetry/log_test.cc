// Tests of the log lines.
#include "libs/telemetry/log.h"

#include <limits>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles::telemetry {
namespace {

using ::testing::MatchesRegex;

// Collects the lines that are written during a test.
class LogLines : public ::testing::Test {
 protected:
  LogLines() {
    SetLogSink([this](absl::string_view line) { lines_.emplace_back(line); });
  }
  ~LogLines() override {
    SetLogSink(nullptr);
    SetLogLevel(LogLevel::kInfo);
  }

  // The line without the time at its beginning.
  static std::string Timeless(const std::string& line) {
    const size_t level = line.find("\"level\":");
    EXPECT_THAT(line.substr(0, level), MatchesRegex(R"(\{"ts":"[-0-9]+T[:0-9]+\.[0-9]{6}Z",)"));
    return level == std::string::npos ? line : "{" + line.substr(level);
  }

  std::vector<std::string> lines_;
};

TEST_F(LogLines, HoldTimeLevelComponentAndMessage) {
  Log(LogLevel::kInfo, "rpc", "listening");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(Timeless(lines_[0]), R"({"level":"info","component":"rpc","msg":"listening"})");
}

TEST_F(LogLines, KeepTheTypesOfFields) {
  Log(LogLevel::kError, "rpc", "m",
      {{"text", "x"},
       {"number", -7},
       {"flag", true},
       {"ratio", 0.5},
       {"none", std::numeric_limits<double>::infinity()},
       {"status", absl::NotFoundError("gone")}});
  EXPECT_EQ(Timeless(lines_.at(0)),
            R"({"level":"error","component":"rpc","msg":"m","text":"x","number":-7,"flag":true,)"
            R"("ratio":0.5,"none":null,"status":"NOT_FOUND: gone"})");
}

TEST_F(LogLines, EscapeSpecialCharactersOfJson) {
  const std::string nasty = "quote \" backslash \\ line\nend\ttab\x01 {} %v";
  const std::string escaped = R"("quote \" backslash \\ line\nend\u0009tab\u0001 {} %v")";
  Log(LogLevel::kInfo, "rpc", nasty, {{"k\"", nasty}});
  EXPECT_EQ(Timeless(lines_.at(0)),
            R"({"level":"info","component":"rpc","msg":)" + escaped + R"(,"k\"":)" + escaped + "}");
}

TEST_F(LogLines, AreDroppedBelowTheLevel) {
  Log(LogLevel::kDebug, "rpc", "m");
  EXPECT_TRUE(lines_.empty());
  SetLogLevel(LogLevel::kDebug);
  Log(LogLevel::kDebug, "rpc", "m");
  EXPECT_EQ(lines_.size(), 1u);
  SetLogLevel(LogLevel::kError);
  Log(LogLevel::kWarning, "rpc", "m");
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(LogLines, StayWholeWhenManyThreadsWrite) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int j = 0; j < 50; ++j) Log(LogLevel::kInfo, "rpc", "m", {{"thread", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_.size(), 200u);
  for (const std::string& line : lines_) {
    EXPECT_THAT(Timeless(line), MatchesRegex(R"(\{"level":"info","component":"rpc","msg":"m","thread":[0-3]\})"));
  }
}

TEST(ParseLogLevel, NamesTheValidOnes) {
  EXPECT_EQ(ParseLogLevel("warning").value(), LogLevel::kWarning);
  const absl::Status status = ParseLogLevel("loud").status();
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_LOG_LEVEL");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("debug, info, warning and error"));
}

}  // namespace
}  // namespace halles::telemetry
