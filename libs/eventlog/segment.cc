// Creates, opens and scans segments.
#include "libs/eventlog/segment.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "libs/base/status.h"

namespace halles::eventlog {
namespace {

constexpr absl::string_view kSegmentSuffix = ".segment";
constexpr absl::string_view kSidecarSuffix = ".index";
constexpr uint32_t kFirstSegmentBytesMax = 4 * 1024 * 1024;

// Reads a file through a window that moves forward.
class Window {
 public:
  Window(File& file, uint32_t bytes) : file_(file), bytes_(bytes) {}

  // The bytes from `offset` on: the size of the longest frame, or up to the end of the segment.
  absl::StatusOr<absl::string_view> From(uint32_t offset) {
    const uint32_t wanted = std::min<uint32_t>(kFrameBytesMax, bytes_ - offset);
    if (offset < start_ || offset + wanted > start_ + buffer_.size()) {
      buffer_.resize(std::min<uint32_t>(kWindowBytes, bytes_ - offset));
      start_ = offset;
      ASSIGN_OR_RETURN(const size_t read, file_.Read(offset, buffer_.size(), buffer_.data()));
      // The size was checked when the segment was opened; bytes that cannot be read now are treated like zeros.
      std::fill(buffer_.begin() + static_cast<ptrdiff_t>(read), buffer_.end(), '\0');
    }
    return absl::string_view(buffer_).substr(offset - start_);
  }

 private:
  static constexpr uint32_t kWindowBytes = 2 * 1024 * 1024;

