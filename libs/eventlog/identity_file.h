// The IDENTITY file of an embedded log: which log this is, and in which format.
#ifndef HALLES_LIBS_EVENTLOG_IDENTITY_FILE_H_
#define HALLES_LIBS_EVENTLOG_IDENTITY_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/eventlog/file_system.h"
#include "libs/eventlog/log.h"

namespace halles::eventlog {

// The text of the file, as FORMAT.md shows it.
std::string EncodeIdentity(const LogIdentity& identity);

// NOT_FOUND when there is none. DATA_LOSS with LOG_IDENTITY_DAMAGED when the file is damaged; FAILED_PRECONDITION with
// LOG_FORMAT_NEWER or LOG_FORMAT_OLDER, naming both versions, when this build reads another format.
absl::StatusOr<LogIdentity> ReadIdentity(FileSystem& file_system, const std::string& directory);

// Durability: durable on return, and never half written.
absl::Status WriteIdentity(FileSystem& file_system, const std::string& directory, const LogIdentity& identity);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_IDENTITY_FILE_H_
