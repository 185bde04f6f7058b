// Follows one source slot for all its consumers: each record is read and judged once and shared.
#ifndef HALLES_LIBS_PROJECTION_SOURCE_FOLLOWER_H_
#define HALLES_LIBS_PROJECTION_SOURCE_FOLLOWER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "libs/base/backoff.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/log.h"
#include "libs/partition/slot_runner.h"
#include "libs/projection/follower_shard.h"
#include "libs/projection/source_reader.h"
#include "libs/projection/source_record.h"

namespace halles::projection {

// Maximum number of records that a consumer gets at once; a view is locked meanwhile.
inline constexpr size_t kFeedRecordsMax = 128;
// The newest records of a source slot that are kept for consumers slightly behind, whichever limit is reached first. A
// batch that was just read is kept until it was handed out.
inline constexpr size_t kRingRecordsMax = 256;
inline constexpr size_t kRingBytesMax = size_t{512} << 10;
// Records of a slot that its owner has handed over and consumers have not taken yet, whichever limit is reached first.
// More records are read from the log when the consumers get there.
inline constexpr size_t kOfferedRecordsMax = 2048;
inline constexpr size_t kOfferedBytesMax = size_t{2} << 20;
// Records of a slot that is owned here come from its owner. Records that the owner has not offered within this time are
// read from the log: a claim, or a record that does not count.
inline constexpr absl::Duration kOfferPatience = absl::Milliseconds(20);

// Takes the records of one source slot in order: a view, or the reactions of one target slot.
// Thread safety: none; used on the queue of the source's shard.
class SourceConsumer {
 public:
  struct Taken {
    size_t records = 0;
    // Why it accepted no more; OK if it accepted all or is not ready. After a transient error it is tried again from
    // there.
    absl::Status status;
  };

  virtual ~SourceConsumer() = default;

  // The cursor after the last accepted record; it may move back.
  virtual const eventlog::Cursor& cursor() const = 0;
  // Whether it accepts records now. When that becomes true later, it calls SourceFollower::Wake.
  virtual bool ready() const = 0;
  // The records follow its cursor. While it is ready it accepts at least one, or returns an error.
  virtual Taken Take(absl::Span<const SourceRecordPtr> records) = 0;
  // It gets no more records.
  virtual void OnStopped(const absl::Status& why) = 0;
  // Whether records lead to rows that must be flushed. Such a consumer rests while there is no room for them.
  virtual bool fills_the_store() const { return false; }
};

// The head is the furthest position that any consumer has reached. Consumers at the head get the records that are read
// there. A consumer elsewhere is fed from the newest records if they reach back far enough; otherwise it reads the log
// itself, a bounded number of records per step, until it reaches the head. There its cursor must equal that of the
// head, hash chain included; otherwise it has read another log and stops (OTHER_LINEAGE), while the others continue.
// Nothing is read while no consumer accepts records.
//
// Transient errors are logged once and tried again after a pause. Permanent errors stop the consumer that meets them;
// those at the head stop each consumer when it reaches the head.
// Thread safety: OnGrowth, OnReset, SetOwnedHere and Offer may be called from any thread; the rest runs on the shard's
// queue.
// Limits: kOfferedRecordsMax and kOfferedBytesMax, before the queue handles an offer and again afterwards.
// Lifetime: log and shard outlive it; the shard is stopped before it is destroyed. Consumers outlive their membership.
class SourceFollower {
 public:
  // `has_room` says whether there is room for more rows. While there is none, consumers that fill the store get no records
  // from behind the newest, and none at all of a slot that is owned elsewhere: those that the owner here offers are bounded
  // by the store's limit for commands. It is asked again after a while. Null: there always is.
  SourceFollower(SlotId slot, eventlog::EventLog* log, FollowerShard* shard, std::function<bool()> has_room = nullptr);
  SourceFollower(const SourceFollower&) = delete;
  SourceFollower& operator=(const SourceFollower&) = delete;

  SlotId slot() const { return slot_; }
  FollowerShard& shard() const { return *shard_; }

