// Copies, verifies, renames.
#include "libs/host/reshard.h"

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/eventlog/file_system.h"
#include "libs/projection/reshard.h"
#include "libs/vault/key_ring.h"

namespace halles::host {
namespace {

// Three phases: fold the old log, copy it, fold the new one.
constexpr uint64_t kPhases = 3;
// Steps per phase.
constexpr uint64_t kStepsPerPhase = 1'000'000;

absl::Status Unusable(const std::string& path, const std::error_code& error) {
  return Failure(absl::StatusCode::kUnavailable, "DATA_DIR_UNUSABLE",
                 absl::StrCat("cannot use ", path, ": ", error.message()), {{"path", path}});
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Removes the leftovers of an interrupted call.
absl::Status Clear(const std::string& unfinished) {
  std::error_code error;
  if (!std::filesystem::exists(unfinished, error)) return absl::OkStatus();
  const std::string lock = unfinished + "/log/LOCK";
  if (std::filesystem::exists(lock, error)) {
    const auto held = eventlog::PosixFileSystem().Lock(lock);
    if (absl::IsFailedPrecondition(held.status())) {
      return Failure(absl::StatusCode::kFailedPrecondition, "RESHARD_RUNNING",
                     absl::StrCat(unfinished, " is being made: ", held.status().message()), {{"path", unfinished}});
    }
    RETURN_IF_ERROR(held.status());
  }
  for (const auto& entry : std::filesystem::directory_iterator(unfinished, error)) {
    if (entry.path().filename() == "log" || entry.path().filename() == "keys") continue;
    return Failure(absl::StatusCode::kAlreadyExists, "TARGET_EXISTS",
                   absl::StrCat(unfinished, " holds ", entry.path().filename().string(),
                                ", which no interrupted call left; move it away"),
                   {{"path", unfinished}});
  }
  std::filesystem::remove_all(unfinished, error);
  return error ? Unusable(unfinished, error) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReshardReport> ReshardDataDir(const ReshardOptions& options, const Definitions& definitions) {
  const std::string from = WithoutSlash(options.from);
  const std::string to = WithoutSlash(options.to);
  const std::string unfinished = absl::StrCat(to, kUnfinishedDirSuffix);
  std::error_code error;
  if (!std::filesystem::exists(from + "/log/IDENTITY", error)) {
    return Failure(absl::StatusCode::kNotFound, "NO_LOG",
                   absl::StrCat("there is no log in ", from, "; name the --data-dir of a halles that has ended"),
                   {{"path", from}});
  }
  for (const std::string& name : {from, to}) {
    if (absl::EndsWith(name, kUnfinishedDirSuffix)) {
      return Failure(absl::StatusCode::kInvalidArgument, "DATA_DIR_UNFINISHED",
                     absl::StrCat(name, " has the name of what an interrupted call left; name another folder"),
                     {{"path", name}});
    }
  }
  if (std::filesystem::exists(to, error)) {
    return Failure(absl::StatusCode::kAlreadyExists, "TARGET_EXISTS",
                   absl::StrCat(to, " is there already; name a folder that is not"), {{"path", to}});
  }
  const auto observe = [&options](absl::string_view what, uint64_t phase) {
    return [&options, what, phase](uint64_t done, uint64_t total) {
      const uint64_t steps = total == 0 ? 0 : done * kStepsPerPhase / total;
      return options.observer(what, phase * kStepsPerPhase + steps, kPhases * kStepsPerPhase);
    };
  };
  const auto figures_of = [&definitions, &observe](eventlog::EventLog* log, absl::string_view what, uint64_t phase) {
    return projection::FiguresOf(log, definitions.services, definitions.views, definitions.reactions,
                                 definitions.schemas, observe(what, phase));
  };

  ReshardReport report;
  ASSIGN_OR_RETURN(
      const std::unique_ptr<eventlog::EmbeddedLog> old_log,
      eventlog::EmbeddedLog::Open({.directory = from + "/log", .clock = options.clock, .random = options.random}));
  report.slots_before = old_log->identity().slots;
  RETURN_IF_ERROR(Clear(unfinished));
  ASSIGN_OR_RETURN(report.before, figures_of(old_log.get(), "fold old log", 0));

  auto remove = absl::MakeCleanup([&unfinished] {
    std::error_code ignored;
    std::filesystem::remove_all(unfinished, ignored);
  });
  report.install = InstallId::Random(*options.random);
  eventlog::EmbeddedLogOptions new_options;
  new_options.directory = unfinished + "/log";
  new_options.slots = options.slots;
  new_options.clock = options.clock;
  new_options.random = options.random;
  new_options.install = report.install;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::EmbeddedLog> new_log, eventlog::EmbeddedLog::Open(new_options));
    RETURN_IF_ERROR(projection::Reshard(old_log.get(), new_log.get(), definitions.services, definitions.reactions,
                                        report.before.cursors, *options.random, observe("copy", 1)));
  }
  RETURN_IF_ERROR(KeyRing::CopyFor(from + "/keys", old_log->identity().install, unfinished + "/keys", report.install,
                                   *options.random));
  {
    // Open it as the next start will.
    ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::EmbeddedLog> new_log, eventlog::EmbeddedLog::Open(new_options));
    ASSIGN_OR_RETURN(report.after, figures_of(new_log.get(), "fold new log", 2));
  }
  report.equal = report.before.figures == report.after.figures;
  if (!report.equal) return report;

  eventlog::FileSystem& files = eventlog::PosixFileSystem();
  const std::filesystem::path parent = std::filesystem::absolute(to, error).parent_path();
  if (error) return Unusable(to, error);
  RETURN_IF_ERROR(files.SyncDirectory(unfinished));
  RETURN_IF_ERROR(files.Rename(unfinished, to));
  std::move(remove).Cancel();
  RETURN_IF_ERROR(files.SyncDirectory(parent.string()));
  RETURN_IF_ERROR(
      eventlog::ReplaceFile(files, absl::StrCat(from, "/", kReshardedFile), std::filesystem::absolute(to).string()));
  RETURN_IF_ERROR(files.SyncDirectory(from));
  return report;
}

}  // namespace halles::host
