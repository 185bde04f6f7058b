// The owner rule as a state machine without clock, thread or log.
#include "libs/eventlog/owner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/status.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog {
namespace {

absl::Status NeverAccepted() {
  return Failure(absl::StatusCode::kUnavailable, "NOT_ACCEPTED",
                 "the record was not accepted and never will be; nothing happened, the request may be sent again");
}

absl::Status NotOwner(Phase phase) {
  return Failure(absl::StatusCode::kFailedPrecondition, "NOT_OWNER",
                 absl::StrCat("this instance does not take commands for the slot now: ", PhaseName(phase)));
}

}  // namespace

absl::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kFollowing:
      return "FOLLOWING";
    case Phase::kClaiming:
      return "CLAIMING";
    case Phase::kServing:
      return "SERVING";
    case Phase::kUnsure:
      return "UNSURE";
    case Phase::kFenced:
      return "FENCED";
    case Phase::kSealed:
      return "SEALED";
    case Phase::kQuarantined:
      return "QUARANTINED";
  }
  return "UNKNOWN";
}

absl::string_view EffectName(Effect::Kind kind) {
  switch (kind) {
    case Effect::Kind::kConfirmed:
      return "CONFIRMED";
    case Effect::Kind::kLost:
      return "LOST";
    case Effect::Kind::kAnswerReady:
      return "ANSWER_READY";
    case Effect::Kind::kAnswerAgain:
      return "ANSWER_AGAIN";
    case Effect::Kind::kApply:
      return "APPLY";
    case Effect::Kind::kNeedClaim:
      return "NEED_CLAIM";
    case Effect::Kind::kReadFrom:
      return "READ_FROM";
    case Effect::Kind::kServing:
      return "SERVING";
    case Effect::Kind::kSteppedDown:
      return "STEPPED_DOWN";
    case Effect::Kind::kSealed:
      return "SEALED";
    case Effect::Kind::kClaimRefused:
      return "CLAIM_REFUSED";
    case Effect::Kind::kQuarantine:
      return "QUARANTINE";
  }
  return "UNKNOWN";
}

Owner::Owner(const LogIdentity& identity, SlotId slot, OwnerOptions options)
    : Owner(GenesisCursor(identity, slot), std::move(options)) {}

Owner::Owner(const Cursor& resumed, OwnerOptions options) : options_(std::move(options)), cursor_(resumed) {
  check_lineage_ = options_.guards.lineage && cursor_.next > 0;
  ResetHead();
}

void Owner::ResetHead() {
  head_sequence_ = cursor_.next_sequence + flights_.size();
  head_chain_ = flights_.empty() ? cursor_.chain : flights_.back().chain_after;
  last_time_ = flights_.empty() ? cursor_.logical_time : flights_.back().logical_time;
  head_level_ = flights_.empty() ? cursor_.level : std::max(cursor_.level, flights_.back().level);
}

absl::StatusOr<Append> Owner::StartClaim(absl::string_view address, bool forced, UnixMicros now, Effects* effects) {
  if (phase_ == Phase::kServing || phase_ == Phase::kQuarantined) {
    return Failure(absl::StatusCode::kFailedPrecondition, "NOT_NOW",
                   absl::StrCat("the slot cannot be claimed while ", PhaseName(phase_)));
  }
  // In doubt, records of ours that chain over the foreign bytes may be in the log unread.
  const bool behind_foreign = cursor_.foreign && phase_ != Phase::kUnsure;
  if (!forced && (cursor_.final_seal || behind_foreign)) {
    return Failure(absl::StatusCode::kFailedPrecondition, "NEEDS_FORCE",
                   cursor_.final_seal
                       ? "the log of this slot continues elsewhere; only a forced claim takes it again"
                       : "the slot ends with bytes that are not a record; only a forced claim counts after them");
  }
  RecordHeader header;
  header.kind = RecordKind::kClaim;
  header.forced = forced;
  header.term = cursor_.term + 1;
  header.instance = options_.self;
  // No two claims have the same bytes. Otherwise one that lands again where another was cut off could pass for it.
  header.sequence = claims_++;
  header.logical_time = std::max(cursor_.logical_time, now);
  header.minimum_level = std::max<uint32_t>(cursor_.level, 1);
  header.previous = cursor_.chain;
  log::v1::RecordBody body;
  body.mutable_claim()->set_address(std::string(address));
  body.mutable_claim()->set_forced(forced);

  phase_ = Phase::kClaiming;
  sealing_ = false;
  refused_ = 0;
  claim_tag_ = next_tag_++;
  claim_term_ = header.term;
  check_lineage_ = options_.guards.lineage && cursor_.next > 0;
  effects->push_back({.kind = Effect::Kind::kReadFrom, .position = next_read()});
  return Append{
      .bytes = EncodeRecord(header, body.SerializeAsString()), .tag = claim_tag_, .logical_time = header.logical_time};
}

