// Opens the directory of an embedded log.
#include "libs/eventlog/recovery.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/eventlog/frame.h"
#include "libs/eventlog/identity_file.h"

namespace halles::eventlog {
namespace {

constexpr size_t kCopyBytes = 1024 * 1024;

// Opens one directory; the steps run in the order of the methods.
class Recovery {
 public:
  explicit Recovery(const RecoveryOptions& options) : options_(options), files_(*options.file_system) {
    home_.file_system = options.file_system;
    home_.directory = options.directory;
  }

  absl::StatusOr<RecoveredLog> Run() {
    RETURN_IF_ERROR(files_.CreateDirectories(options_.directory));
    RETURN_IF_ERROR(Lock());
    RETURN_IF_ERROR(List());
    RETURN_IF_ERROR(ReadOrCreateIdentity());
    // The files of an earlier process may be in memory only, if it was killed before it synced the directory.
    RETURN_IF_ERROR(files_.SyncDirectory(options_.directory));
    RETURN_IF_ERROR(FindActive());
    RETURN_IF_ERROR(CheckDurable());
    RETURN_IF_ERROR(LoadClosed(/*trust_sidecars=*/true));
    if (!CheckPositions().ok()) {
      // Sidecars from an older copy of the directory are valid but wrong; the segments are authoritative.
      RETURN_IF_ERROR(LoadClosed(/*trust_sidecars=*/false));
      RETURN_IF_ERROR(CheckPositions());
    }
    RETURN_IF_ERROR(RewriteTail());
    log_.active.file->Forget();
    RETURN_IF_ERROR(CutWhatFollows());
    return std::move(log_);
  }

 private:
  absl::Status Lock() {
    auto lock = files_.Lock(absl::StrCat(options_.directory, "/LOCK"));
    if (absl::IsFailedPrecondition(lock.status())) {
      return Failure(absl::StatusCode::kFailedPrecondition, "LOG_IN_USE",
                     absl::StrCat("the log in ", options_.directory, " is in use: ", lock.status().message()),
                     {{"directory", options_.directory}});
    }
    RETURN_IF_ERROR(lock.status());
    log_.lock = *std::move(lock);
    return absl::OkStatus();
  }

  // Finds the segments and removes unfinished files.
  absl::Status List() {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(options_.directory));
    for (const std::string& name : names) {
      if (absl::EndsWith(name, kUnfinishedSuffix)) {
        RETURN_IF_ERROR(files_.Remove(absl::StrCat(options_.directory, "/", name)));
      }
      if (const std::optional<uint32_t> number = ParseSegmentName(name)) numbers_.push_back(*number);
      if (absl::EndsWith(name, ".index")) sidecar_names_.push_back(name);
    }
    std::sort(numbers_.begin(), numbers_.end());
    return absl::OkStatus();
  }

  absl::Status ReadOrCreateIdentity() {
    auto identity = ReadIdentity(files_, options_.directory);
    if (absl::IsNotFound(identity.status())) return CreateLog();
    RETURN_IF_ERROR(identity.status());
    log_.identity = *identity;
    home_.install = identity->install;
    if (options_.slots.value_or(identity->slots) != identity->slots) {
      return Failure(absl::StatusCode::kFailedPrecondition, "LOG_SLOTS_DIFFER",
                     absl::StrCat("the log in ", options_.directory, " was made with ", identity->slots.ToString(),
                                  " slots a service, not with ", options_.slots->ToString(),
                                  ": start without --slots, or make a new log of it with `hallesctl log reshard`"),
                     {{"directory", options_.directory},
                      {"slots", identity->slots.ToString()},
                      {"asked", options_.slots->ToString()}});
    }
    for (uint32_t expected = 1; expected <= std::max<size_t>(numbers_.size(), 1); ++expected) {
      if (expected > numbers_.size() || numbers_[expected - 1] != expected) {
        return Failure(absl::StatusCode::kDataLoss, "LOG_INCOMPLETE",
                       absl::StrCat("the log in ", options_.directory, " lacks the segment ", SegmentName(expected),
                                    "; restore it from a copy of the log directory"),
                       {{"segment", home_.SegmentPath(expected)}});
      }
    }
    return absl::OkStatus();
  }

  // A log exists once its IDENTITY does, so IDENTITY is written last.
  absl::Status CreateLog() {
    for (uint32_t number : numbers_) {
      // A power cut during the creation leaves segment 1 without frames.
      home_.install = {};
      auto file = files_.Open(home_.SegmentPath(number));
      RETURN_IF_ERROR(file.status());
      ASSIGN_OR_RETURN(const uint64_t size, (*file)->Size());
      const OpenSegment segment{number, static_cast<uint32_t>(std::min<uint64_t>(size, kSegmentBytesMax)),
                                *std::move(file)};
      ASSIGN_OR_RETURN(const SegmentScan scan, ScanSegment(segment));
      if (number != 1 || scan.any_frame) {
        return Failure(absl::StatusCode::kDataLoss, "LOG_INCOMPLETE",
                       absl::StrCat("the log in ", options_.directory,
                                    " has records but no IDENTITY; restore it from a copy of the log directory"),
                       {{"directory", options_.directory}});
      }
    }
    for (uint32_t number : numbers_) RETURN_IF_ERROR(files_.Remove(home_.SegmentPath(number)));
    log_.identity.install = options_.install.has_value() ? *options_.install : InstallId::Random(*options_.random);
    log_.identity.slots = options_.slots.value_or(SlotCounts());
    home_.install = log_.identity.install;
    RETURN_IF_ERROR(CreateSegment(home_, 1, SegmentBytesFor(1, options_.segment_bytes)).status());
    numbers_ = {1};
    return WriteIdentity(files_, options_.directory, log_.identity);
  }

