// The owner rule: what an instance may append, when an append is confirmed, and what to do if its outcome is unknown.
#ifndef HALLES_LIBS_EVENTLOG_OWNER_H_
#define HALLES_LIBS_EVENTLOG_OWNER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/record.h"

namespace halles::eventlog {

enum class Phase : uint8_t {
  kFollowing,    // reads; owns nothing
  kClaiming,     // a CLAIM was sent; reads up to it
  kServing,      // owns the slot
  kUnsure,       // owned the slot; the outcome of an append is unknown. Waits for StartClaim
  kFenced,       // another instance's CLAIM confers; reads on, as kFollowing does
  kSealed,       // ended its term itself; reads on
  kQuarantined,  // stopped permanently; the effect says why
};
absl::string_view PhaseName(Phase phase);

// What the caller of an Owner must do, in this order.
struct Effect {
  enum class Kind : uint8_t {
    // The proposal `tag` is in the log at `position` and accepted; in the order of the proposals. Make it visible and
    // reply.
    kConfirmed,
    // The proposal `tag` can never be accepted. Reply with `status`: UNAVAILABLE (NOT_ACCEPTED), or RESOURCE_EXHAUSTED
    // when the log refused it. All later proposals in flight are lost with it: the in-flight state falls back to the
    // confirmed records.
    kLost,
    // The answer with ticket `tag` may be sent.
    kAnswerReady,
    // The answer with ticket `tag` was decided on a record that was lost: decide it again.
    kAnswerAgain,
    // The record just given to OnRecord is accepted and not one of ours in flight: evolve it. Not for CLAIMs.
    kApply,
    // Accept no commands, drop the producer, call StartClaim. `status` says why. Nothing is lost yet.
    kNeedClaim,
    // Read from `position` on and pass every record to OnRecord, the one before the cursor included.
    kReadFrom,
    // The own CLAIM took ownership: propose from now on. A careful caller first reads to the end of the log.
    kServing,
    // `instance` owns the slot now.
    kSteppedDown,
    // The own SEAL is in the log: the term is over.
    kSealed,
    // The own CLAIM is in the log but inert, since only a forced one takes the slot. The phase is kFollowing; see
    // `status`.
    kClaimRefused,
    // The slot stops. The outcome of the records in flight stays unknown, so answer them and all waiting answers with
    // UNAVAILABLE. `status`: DATA_LOSS (cut, forked or damaged: quarantine the state), FAILED_PRECONDITION (a newer
    // build is needed).
    kQuarantine,
  };
  Kind kind = Kind::kConfirmed;
  uint64_t tag = 0;
  Position position = 0;
  InstanceId instance;
  absl::Status status;
  std::optional<Cursor> cursor = std::nullopt;  // for kConfirmed: after the record
};
using Effects = std::vector<Effect>;
absl::string_view EffectName(Effect::Kind kind);

struct OwnerOptions {
  InstanceId self;
  uint32_t level = kApplierLevel;
  size_t in_flight_records_max = 1024;
  size_t in_flight_bytes_max = 4 * 1024 * 1024;
  Guards guards;
};

// A record to append: pass `bytes` and `tag` to EventLog::Append.
struct Append {
  std::string bytes;
  uint64_t tag = 0;
  Position expected = 0;        // its position if nothing goes wrong; meaningless for a CLAIM
  UnixMicros logical_time = 0;  // as stamped
};

// One instance's side of one slot, as a value without clock, thread or log. Every input adds to `effects`, which the
// caller empties.
//
// Guarantees: kConfirmed only for records that every reader of the log accepts; kLost only for records that no reader
// will ever accept; kAnswerReady only when all records that the answer was decided on are confirmed.
//
// Use: feed records with OnRecord while following, claiming, unsure or fenced. When serving, Evolve each proposal into
// the in-flight state and append it; feed every report with OnReport, in any order. Reading while serving is allowed and
// not needed. While serving, a proposal is confirmed at the position it was made for, or the owner is in doubt: only
// from kNeedClaim to kServing may kConfirmed name another one. Reports of a dropped producer may still be fed: they are
// recognised and ignored.
// Thread safety: none; one thread at a time. Copies are independent.
// Limits: in_flight_records_max, in_flight_bytes_max.
class Owner {
 public:
  // Starts with nothing read.
  Owner(const LogIdentity& identity, SlotId slot, OwnerOptions options);
  // Resumes from a stored cursor. The first record that it needs is the one before the cursor, read again: see
  // next_read().
  Owner(const Cursor& resumed, OwnerOptions options);

