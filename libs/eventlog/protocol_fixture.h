// Shared code of the tests of the log's rules: a slot, instances with names, records in one line.
#ifndef HALLES_LIBS_EVENTLOG_PROTOCOL_FIXTURE_H_
#define HALLES_LIBS_EVENTLOG_PROTOCOL_FIXTURE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/owner.h"
#include "libs/eventlog/record.h"

namespace halles::eventlog::test {

inline const SlotId kSlot{ServiceId::kCheckout, 17};

inline LogIdentity Identity(char fill = 7) {
  InstallId::Bytes bytes;
  bytes.fill(static_cast<uint8_t>(fill));
  return {.install = InstallId::FromBytes(bytes), .slots = SlotCounts(64)};
}

inline InstanceId Instance(char name) {
  InstanceId::Bytes bytes;
  bytes.fill(static_cast<uint8_t>(name));
  return InstanceId::FromBytes(bytes);
}

// Space for the header, then the body.
inline std::string Buffer(absl::string_view body) {
  std::string buffer(kHeaderBytes, '\0');
  buffer.append(body.data(), body.size());
  return buffer;
}

// A log of one slot that a test writes record by record, with the cursor of a reader that has read all of it.
struct Prefix {
  Cursor cursor = GenesisCursor(Identity(), kSlot);
  std::vector<std::string> records;

  // A header of `kind` that the reader rule accepts next.
  RecordHeader Next(RecordKind kind = RecordKind::kBatch) const {
    RecordHeader header;
    header.kind = kind;
    header.term = cursor.term;
    header.instance = cursor.instance;
    header.sequence = cursor.next_sequence;
    header.previous = cursor.chain;
    return header;
  }
  RecordHeader ClaimBy(char name, uint64_t above = 1) const {
    RecordHeader header;
    header.kind = RecordKind::kClaim;
    header.term = cursor.term + above;
    header.instance = Instance(name);
    header.previous = cursor.chain;
    return header;
  }
  absl::StatusOr<Judgement> Read(std::string bytes, const Guards& guards = Guards()) {
    records.push_back(std::move(bytes));
    return Adjudicate(records.back(), cursor.next, &cursor, kApplierLevel, guards);
  }
  absl::StatusOr<Judgement> Read(const RecordHeader& header, const Guards& guards = Guards()) {
    return Read(EncodeRecord(header, "body"), guards);
  }
};

inline Prefix OwnedBy(char name) {
  Prefix prefix;
  (void)prefix.Read(prefix.ClaimBy(name));
  return prefix;
}

inline std::vector<Effect::Kind> Kinds(const Effects& effects) {
  std::vector<Effect::Kind> kinds;
  for (const Effect& effect : effects) kinds.push_back(effect.kind);
  return kinds;
}

inline AppendReport At(uint64_t tag, Position position) {
  return {.slot = kSlot, .tag = tag, .status = absl::OkStatus(), .position = position};
}

inline AppendReport Failed(uint64_t tag, absl::Status status) {
  return {.slot = kSlot, .tag = tag, .status = std::move(status), .position = std::nullopt};
}

}  // namespace halles::eventlog::test

#endif  // HALLES_LIBS_EVENTLOG_PROTOCOL_FIXTURE_H_
