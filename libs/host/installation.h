// The data directory of one machine: the log, the keys, and the state folded from the log.
#ifndef HALLES_LIBS_HOST_INSTALLATION_H_
#define HALLES_LIBS_HOST_INSTALLATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/eventlog/log.h"
#include "libs/store/store.h"
#include "libs/vault/key_ring.h"

namespace halles::host {

struct InstallationOptions {
  // Contains log/, keys/ and state/; created if missing.
  std::string data_dir;
  // Counts for a new log; the default is kDefaultSlotCount for all. For an existing log they must be its own.
  std::optional<SlotCounts> slots;
  // How much memory the process may use: decides how many rows are kept in memory.
  uint64_t memory_bytes = uint64_t{1} << 30;
  Scheduler* scheduler = nullptr;
  RandomSource* random = nullptr;
  // Called with the duration of each log write with its sync; may be empty.
  std::function<void(absl::Duration, size_t records)> observe_commit;
};

// Thread safety: all methods may be called from any thread.
// Lifetime: scheduler and random outlive it; it outlives the host that uses it.
// Durability: log/ and keys/ are the originals. state/ is folded again from the log whenever it is missing, damaged or
// of another lineage.
class Installation {
 public:
  // Errors by reason: those of EmbeddedLog::Open and KeyRing::Open, DATA_DIR_UNUSABLE, DATA_DIR_RESHARDED, and
  // DATA_DIR_UNFINISHED for a directory that a reshard is creating. RESOURCE_EXHAUSTED (LOG_DISK_FULL) passes when there is
  // space again; for a log that does not exist yet it is FAILED_PRECONDITION: there is nothing to wait for.
  static absl::StatusOr<std::unique_ptr<Installation>> Open(InstallationOptions options);

  eventlog::EventLog& log() { return *log_; }
  // OK, or why the log cannot accept new records now.
  absl::Status log_health() const { return log_->health(); }
  const IdentifierKeys& identifier_keys() const { return identifier_keys_; }
  const std::string& request_key() const { return key_ring_.newest(kRequestKey); }

  // Opens the state. State that does not match the log is moved aside, and an empty state is opened. At most one store
  // at a time.
  absl::StatusOr<std::unique_ptr<store::Store>> OpenStore();

 private:
  explicit Installation(InstallationOptions options) : options_(std::move(options)) {}
  absl::Status OpenLogAndKeys();

  const InstallationOptions options_;
  std::unique_ptr<eventlog::EmbeddedLog> log_;
  KeyRing key_ring_;
  IdentifierKeys identifier_keys_;
};

// Every cursor of the store must stand on a record that is still what it was; otherwise the store belongs to another log, or
// to another course of this one. What cannot be read just now, of the store or of the log, proves nothing: whoever follows
// the log compares again.
absl::Status CheckLineage(const store::Store& store, eventlog::EventLog* log);

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_INSTALLATION_H_
