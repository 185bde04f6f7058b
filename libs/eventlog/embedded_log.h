// The log of one machine: a directory of segment files, and one thread that writes and syncs them for all slots.
#ifndef HALLES_LIBS_EVENTLOG_EMBEDDED_LOG_H_
#define HALLES_LIBS_EVENTLOG_EMBEDDED_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/eventlog/file_system.h"
#include "libs/eventlog/followers.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/log_index.h"
#include "libs/eventlog/recovery.h"
#include "libs/eventlog/report_gate.h"
#include "libs/eventlog/segment_keeper.h"
#include "libs/eventlog/slot_reader.h"

namespace halles::eventlog {

// One write and the sync that made it durable.
struct CommitStats {
  size_t records = 0;
  size_t bytes = 0;
  int64_t micros = 0;  // for writing and syncing
};

struct EmbeddedLogOptions {
  // Created if missing. By default `<data-dir>/log`.
  std::string directory;
  // Counts for a new log; the default is kDefaultSlotCount for all services. If given for an existing log, they must
  // equal its counts.
  std::optional<SlotCounts> slots;
  // Install id of a new log; random by default.
  std::optional<InstallId> install;
  // Full size of a segment, at most kSegmentBytesMax. A record must fit into a segment, so sizes below 1 MiB are for
  // tests.
  uint32_t segment_bytes = 64 * 1024 * 1024;
  // Size of the newest records kept in memory, from which readers near the end are served.
  size_t recent_bytes_max = 8 * 1024 * 1024;
  // Appends are refused when more than this waits for the disk.
  size_t pending_bytes_max = 64 * 1024 * 1024;
  // Maximum size of one write, and so of the bytes that must be written again after a crash.
  size_t commit_bytes_max = 4 * 1024 * 1024;
  // After the last record, the log waits this long for another one before it writes the mark.
  absl::Duration mark_delay = absl::Milliseconds(10);
  // Once the disk is full, a new segment, or an overwrite that found no space, is tried at most this often.
  absl::Duration disk_full_retry = absl::Seconds(1);

  // What follows must outlive the log. Clock and randomness must be given.
  const Clock* clock = nullptr;
  RandomSource* random = nullptr;
  FileSystem* file_system = nullptr;  // null: the files of the machine

  // Called when a write or a sync failed. It is then unknown what is durable, so the process must end and reopen the
  // log. The default prints the status and aborts. If it returns, all later appends are reported as unknown.
  std::function<void(const absl::Status&)> on_fatal;
  // Called after each commit on the committer's thread.
  std::function<void(const CommitStats&)> on_commit;
};

// Thread safety: all methods may be called from any thread. Sinks and listeners are called on the committer's thread.
// Durability: a record is reported and readable after it was written and synced. A record that was not reported may
// exist after a crash or not.
// Limits: one process may open the directory. A full disk refuses appends with LOG_DISK_FULL until there is space
// again.
// Lifetime: readers and subscriptions end before the log. The destructor waits until all appends are durable and
// reported, and writes the mark.
class EmbeddedLog : public EventLog {
 public:
  // Errors as of RecoverLog.
  static absl::StatusOr<std::unique_ptr<EmbeddedLog>> Open(EmbeddedLogOptions options);
  ~EmbeddedLog() override;

