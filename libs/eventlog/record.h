// The bytes of a record: the fixed header that acceptance is decided on, and the hash chain. FORMAT.md shows them.
#ifndef HALLES_LIBS_EVENTLOG_RECORD_H_
#define HALLES_LIBS_EVENTLOG_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/hash.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"

namespace halles::eventlog {

inline constexpr size_t kHeaderBytes = 88;
inline constexpr size_t kMaxBodyBytes = kMaxRecordBytes - kHeaderBytes;
inline constexpr uint8_t kFormatVersion = 1;

// The applier level of this build. Raised when a record is applied differently than by earlier builds.
inline constexpr uint32_t kApplierLevel = 1;

// The numbers are those of halles.log.v1.RecordKind and never change. A header may carry another number: that of a
// later build.
enum class RecordKind : uint8_t { kClaim = 1, kBatch = 2, kBeat = 3, kSeal = 4, kDigest = 5, kLevel = 6 };

// A name such as "CLAIM" or "BATCH"; "UNKNOWN" for the number of a later build.
absl::string_view KindName(RecordKind kind);

struct RecordHeader {
  RecordKind kind = RecordKind::kBatch;
  // In a CLAIM: an operator forces it over a final SEAL or over bytes without our header.
  bool forced = false;
  // In a SEAL: the log continues elsewhere, so only a forced CLAIM takes the slot again.
  bool final_seal = false;
  uint64_t term = 0;
  InstanceId instance;
  uint64_t sequence = 0;  // within the term, from 0; for a CLAIM, the number of earlier claims of the instance
  UnixMicros logical_time = 0;
  uint32_t minimum_level = kApplierLevel;
  Hash256 previous;  // head of the chain as the writer saw it

  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

enum class ParseOutcome {
  kOk,
  kForeign,      // does not begin with our header: a stray producer wrote it
  kDamaged,      // begins with our header but is not a valid record
  kNewerFormat,  // a record in a format that this build does not know
};

struct ParsedRecord {
  ParseOutcome outcome = ParseOutcome::kForeign;
  RecordHeader header;     // if kOk
  absl::string_view body;  // if kOk; points into the input bytes
};

// Never fails and never reads beyond `bytes`, whatever they contain.
ParsedRecord ParseRecord(absl::string_view bytes);

std::string EncodeRecord(const RecordHeader& header, absl::string_view body);

// Writes the header over the first kHeaderBytes of `record`, which already has its body after them, so that no body is
// copied. `record` has at least kHeaderBytes.
void EncodeHeaderInPlace(const RecordHeader& header, std::string* record);

// The head of the chain of a slot before its first record. A log of another install, service, slot or slot count starts
// from another value.
Hash256 GenesisChain(const LogIdentity& identity, SlotId slot);

// The head of the chain after an accepted record.
Hash256 ChainAfter(const Hash256& chain, absl::string_view record);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_RECORD_H_