absl::StatusOr<Append> Owner::Propose(RecordKind kind, std::string buffer, UnixMicros logical_time) {
  RecordHeader header;
  header.kind = kind;
  return ProposeRecord(header, std::move(buffer), logical_time);
}

absl::StatusOr<Append> Owner::ProposeSeal(std::string buffer, bool final_seal, UnixMicros logical_time) {
  RecordHeader header;
  header.kind = RecordKind::kSeal;
  header.final_seal = final_seal;
  return ProposeRecord(header, std::move(buffer), logical_time);
}

absl::StatusOr<Append> Owner::ProposeLevel(std::string buffer, uint32_t level, UnixMicros logical_time) {
  RecordHeader header;
  header.kind = RecordKind::kLevel;
  header.minimum_level = level;
  return ProposeRecord(header, std::move(buffer), logical_time);
}

absl::StatusOr<Append> Owner::ProposeRecord(RecordHeader header, std::string buffer, UnixMicros logical_time) {
  if (!open()) return NotOwner(phase_);
  if (buffer.size() > kMaxRecordBytes) {
    return Failure(absl::StatusCode::kInvalidArgument, "RECORD_TOO_LARGE",
                   absl::StrCat("a record of ", buffer.size(), " bytes; at most ", kMaxRecordBytes, " fit the log"));
  }
  if (!HasRoomFor(buffer.size())) {
    return Overloaded("LOG_IN_FLIGHT", "too many records of the slot are on their way to the log",
                      absl::Milliseconds(5));
  }
  header.minimum_level = std::max({header.minimum_level, head_level_, uint32_t{1}});
  if (header.minimum_level > options_.level) {
    return Failure(absl::StatusCode::kInvalidArgument, "NEWER_APPLIER",
                   absl::StrCat("applier level ", header.minimum_level, " is above this build's ", options_.level));
  }
  header.term = cursor_.term;
  header.instance = options_.self;
  header.sequence = head_sequence_;
  header.logical_time = std::max(logical_time, last_time_);
  header.previous = head_chain_;
  EncodeHeaderInPlace(header, &buffer);

  const uint64_t tag = next_tag_++;
  const Position expected = cursor_.next + flights_.size();
  head_chain_ = ChainAfter(head_chain_, buffer);
  ++head_sequence_;
  last_time_ = header.logical_time;
  head_level_ = header.minimum_level;
  sealing_ = header.kind == RecordKind::kSeal;
  flight_bytes_ += buffer.size();
  flights_.push_back({.tag = tag,
                      .bytes = static_cast<uint32_t>(buffer.size()),
                      .kind = header.kind,
                      .reported = false,
                      .refused = false,
                      .final_seal = header.final_seal,
                      .level = header.minimum_level,
                      .reported_at = 0,
                      .logical_time = header.logical_time,
                      .chain_after = head_chain_});
  return Append{.bytes = std::move(buffer), .tag = tag, .expected = expected, .logical_time = header.logical_time};
}

absl::StatusOr<uint64_t> Owner::AnswerWithoutRecord(Effects* effects) {
  if (!open()) return NotOwner(phase_);
  const uint64_t ticket = next_tag_++;
  if (flights_.empty() || !options_.guards.answers_wait) {
    effects->push_back({.kind = Effect::Kind::kAnswerReady, .tag = ticket});
  } else {
    waiting_.push_back({.ticket = ticket, .after_tag = flights_.back().tag});
  }
  return ticket;
}