  const LogIdentity& identity() const override { return identity_; }
  // Besides the contract's: RESOURCE_EXHAUSTED with LOG_OVERLOADED when too much is pending, LOG_RECORD_TOO_LARGE and
  // LOG_NO_SUCH_SLOT for what can never be stored.
  void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) override;
  void Abandon(SlotId slot, ReportSink* sink) override;
  absl::StatusOr<Position> End(SlotId slot) override;
  absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from) override;
  // Never reset: the disk is the only connection, and an open log is never cut.
  std::unique_ptr<Subscription> Follow(FollowOptions options) override { return followers_.Add(options); }

  // OK, or why the last append was refused. OK again after the append that finds space.
  absl::Status health() const;

 private:
  struct PendingAppend {
    SlotId slot;
    std::string bytes;
    uint64_t tag = 0;
    ReportSink* sink = nullptr;
    absl::Status refusal;  // set for an append that is only reported
  };
  EmbeddedLog(EmbeddedLogOptions options, RecoveredLog recovered);

  absl::Status CheckSlot(SlotId slot) const;
  size_t RecordBytesMax() const;

  // Used by the committer only, in the order in which a batch passes through them.
  void RunCommitter();
  void Commit(std::vector<PendingAppend>& batch);
  size_t EncodeSome(std::vector<PendingAppend>& batch, size_t first, std::string* bytes);
  enum class Written {
    kDurable,
    kFull,    // the disk is full; part of the bytes may be in the file
    kFailed,  // it is unknown what is durable: the log is at its end
  };
  Written WriteAndSync(absl::string_view bytes);
  void Fail(const absl::Status& status);
  void PublishAndReport(std::vector<PendingAppend>& batch, size_t first, size_t last,
                        std::shared_ptr<const std::string> bytes);
  void Refuse(std::vector<PendingAppend>& batch, size_t first, const absl::Status& status);
  void DeliverReports();
  void ForgetAbandoned(ReportSink* sink, std::vector<AppendReport>* reports);
  void AddReport(const PendingAppend& append, const absl::Status& status, std::optional<Position> position);
  // Continues in the next segment. False when there is none: the disk is full.
  bool Rotate();
  // The disk was full. False while nothing can be written, or while it is not time for another try.
  bool HasRoomAgain();
  // The write of the appends from `first` to `last` found the disk full.
  void RefuseFull(std::vector<PendingAppend>& batch, size_t first, size_t last);
  // Overwrites with zeros what an append that found the disk full may have left behind the end. False while the disk has no
  // room even for that.
  bool CleanUp();
  void NoteFull(const absl::Status& status);
  void WriteMark();
  void SetHealth(const absl::Status& status);

  const EmbeddedLogOptions options_;
  const LogIdentity identity_;
  const std::unique_ptr<FileLock> lock_;
  const SegmentHome home_;
  LogIndex index_;
  SlotReaderSource reader_source_;
  SegmentKeeper keeper_;
  Followers followers_;
  ReportGate gate_;

  Mutex pending_mutex_;
  CondVar work_;
  std::vector<PendingAppend> pending_ ABSL_GUARDED_BY(pending_mutex_);
  size_t pending_bytes_ ABSL_GUARDED_BY(pending_mutex_) = 0;
  bool committer_sleeps_ ABSL_GUARDED_BY(pending_mutex_) = false;
  // Abandoned while the committer is working on the appends.
  bool committing_ ABSL_GUARDED_BY(pending_mutex_) = false;
  std::vector<std::pair<SlotId, ReportSink*>> abandoned_ ABSL_GUARDED_BY(pending_mutex_);
  bool stopping_ ABSL_GUARDED_BY(pending_mutex_) = false;

  mutable Mutex health_mutex_;
  absl::Status health_ ABSL_GUARDED_BY(health_mutex_);

  // Used by the committer only.
  OpenSegment active_;
  uint32_t end_;  // end of the frames in the active segment
  LogAddress durable_end_;
  bool mark_due_;               // true while durable records lack a frame that states so
  uint32_t prepare_asked_ = 0;  // number of the segment that the keeper was last asked to prepare
  bool failed_ = false;
  std::optional<int64_t> full_since_micros_;  // when it was found last
  bool full_in_segment_ = false;              // an overwrite found it; else it was a new segment
  uint32_t unclean_bytes_ = 0;                // behind `end_` that may hold what was never stored
  absl::Status full_status_;
  absl::flat_hash_map<SlotId, Position> next_positions_;
  std::vector<LogIndex::PlacedRecord> placed_;
  std::vector<Position> placed_positions_;
  std::vector<SlotEnd> grown_;
  std::vector<std::pair<ReportSink*, std::vector<AppendReport>>> reports_;  // by sink; vectors are kept for reuse
  size_t report_sinks_ = 0;
  absl::flat_hash_map<ReportSink*, size_t> report_index_;

  std::thread committer_;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_EMBEDDED_LOG_H_
