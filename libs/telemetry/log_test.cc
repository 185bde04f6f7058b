// Tests of the log lines.
#include "libs/telemetry/log.h"

#include <limits>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
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

  static google::protobuf::Struct Parse(const std::string& line) {
    google::protobuf::Struct object;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(line, &object).ok()) << line;
    return object;
  }

  std::vector<std::string> lines_;
};

TEST_F(LogLines, HoldTimeLevelComponentAndMessage) {
  Log(LogLevel::kInfo, "rpc", "listening");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], MatchesRegex(R"(\{"ts":"[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\.[0-9]+Z","level":"info",)"
                                      R"("component":"rpc","msg":"listening"\})"));
}

TEST_F(LogLines, KeepTheTypesOfFields) {
  Log(LogLevel::kError, "rpc", "m",
      {{"text", "x"},
       {"number", -7},
       {"flag", true},
       {"ratio", 0.5},
       {"none", std::numeric_limits<double>::infinity()},
       {"status", absl::NotFoundError("gone")}});
  const auto fields = Parse(lines_.at(0)).fields();
  EXPECT_EQ(fields.at("level").string_value(), "error");
  EXPECT_EQ(fields.at("text").string_value(), "x");
  EXPECT_EQ(fields.at("number").number_value(), -7);
  EXPECT_TRUE(fields.at("flag").bool_value());
  EXPECT_EQ(fields.at("ratio").number_value(), 0.5);
  EXPECT_TRUE(fields.at("none").has_null_value());
  EXPECT_EQ(fields.at("status").string_value(), "NOT_FOUND: gone");
}

TEST_F(LogLines, EscapeWhatJsonReserves) {
  const std::string nasty = "quote \" backslash \\ line\nend\ttab\x01 {} %v";
  Log(LogLevel::kInfo, "rpc", nasty, {{"k\"", nasty}});
  const auto fields = Parse(lines_.at(0)).fields();
  EXPECT_EQ(fields.at("msg").string_value(), nasty);
  EXPECT_EQ(fields.at("k\"").string_value(), nasty);
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

TEST_F(LogLines, AreWholeWhenManyThreadsWrite) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int j = 0; j < 50; ++j) Log(LogLevel::kInfo, "rpc", "m", {{"thread", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_.size(), 200u);
  for (const std::string& line : lines_) Parse(line);
}

TEST(ParseLogLevel, NamesTheValidOnes) {
  EXPECT_EQ(ParseLogLevel("warning").value(), LogLevel::kWarning);
  const absl::Status status = ParseLogLevel("loud").status();
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_LOG_LEVEL");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("debug, info, warning and error"));
}

}  // namespace
}  // namespace halles::telemetry
