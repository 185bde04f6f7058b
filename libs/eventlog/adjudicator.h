// Decides which records of a slot count. This is the only code of the log's reader rule.
#ifndef HALLES_LIBS_EVENTLOG_ADJUDICATOR_H_
#define HALLES_LIBS_EVENTLOG_ADJUDICATOR_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/eventlog/record.h"

namespace halles::eventlog {

// Switches single rules of the protocol off, so that the explorer can show what each is needed for. Product code uses
// the default, with all rules on.
struct Guards {
  bool first_claim = true;   // rule 1: of several claims for a term only the first confers
  bool term = true;          // rule 2: the term is the current one
  bool instance = true;      // rule 2: the instance is the current one
  bool sequence = true;      // rule 2: the sequence is the next one
  bool chain = true;         // rule 2: the previous hash is the head of the chain
  bool seal = true;          // rule 2: no SEAL of the term came before
  bool evidence = true;      // rule 4: proof of a cut or fork stops the slot
  bool lineage = true;       // owner: the record before the cursor is read again before a won claim is served
  bool answers_wait = true;  // owner: an answer without a record waits for what was in flight
};

// Why a record does not count.
enum class IgnoreReason : uint8_t {
  kNone,
  kInertClaim,          // its term is the current one or an older one
  kClaimOverForeign,    // not forced, after bytes that may have been a record
  kClaimOverFinalSeal,  // not forced, after the end of a log that was copied
  kTerm,                // its term is older than the current one
  kInstance,            // its term is current, but its instance is not the owner
  kSequence,            // its sequence is not the next: late, repeated, or after a lost one
  kChain,               // decided on another prefix
  kAfterSeal,           // its term was sealed
  kForeign,             // bytes without our header
};
inline constexpr size_t kIgnoreReasons = 10;

// A name such as "INERT_CLAIM", for metrics and tools.
absl::string_view IgnoreReasonName(IgnoreReason reason);

// Everything that a reader must know about the records before `next`; a pure function of them. It is stored with the
// rows that were folded from them.
struct Cursor {
  Position next = 0;    // first position not yet read
  uint64_t term = 0;    // 0 before the first CLAIM
  InstanceId instance;  // owner of the term
  uint64_t next_sequence = 0;
  bool sealed = false;      // a SEAL ended the term
  bool final_seal = false;  // that SEAL is final: only a forced CLAIM counts after it
  bool foreign = false;     // bytes without our header since the last record that counts
  uint32_t level = 0;       // highest applier level that a record asked for
  UnixMicros logical_time = 0;
  Hash256 chain;  // head of the chain of accepted records
  // Lineage: the record at next - 1, accepted or not, hashed onto `tail_base` gives `tail`. Meaningless when next is 0.
  Hash256 tail_base;
  Hash256 tail;

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

// The cursor before the first record of a slot.
Cursor GenesisCursor(const LogIdentity& identity, SlotId slot);

// Fixed layout with a version and a checksum, see FORMAT.md.
std::string EncodeCursor(const Cursor& cursor);
// DATA_LOSS, reason DAMAGED_CURSOR; FAILED_PRECONDITION, reason NEWER_FORMAT.
absl::StatusOr<Cursor> DecodeCursor(absl::string_view bytes);

enum class Verdict : uint8_t {
  kClaim,     // confers ownership; the cursor names the new owner
  kAccepted,  // counts: apply it
  kIgnored,   // does not count; see reason
};

struct Judgement {
  Verdict verdict = Verdict::kIgnored;
  IgnoreReason reason = IgnoreReason::kNone;
  RecordHeader header;     // set unless the bytes are foreign
  absl::string_view body;  // points into the bytes given
};

// Judges the record at `position` and moves the cursor past it. The body is not read. On an error the cursor does not
// move, and the slot must stop:
//   DATA_LOSS      GAP               position is not cursor->next
//                  DAMAGED_RECORD    begins with our header but is no valid record
//                  FORKED_CHAIN      next by term, instance and sequence, but decided on another prefix (rule 4)
//                  FORKED_TERM       its term is above the current one, and it is no CLAIM (rule 4)
//                  FORKED_CLAIM      a CLAIM above the current term + 1 (rule 4)
//   FAILED_PRECONDITION NEWER_APPLIER an accepted record needs a newer applier than `level`, or is of an unknown kind
//                  NEWER_FORMAT      in the format of a later build
absl::StatusOr<Judgement> Adjudicate(absl::string_view bytes, Position position, Cursor* cursor,
                                     uint32_t level = kApplierLevel, const Guards& guards = Guards());

// Rule 4 for the end of the log: DATA_LOSS with reason LOG_CUT if the end is below a position that was already read.
absl::Status CheckEnd(Position end, const Cursor& cursor);

// Whether `bytes`, read again at cursor.next - 1, equal the bytes read there before: DATA_LOSS with reason
// OTHER_LINEAGE when the log was cut, recreated or replaced.
absl::Status CheckLineage(absl::string_view bytes, const Cursor& cursor);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_ADJUDICATOR_H_
