// Opens the parts of a data directory, and moves aside a state that does not belong to the log.
#include "libs/host/installation.h"

#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/status.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/file_system.h"
#include "libs/eventlog/identity_file.h"
#include "libs/host/reshard.h"
#include "libs/projection/source_reader.h"
#include "libs/telemetry/log.h"

namespace halles::host {
namespace {

// Reasons for moving the state aside and rebuilding it from the log.
bool IsRebuildable(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "FOREIGN_STORE" || reason == "STORE_DAMAGED" || reason == "OLDER_STORE_FORMAT";
}

// Whether the error shows that the log is not the one that was read before. That it cannot be read, or is damaged, does not
// make the state wrong.
bool IsOtherLog(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "LOG_CUT" || reason == "LOG_TOO_SHORT" || reason == "OTHER_LINEAGE";
}

// Whether any slot of any service has a record.
absl::StatusOr<bool> IsEmpty(eventlog::EventLog& log) {
  for (int service = 1; ServiceName(static_cast<ServiceId>(service)) != "unknown"; ++service) {
    for (uint32_t slot = 0; slot < log.identity().slots.of(static_cast<ServiceId>(service)); ++slot) {
      ASSIGN_OR_RETURN(const Position end, log.End({static_cast<ServiceId>(service), static_cast<uint16_t>(slot)}));
      if (end > 0) return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Installation>> Installation::Open(InstallationOptions options) {
  std::unique_ptr<Installation> installation(new Installation(std::move(options)));
  RETURN_IF_ERROR(installation->OpenLogAndKeys());
  return installation;
}

absl::Status Installation::OpenLogAndKeys() {
  absl::string_view name = options_.data_dir;
  while (absl::ConsumeSuffix(&name, "/")) {
  }
  if (absl::EndsWith(name, kUnfinishedDirSuffix)) {
    return Failure(absl::StatusCode::kFailedPrecondition, "DATA_DIR_UNFINISHED",
                   absl::StrCat(options_.data_dir,
                                " is what an interrupted `hallesctl log reshard` left: run it again, "
                                "or start the old folder"),
                   {{"path", options_.data_dir}});
  }
  std::error_code error;
  const std::string resharded = absl::StrCat(options_.data_dir, "/", kReshardedFile);
  if (std::filesystem::exists(resharded, error)) {
    return Failure(absl::StatusCode::kFailedPrecondition, "DATA_DIR_RESHARDED",
                   absl::StrCat(options_.data_dir, " was resharded: start the folder that ", resharded,
                                " names; to go on with the old log instead, delete that file and the new folder"),
                   {{"path", options_.data_dir}});
  }
  // With its name on disk: a log below a name that a power cut takes is lost.
  if (const absl::Status made = eventlog::PosixFileSystem().CreateDirectories(options_.data_dir); !made.ok()) {
    return Failure(absl::StatusCode::kUnavailable, "DATA_DIR_UNUSABLE",
                   absl::StrCat(made.message(), "; name a directory that can be written with --data-dir"),
                   {{"path", options_.data_dir}});
  }
  eventlog::EmbeddedLogOptions log_options;
  log_options.directory = options_.data_dir + "/log";
  log_options.slots = options_.slots;
  log_options.clock = &options_.scheduler->clock();
  log_options.random = options_.random;
  if (options_.observe_commit) {
    log_options.on_commit = [observe = options_.observe_commit](const eventlog::CommitStats& stats) {
      observe(absl::Microseconds(stats.micros), stats.records);
    };
  }
  const absl::Status identity = eventlog::ReadIdentity(eventlog::PosixFileSystem(), log_options.directory).status();
  absl::StatusOr<std::unique_ptr<eventlog::EmbeddedLog>> log = eventlog::EmbeddedLog::Open(std::move(log_options));
  if (absl::IsResourceExhausted(log.status()) && absl::IsNotFound(identity)) {
    return Failure(absl::StatusCode::kFailedPrecondition, ReasonOf(log.status()), log.status().message());
  }
  ASSIGN_OR_RETURN(log_, std::move(log));
  ASSIGN_OR_RETURN(const bool empty, IsEmpty(*log_));
  ASSIGN_OR_RETURN(key_ring_,
                   KeyRing::Open(options_.data_dir + "/keys", log_->identity().install, empty, *options_.random));
  for (const auto& [id, key] : key_ring_.keys(kIdentifierKey)) RETURN_IF_ERROR(identifier_keys_.Add(id, key));
  return absl::OkStatus();
}

absl::Status CheckLineage(const store::Store& store, eventlog::EventLog* log) {
  const auto metas = store.LoadMetas();
  absl::Status unread = metas.status();
  if (metas.ok()) {
    for (const auto& [fold, meta] : *metas) {
      const absl::StatusOr<eventlog::Cursor> cursor = eventlog::DecodeCursor(meta.cursor.bytes);
      if (!cursor.ok()) {
        // Whoever opens these rows folds them again.
        unread.Update(WithContext(cursor.status(), fold.ToString()));
        continue;
      }
      const absl::Status same = projection::CheckLineageOf(log, fold.source, *cursor);
      if (IsOtherLog(same)) return WithContext(same, fold.ToString());
      unread.Update(same);
    }
  }
  if (!unread.ok()) {
    telemetry::Log(telemetry::LogLevel::kWarning, "host", "the state cannot be compared with the log just now",
                   {{"why", std::string(unread.message())}, {"reason", ReasonOf(unread)}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<store::Store>> Installation::OpenStore() {
  const std::string dir = options_.data_dir + "/state";
  store::StoreOptions store_options = store::OptionsForMemory(options_.memory_bytes);
  store_options.scheduler = options_.scheduler;
  store_options.on_damaged = [](const store::RowSpace& space) {
    telemetry::Log(telemetry::LogLevel::kError, "host", "stored rows are damaged; they are dropped and folded again",
                   {{"rows", space.ToString()}});
  };
  for (int attempt = 0; attempt < 2; ++attempt) {
    absl::StatusOr<std::unique_ptr<store::Store>> store =
        store::Store::Open(dir, log_->identity().install, store_options);
    absl::Status why = store.status();
    if (store.ok()) {
      why = CheckLineage(**store, log_.get());
      if (why.ok() && (*store)->read_only()) {
        telemetry::Log(
            telemetry::LogLevel::kError, "host",
            "there is no space to write the state: it is read, and new rows are kept in memory until there is",
            {{"path", dir}, {"reason", "STATE_DISK_FULL"}});
      }
      if (why.ok()) return store;
      store->reset();
    } else if (!IsRebuildable(why)) {
      return why;
    }
    ASSIGN_OR_RETURN(const std::string moved, store::Store::Quarantine(dir));
    telemetry::Log(telemetry::LogLevel::kError, "host", "the state does not belong to the log; moved aside, rebuilding",
                   {{"why", std::string(why.message())}, {"reason", ReasonOf(why)}, {"moved_to", moved}});
  }
  return Failure(absl::StatusCode::kInternal, "STATE_UNUSABLE", absl::StrCat(dir, " cannot be made anew"));
}

}  // namespace halles::host
