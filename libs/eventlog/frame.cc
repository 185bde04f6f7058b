// Encodes and checks segment headers and frames.
#include "libs/eventlog/frame.h"

#include "absl/strings/str_cat.h"
#include "libs/base/hash.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog {
namespace {

constexpr absl::string_view kSegmentMagic = "halles\nS";

// Offsets within a frame.
constexpr size_t kLengthAt = 0;
constexpr size_t kChecksumAt = 4;
constexpr size_t kPositionAt = 8;
constexpr size_t kDurableEndAt = 16;
constexpr size_t kSlotAt = 24;
constexpr size_t kServiceAt = 26;
constexpr size_t kKindAt = 27;

// `frame` is the whole frame; the checksum field itself is not covered.
uint32_t FrameChecksum(LogAddress at, absl::string_view frame) {
  char prefix[sizeof(uint64_t) + sizeof(uint32_t)];
  StoreLittle(at.Packed(), prefix);
  StoreLittle(LoadLittle<uint32_t>(frame, kLengthAt), prefix + sizeof(uint64_t));
  return MaskCrc(Crc32c(frame.substr(kPositionAt), Crc32c(absl::string_view(prefix, sizeof(prefix)))));
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kSegmentMagic);
  AppendLittle(header.version, &out);
  AppendLittle(header.number, &out);
  absl::StrAppend(&out, header.install.view());
  AppendLittle(header.bytes, &out);
  out.resize(kSegmentHeaderBytes - sizeof(uint32_t), '\0');
  AppendLittle(MaskCrc(Crc32c(out)), &out);
  return out;
}

std::optional<SegmentHeader> ParseSegmentHeader(absl::string_view bytes) {
  constexpr size_t kCrcAt = kSegmentHeaderBytes - sizeof(uint32_t);
  if (bytes.size() < kSegmentHeaderBytes || bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) return std::nullopt;
  if (LoadLittle<uint32_t>(bytes, kCrcAt) != MaskCrc(Crc32c(bytes.substr(0, kCrcAt)))) return std::nullopt;
  SegmentHeader header;
  header.version = LoadLittle<uint32_t>(bytes, 8);
  header.number = LoadLittle<uint32_t>(bytes, 12);
  header.install = *InstallId::FromBytes(bytes.substr(16, 16));
  header.bytes = LoadLittle<uint32_t>(bytes, 32);
  return header;
}

void AppendFrame(LogAddress at, const FrameHeader& header, absl::string_view payload, std::string* out) {
  const size_t start = out->size();
  char fields[kFrameHeaderBytes];
  StoreLittle(static_cast<uint32_t>(payload.size()), fields + kLengthAt);
  StoreLittle(uint32_t{0}, fields + kChecksumAt);
  const bool record = header.kind == FrameKind::kRecord;
  StoreLittle(record ? header.position : Position{0}, fields + kPositionAt);
  StoreLittle(header.durable_end.Packed(), fields + kDurableEndAt);
  StoreLittle(record ? header.slot.slot : uint16_t{0}, fields + kSlotAt);
  fields[kServiceAt] = record ? static_cast<char>(header.slot.service) : '\0';
  fields[kKindAt] = static_cast<char>(header.kind);
  out->append(fields, sizeof(fields));
  out->append(payload.data(), payload.size());
  out->append(FrameBytes(payload.size()) - kFrameHeaderBytes - payload.size(), '\0');
  StoreLittle(FrameChecksum(at, absl::string_view(*out).substr(start)), out->data() + start + kChecksumAt);
}

std::optional<Frame> ParseFrame(LogAddress at, absl::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  const auto kind = static_cast<FrameKind>(bytes[kKindAt]);
  if (kind != FrameKind::kRecord && kind != FrameKind::kMark) return std::nullopt;
  const uint32_t length = LoadLittle<uint32_t>(bytes, kLengthAt);
  if (length > kMaxRecordBytes || FrameBytes(length) > bytes.size()) return std::nullopt;
  bytes = bytes.substr(0, FrameBytes(length));
  if (LoadLittle<uint32_t>(bytes, kChecksumAt) != FrameChecksum(at, bytes)) return std::nullopt;
  Frame frame;
  frame.header.kind = kind;
  frame.header.slot.service = static_cast<ServiceId>(bytes[kServiceAt]);
  frame.header.slot.slot = LoadLittle<uint16_t>(bytes, kSlotAt);
  frame.header.position = LoadLittle<Position>(bytes, kPositionAt);
  frame.header.durable_end = LogAddress::Unpack(LoadLittle<uint64_t>(bytes, kDurableEndAt));
  frame.payload = bytes.substr(kFrameHeaderBytes, length);
  frame.bytes = bytes.size();
  return frame;
}

}  // namespace halles::eventlog
