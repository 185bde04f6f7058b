// JSON lines by spdlog.
#include "libs/telemetry/log.h"

#include <cmath>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_format.h"
#include "libs/base/status.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace halles::telemetry {
namespace {

// Passes lines to a function.
class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(absl::string_view)> function) : function_(std::move(function)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    absl::string_view text(line.data(), line.size());
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    function_(text);
  }
  void flush_() override {}

  const std::function<void(absl::string_view)> function_;
};

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("halles", std::move(sink));
  // The message is the inner part of the object, starting at "component".
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(R"({"ts":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})",
                                                                    spdlog::pattern_time_type::utc));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

// The logger of the process. Shared, because a line may be written while the sink is exchanged. It is never destroyed,
// so that threads may log until the end.
struct Current {
  std::mutex mutex;
  spdlog::level::level_enum level = spdlog::level::info;
  std::shared_ptr<spdlog::logger> logger = MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
};
Current& TheCurrent() {
  static Current* const current = new Current;
  return *current;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void AppendQuoted(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      default:
        // Bytes beyond ASCII are kept if the whole text is UTF-8, as our messages are.
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned char>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

}  // namespace

LogField::LogField(absl::string_view key, double value)
    : key_(key), value_(std::isfinite(value) ? absl::StrCat(value) : "null") {}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return Failure(absl::StatusCode::kInvalidArgument, "UNKNOWN_LOG_LEVEL",
                 absl::StrCat("\"", name, "\" is no log level; there are debug, info, warning and error"));
}

void Log(LogLevel level, absl::string_view component, absl::string_view message,
         std::initializer_list<LogField> fields) {
  const spdlog::level::level_enum spdlog_level = ToSpdlog(level);
  std::shared_ptr<spdlog::logger> logger;
  {
    Current& current = TheCurrent();
    std::lock_guard<std::mutex> lock(current.mutex);
    if (spdlog_level < current.level) return;
    logger = current.logger;
  }
  std::string line = "\"component\":";
  AppendQuoted(component, &line);
  line += ",\"msg\":";
  AppendQuoted(message, &line);
  for (const LogField& field : fields) {
    line.push_back(',');
    AppendQuoted(field.key(), &line);
    line.push_back(':');
    if (field.quoted()) {
      AppendQuoted(field.value(), &line);
    } else {
      line += field.value();
    }
  }
  logger->log(spdlog_level, spdlog::string_view_t(line.data(), line.size()));
}

void SetLogLevel(LogLevel level) {
  Current& current = TheCurrent();
  std::lock_guard<std::mutex> lock(current.mutex);
  current.level = ToSpdlog(level);
  current.logger->set_level(current.level);
}

void SetLogSink(std::function<void(absl::string_view line)> sink) {
  spdlog::sink_ptr to;
  if (sink == nullptr) {
    to = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    to = std::make_shared<FunctionSink>(std::move(sink));
  }
  auto logger = MakeLogger(std::move(to));
  Current& current = TheCurrent();
  std::lock_guard<std::mutex> lock(current.mutex);
  logger->set_level(current.level);
  current.logger = std::move(logger);
}

}  // namespace halles::telemetry