// The cursor is already past the first of flights_.
void Owner::ConfirmFront(Effects* effects) {
  const Flight& front = flights_.front();
  const uint64_t tag = front.tag;
  const bool seal = front.kind == RecordKind::kSeal;
  flight_bytes_ -= front.bytes;
  if (front.refused && refused_ > 0) --refused_;
  flights_.pop_front();
  effects->push_back({.kind = Effect::Kind::kConfirmed, .tag = tag, .position = cursor_.next - 1, .cursor = cursor_});
  while (!waiting_.empty() && waiting_.front().after_tag <= tag) {
    effects->push_back({.kind = Effect::Kind::kAnswerReady, .tag = waiting_.front().ticket});
    waiting_.pop_front();
  }
  if (seal) {
    sealing_ = false;
    if (phase_ != Phase::kClaiming) phase_ = Phase::kSealed;
    effects->push_back({.kind = Effect::Kind::kSealed, .position = cursor_.next - 1, .instance = options_.self});
  }
}

// Confirms from the front on all records reported at their expected positions.
void Owner::ConfirmReported(Effects* effects) {
  while (!flights_.empty() && flights_.front().reported) {
    const Flight& front = flights_.front();
    if (front.reported_at != cursor_.next) {
      BecomeUnsure(absl::UnknownError("records of the slot came to the log out of order"), effects);
      return;
    }
    // The same result as from Adjudicate: our record is the next of our term, on our chain, right after the prefix.
    cursor_.tail_base = cursor_.chain;
    cursor_.chain = front.chain_after;
    cursor_.tail = front.chain_after;
    cursor_.foreign = false;
    cursor_.level = std::max(cursor_.level, front.level);
    cursor_.logical_time = front.logical_time;
    if (front.kind == RecordKind::kSeal) {
      cursor_.sealed = true;
      cursor_.final_seal = front.final_seal;
    }
    ++cursor_.next_sequence;
    ++cursor_.next;
    ConfirmFront(effects);
  }
}

void Owner::LoseFrom(size_t first, const absl::Status& status, Effects* effects) {
  if (first >= flights_.size()) return;
  const uint64_t first_tag = flights_[first].tag;
  for (size_t i = first; i < flights_.size(); ++i) {
    effects->push_back({.kind = Effect::Kind::kLost, .tag = flights_[i].tag, .status = status});
    flight_bytes_ -= flights_[i].bytes;
    if (flights_[i].refused && refused_ > 0) --refused_;
    if (flights_[i].kind == RecordKind::kSeal) sealing_ = false;
  }
  while (flights_.size() > first) flights_.pop_back();
  size_t still_waiting = waiting_.size();
  while (still_waiting > 0 && waiting_[still_waiting - 1].after_tag >= first_tag) --still_waiting;
  for (size_t i = still_waiting; i < waiting_.size(); ++i) {
    effects->push_back({.kind = Effect::Kind::kAnswerAgain, .tag = waiting_[i].ticket});
  }
  while (waiting_.size() > still_waiting) waiting_.pop_back();
}

void Owner::BecomeUnsure(absl::Status why, Effects* effects) {
  phase_ = Phase::kUnsure;
  refused_ = 0;
  check_lineage_ = options_.guards.lineage && cursor_.next > 0;
  effects->push_back({.kind = Effect::Kind::kNeedClaim, .status = std::move(why)});
}

void Owner::Quarantine(absl::Status status, Effects* effects) {
  phase_ = Phase::kQuarantined;
  effects->push_back({.kind = Effect::Kind::kQuarantine, .position = cursor_.next, .status = std::move(status)});
}

void Owner::OnClaimReport(const AppendReport& report, Effects* effects) {
  if (!report.status.ok()) {
    BecomeUnsure(report.status, effects);
    return;
  }
  // If it had been read there, it would have been recognised.
  if (options_.guards.evidence && report.position.has_value() && *report.position < cursor_.next) {
    Quarantine(CheckEnd(*report.position, cursor_), effects);
  }
}

void Owner::Restart(const LogIdentity& identity, SlotId slot) {
  Owner fresh(identity, slot, options_);
  fresh.next_tag_ = next_tag_;
  fresh.claims_ = claims_;
  fresh.ignored_ = ignored_;
  *this = std::move(fresh);
}