  // The active segment is the last one with a frame. A segment is first written when all before it are durable, so a
  // power cut can have affected only it and the one after it.
  absl::Status FindActive() {
    for (uint32_t number = numbers_.back(); number > 0; --number) {
      ASSIGN_OR_RETURN(OpenSegment segment, OpenExistingSegment(home_, number));
      ASSIGN_OR_RETURN(SegmentScan scan, ScanSegment(segment));
      if (number == 1 || scan.any_frame) {
        log_.active = std::move(segment);
        scan_ = std::move(scan);
        break;
      }
      following_.push_back(std::move(segment));
      following_is_zero_ = following_is_zero_ && scan.zero_behind;
    }
    if (following_.size() > 1) {
      return DamagedAt(home_, {log_.active.number + 1, kSegmentHeaderBytes},
                       "no frame in this segment although the log went on to a later one");
    }
    log_.active_runs = scan_.runs;
    log_.active_end = scan_.end;
    return absl::OkStatus();
  }

  absl::Status CheckDurable() {
    const LogAddress end{log_.active.number, scan_.end};
    if (scan_.highest_durable_end > end) {
      return DamagedAt(
          home_, end,
          absl::StrCat("no valid frame, although the log was durable up to byte ", scan_.highest_durable_end.offset));
    }
    tail_start_ = std::max(scan_.highest_durable_end, LogAddress{log_.active.number, kSegmentHeaderBytes}).offset;
    // The first frame of a segment states the end of the one before it, even when it is rewritten.
    const bool empty = scan_.end == kSegmentHeaderBytes;
    log_.durable_end = empty && scan_.any_frame ? scan_.highest_durable_end : end;
    log_.unmarked_records = scan_.last_record_end > tail_start_;
    return absl::OkStatus();
  }

  // Sidecars of closed segments are trusted: they are below the mark, and readers check what they read.
  absl::Status LoadClosed(bool trust_sidecars) {
    log_.closed.clear();
    for (uint32_t number = 1; number < log_.active.number; ++number) {
      std::optional<uint32_t> stated_end;
      if (number + 1 == log_.active.number && scan_.any_frame) {
        stated_end = scan_.first_durable_end.offset;
        if (scan_.first_durable_end.segment != number) {
          return DamagedAt(home_, {number + 1, kSegmentHeaderBytes},
                           absl::StrCat("the first frame continues segment ", scan_.first_durable_end.segment));
        }
      }
      absl::StatusOr<Sidecar> sidecar = absl::NotFoundError("");
      if (auto file = files_.Open(home_.SidecarPath(number)); file.ok() && trust_sidecars) {
        sidecar = ReadSidecar(**file, home_.install, number);
      }
      if (sidecar.ok() && stated_end.value_or(sidecar->segment_end) == sidecar->segment_end) {
        log_.closed.push_back({number, *std::move(sidecar), {}});
        continue;
      }
      if (!stated_end.has_value()) {
        ASSIGN_OR_RETURN(stated_end, EndOfClosedSegment(home_, number));
      }
      ASSIGN_OR_RETURN(ClosedSegment rebuilt, RebuildSidecar(home_, number, *stated_end));
      log_.closed.push_back(std::move(rebuilt));
    }
    // The sidecar of a segment that is written again would be out of date.
    for (const std::string& name : sidecar_names_) {
      const std::optional<uint32_t> number = ParseSidecarName(name);
      if (!number.has_value() || *number >= log_.active.number)
        RETURN_IF_ERROR(files_.Remove(absl::StrCat(options_.directory, "/", name)));
    }
    sidecar_names_.clear();
    return absl::OkStatus();
  }

  absl::Status CheckPositions() {
    absl::flat_hash_map<SlotId, Position> ends;
    auto check = [&](uint32_t segment, SlotId slot, Position base, size_t count, uint32_t offset) {
      Position& end = ends[slot];
      if (slot.slot >= log_.identity.slots.of(slot.service) || base != end) {
        return DamagedAt(home_, {segment, offset},
                         absl::StrCat("slot ", slot.ToString(), " goes on at position ", base, " instead of ", end));
      }
      end = base + count;
      return absl::OkStatus();
    };
    for (const ClosedSegment& segment : log_.closed) {
      for (const SidecarRun& run : segment.sidecar.runs) {
        RETURN_IF_ERROR(check(segment.number, run.slot, run.base, run.count, kSegmentHeaderBytes));
      }
    }
    for (const SlotRun& run : log_.active_runs) {
      RETURN_IF_ERROR(check(log_.active.number, run.slot, run.base, run.refs->size(), run.refs->front().offset));
    }
    return absl::OkStatus();
  }

