// Reads and writes the IDENTITY file.
#include "libs/eventlog/identity_file.h"

#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/eventlog/frame.h"

namespace halles::eventlog {
namespace {

constexpr absl::string_view kFirstLine = "halles embedded log";
constexpr absl::string_view kChecksumLine = "crc32c ";

std::string PathOf(const std::string& directory) { return absl::StrCat(directory, "/IDENTITY"); }

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return Failure(absl::StatusCode::kDataLoss, "LOG_IDENTITY_DAMAGED",
                 absl::StrCat(path, " is damaged: ", what, "; restore it from a copy of the log directory"),
                 {{"file", path}});
}

// Why a log of this older format is refused; the table in FORMAT.md.
absl::string_view WhatDiffers(uint32_t version) {
  return version < 2 ? "which has one number of slots for all services"
                     : "whose recorded answers do not say what their commands began";
}

// The rest of a line that starts with `name` and a space.
std::optional<absl::string_view> Field(const std::vector<absl::string_view>& lines, size_t index,
                                       absl::string_view name) {
  if (index >= lines.size()) return std::nullopt;
  absl::string_view line = lines[index];
  if (!absl::ConsumePrefix(&line, name) || !absl::ConsumePrefix(&line, " ")) return std::nullopt;
  return line;
}

}  // namespace

std::string EncodeIdentity(const LogIdentity& identity) {
  std::string text = absl::StrCat(kFirstLine, "\nformat ", kEmbeddedFormatVersion, "\ninstall ", identity.install.Hex(),
                                  "\nslots ", identity.slots.ToString(), "\n");
  absl::StrAppendFormat(&text, "%s%08x\n", kChecksumLine, Crc32c(text));
  return text;
}

absl::StatusOr<LogIdentity> ReadIdentity(FileSystem& file_system, const std::string& directory) {
  const std::string path = PathOf(directory);
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, file_system.Open(path));
  ASSIGN_OR_RETURN(const std::string text, ReadWhole(*file));
  const size_t checksum_at = absl::string_view(text).rfind(kChecksumLine);
  if (checksum_at == absl::string_view::npos) return Damaged(path, "it has no checksum");
  const std::string checked = text.substr(0, checksum_at);
  if (text.substr(checksum_at) != absl::StrFormat("%s%08x\n", kChecksumLine, Crc32c(checked))) {
    return Damaged(path, "its checksum does not match");
  }
  // Later formats may add lines, but keep the first two lines and the last one.
  const std::vector<absl::string_view> lines = absl::StrSplit(checked, '\n');
  uint32_t version = 0;
  const auto format = Field(lines, 1, "format");
  if (lines[0] != kFirstLine || !format.has_value() || !absl::SimpleAtoi(*format, &version)) {
    return Damaged(path, "it does not say which format the log has");
  }
  if (version > kEmbeddedFormatVersion) {
    return Failure(absl::StatusCode::kFailedPrecondition, "LOG_FORMAT_NEWER",
                   absl::StrCat("the log in ", directory, " has format ", version, "; this Halles reads format ",
                                kEmbeddedFormatVersion, ": start the newer Halles that wrote it"),
                   {{"directory", directory},
                    {"format", absl::StrCat(version)},
                    {"known_format", absl::StrCat(kEmbeddedFormatVersion)}});
  }
  if (version < kEmbeddedFormatVersion) {
    return Failure(
        absl::StatusCode::kFailedPrecondition, "LOG_FORMAT_OLDER",
        absl::StrCat("the log in ", directory, " has format ", version, ", ", WhatDiffers(version),
                     "; this Halles reads format ", kEmbeddedFormatVersion, ": begin a new log in another folder"),
        {{"directory", directory},
         {"format", absl::StrCat(version)},
         {"known_format", absl::StrCat(kEmbeddedFormatVersion)}});
  }
  const auto install_hex = Field(lines, 2, "install");
  const auto slots = Field(lines, 3, "slots");
  const std::optional<InstallId> install = install_hex.has_value() ? InstallId::FromHex(*install_hex) : std::nullopt;
  const absl::StatusOr<SlotCounts> counts = SlotCounts::Parse(slots.value_or(""));
  if (!install.has_value() || install->empty() || !counts.ok()) {
    return Damaged(path, "it does not name an install and the numbers of slots");
  }
  return LogIdentity{*install, *counts};
}

absl::Status WriteIdentity(FileSystem& file_system, const std::string& directory, const LogIdentity& identity) {
  RETURN_IF_ERROR(ReplaceFile(file_system, PathOf(directory), EncodeIdentity(identity)));
  return file_system.SyncDirectory(directory);
}

}  // namespace halles::eventlog
