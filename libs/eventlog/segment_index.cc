// Encodes and checks sidecar files.
#include "libs/eventlog/segment_index.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/eventlog/frame.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog {
namespace {

constexpr absl::string_view kSidecarMagic = "halles\nX";
constexpr size_t kHeaderBytes = 48;
constexpr size_t kRunCountAt = 36;
constexpr size_t kSegmentEndAt = 32;
constexpr size_t kChecksumAt = 44;
constexpr size_t kRunBytes = 24;
constexpr size_t kRefBytes = 8;
constexpr size_t kRunsMax = size_t{256} * kSlotCountMax;

// Covers the header up to the checksum, and the runs.
uint32_t Checksum(absl::string_view header, absl::string_view runs) {
  return MaskCrc(Crc32c(runs, Crc32c(header.substr(0, kChecksumAt))));
}

}  // namespace

std::string EncodeSidecar(const InstallId& install, uint32_t number, uint32_t segment_end, std::vector<SlotRun> runs) {
  std::sort(runs.begin(), runs.end(), [](const SlotRun& a, const SlotRun& b) { return a.slot < b.slot; });
  std::string header(kSidecarMagic);
  AppendLittle(kEmbeddedFormatVersion, &header);
  AppendLittle(number, &header);
  absl::StrAppend(&header, install.view());
  AppendLittle(segment_end, &header);
  AppendLittle(static_cast<uint32_t>(runs.size()), &header);
  AppendLittle(uint32_t{0}, &header);

  std::string directory;
  std::string all_refs;
  for (const SlotRun& run : runs) {
    const size_t start = all_refs.size();
    for (const FrameRef& ref : *run.refs) {
      AppendLittle(ref.offset, &all_refs);
      AppendLittle(ref.length, &all_refs);
    }
    AppendLittle(run.base, &directory);
    AppendLittle(static_cast<uint32_t>(run.refs->size()), &directory);
    AppendLittle(static_cast<uint32_t>(kHeaderBytes + runs.size() * kRunBytes + start), &directory);
    AppendLittle(MaskCrc(Crc32c(absl::string_view(all_refs).substr(start))), &directory);
    AppendLittle(run.slot.slot, &directory);
    AppendLittle(static_cast<uint16_t>(run.slot.service), &directory);
  }
  AppendLittle(Checksum(header, directory), &header);
  return header + directory + all_refs;
}

absl::StatusOr<Sidecar> ReadSidecar(File& file, const InstallId& install, uint32_t number) {
  std::string header(kHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t read, file.Read(0, header.size(), header.data()));
  if (read != header.size() || !absl::StartsWith(header, kSidecarMagic)) return absl::DataLossError("no sidecar");
  const size_t run_count = LoadLittle<uint32_t>(header, kRunCountAt);
  if (run_count > kRunsMax) return absl::DataLossError("damaged header");
  std::string directory(run_count * kRunBytes, '\0');
  ASSIGN_OR_RETURN(const size_t directory_read, file.Read(kHeaderBytes, directory.size(), directory.data()));
  if (directory_read != directory.size() || LoadLittle<uint32_t>(header, kChecksumAt) != Checksum(header, directory)) {
    return absl::DataLossError("checksum mismatch");
  }
  if (LoadLittle<uint32_t>(header, 8) != kEmbeddedFormatVersion || LoadLittle<uint32_t>(header, 12) != number ||
      absl::string_view(header).substr(16, 16) != install.view()) {
    return absl::DataLossError("sidecar of another segment");
  }
  Sidecar sidecar;
  sidecar.segment_end = LoadLittle<uint32_t>(header, kSegmentEndAt);
  sidecar.runs.reserve(run_count);
  for (size_t i = 0; i < run_count; ++i) {
    const absl::string_view bytes = absl::string_view(directory).substr(i * kRunBytes, kRunBytes);
    SidecarRun run;
    run.base = LoadLittle<Position>(bytes, 0);
    run.count = LoadLittle<uint32_t>(bytes, 8);
    run.refs_at = LoadLittle<uint32_t>(bytes, 12);
    run.refs_checksum = LoadLittle<uint32_t>(bytes, 16);
    run.slot.slot = LoadLittle<uint16_t>(bytes, 20);
    run.slot.service = static_cast<ServiceId>(LoadLittle<uint16_t>(bytes, 22));
    sidecar.runs.push_back(run);
  }
  return sidecar;
}

absl::StatusOr<FrameRefs> ReadSidecarRefs(File& file, const SidecarRun& run) {
  std::string bytes(size_t{run.count} * kRefBytes, '\0');
  ASSIGN_OR_RETURN(const size_t read, file.Read(run.refs_at, bytes.size(), bytes.data()));
  if (read != bytes.size() || MaskCrc(Crc32c(bytes)) != run.refs_checksum) {
    return absl::DataLossError("checksum mismatch");
  }
  FrameRefs refs(run.count);
  for (size_t i = 0; i < refs.size(); ++i) {
    refs[i] = {LoadLittle<uint32_t>(bytes, i * kRefBytes), LoadLittle<uint32_t>(bytes, i * kRefBytes + 4)};
  }
  return refs;
}

}  // namespace halles::eventlog
