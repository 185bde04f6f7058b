// Reads and shares records, and lets consumers that lag behind catch up.
#include "libs/projection/source_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "libs/telemetry/log.h"

namespace halles::projection {
namespace {

constexpr absl::Duration kPauseMin = absl::Milliseconds(5);
constexpr absl::Duration kPauseMax = absl::Seconds(2);

absl::Status OtherLineage(SlotId slot, Position position) {
  return Failure(absl::StatusCode::kDataLoss, "OTHER_LINEAGE",
                 absl::StrCat(slot.ToString(), " below position ", position, " is not what was read there before"));
}

}  // namespace

SourceFollower::Seat::Seat(SourceConsumer* who) : consumer(who), backoff(kPauseMin, kPauseMax) {}

SourceFollower::SourceFollower(SlotId slot, eventlog::EventLog* log, FollowerShard* shard,
                               std::function<bool()> has_room)
    : slot_(slot), log_(log), shard_(shard), has_room_(std::move(has_room)), head_backoff_(kPauseMin, kPauseMax) {}

void SourceFollower::OnGrowth(Position end) {
  Position known = end_.load(std::memory_order_relaxed);
  while (known < end && !end_.compare_exchange_weak(known, end, std::memory_order_relaxed)) {
  }
  if (owned_here_.load(std::memory_order_relaxed)) {
    if (late_look_posted_.exchange(true, std::memory_order_acq_rel)) return;
    shard_->PostAfter(kOfferPatience, [this] {
      late_look_posted_.exchange(false, std::memory_order_acq_rel);
      if (!head_.has_value() || head_->next >= end_.load(std::memory_order_relaxed)) return;
      unread_ = true;
      Wake();
    });
    return;
  }
  PostLook();
}

void SourceFollower::PostLook() {
  if (look_posted_.exchange(true, std::memory_order_acq_rel)) return;
  shard_->Add([this] {
    look_posted_.exchange(false, std::memory_order_acq_rel);
    unread_ = true;
    Wake();
  });
}

void SourceFollower::OnReset() {
  shard_->Add([this] {
    reader_.reset();
    for (const std::shared_ptr<Seat>& seat : seats_) seat->reader.reset();
    check_head_ = true;
    unread_ = true;
    Wake();
  });
}

void SourceFollower::Add(SourceConsumer* consumer) {
  seats_.push_back(std::make_shared<Seat>(consumer));
  Wake();
}

void SourceFollower::Remove(SourceConsumer* consumer) {
  seats_.erase(
      std::remove_if(seats_.begin(), seats_.end(), [consumer](const auto& seat) { return seat->consumer == consumer; }),
      seats_.end());
}

void SourceFollower::Offer(partition::ConfirmedRecord record) {
  if (offered_records_.load(std::memory_order_relaxed) >= kOfferedRecordsMax ||
      offered_bytes_.load(std::memory_order_relaxed) >= kOfferedBytesMax) {
    PostLook();
    return;
  }
  offered_records_.fetch_add(1, std::memory_order_relaxed);
  offered_bytes_.fetch_add(record.bytes.size(), std::memory_order_relaxed);
  shard_->Add([this, record = std::move(record)]() mutable {
    offered_records_.fetch_sub(1, std::memory_order_relaxed);
    offered_bytes_.fetch_sub(record.bytes.size(), std::memory_order_relaxed);
    TakeOffer(std::move(record));
  });
}

void SourceFollower::TakeOffer(partition::ConfirmedRecord record) {
  if (!head_.has_value() || !broken_.ok() || record.before.next < head_->next) return;
  // Consumers that lag behind keep the newest records; the head waits for them.
  const bool full = ring_.size() >= kOfferedRecordsMax || ring_bytes_ >= kOfferedBytesMax;
  if (full || check_head_ || record.before != *head_ || record.position != head_->next) {
    unread_ = true;
    Wake();
    return;
  }
  absl::StatusOr<SourceRecordPtr> taken = RecordOf(std::move(record));
  if (!taken.ok()) {
    broken_ = taken.status();
  } else {
    Append(*std::move(taken));
    offers_taken_.fetch_add(1, std::memory_order_relaxed);
  }
  Wake();
}

bool SourceFollower::Rests() {
  if (has_room_ == nullptr) return false;
  if (resting_ || has_room_()) return resting_;
  resting_ = true;
  shard_->PostAfter(store::kCatchUpPause, [this] {
    resting_ = false;
    Wake();
  });
  return true;
}

bool SourceFollower::Waits(const Seat& seat) const {
  const bool rests = resting_ && seat.consumer->fills_the_store() && !owned_here_.load(std::memory_order_relaxed);
  return seat.stopped || seat.pausing || rests || !seat.consumer->ready();
}

bool SourceFollower::Step() {
  bool more = false;
  // By index, because a consumer that stops may be removed.
  for (size_t i = 0; i < seats_.size(); ++i) {
    const std::shared_ptr<Seat> seat = seats_[i];
    more = Feed(*seat, seat) || more;
  }
  if (head_.has_value() && broken_.ok() && unread_ && !head_pausing_ && WantedAtHead()) more = ReadHead() || more;
  TrimRing();
  return more;
}

// Consumers behind the head
// ---------------------------------------------------------------------------------------------------

bool SourceFollower::Feed(Seat& seat, const std::shared_ptr<Seat>& shared) {
  if (seat.consumer->fills_the_store() && !owned_here_.load(std::memory_order_relaxed)) Rests();
  if (Waits(seat)) return false;
  const eventlog::Cursor& at = seat.consumer->cursor();
  if (!head_.has_value() || at.next > head_->next) {
    // No consumer has been here yet: it becomes the head, if the record before it is unchanged.
    if (const absl::Status lineage = CheckLineageOf(log_, slot_, at); !lineage.ok()) {
      OnError(shared, lineage);
      return false;
    }
    head_ = at;
    ring_.clear();
    ring_bytes_ = 0;
    reader_.reset();
    broken_ = absl::OkStatus();
    unread_ = true;
    return true;
  }
  if (at.next == head_->next) {
    seat.reader.reset();
    seat.own.clear();
    if (at != *head_) {
      StopSeat(seat, OtherLineage(slot_, at.next));
    } else if (!broken_.ok()) {
      StopSeat(seat, broken_);
    }
    return false;
  }
  if (ring_.empty() || at.next < ring_.front()->position) return FeedOwn(seat, shared);
  seat.reader.reset();
  seat.own.clear();
  const absl::Span<const SourceRecordPtr> newest =
      absl::MakeConstSpan(ring_).subspan(at.next - ring_.front()->position, kFeedRecordsMax);
  if (newest.front()->before != at) {
    StopSeat(seat, OtherLineage(slot_, at.next));
    return false;
  }
  return Give(seat, shared, newest);
}

bool SourceFollower::FeedOwn(Seat& seat, const std::shared_ptr<Seat>& shared) {
  if (seat.consumer->fills_the_store() && Rests()) return false;
  if (seat.own.empty() || seat.own.front()->before != seat.consumer->cursor()) {
    seat.own.clear();
    if (seat.reader == nullptr || seat.reader->cursor() != seat.consumer->cursor()) {
      seat.reader = std::make_unique<SourceReader>(log_, slot_, seat.consumer->cursor());
    }
    const Position until = ring_.empty() ? head_->next : ring_.front()->position;
    const absl::StatusOr<eventlog::ReadResult> read = seat.reader->Read(kFeedRecordsMax, until, &seat.own);
    records_read_.fetch_add(seat.own.size(), std::memory_order_relaxed);
    if (!read.ok() && seat.own.empty()) {
      OnError(shared, read.status());
      return false;
    }
    if (seat.own.empty()) {
      // The head has been here. Either the log was cut since, or this reader gets the records late.
      OnError(shared, read->at_end ? Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                                             absl::StrCat(slot_.ToString(), " ends below position ", head_->next,
                                                          ", which was read before"))
                                   : absl::UnavailableError(absl::StrCat(slot_.ToString(), " cannot be read yet")));
      return false;
    }
  }
  const SourceRecords own = std::exchange(seat.own, {});
  const bool more = Give(seat, shared, own);
  // Records that it did not accept follow its cursor, unless the cursor moved back.
  const auto rest = std::find_if(own.begin(), own.end(), [&seat](const SourceRecordPtr& record) {
    return record->position >= seat.consumer->cursor().next;
  });
  if (!seat.stopped) seat.own.assign(rest, own.end());
  return more;
}

