// Encodes, parses and chains records.
#include "libs/eventlog/record.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog {
namespace {

// Offsets in the header, see FORMAT.md.
constexpr char kMagic[] = {'H', 'L', 'R'};
constexpr size_t kVersionAt = 3;
constexpr size_t kKindAt = 4;
constexpr size_t kFlagsAt = 5;
constexpr size_t kReservedAt = 6;
constexpr size_t kTermAt = 8;
constexpr size_t kInstanceAt = 16;
constexpr size_t kSequenceAt = 32;
constexpr size_t kLogicalTimeAt = 40;
constexpr size_t kMinimumLevelAt = 48;
constexpr size_t kBodyLengthAt = 52;
constexpr size_t kPreviousAt = 56;
static_assert(kPreviousAt + sizeof(Hash256::bytes) == kHeaderBytes);

constexpr uint8_t kForced = 1;
constexpr uint8_t kFinalSeal = 2;

void StoreHeader(const RecordHeader& header, size_t body_bytes, char* out) {
  std::memcpy(out, kMagic, sizeof(kMagic));
  out[kVersionAt] = static_cast<char>(kFormatVersion);
  out[kKindAt] = static_cast<char>(header.kind);
  out[kFlagsAt] = static_cast<char>((header.forced ? kForced : 0) | (header.final_seal ? kFinalSeal : 0));
  StoreLittle<uint16_t>(0, out + kReservedAt);
  StoreLittle(header.term, out + kTermAt);
  std::memcpy(out + kInstanceAt, header.instance.bytes().data(), header.instance.bytes().size());
  StoreLittle(header.sequence, out + kSequenceAt);
  StoreLittle(header.logical_time, out + kLogicalTimeAt);
  StoreLittle(header.minimum_level, out + kMinimumLevelAt);
  StoreLittle(static_cast<uint32_t>(body_bytes), out + kBodyLengthAt);
  std::memcpy(out + kPreviousAt, header.previous.bytes.data(), header.previous.bytes.size());
}

}  // namespace

absl::string_view KindName(RecordKind kind) {
  switch (kind) {
    case RecordKind::kClaim:
      return "CLAIM";
    case RecordKind::kBatch:
      return "BATCH";
    case RecordKind::kBeat:
      return "BEAT";
    case RecordKind::kSeal:
      return "SEAL";
    case RecordKind::kDigest:
      return "DIGEST";
    case RecordKind::kLevel:
      return "LEVEL";
  }
  return "UNKNOWN";
}

ParsedRecord ParseRecord(absl::string_view bytes) {
  ParsedRecord parsed;
  if (bytes.size() <= kVersionAt || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) return parsed;
  parsed.outcome = ParseOutcome::kDamaged;
  const char* in = bytes.data();
  const auto version = static_cast<uint8_t>(in[kVersionAt]);
  if (version > kFormatVersion) {
    parsed.outcome = ParseOutcome::kNewerFormat;
    return parsed;
  }
  if (version != kFormatVersion || bytes.size() < kHeaderBytes || bytes.size() > kMaxRecordBytes) return parsed;
  if (LoadLittle<uint32_t>(bytes, kBodyLengthAt) != bytes.size() - kHeaderBytes) return parsed;
  const auto flags = static_cast<uint8_t>(in[kFlagsAt]);
  if ((flags & ~(kForced | kFinalSeal)) != 0 || LoadLittle<uint16_t>(bytes, kReservedAt) != 0 || in[kKindAt] == 0) {
    return parsed;
  }
  RecordHeader& header = parsed.header;
  header.kind = static_cast<RecordKind>(in[kKindAt]);
  header.forced = (flags & kForced) != 0;
  header.final_seal = (flags & kFinalSeal) != 0;
  header.term = LoadLittle<uint64_t>(bytes, kTermAt);
  InstanceId::Bytes instance;
  std::memcpy(instance.data(), in + kInstanceAt, instance.size());
  header.instance = InstanceId::FromBytes(instance);
  header.sequence = LoadLittle<uint64_t>(bytes, kSequenceAt);
  header.logical_time = LoadLittle<UnixMicros>(bytes, kLogicalTimeAt);
  header.minimum_level = LoadLittle<uint32_t>(bytes, kMinimumLevelAt);
  std::memcpy(header.previous.bytes.data(), in + kPreviousAt, header.previous.bytes.size());
  parsed.body = bytes.substr(kHeaderBytes);
  parsed.outcome = ParseOutcome::kOk;
  return parsed;
}

std::string EncodeRecord(const RecordHeader& header, absl::string_view body) {
  std::string record;
  record.reserve(kHeaderBytes + body.size());
  record.resize(kHeaderBytes);
  record.append(body.data(), body.size());
  EncodeHeaderInPlace(header, &record);
  return record;
}

void EncodeHeaderInPlace(const RecordHeader& header, std::string* record) {
  StoreHeader(header, record->size() - kHeaderBytes, record->data());
}

Hash256 GenesisChain(const LogIdentity& identity, SlotId slot) {
  std::string seed = "halles log v1";
  absl::StrAppend(&seed, identity.install.view());
  AppendLittle(static_cast<uint8_t>(slot.service), &seed);
  AppendLittle(slot.slot, &seed);
  AppendLittle(identity.slots.of(slot.service), &seed);
  return Sha256(seed);
}

Hash256 ChainAfter(const Hash256& chain, absl::string_view record) { return Sha256(chain.view(), record); }

}  // namespace halles::eventlog