  // Begins anew with nothing read, since what was folded is to be folded again. Nothing of before is settled any more, and
  // reports of it are ignored. Records of before may still land and count, so the slot is owned only after a new claim.
  void Restart(const LogIdentity& identity, SlotId slot);

  Phase phase() const { return phase_; }
  // After the confirmed records; never ahead of the log. Store it with the rows of kConfirmed and kApply.
  const Cursor& cursor() const { return cursor_; }
  // The position that OnRecord expects next: cursor().next, or the one before it when the lineage must be checked
  // first.
  Position next_read() const { return check_lineage_ ? cursor_.next - 1 : cursor_.next; }
  const InstanceId& self() const { return options_.self; }

  // A CLAIM for the next term, if the slot has no owner, if its owner is to be replaced, or if kNeedClaim asked for it.
  // Append it through a new producer, then read (kReadFrom) until kServing, kSteppedDown, kClaimRefused or kQuarantine.
  // May be called again while claiming if the claim seems lost. FAILED_PRECONDITION: serving or quarantined (reason
  // NOT_NOW), or the slot needs `forced` (reason NEEDS_FORCE).
  absl::StatusOr<Append> StartClaim(absl::string_view address, bool forced, UnixMicros now, Effects* effects);

  // Whether Propose and AnswerWithoutRecord are allowed, apart from the limits of Propose.
  bool open() const { return phase_ == Phase::kServing && !sealing_ && refused_ == 0; }
  size_t in_flight() const { return flights_.size(); }
  bool HasRoomFor(size_t record_bytes) const {
    return flights_.size() < options_.in_flight_records_max &&
           (flights_.empty() || flight_bytes_ + record_bytes <= options_.in_flight_bytes_max);
  }
  // The logical time of a command that is decided now, and of its record. It never goes back.
  UnixMicros LogicalTime(UnixMicros now) const { return now > last_time_ ? now : last_time_; }

  // Makes a record of `buffer`: kHeaderBytes of space, then the serialised body. The header is written into the space,
  // and the same buffer is returned. `logical_time` is the value of LogicalTime() that the decision used. A SEAL closes
  // intake; after `final_seal` only a forced CLAIM continues. For LEVEL, `level` is the new level. FAILED_PRECONDITION
  // NOT_OWNER when not open; RESOURCE_EXHAUSTED LOG_IN_FLIGHT at the limits; INVALID_ARGUMENT RECORD_TOO_LARGE.
  absl::StatusOr<Append> Propose(RecordKind kind, std::string buffer, UnixMicros logical_time);
  absl::StatusOr<Append> ProposeSeal(std::string buffer, bool final_seal, UnixMicros logical_time);
  absl::StatusOr<Append> ProposeLevel(std::string buffer, uint32_t level, UnixMicros logical_time);

  // An answer without a record, decided on the current in-flight state. kAnswerReady or kAnswerAgain follow with the
  // returned ticket, at once when nothing is in flight. FAILED_PRECONDITION NOT_OWNER when not open.
  absl::StatusOr<uint64_t> AnswerWithoutRecord(Effects* effects);

  // The outcome of an append, as the driver reports it. A timeout is a report with DEADLINE_EXCEEDED.
  void OnReport(const AppendReport& report, Effects* effects);

  // The record at `position`, which must be next_read(); lower ones are skipped, since a reader may lag behind a
  // report. The judgement points into `bytes`; nullopt when the record was skipped, only compared, or stopped the slot.
  std::optional<Judgement> OnRecord(Position position, absl::string_view bytes, Effects* effects);