bool SourceFollower::Give(Seat& seat, const std::shared_ptr<Seat>& shared, absl::Span<const SourceRecordPtr> records) {
  const SourceConsumer::Taken taken = seat.consumer->Take(records);
  if (!taken.status.ok()) {
    OnError(shared, taken.status);
    return false;
  }
  seat.backoff.Reset();
  return true;
}

void SourceFollower::OnError(const std::shared_ptr<Seat>& seat, const absl::Status& error) {
  if (!eventlog::IsPassing(error)) {
    StopSeat(*seat, error);
    return;
  }
  if (seat->backoff.fresh()) LogPassing(error);
  passing_errors_.fetch_add(1, std::memory_order_relaxed);
  seat->reader.reset();
  seat->pausing = true;
  shard_->PostAfter(seat->backoff.Next(shard_->random()), [this, waiting = std::weak_ptr<Seat>(seat)] {
    const std::shared_ptr<Seat> back = waiting.lock();
    if (back == nullptr) return;
    back->pausing = false;
    Wake();
  });
}

void SourceFollower::StopSeat(Seat& seat, const absl::Status& why) {
  seat.stopped = true;
  seat.reader.reset();
  seat.own.clear();
  seat.consumer->OnStopped(why);
}

// The head
// -----------------------------------------------------------------------------------------------------------------

