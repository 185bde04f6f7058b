// Creates a new data directory from an old one, with a log of other slot counts, and proves that both have the same
// contents.
#ifndef HALLES_LIBS_HOST_RESHARD_H_
#define HALLES_LIBS_HOST_RESHARD_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/ids.h"
#include "libs/base/random.h"
#include "libs/base/slot.h"
#include "libs/host/definitions.h"
#include "libs/projection/figures.h"

namespace halles::host {

// Suffix of the name of an unfinished directory. No host opens one.
inline constexpr absl::string_view kUnfinishedDirSuffix = ".unfinished";
// A file in the data directory of a resharded log, with the path of the new directory. Without it, two logs would
// continue from the same events if somebody started the old directory by mistake.
inline constexpr absl::string_view kReshardedFile = "RESHARDED";

struct ReshardOptions {
  std::string from;  // data directory that no process has open
  std::string to;    // data directory to create; must not exist
  SlotCounts slots;
  const Clock* clock = nullptr;
  RandomSource* random = nullptr;
  // Called regularly with the number of steps done and the total; an error ends the work.
  std::function<absl::Status(absl::string_view what, uint64_t done, uint64_t total)> observer;
};

struct ReshardReport {
  InstallId install;  // of the new log; tokens of the old one are refused as foreign
  SlotCounts slots_before;
  projection::LogFigures before;
  projection::LogFigures after;
  bool equal = false;  // whether the figures are equal; otherwise nothing was left behind
};

// Copies log/ (projection::Reshard) and keys/; the first start folds state/ again. Holds the lock of the old log
// throughout, and changes nothing in it that opening would not change. Creates the new directory under another name
// (kUnfinishedDirSuffix), folds it cold, and renames it when both logs have the same figures and everything is durable.
// The next call removes the leftovers of an interrupted one.
// Errors by reason: those of EmbeddedLog::Open, KeyRing::Open, FiguresOf and Reshard; NO_LOG (NOT_FOUND) when `from`
// has none, TARGET_EXISTS (ALREADY_EXISTS), RESHARD_RUNNING (FAILED_PRECONDITION), DATA_DIR_UNUSABLE.
absl::StatusOr<ReshardReport> ReshardDataDir(const ReshardOptions& options, const Definitions& definitions);

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_RESHARD_H_