  // The log ends here (rule 4: never below what was read). Also for OUT_OF_RANGE of EventLog::NewReader.
  void OnEnd(Position end, Effects* effects);

  // The connection to the log was lost, or its leader changed, so the log may have been cut. Reports and records from
  // before must not be fed any more. An owner claims again; owners and followers read the record before the cursor
  // again.
  void OnReconnect(Effects* effects);

  // The number of records that did not count, by reason, since this Owner was created.
  const std::array<uint64_t, kIgnoreReasons>& ignored() const { return ignored_; }

  // Bytes that are equal only if two owners with equal cursors treat all further inputs alike. For the explorer.
  void AppendFingerprint(std::string* out) const;

 private:
  // A proposal in flight.
  struct Flight {
    uint64_t tag;
    uint32_t bytes;
    RecordKind kind;
    bool reported;  // durable at the expected position; waits for those before it
    bool refused;   // certainly not in the log
    bool final_seal;
    uint32_t level;
    Position reported_at;
    UnixMicros logical_time;
    Hash256 chain_after;
  };
  struct Waiting {
    uint64_t ticket;
    uint64_t after_tag;  // is sent when the proposal with this tag is confirmed
  };

  // A queue in one block of memory: cheap to copy, and no allocation per element.
  template <class T>
  class Fifo {
   public:
    bool empty() const { return head_ == items_.size(); }
    size_t size() const { return items_.size() - head_; }
    T& operator[](size_t i) { return items_[head_ + i]; }
    const T& operator[](size_t i) const { return items_[head_ + i]; }
    T& front() { return items_[head_]; }
    const T& front() const { return items_[head_]; }
    const T& back() const { return items_.back(); }
    void push_back(T item) {
      if (head_ > 64 && head_ * 2 > items_.size()) {
        items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
      }
      items_.push_back(std::move(item));
    }
    void pop_front() {
      if (++head_ == items_.size()) clear();
    }
    void pop_back() {
      items_.pop_back();
      if (head_ == items_.size()) clear();
    }
    void clear() {
      items_.clear();
      head_ = 0;
    }

   private:
    std::vector<T> items_;
    size_t head_ = 0;
  };

  absl::StatusOr<Append> ProposeRecord(RecordHeader header, std::string buffer, UnixMicros logical_time);
  void ConfirmFront(Effects* effects);
  void ConfirmReported(Effects* effects);
  void SettleRefused(const absl::Status& status, Effects* effects);
  void LoseFrom(size_t first, const absl::Status& status, Effects* effects);
  void BecomeUnsure(absl::Status why, Effects* effects);
  void Quarantine(absl::Status status, Effects* effects);
  void OnClaimReport(const AppendReport& report, Effects* effects);
  void OnConferred(Effects* effects);
  void AfterIgnored(const Judgement& judgement, Effects* effects);
  void ResetHead();

  OwnerOptions options_;
  Phase phase_ = Phase::kFollowing;
  bool sealing_ = false;        // a SEAL of ours is in flight
  bool check_lineage_ = false;  // the record before the cursor has to be read again
  Cursor cursor_;

  // After all records in flight.
  Hash256 head_chain_;
  uint64_t head_sequence_ = 0;
  UnixMicros last_time_ = 0;
  uint32_t head_level_ = 0;

  Fifo<Flight> flights_;  // the first is expected at cursor_.next, the others after it
  size_t flight_bytes_ = 0;
  size_t refused_ = 0;  // number of them that the log refused
  Fifo<Waiting> waiting_;
  uint64_t next_tag_ = 1;  // for proposals, claims and tickets

  uint64_t claims_ = 0;      // number of claims so far
  uint64_t claim_tag_ = 0;   // tag of the latest CLAIM while claiming
  uint64_t claim_term_ = 0;  // of the latest CLAIM since the construction or Restart; 0 for none

  std::array<uint64_t, kIgnoreReasons> ignored_{};
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_OWNER_H_