  File& file_;
  const uint32_t bytes_;
  uint32_t start_ = 0;
  std::string buffer_;
};

size_t LeadingZeros(absl::string_view bytes) {
  size_t zeros = 0;
  uint64_t word = 0;
  // Word by word, because nearly all of a young segment is zeros.
  for (; zeros + sizeof(word) <= bytes.size(); zeros += sizeof(word)) {
    memcpy(&word, bytes.data() + zeros, sizeof(word));
    if (word != 0) break;
  }
  while (zeros < bytes.size() && bytes[zeros] == '\0') ++zeros;
  return zeros;
}

absl::Status FillSegment(const SegmentHome& home, uint32_t number, uint32_t bytes, File& file) {
  RETURN_IF_ERROR(file.Allocate(bytes));
  RETURN_IF_ERROR(file.Write(0, EncodeSegmentHeader({.install = home.install, .number = number, .bytes = bytes})));
  return file.Sync();
}

// `make(number)` gives the name.
std::optional<uint32_t> ParseName(absl::string_view name, absl::string_view suffix, std::string (*make)(uint32_t)) {
  absl::string_view digits = name;
  uint32_t number = 0;
  if (!absl::ConsumeSuffix(&digits, suffix) || !absl::SimpleAtoi(digits, &number) || number == 0) return std::nullopt;
  return make(number) == name ? std::optional<uint32_t>(number) : std::nullopt;
}

}  // namespace

std::string SegmentName(uint32_t number) { return absl::StrFormat("%08d%s", number, kSegmentSuffix); }
std::string SidecarName(uint32_t number) { return absl::StrFormat("%08d%s", number, kSidecarSuffix); }

std::optional<uint32_t> ParseSegmentName(absl::string_view name) {
  return ParseName(name, kSegmentSuffix, SegmentName);
}
std::optional<uint32_t> ParseSidecarName(absl::string_view name) {
  return ParseName(name, kSidecarSuffix, SidecarName);
}

absl::Status DamagedAt(const SegmentHome& home, LogAddress at, absl::string_view what) {
  const std::string path = home.SegmentPath(at.segment);
  return Failure(absl::StatusCode::kDataLoss, "LOG_DAMAGED",
                 absl::StrCat("the log is damaged: ", path, ", byte ", at.offset, ": ", what,
                              "; records that were acknowledged are lost here, so nothing was changed: restore the "
                              "log directory from a copy, and check the disk"),
                 {{"segment", path}, {"byte", absl::StrCat(at.offset)}});
}

uint32_t SegmentBytesFor(uint32_t number, uint32_t bytes_max) {
  const uint32_t doublings = std::min<uint32_t>(number - 1, 8);
  return std::min<uint32_t>(bytes_max, kFirstSegmentBytesMax << doublings);
}

absl::StatusOr<OpenSegment> CreateSegment(const SegmentHome& home, uint32_t number, uint32_t bytes) {
  const std::string path = home.SegmentPath(number);
  const std::string unfinished = absl::StrCat(path, kUnfinishedSuffix);
  OpenSegment segment{.number = number, .bytes = bytes};
  ASSIGN_OR_RETURN(segment.file, home.file_system->Create(unfinished));
  absl::Status status = FillSegment(home, number, bytes, *segment.file);
  if (status.ok()) status = home.file_system->Rename(unfinished, path);
  if (!status.ok()) {
    segment.file.reset();
    // The failed file only wastes space; if this does not remove it, opening the log will.
    home.file_system->Remove(unfinished).IgnoreError();
    return status;
  }
  RETURN_IF_ERROR(home.file_system->SyncDirectory(home.directory));
  return segment;
}

absl::StatusOr<OpenSegment> OpenExistingSegment(const SegmentHome& home, uint32_t number) {
  OpenSegment segment{.number = number};
  ASSIGN_OR_RETURN(segment.file, home.file_system->Open(home.SegmentPath(number)));
  std::string bytes(kSegmentHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t read, segment.file->Read(0, bytes.size(), bytes.data()));
  bytes.resize(read);
  const std::optional<SegmentHeader> header = ParseSegmentHeader(bytes);
  if (!header.has_value()) return DamagedAt(home, {number, 0}, "the segment's header fails its checksum");
  if (header->version != kEmbeddedFormatVersion) {
    return DamagedAt(
        home, {number, 0},
        absl::StrCat("the segment has format ", header->version, ", the directory ", kEmbeddedFormatVersion));
  }
  if (header->install != home.install || header->number != number) {
    return DamagedAt(home, {number, 0},
                     absl::StrCat("the header is that of segment ", header->number, " of install ",
                                  header->install.Hex(), ", not of this log's ", home.install.Hex()));
  }
  ASSIGN_OR_RETURN(const uint64_t size, segment.file->Size());
  if (size != header->bytes) {
    return DamagedAt(home, {number, static_cast<uint32_t>(std::min<uint64_t>(size, header->bytes))},
                     absl::StrCat("the segment has ", size, " bytes instead of ", header->bytes));
  }
  segment.bytes = header->bytes;
  return segment;
}

absl::StatusOr<SegmentScan> ScanSegment(const OpenSegment& segment) {
  SegmentScan scan;
  absl::flat_hash_map<SlotId, size_t> run_of;
  Window window(*segment.file, segment.bytes);
  // Adds the frame to the sequence unless its position breaks it.
  auto take = [&](const Frame& frame, uint32_t offset) {
    if (frame.header.kind == FrameKind::kMark) return true;
    auto [it, added] = run_of.try_emplace(frame.header.slot, scan.runs.size());
    if (added) {
      scan.runs.push_back({frame.header.slot, frame.header.position, std::make_shared<FrameRefs>()});
    }
    SlotRun& run = scan.runs[it->second];
    if (run.base + run.refs->size() != frame.header.position) return false;
    run.refs->push_back({offset, static_cast<uint32_t>(frame.payload.size())});
    return true;
  };
  bool unbroken = true;
  uint32_t offset = kSegmentHeaderBytes;
  while (offset < segment.bytes) {
    ASSIGN_OR_RETURN(const absl::string_view bytes, window.From(offset));
    const std::optional<Frame> frame = ParseFrame({segment.number, offset}, bytes);
    if (frame.has_value()) {
      if (!scan.any_frame) scan.first_durable_end = frame->header.durable_end;
      scan.any_frame = true;
      scan.highest_durable_end = std::max(scan.highest_durable_end, frame->header.durable_end);
      unbroken = unbroken && take(*frame, offset);
      offset += static_cast<uint32_t>(frame->bytes);
      if (unbroken) {
        scan.end = offset;
        if (frame->header.kind == FrameKind::kRecord) scan.last_record_end = offset;
      } else {
        scan.frames_behind = true;
        scan.zero_behind = false;
      }
      continue;
    }
    unbroken = false;
    const size_t zeros = LeadingZeros(bytes);
    if (zeros < bytes.size()) scan.zero_behind = false;
    // No frame starts with eight zeros, because even one without payload has a checksum.
    const size_t skip = std::max<size_t>(kFrameAlignment, zeros / kFrameAlignment * kFrameAlignment);
    offset += static_cast<uint32_t>(std::min<size_t>(skip, segment.bytes - offset));
  }
  return scan;
}

absl::StatusOr<SegmentScan> ScanClosedSegment(const SegmentHome& home, uint32_t number, uint32_t end) {
  ASSIGN_OR_RETURN(const OpenSegment segment, OpenExistingSegment(home, number));
  ASSIGN_OR_RETURN(SegmentScan scan, ScanSegment(segment));
  if (scan.end != end) {
    return DamagedAt(home, {number, std::min(scan.end, end)},
                     absl::StrCat("no valid frame, although the log was durable up to byte ", end));
  }
  return scan;
}

absl::StatusOr<uint32_t> EndOfClosedSegment(const SegmentHome& home, uint32_t number) {
  ASSIGN_OR_RETURN(const OpenSegment next, OpenExistingSegment(home, number + 1));
  Window window(*next.file, next.bytes);
  ASSIGN_OR_RETURN(const absl::string_view bytes, window.From(kSegmentHeaderBytes));
  const std::optional<Frame> frame = ParseFrame({number + 1, kSegmentHeaderBytes}, bytes);
  if (!frame.has_value() || frame->header.durable_end.segment != number) {
    return DamagedAt(home, {number + 1, kSegmentHeaderBytes}, "no valid frame although later segments hold records");
  }
  return frame->header.durable_end.offset;
}

}  // namespace halles::eventlog
