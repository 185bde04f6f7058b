// Reads the records of slots.
#include "libs/eventlog/slot_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/eventlog/frame.h"
#include "libs/eventlog/recovery.h"

namespace halles::eventlog {
namespace {

// Frames with at most this gap are read together: reading the gap is cheaper than another call.
constexpr uint32_t kGapBytesMax = 4096;
constexpr uint32_t kReadBytesMax = 1024 * 1024;

// A sidecar that cannot be read now may be intact.
bool MustRebuild(const absl::Status& status) { return absl::IsNotFound(status) || absl::IsDataLoss(status); }

uint32_t FrameEnd(const FrameRef& ref) { return ref.offset + static_cast<uint32_t>(FrameBytes(ref.length)); }

}  // namespace

absl::StatusOr<std::shared_ptr<OpenSegment>> SlotReaderSource::Open(uint32_t segment) {
  MutexLock lock(&open_mutex_);
  std::weak_ptr<OpenSegment>& known = open_[segment];
  if (std::shared_ptr<OpenSegment> open = known.lock()) return open;
  absl::StatusOr<OpenSegment> opened = OpenExistingSegment(home_, segment);
  if (absl::IsNotFound(opened.status())) return DamagedAt(home_, {segment, 0}, "the file is gone");
  if (!opened.ok()) return ExplainFileError(opened.status(), home_.directory);
  auto open = std::make_shared<OpenSegment>(*std::move(opened));
  if (segment == index_->newest_segment()) {
    open->file->ExpectFewReads();
  } else {
    open->file->ExpectReads();
  }
  known = open;
  return open;
}

absl::StatusOr<FrameRefs> SlotReaderSource::LoadRefs(uint32_t segment, const SidecarRun& run) {
  absl::StatusOr<FrameRefs> refs = ReadRefs(segment, run);
  if (!MustRebuild(refs.status())) return refs;
  MutexLock lock(&rebuild_mutex_);
  refs = ReadRefs(segment, run);
  if (!MustRebuild(refs.status())) return refs;
  // A sidecar with runs belongs to a closed segment, so the next segment states its end. The new file is equal byte by
  // byte, and the run has the same place in it.
  absl::StatusOr<uint32_t> end = EndOfClosedSegment(home_, segment);
  if (!end.ok()) return ExplainFileError(end.status(), home_.directory);
  absl::StatusOr<ClosedSegment> rebuilt = RebuildSidecar(home_, segment, *end);
  if (!rebuilt.ok()) return ExplainFileError(rebuilt.status(), home_.directory);
  for (SlotRun& rebuilt_run : rebuilt->runs) {
    if (rebuilt_run.slot == run.slot && rebuilt_run.refs->size() == run.count) return std::move(*rebuilt_run.refs);
  }
  refs = ReadRefs(segment, run);
  if (MustRebuild(refs.status())) {
    return DamagedAt(home_, {segment, kSegmentHeaderBytes},
                     absl::StrCat("the segment does not hold what its sidecar held of slot ", run.slot.ToString()));
  }
  return refs;
}

absl::StatusOr<FrameRefs> SlotReaderSource::ReadRefs(uint32_t segment, const SidecarRun& run) {
  const auto file = home_.file_system->Open(home_.SidecarPath(segment));
  if (absl::IsNotFound(file.status())) return file.status();
  if (!file.ok()) return ExplainFileError(file.status(), home_.directory);
  absl::StatusOr<FrameRefs> refs = absl::DataLossError("the sidecar lacks a run");
  const absl::StatusOr<Sidecar> sidecar = ReadSidecar(**file, home_.install, segment);
  if (!sidecar.ok()) refs = sidecar.status();
  for (size_t i = 0; sidecar.ok() && i < sidecar->runs.size(); ++i) {
    const SidecarRun& stored = sidecar->runs[i];
    if (stored.slot != run.slot || stored.base != run.base || stored.count != run.count) continue;
    refs = ReadSidecarRefs(**file, stored);
  }
  if (!refs.ok() && !absl::IsDataLoss(refs.status())) return ExplainFileError(refs.status(), home_.directory);
  return refs;
}

absl::StatusOr<ReadResult> SlotReader::Poll(const ReadLimits& limits, std::vector<StoredRecord>* out) {
  const size_t before = out->size();
  ReadLimits rest = limits;
  while (rest.records_max > 0) {
    const size_t count_before = out->size();
    const absl::StatusOr<size_t> bytes = PollOnce(rest, out);
    const size_t count = out->size() - count_before;
    // Returns the records before the damage; the next call meets the damage first.
    if (!bytes.ok() && out->size() == before) return bytes.status();
    if (!bytes.ok() || count == 0 || *bytes >= rest.bytes_max) break;
    rest.records_max -= count;
    rest.bytes_max -= *bytes;
    // The next record alone may exceed the limit, and then only the first one is returned. So a read stops at the end
    // of a segment unless the limit allows much more.
    if (rest.bytes_max < kMaxRecordBytes) break;
  }
  return ReadResult{.count = out->size() - before, .at_end = next_ >= source_.index().End(slot_)};
}

absl::StatusOr<size_t> SlotReader::PollOnce(const ReadLimits& limits, std::vector<StoredRecord>* out) {
  LogIndex::Location location;
  if (!source_.index().Locate(slot_, next_, limits, &location)) return size_t{0};
  absl::Span<const FrameRef> refs = location.refs;
  if (location.in_sidecar) {
    if (run_segment_ != location.segment) {
      ASSIGN_OR_RETURN(run_refs_, source_.LoadRefs(location.segment, location.run));
      run_segment_ = location.segment;
      run_base_ = location.run.base;
    }
    refs = absl::MakeConstSpan(run_refs_).subspan(next_ - run_base_);
    refs = refs.subspan(0, CountWithin(refs, limits));
  }
  size_t bytes = 0;
  for (const FrameRef& ref : refs) bytes += ref.length;
  if (location.recent.empty()) {
    RETURN_IF_ERROR(ReadFrames(location.segment, refs, out));
    return bytes;
  }
  for (size_t i = 0; i < refs.size(); ++i) {
    const LogIndex::Location::Recent& recent = location.recent[i];
    out->push_back({next_++, recent.bytes->substr(recent.offset + kFrameHeaderBytes, refs[i].length)});
  }
  return bytes;
}

absl::Status SlotReader::OpenSegmentOf(uint32_t segment) {
  if (segment_ != nullptr && segment_->number == segment) return absl::OkStatus();
  segment_ = nullptr;
  ASSIGN_OR_RETURN(segment_, source_.Open(segment));
  return absl::OkStatus();
}

absl::Status SlotReader::ReadFrames(uint32_t segment, absl::Span<const FrameRef> refs, std::vector<StoredRecord>* out) {
  RETURN_IF_ERROR(OpenSegmentOf(segment));
  for (size_t first = 0; first < refs.size();) {
    const uint32_t start = refs[first].offset;
    size_t last = first + 1;
    while (last < refs.size() && refs[last].offset - FrameEnd(refs[last - 1]) <= kGapBytesMax &&
           FrameEnd(refs[last]) - start <= kReadBytesMax) {
      ++last;
    }
    buffer_.resize(FrameEnd(refs[last - 1]) - start);
    absl::StatusOr<size_t> read = segment_->file->Read(start, buffer_.size(), buffer_.data());
    if (!read.ok()) return ExplainFileError(read.status(), source_.home().directory);
    for (; first < last; ++first) {
      const FrameRef& ref = refs[first];
      const absl::string_view bytes = absl::string_view(buffer_.data(), *read)
                                          .substr(std::min<size_t>(ref.offset - start, *read), FrameBytes(ref.length));
      const std::optional<Frame> frame = ParseFrame({segment, ref.offset}, bytes);
      if (!frame.has_value() || frame->header.kind != FrameKind::kRecord || frame->header.slot != slot_ ||
          frame->header.position != next_) {
        return DamagedAt(source_.home(), {segment, ref.offset},
                         absl::StrCat("no valid frame of ", slot_.ToString(), " at position ", next_));
      }
      out->push_back({next_, std::string(frame->payload)});
      ++next_;
    }
  }
  return absl::OkStatus();
}

}  // namespace halles::eventlog
