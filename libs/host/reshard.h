// Makes a new data directory from an old one whose log has other numbers of slots, and proves that both say the same.
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

// Ends the name of a directory that is being made. No host opens one.
inline constexpr absl::string_view kUnfinishedDirSuffix = ".unfinished";
// A file in a data folder whose log was resharded; it holds the path of the new folder. Without it, two logs would go on
// from the same facts when somebody starts the old folder by mistake.
inline constexpr absl::string_view kReshardedFile = "RESHARDED";

struct ReshardOptions {
  std::string from;  // data directory that no process has open
  std::string to;    // data directory to make; nothing is there
  SlotCounts slots;
  const Clock* clock = nullptr;
  RandomSource* random = nullptr;
  // Told now and then how many steps of how many are done, of the whole work; an error ends it.
  std::function<absl::Status(absl::string_view what, uint64_t done, uint64_t total)> observer;
};

struct ReshardReport {
  InstallId install;  // of the new log: whoever holds a token of the old one is told that it is foreign
  SlotCounts slots_before;
  projection::LogFigures before;
  projection::LogFigures after;
  bool equal = false;  // the figures; without it nothing was left behind
};

// Copies log/ (projection::Reshard) and keys/; state/ is folded anew by the first start. Holds the lock of the old log all
// along, and changes nothing in it that opening it does not. The new directory is made under another name
// (kUnfinishedDirSuffix), folded cold, and renamed once both logs have come to the same figures and everything is durable.
// What an interrupted call left is removed by the next one.
// Errors by reason: those of EmbeddedLog::Open, KeyRing::Open, FiguresOf and Reshard; NO_LOG (NOT_FOUND) when `from` holds
// none, TARGET_EXISTS (ALREADY_EXISTS), RESHARD_RUNNING (FAILED_PRECONDITION), DATA_DIR_UNUSABLE.
absl::StatusOr<ReshardReport> ReshardDataDir(const ReshardOptions& options, const Definitions& definitions);

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_RESHARD_H_