bool SourceFollower::WantedAtHead() const {
  return std::any_of(seats_.begin(), seats_.end(), [this](const std::shared_ptr<Seat>& seat) {
    return !Waits(*seat) && seat->consumer->cursor().next == head_->next;
  });
}

bool SourceFollower::ReadHead() {
  if (check_head_) {
    if (const absl::Status lineage = CheckLineageOf(log_, slot_, *head_); !lineage.ok()) {
      OnHeadError(lineage);
      return !broken_.ok();
    }
    check_head_ = false;
  }
  if (reader_ == nullptr || reader_->next() != head_->next) {
    absl::StatusOr<std::unique_ptr<eventlog::LogReader>> reader = log_->NewReader(slot_, head_->next);
    if (!reader.ok()) {
      OnHeadError(reader.status());
      return !broken_.ok();
    }
    reader_ = *std::move(reader);
  }
  // Growth notified from here on leads to another look.
  unread_ = false;
  polled_.clear();
  const absl::StatusOr<eventlog::ReadResult> read =
      reader_->Poll({.records_max = kFeedRecordsMax, .bytes_max = kReadBytesMax}, &polled_);
  if (!read.ok()) {
    unread_ = true;
    OnHeadError(read.status());
    return !broken_.ok();
  }
  head_backoff_.Reset();
  records_read_.fetch_add(polled_.size(), std::memory_order_relaxed);
  for (eventlog::StoredRecord& record : polled_) {
    eventlog::Cursor cursor = *head_;
    absl::StatusOr<SourceRecordPtr> judged = JudgeRecord(slot_, std::move(record), &cursor);
    if (!judged.ok()) {
      broken_ = judged.status();
      return true;
    }
    Append(*std::move(judged));
  }
  unread_ = !polled_.empty();
  return unread_;
}

void SourceFollower::OnHeadError(const absl::Status& error) {
  reader_.reset();
  if (!eventlog::IsPassing(error)) {
    broken_ = error;
    return;
  }
  if (head_backoff_.fresh()) LogPassing(error);
  passing_errors_.fetch_add(1, std::memory_order_relaxed);
  head_pausing_ = true;
  shard_->PostAfter(head_backoff_.Next(shard_->random()), [this] {
    head_pausing_ = false;
    Wake();
  });
}

void SourceFollower::Append(SourceRecordPtr record) {
  head_ = record->after;
  ring_bytes_ += record->bytes.size();
  ring_.push_back(std::move(record));
}

void SourceFollower::TrimRing() {
  // Ready consumers that are among the newest records still need them.
  Position needed = head_.has_value() ? head_->next : 0;
  for (const std::shared_ptr<Seat>& seat : seats_) {
    if (Waits(*seat)) continue;
    if (ring_.empty() || seat->consumer->cursor().next < ring_.front()->position) continue;
    needed = std::min(needed, seat->consumer->cursor().next);
  }
  size_t drop = 0;
  while (drop < ring_.size() && ring_[drop]->position < needed &&
         (ring_.size() - drop > kRingRecordsMax || ring_bytes_ > kRingBytesMax)) {
    ring_bytes_ -= ring_[drop]->bytes.size();
    ++drop;
  }
  ring_.erase(ring_.begin(), ring_.begin() + static_cast<ptrdiff_t>(drop));
}

void SourceFollower::LogPassing(const absl::Status& error) {
  telemetry::Log(telemetry::LogLevel::kWarning, "projection", "a source cannot be followed just now; it is tried again",
                 {{"source", slot_.ToString()}, {"why", error.message()}, {"reason", ReasonOf(error)}});
}

}  // namespace halles::projection
