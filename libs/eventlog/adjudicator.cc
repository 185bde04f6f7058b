// The reader rule: claims, acceptance, gaps, and evidence of a cut or fork.
#include "libs/eventlog/adjudicator.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog {
namespace {

// Layout of a stored cursor, see FORMAT.md.
constexpr uint8_t kCursorVersion = 1;
constexpr uint8_t kSealedFlag = 1;
constexpr uint8_t kFinalSealFlag = 2;
constexpr uint8_t kForeignFlag = 4;
constexpr size_t kCursorBytes = 1 + 1 + 8 + 8 + 16 + 8 + 4 + 8 + 3 * 32 + 4;

absl::Status Stop(absl::StatusCode code, absl::string_view reason, absl::string_view what, Position position,
                  const Cursor& cursor) {
  return Failure(code, reason,
                 absl::StrCat("record at position ", position, " ", what, " (read up to ", cursor.next, ", term ",
                              cursor.term, ")"),
                 {{"position", absl::StrCat(position)}, {"term", absl::StrCat(cursor.term)}});
}

absl::Status Forked(absl::string_view reason, absl::string_view what, Position position, const Cursor& cursor) {
  return Stop(absl::StatusCode::kDataLoss, reason, absl::StrCat(what, ": the log was cut or forked"), position, cursor);
}

void Ignore(IgnoreReason reason, absl::string_view bytes, Cursor* cursor, Judgement* judgement) {
  judgement->verdict = Verdict::kIgnored;
  judgement->reason = reason;
  cursor->tail_base = cursor->chain;
  cursor->tail = ChainAfter(cursor->chain, bytes);
  ++cursor->next;
}

// Moves the cursor over an accepted CLAIM, and over any other accepted record.
void Extend(const RecordHeader& header, absl::string_view bytes, Cursor* cursor) {
  cursor->foreign = false;
  cursor->level = std::max(cursor->level, header.minimum_level);
  cursor->logical_time = std::max(cursor->logical_time, header.logical_time);
  cursor->tail_base = cursor->chain;
  cursor->chain = ChainAfter(cursor->chain, bytes);
  cursor->tail = cursor->chain;
  ++cursor->next;
}

bool KnownKind(RecordKind kind) { return KindName(kind) != "UNKNOWN"; }

// The error for an accepted record that this build cannot apply.
absl::Status CheckLevel(const RecordHeader& header, uint32_t level, Position position, const Cursor& cursor) {
  if (header.minimum_level > level) {
    return Stop(absl::StatusCode::kFailedPrecondition, "NEWER_APPLIER",
                absl::StrCat("needs applier level ", header.minimum_level, ", this build has ", level), position,
                cursor);
  }
  if (!KnownKind(header.kind)) {
    return Stop(absl::StatusCode::kFailedPrecondition, "NEWER_APPLIER",
                absl::StrCat("is of kind ", static_cast<int>(header.kind), ", which this build does not know"),
                position, cursor);
  }
  return absl::OkStatus();
}

// Rule 1.
absl::Status JudgeClaim(absl::string_view bytes, Position position, uint32_t level, const Guards& guards,
                        Cursor* cursor, Judgement* judgement) {
  const RecordHeader& header = judgement->header;
  if (header.term > cursor->term + 1) {
    if (guards.evidence) {
      return Forked("FORKED_CLAIM", absl::StrCat("claims term ", header.term), position, *cursor);
    }
    Ignore(IgnoreReason::kInertClaim, bytes, cursor, judgement);
    return absl::OkStatus();
  }
  const bool next_term = header.term == cursor->term + 1;
  if (!next_term && (guards.first_claim || header.term != cursor->term)) {
    Ignore(IgnoreReason::kInertClaim, bytes, cursor, judgement);
    return absl::OkStatus();
  }
  if (!header.forced && (cursor->final_seal || cursor->foreign)) {
    Ignore(cursor->final_seal ? IgnoreReason::kClaimOverFinalSeal : IgnoreReason::kClaimOverForeign, bytes, cursor,
           judgement);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckLevel(header, level, position, *cursor));
  judgement->verdict = Verdict::kClaim;
  Extend(header, bytes, cursor);
  cursor->term = header.term;
  cursor->instance = header.instance;
  cursor->next_sequence = 0;
  cursor->sealed = false;
  cursor->final_seal = false;
  return absl::OkStatus();
}

// Rule 2, and rule 4 for records other than CLAIMs.
absl::Status JudgeRecord(absl::string_view bytes, Position position, uint32_t level, const Guards& guards,
                         Cursor* cursor, Judgement* judgement) {
  const RecordHeader& header = judgement->header;
  if (guards.evidence && header.term > cursor->term) {
    return Forked("FORKED_TERM", absl::StrCat("is of term ", header.term), position, *cursor);
  }
  const bool term = header.term == cursor->term;
  const bool instance = header.instance == cursor->instance;
  const bool sequence = header.sequence == cursor->next_sequence;
  const bool chain = header.previous == cursor->chain;
  IgnoreReason reason = IgnoreReason::kNone;
  if (guards.term && !term) {
    reason = IgnoreReason::kTerm;
  } else if (guards.instance && !instance) {
    reason = IgnoreReason::kInstance;
  } else if (guards.seal && cursor->sealed) {
    reason = IgnoreReason::kAfterSeal;
  } else if (guards.sequence && !sequence) {
    reason = IgnoreReason::kSequence;
  } else if (guards.chain && !chain) {
    if (guards.evidence && term && instance && sequence) {
      return Forked("FORKED_CHAIN", "is the next of its term on another prefix", position, *cursor);
    }
    reason = IgnoreReason::kChain;
  }
  if (reason != IgnoreReason::kNone) {
    Ignore(reason, bytes, cursor, judgement);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckLevel(header, level, position, *cursor));
  judgement->verdict = Verdict::kAccepted;
  Extend(header, bytes, cursor);
  cursor->next_sequence = header.sequence + 1;
  if (header.kind == RecordKind::kSeal) {
    cursor->sealed = true;
    cursor->final_seal = header.final_seal;
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view IgnoreReasonName(IgnoreReason reason) {
  switch (reason) {
    case IgnoreReason::kNone:
      return "NONE";
    case IgnoreReason::kInertClaim:
      return "INERT_CLAIM";
    case IgnoreReason::kClaimOverForeign:
      return "CLAIM_OVER_FOREIGN";
    case IgnoreReason::kClaimOverFinalSeal:
      return "CLAIM_OVER_FINAL_SEAL";
    case IgnoreReason::kTerm:
      return "TERM";
    case IgnoreReason::kInstance:
      return "INSTANCE";
    case IgnoreReason::kSequence:
      return "SEQUENCE";
    case IgnoreReason::kChain:
      return "CHAIN";
    case IgnoreReason::kAfterSeal:
      return "AFTER_SEAL";
    case IgnoreReason::kForeign:
      return "FOREIGN";
  }
  return "UNKNOWN";
}

Cursor GenesisCursor(const LogIdentity& identity, SlotId slot) {
  Cursor cursor;
  cursor.chain = GenesisChain(identity, slot);
  return cursor;
}

std::string EncodeCursor(const Cursor& cursor) {
  std::string out;
  out.reserve(kCursorBytes);
  AppendLittle(kCursorVersion, &out);
  AppendLittle(static_cast<uint8_t>((cursor.sealed ? kSealedFlag : 0) | (cursor.final_seal ? kFinalSealFlag : 0) |
                                    (cursor.foreign ? kForeignFlag : 0)),
               &out);
  AppendLittle(cursor.next, &out);
  AppendLittle(cursor.term, &out);
  absl::StrAppend(&out, cursor.instance.view());
  AppendLittle(cursor.next_sequence, &out);
  AppendLittle(cursor.level, &out);
  AppendLittle(cursor.logical_time, &out);
  absl::StrAppend(&out, cursor.chain.view());
  absl::StrAppend(&out, cursor.tail_base.view());
  absl::StrAppend(&out, cursor.tail.view());
  AppendLittle(MaskCrc(Crc32c(out)), &out);
  return out;
}

absl::StatusOr<Cursor> DecodeCursor(absl::string_view bytes) {
  const auto damaged = [] {
    return Failure(absl::StatusCode::kDataLoss, "DAMAGED_CURSOR", "the stored cursor of a slot is damaged");
  };
  if (bytes.empty() || bytes[0] == 0) return damaged();
  if (static_cast<uint8_t>(bytes[0]) > kCursorVersion) {
    return Failure(absl::StatusCode::kFailedPrecondition, "NEWER_FORMAT",
                   absl::StrCat("the stored cursor has format ", static_cast<uint8_t>(bytes[0]),
                                ", this build knows up to ", kCursorVersion));
  }
  if (bytes.size() != kCursorBytes) return damaged();
  const size_t checked = kCursorBytes - sizeof(uint32_t);
  if (UnmaskCrc(LoadLittle<uint32_t>(bytes, checked)) != Crc32c(bytes.substr(0, checked))) return damaged();
  Cursor cursor;
  size_t at = 1;
  const auto load = [&](auto* value) {
    using Integer = std::remove_pointer_t<decltype(value)>;
    *value = LoadLittle<Integer>(bytes, at);
    at += sizeof(Integer);
  };
  const auto load_bytes = [&](auto* array) {
    std::memcpy(array->data(), bytes.data() + at, array->size());
    at += array->size();
  };
  uint8_t flags = 0;
  load(&flags);
  cursor.sealed = (flags & kSealedFlag) != 0;
  cursor.final_seal = (flags & kFinalSealFlag) != 0;
  cursor.foreign = (flags & kForeignFlag) != 0;
  load(&cursor.next);
  load(&cursor.term);
  InstanceId::Bytes instance;
  load_bytes(&instance);
  cursor.instance = InstanceId::FromBytes(instance);
  load(&cursor.next_sequence);
  load(&cursor.level);
  load(&cursor.logical_time);
  load_bytes(&cursor.chain.bytes);
  load_bytes(&cursor.tail_base.bytes);
  load_bytes(&cursor.tail.bytes);
  return cursor;
}

absl::StatusOr<Judgement> Adjudicate(absl::string_view bytes, Position position, Cursor* cursor, uint32_t level,
                                     const Guards& guards) {
  if (position != cursor->next) {  // rule 3
    return Stop(absl::StatusCode::kDataLoss, "GAP", "is not the next one", position, *cursor);
  }
  ParsedRecord parsed = ParseRecord(bytes);
  Judgement judgement;
  switch (parsed.outcome) {
    case ParseOutcome::kForeign:
      Ignore(IgnoreReason::kForeign, bytes, cursor, &judgement);
      cursor->foreign = true;
      return judgement;
    case ParseOutcome::kDamaged:
      return Stop(absl::StatusCode::kDataLoss, "DAMAGED_RECORD", "has our header and cannot be read", position,
                  *cursor);
    case ParseOutcome::kNewerFormat:
      return Stop(absl::StatusCode::kFailedPrecondition, "NEWER_FORMAT", "is in the format of a later build", position,
                  *cursor);
    case ParseOutcome::kOk:
      break;
  }
  judgement.header = parsed.header;
  judgement.body = parsed.body;
  RETURN_IF_ERROR(judgement.header.kind == RecordKind::kClaim
                      ? JudgeClaim(bytes, position, level, guards, cursor, &judgement)
                      : JudgeRecord(bytes, position, level, guards, cursor, &judgement));
  return judgement;
}

absl::Status CheckEnd(Position end, const Cursor& cursor) {
  if (end >= cursor.next) return absl::OkStatus();
  return Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                 absl::StrCat("the log ends at position ", end, ", but was read up to ", cursor.next, " before"),
                 {{"position", absl::StrCat(end)}});
}

absl::Status CheckLineage(absl::string_view bytes, const Cursor& cursor) {
  if (cursor.next == 0 || ChainAfter(cursor.tail_base, bytes) == cursor.tail) return absl::OkStatus();
  return Failure(absl::StatusCode::kDataLoss, "OTHER_LINEAGE",
                 absl::StrCat("the record at position ", cursor.next - 1,
                              " is another one than before: the log was cut, recreated or is another log"),
                 {{"position", absl::StrCat(cursor.next - 1)}});
}

}  // namespace halles::eventlog