void Owner::OnReport(const AppendReport& report, Effects* effects) {
  if (phase_ == Phase::kClaiming && report.tag == claim_tag_) {
    OnClaimReport(report, effects);
    return;
  }
  // While the log is being read back, only the log can tell what is in it.
  if (phase_ != Phase::kServing || flights_.empty()) return;
  size_t index = 0;
  if (flights_.front().tag != report.tag) {
    size_t end = flights_.size();  // tags only increase
    while (index < end) {
      const size_t middle = index + (end - index) / 2;
      if (flights_[middle].tag < report.tag) {
        index = middle + 1;
      } else {
        end = middle;
      }
    }
    if (index == flights_.size() || flights_[index].tag != report.tag) return;
  }
  Flight& flight = flights_[index];
  if (flight.reported || flight.refused) return;
  if (absl::IsResourceExhausted(report.status)) {
    flight.refused = true;
    ++refused_;
    SettleRefused(report.status, effects);
    return;
  }
  if (!report.status.ok()) {
    BecomeUnsure(report.status, effects);
    return;
  }
  if (!report.position.has_value()) {
    BecomeUnsure(absl::UnknownError("the log reported an append without its position"), effects);
    return;
  }
  if (options_.guards.evidence && *report.position < cursor_.next) {
    Quarantine(CheckEnd(*report.position, cursor_), effects);
    return;
  }
  if (*report.position != cursor_.next + index) {
    BecomeUnsure(absl::UnknownError(absl::StrCat("an append came to position ", *report.position, ", expected was ",
                                                 cursor_.next + index)),
                 effects);
    return;
  }
  flight.reported = true;
  flight.reported_at = *report.position;
  if (index == 0) ConfirmReported(effects);
  if (refused_ > 0 && phase_ == Phase::kServing) SettleRefused(absl::OkStatus(), effects);
}

// A refused record is certainly not in the log, so the records after it can never be accepted. But those of them that
// were not refused may still land, and until then no other record may take their sequence. So intake waits until all
// records from the first refused one on are refused, and then falls back to the record before; or the term ends.
void Owner::SettleRefused(const absl::Status& status, Effects* effects) {
  size_t first = 0;
  while (first < flights_.size() && !flights_[first].refused) ++first;
  for (size_t i = first; i < flights_.size(); ++i) {
    if (flights_[i].reported) {
      BecomeUnsure(absl::UnknownError("the log took a record behind one that it refused"), effects);
      return;
    }
  }
  if (refused_ != flights_.size() - first || status.ok()) return;
  LoseFrom(first, status, effects);
  ResetHead();
}

void Owner::AfterIgnored(const Judgement& judgement, Effects* effects) {
  ++ignored_[static_cast<size_t>(judgement.reason)];
  const bool over_foreign = judgement.reason == IgnoreReason::kClaimOverForeign;
  if (!over_foreign && judgement.reason != IgnoreReason::kClaimOverFinalSeal) return;
  if (phase_ != Phase::kClaiming || judgement.header.instance != options_.self) return;
  // Records in flight may still be accepted: an inert claim ends no term.
  phase_ = flights_.empty() ? Phase::kFollowing : Phase::kUnsure;
  effects->push_back({.kind = Effect::Kind::kClaimRefused,
                      .position = cursor_.next - 1,
                      .status = Failure(absl::StatusCode::kFailedPrecondition, "NEEDS_FORCE",
                                        over_foreign ? "the claim follows bytes that are not a record"
                                                     : "the claim follows a final SEAL")});
}

