// Logging: one JSON object a line on standard error.
#ifndef HALLES_LIBS_TELEMETRY_LOG_H_
#define HALLES_LIBS_TELEMETRY_LOG_H_

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace halles::telemetry {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warning" or "error"; INVALID_ARGUMENT with these names otherwise.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name);

// A key and its value. Numbers and booleans keep their type in JSON. No field and no message may hold personal data in
// clear.
class LogField {
 public:
  LogField(absl::string_view key, absl::string_view value) : key_(key), value_(value), quoted_(true) {}
  LogField(absl::string_view key, const char* value) : LogField(key, absl::string_view(value)) {}
  LogField(absl::string_view key, const std::string& value) : LogField(key, absl::string_view(value)) {}
  LogField(absl::string_view key, const absl::Status& value) : LogField(key, value.ToString()) {}
  LogField(absl::string_view key, std::integral auto value) : key_(key), value_(absl::StrCat(value)) {}
  LogField(absl::string_view key, bool value) : key_(key), value_(value ? "true" : "false") {}
  LogField(absl::string_view key, double value);

  const std::string& key() const { return key_; }
  const std::string& value() const { return value_; }
  bool quoted() const { return quoted_; }

 private:
  std::string key_;
  std::string value_;
  bool quoted_ = false;
};

// Writes {"ts", "level", "component", "msg", fields...}. `component` is the module, such as "eventlog" or "rpc".
// Thread safety: any thread. Waits while another thread writes its line.
void Log(LogLevel level, absl::string_view component, absl::string_view message,
         std::initializer_list<LogField> fields = {});

// Lines below `level` are dropped; kInfo until it is set.
void SetLogLevel(LogLevel level);

// Lines go to `sink`, without their line end, instead of standard error; nullptr restores that. For tests; only one
// thread at a time calls the sink.
void SetLogSink(std::function<void(absl::string_view line)> sink);

}  // namespace halles::telemetry

#endif  // HALLES_LIBS_TELEMETRY_LOG_H_
