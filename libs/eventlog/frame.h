// The bytes of a segment: its header, and the frames behind it. FORMAT.md, "Embedded log", draws them.
#ifndef HALLES_LIBS_EVENTLOG_FRAME_H_
#define HALLES_LIBS_EVENTLOG_FRAME_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"

namespace halles::eventlog {

// The version of the directory as a whole; a higher one in IDENTITY or a segment is refused.
inline constexpr uint32_t kEmbeddedFormatVersion = 2;

// A byte of the log. Addresses grow in the order in which the log was written.
struct LogAddress {
  uint32_t segment = 0;  // counted from 1
  uint32_t offset = 0;

  friend auto operator<=>(const LogAddress&, const LogAddress&) = default;
  uint64_t Packed() const { return uint64_t{segment} << 32 | offset; }
  static LogAddress Unpack(uint64_t packed) {
    return {static_cast<uint32_t>(packed >> 32), static_cast<uint32_t>(packed)};
  }
};

inline constexpr uint32_t kSegmentHeaderBytes = 64;
inline constexpr uint32_t kSegmentBytesMax = uint32_t{1} << 30;

struct SegmentHeader {
  uint32_t version = kEmbeddedFormatVersion;
  InstallId install;
  uint32_t number = 0;
  uint32_t bytes = 0;  // size of the file
};

// kSegmentHeaderBytes bytes.
std::string EncodeSegmentHeader(const SegmentHeader& header);
// nullopt when the bytes are no header or are damaged.
std::optional<SegmentHeader> ParseSegmentHeader(absl::string_view bytes);

enum class FrameKind : uint8_t {
  kRecord = 1,
  kMark = 2,  // only states how far the log is durable
};

struct FrameHeader {
  FrameKind kind = FrameKind::kRecord;
  SlotId slot;            // of a record
  Position position = 0;  // of a record
  // Everything below was durable before this frame was written. The first frame of a segment states the end of the last
  // frame of the segment before it.
  LogAddress durable_end;
};

inline constexpr size_t kFrameHeaderBytes = 28;
inline constexpr size_t kFrameAlignment = 8;

// What a frame takes with its padding.
constexpr size_t FrameBytes(size_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
}
inline constexpr size_t kMarkBytes = FrameBytes(0);
inline constexpr size_t kFrameBytesMax = FrameBytes(kMaxRecordBytes);

// Appends the frame that will be stored at `at`. The address is part of its checksum, so that bytes which look like a
// frame are one only where they were written.
void AppendFrame(LogAddress at, const FrameHeader& header, absl::string_view payload, std::string* out);

struct Frame {
  FrameHeader header;
  absl::string_view payload;
  size_t bytes = 0;  // with header and padding
};

// The frame that starts at `at`, where `bytes` begins; `bytes` may go on behind it. nullopt when there is none, or it is
// damaged, or it ends behind `bytes`.
std::optional<Frame> ParseFrame(LogAddress at, absl::string_view bytes);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_FRAME_H_