std::optional<Judgement> Owner::OnRecord(Position position, absl::string_view bytes, Effects* effects) {
  if (phase_ == Phase::kQuarantined) return std::nullopt;
  if (check_lineage_ && position + 1 == cursor_.next) {
    check_lineage_ = false;
    if (absl::Status same = CheckLineage(bytes, cursor_); !same.ok()) Quarantine(std::move(same), effects);
    return std::nullopt;
  }
  if (position < cursor_.next) return std::nullopt;
  if (check_lineage_) {
    Quarantine(
        Failure(absl::StatusCode::kDataLoss, "GAP",
                absl::StrCat("record ", position, " was read before record ", cursor_.next - 1, " was read again")),
        effects);
    return std::nullopt;
  }
  absl::StatusOr<Judgement> judgement = Adjudicate(bytes, position, &cursor_, options_.level, options_.guards);
  if (!judgement.ok()) {
    Quarantine(std::move(judgement).status(), effects);
    return std::nullopt;
  }
  switch (judgement->verdict) {
    case Verdict::kIgnored:
      AfterIgnored(*judgement, effects);
      if (phase_ == Phase::kServing && !flights_.empty()) {
        // It took the place of the oldest record in flight, whose events were evolved for that place, as later ones
        // were for theirs. Or it is one of them and arrived too early to count: its report, if any, will name a
        // position below the cursor, which is no evidence of a cut. Either way, from here on only the log can tell.
        BecomeUnsure(absl::UnknownError(absl::StrCat("record ", position,
                                                     " does not count and is where another of the ", "slot was to be")),
                     effects);
      }
      break;
    case Verdict::kAccepted:
      if (!flights_.empty() && cursor_.chain == flights_.front().chain_after) {
        ConfirmFront(effects);
      } else {
        effects->push_back(
            {.kind = Effect::Kind::kApply, .position = position, .instance = judgement->header.instance});
      }
      break;
    case Verdict::kClaim: {
      // Our older term is over: records in flight that were not read yet can never be accepted.
      LoseFrom(0, NeverAccepted(), effects);
      sealing_ = false;
      refused_ = 0;
      // One that was made before everything was forgotten, or by an earlier owner of this process, takes nothing: records of
      // that time may still land, and only a claim after them ends it.
      if (judgement->header.instance == options_.self && claim_term_ != 0 && judgement->header.term >= claim_term_) {
        phase_ = Phase::kServing;
        effects->push_back({.kind = Effect::Kind::kServing, .position = position, .instance = options_.self});
      } else if (phase_ == Phase::kServing || phase_ == Phase::kUnsure || phase_ == Phase::kClaiming) {
        phase_ = Phase::kFenced;
        effects->push_back(
            {.kind = Effect::Kind::kSteppedDown, .position = position, .instance = judgement->header.instance});
      } else if (phase_ == Phase::kSealed) {
        phase_ = Phase::kFollowing;
      }
      break;
    }
  }
  ResetHead();
  return *judgement;
}

void Owner::OnEnd(Position end, Effects* effects) {
  if (phase_ == Phase::kQuarantined || !options_.guards.evidence) return;
  if (absl::Status status = CheckEnd(end, cursor_); !status.ok()) Quarantine(std::move(status), effects);
}

void Owner::OnReconnect(Effects* effects) {
  if (phase_ == Phase::kQuarantined) return;
  if (phase_ == Phase::kServing || phase_ == Phase::kClaiming) {
    BecomeUnsure(absl::UnavailableError("the connection to the log was lost or its leader changed"), effects);
    return;
  }
  check_lineage_ = options_.guards.lineage && cursor_.next > 0;
  effects->push_back({.kind = Effect::Kind::kReadFrom, .position = next_read()});
}

void Owner::AppendFingerprint(std::string* out) const {
  AppendLittle(static_cast<uint8_t>(phase_), out);
  AppendLittle(static_cast<uint8_t>((sealing_ ? 1 : 0) | (check_lineage_ ? 2 : 0)), out);
  AppendLittle(next_tag_, out);
  AppendLittle(claims_, out);
  // One that is over takes nothing any more.
  AppendLittle(claim_term_ > cursor_.term ? claim_term_ : uint64_t{0}, out);
  if (phase_ == Phase::kClaiming) AppendLittle(claim_tag_, out);
  AppendLittle(static_cast<uint32_t>(flights_.size()), out);
  for (size_t i = 0; i < flights_.size(); ++i) {
    const Flight& flight = flights_[i];
    AppendLittle(flight.tag, out);
    AppendLittle(static_cast<uint8_t>((flight.reported ? 1 : 0) | (flight.refused ? 2 : 0)), out);
    AppendLittle(flight.reported_at, out);
    absl::StrAppend(out, flight.chain_after.view());
  }
  for (size_t i = 0; i < waiting_.size(); ++i) {
    AppendLittle(waiting_[i].ticket, out);
    AppendLittle(waiting_[i].after_tag, out);
  }
}

}  // namespace halles::eventlog