  // The log of the slot can be read up to `end`.
  void OnGrowth(Position end);
  // The connection to the log was lost: records that were read may have been cut.
  void OnReset();
  // Whether the slot's owner is in this process and offers its confirmed records.
  void SetOwnedHere(bool owned) { owned_here_.store(owned, std::memory_order_relaxed); }
  // Accepted if it is the record after the head and there is room; a known record does nothing, and any other leads to
  // a look at the log.
  void Offer(partition::ConfirmedRecord record);

  // On the queue ------------------------------------------------------------------------------------------------------
  void Add(SourceConsumer* consumer);
  void Remove(SourceConsumer* consumer);
  // A consumer has become ready, or its cursor moved back.
  void Wake() { shard_->Wake(this); }
  // Does a bounded amount of work; true if there is more.
  bool Step();
  // The number of newest records that are kept.
  size_t kept() const { return ring_.size(); }
  size_t kept_bytes() const { return ring_bytes_; }

  // For operators and tests. Relaxed: counts.
  uint64_t records_read() const { return records_read_.load(std::memory_order_relaxed); }
  uint64_t offers_taken() const { return offers_taken_.load(std::memory_order_relaxed); }
  size_t offers_waiting() const { return offered_records_.load(std::memory_order_relaxed); }
  size_t offers_waiting_bytes() const { return offered_bytes_.load(std::memory_order_relaxed); }
  uint64_t passing_errors() const { return passing_errors_.load(std::memory_order_relaxed); }

 private:
  // A consumer and the source of its records. Shared with the timer that ends its pause, which may outlive it.
  struct Seat {
    explicit Seat(SourceConsumer* who);
    SourceConsumer* const consumer;
    std::unique_ptr<SourceReader> reader;  // set while it is behind the newest records
    SourceRecords own;                     // read by it and not accepted yet
    Backoff backoff;
    bool pausing = false;
    bool stopped = false;
  };

  // Whether the seat gets no records at the head.
  bool Waits(const Seat& seat) const;
  // Whether consumers that fill the store must rest; if so, wakes them later.
  bool Rests();
  // Posts a look at the log, unless one is pending.
  void PostLook();
  void TakeOffer(partition::ConfirmedRecord record);
  bool Feed(Seat& seat, const std::shared_ptr<Seat>& shared);
  bool FeedOwn(Seat& seat, const std::shared_ptr<Seat>& shared);
  bool Give(Seat& seat, const std::shared_ptr<Seat>& shared, absl::Span<const SourceRecordPtr> records);
  // Handles the seat's error: a pause or its end.
  void OnError(const std::shared_ptr<Seat>& seat, const absl::Status& error);
  void StopSeat(Seat& seat, const absl::Status& why);
  // Whether a consumer would accept a record at the head.
  bool WantedAtHead() const;
  bool ReadHead();
  void OnHeadError(const absl::Status& error);
  void Append(SourceRecordPtr record);
  void TrimRing();
  void LogPassing(const absl::Status& error);

  const SlotId slot_;
  eventlog::EventLog* const log_;
  FollowerShard* const shard_;
  const std::function<bool()> has_room_;

  // Relaxed: the posted task orders the accesses.
  std::atomic<bool> owned_here_{false};
  std::atomic<bool> look_posted_{false};
  std::atomic<bool> late_look_posted_{false};
  std::atomic<Position> end_{0};  // greatest end that was notified
  // Offers that the queue has not handled yet. Relaxed: counts that are compared with limits.
  std::atomic<size_t> offered_records_{0};
  std::atomic<size_t> offered_bytes_{0};

  std::atomic<uint64_t> records_read_{0};
  std::atomic<uint64_t> offers_taken_{0};
  std::atomic<uint64_t> passing_errors_{0};

  std::vector<std::shared_ptr<Seat>> seats_;
  std::optional<eventlog::Cursor> head_;
  bool unread_ = true;  // the log may have more after the head
  bool head_pausing_ = false;
  bool resting_ = false;     // for want of room
  bool check_head_ = false;  // the lineage must be checked before anything else is read there
  absl::Status broken_;      // nothing can be read after the head
  Backoff head_backoff_;
  std::unique_ptr<eventlog::LogReader> reader_;  // at the head
  std::vector<eventlog::StoredRecord> polled_;   // kept for its memory
  SourceRecords ring_;                           // of consecutive positions, up to the head
  size_t ring_bytes_ = 0;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_SOURCE_FOLLOWER_H_
