// The bytes of a segment: its header and the frames after it. FORMAT.md, "Embedded log", shows them.
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

// The version of the whole directory, with the events in it; IDENTITY or a segment of any other one is refused.
inline constexpr uint32_t kEmbeddedFormatVersion = 3;

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

// Returns kSegmentHeaderBytes bytes.
std::string EncodeSegmentHeader(const SegmentHeader& header);
// nullopt when the bytes are no header or are damaged.
std::optional<SegmentHeader> ParseSegmentHeader(absl::string_view bytes);

enum class FrameKind : uint8_t {
  kRecord = 1,
  kMark = 2,  // only states up to where the log is durable
};

struct FrameHeader {
  FrameKind kind = FrameKind::kRecord;
  SlotId slot;            // of a record
  Position position = 0;  // of a record
  // Everything below this address was durable before the frame was written. The first frame of a segment states the end
  // of the last frame of the segment before it.
  LogAddress durable_end;
};

inline constexpr size_t kFrameHeaderBytes = 28;
inline constexpr size_t kFrameAlignment = 8;

// The size of a frame with its padding.
constexpr size_t FrameBytes(size_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
}
inline constexpr size_t kMarkBytes = FrameBytes(0);
inline constexpr size_t kFrameBytesMax = FrameBytes(kMaxRecordBytes);

// Appends the frame that will be stored at `at`. The address is part of the checksum, so a frame is valid only where it
// was written.
void AppendFrame(LogAddress at, const FrameHeader& header, absl::string_view payload, std::string* out);

struct Frame {
  FrameHeader header;
  absl::string_view payload;
  size_t bytes = 0;  // including header and padding
};

// The frame that starts at `at`, the address of the first of `bytes`, which may continue after it. nullopt when there
// is none, it is damaged, or it ends beyond `bytes`.
std::optional<Frame> ParseFrame(LogAddress at, absl::string_view bytes);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_FRAME_H_