  // The tail above the highest mark may have been read from memory and may never reach the disk, even if a sync was
  // tried, so it is written again. Bytes after it were never acknowledged and are cut; otherwise a later frame could
  // make them look valid one day.
  absl::Status RewriteTail() {
    if (tail_start_ == scan_.end && scan_.zero_behind) return absl::OkStatus();
    File& file = *log_.active.file;
    std::string buffer(kCopyBytes, '\0');
    for (uint32_t offset = tail_start_; offset < log_.active.bytes;) {
      const bool keep = offset < scan_.end;
      if (!keep && scan_.zero_behind) break;
      const size_t wanted = std::min<size_t>(buffer.size(), (keep ? scan_.end : log_.active.bytes) - offset);
      ASSIGN_OR_RETURN(const size_t read, file.Read(offset, wanted, buffer.data()));
      absl::string_view bytes(buffer.data(), read);
      if (read != wanted) return DamagedAt(home_, {log_.active.number, offset}, "the segment became shorter");
      if (keep) {
        RETURN_IF_ERROR(file.Write(offset, bytes));
      } else if (bytes.find_first_not_of('\0') != absl::string_view::npos) {
        RETURN_IF_ERROR(file.Write(offset, std::string(wanted, '\0')));
      }
      offset += static_cast<uint32_t>(wanted);
    }
    return file.Sync();
  }

  absl::Status CutWhatFollows() {
    if (following_.empty()) return absl::OkStatus();
    OpenSegment& next = following_.front();
    if (following_is_zero_ && next.bytes == SegmentBytesFor(next.number, options_.segment_bytes)) {
      log_.prepared = std::move(next);
      return absl::OkStatus();
    }
    const uint32_t number = next.number;
    following_.clear();
    RETURN_IF_ERROR(files_.Remove(home_.SegmentPath(number)));
    return files_.SyncDirectory(options_.directory);
  }

  const RecoveryOptions& options_;
  FileSystem& files_;
  SegmentHome home_;
  std::vector<uint32_t> numbers_;
  std::vector<std::string> sidecar_names_;
  SegmentScan scan_;                    // of the active segment
  uint32_t tail_start_ = 0;             // in the active segment
  std::vector<OpenSegment> following_;  // segments without frames
  bool following_is_zero_ = true;
  RecoveredLog log_;
};

}  // namespace

absl::Status ExplainFileError(const absl::Status& status, const std::string& directory) {
  if (status.ok() || !ReasonOf(status).empty()) return status;
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return Failure(status.code(), "LOG_NOT_WRITABLE",
                     absl::StrCat("the log in ", directory, " cannot be written: ", status.message()),
                     {{"directory", directory}});
    case absl::StatusCode::kResourceExhausted:
      return Failure(
          status.code(), "LOG_DISK_FULL",
          absl::StrCat("no space for the log in ", directory, ": ", status.message(),
                       "; free space on that disk: nothing is lost, queries are served, and writes continue by "
                       "themselves"),
          {{"directory", directory}});
    default:
      return Failure(absl::StatusCode::kUnavailable, "LOG_UNAVAILABLE",
                     absl::StrCat("the log in ", directory, " cannot be used: ", status.message()),
                     {{"directory", directory}});
  }
}

absl::StatusOr<ClosedSegment> RebuildSidecar(const SegmentHome& home, uint32_t number, uint32_t end) {
  ASSIGN_OR_RETURN(SegmentScan scan, ScanClosedSegment(home, number, end));
  ClosedSegment closed{.number = number};
  closed.sidecar.segment_end = end;
  const std::string path = home.SidecarPath(number);
  if (ReplaceFile(*home.file_system, path, EncodeSidecar(home.install, number, end, scan.runs)).ok()) {
    if (auto file = home.file_system->Open(path); file.ok()) {
      auto sidecar = ReadSidecar(**file, home.install, number);
      if (sidecar.ok()) {
        closed.sidecar = *std::move(sidecar);
        return closed;
      }
    }
  }
  for (const SlotRun& run : scan.runs) {
    closed.sidecar.runs.push_back(
        {.slot = run.slot, .base = run.base, .count = static_cast<uint32_t>(run.refs->size())});
  }
  closed.runs = std::move(scan.runs);
  return closed;
}

absl::StatusOr<RecoveredLog> RecoverLog(const RecoveryOptions& options) {
  absl::StatusOr<RecoveredLog> log = Recovery(options).Run();
  if (!log.ok()) return ExplainFileError(log.status(), options.directory);
  return log;
}

}  // namespace halles::eventlog
