// Keeps track of the records that can be read.
#include "libs/eventlog/log_index.h"

#include <algorithm>
#include <utility>

namespace halles::eventlog {

size_t CountWithin(absl::Span<const FrameRef> refs, const ReadLimits& limits) {
  size_t count = 0;
  size_t bytes = 0;
  while (count < refs.size() && count < limits.records_max) {
    bytes += refs[count].length;
    if (count > 0 && bytes > limits.bytes_max) break;
    ++count;
  }
  return count;
}

void LogIndex::AddClosed(uint32_t segment, const Sidecar& sidecar) {
  MutexLock lock(&mutex_);
  for (const SidecarRun& run : sidecar.runs) {
    Slot& slot = SlotAt(run.slot);
    slot.closed_bases.push_back(run.base);
    slot.closed_segments.push_back(segment);
    slot.end = run.base + run.count;
  }
}

void LogIndex::AddRuns(uint32_t segment, std::vector<SlotRun> runs) {
  MutexLock lock(&mutex_);
  newest_segment_ = segment;
  newest_slots_.clear();
  for (SlotRun& run : runs) {
    Slot& slot = SlotAt(run.slot);
    slot.end = run.base + run.refs->size();
    slot.runs.push_back({.segment = segment, .base = run.base, .refs = std::move(run.refs)});
    newest_slots_.push_back(run.slot);
  }
}

void LogIndex::Publish(uint32_t segment, uint32_t start, std::shared_ptr<const std::string> bytes,
                       absl::Span<const PlacedRecord> records, std::vector<SlotEnd>* grown) {
  const size_t grown_before = grown->size();
  MutexLock lock(&mutex_);
  newest_segment_ = segment;
  for (const PlacedRecord& record : records) {
    Slot& slot = SlotAt(record.slot);
    if (slot.runs.empty() || slot.runs.back().segment != segment) {
      slot.runs.push_back({.segment = segment, .base = slot.end, .refs = std::make_shared<FrameRefs>()});
      newest_slots_.push_back(record.slot);
    }
    // Finds the slots that grew by their last ref: the first time, it is older than this batch.
    FrameRefs& refs = *slot.runs.back().refs;
    if (refs.empty() || refs.back().offset < start) grown->push_back({record.slot, 0});
    refs.push_back(record.ref);
    ++slot.end;
  }
  for (size_t i = grown_before; i < grown->size(); ++i) (*grown)[i].end = SlotAt((*grown)[i].slot).end;
  recent_bytes_ += bytes->capacity() + sizeof(Block);
  recent_.push_back({{segment, start}, std::move(bytes)});
  while (recent_bytes_ > recent_bytes_max_ && !recent_.empty()) {
    recent_bytes_ -= recent_.front().bytes->capacity() + sizeof(Block);
    recent_.pop_front();
  }
}

std::vector<SlotRun> LogIndex::CloseNewest() {
  MutexLock lock(&mutex_);
  std::vector<SlotRun> runs;
  runs.reserve(newest_slots_.size());
  for (const SlotId& id : newest_slots_) {
    const Run& run = SlotAt(id).runs.back();
    runs.push_back({id, run.base, run.refs});
  }
  newest_slots_.clear();
  return runs;
}

void LogIndex::UseSidecar(uint32_t segment, const Sidecar& sidecar) {
  MutexLock lock(&mutex_);
  for (const SidecarRun& run : sidecar.runs) {
    Slot& slot = SlotAt(run.slot);
    auto it = std::lower_bound(slot.runs.begin(), slot.runs.end(), segment,
                               [](const Run& a, uint32_t number) { return a.segment < number; });
    if (it == slot.runs.end() || it->segment != segment) continue;
    const auto at = std::lower_bound(slot.closed_segments.begin(), slot.closed_segments.end(), segment);
    slot.closed_bases.insert(slot.closed_bases.begin() + (at - slot.closed_segments.begin()), it->base);
    slot.closed_segments.insert(at, segment);
    slot.runs.erase(it);
  }
}

uint32_t LogIndex::newest_segment() const {
  MutexLock lock(&mutex_);
  return newest_segment_;
}

Position LogIndex::End(SlotId slot) const {
  MutexLock lock(&mutex_);
  const Slot* found = FindSlot(slot);
  return found == nullptr ? 0 : found->end;
}

bool LogIndex::Locate(SlotId slot, Position position, const ReadLimits& limits, Location* location) const {
  *location = {};
  MutexLock lock(&mutex_);
  const Slot* found = FindSlot(slot);
  if (found == nullptr || position >= found->end) return false;
  const auto after = std::upper_bound(found->runs.begin(), found->runs.end(), position,
                                      [](Position value, const Run& run) { return value < run.base; });
  const auto closed_after = std::upper_bound(found->closed_bases.begin(), found->closed_bases.end(), position);
  const bool closed = closed_after != found->closed_bases.begin() &&
                      (after == found->runs.begin() || std::prev(after)->base < *std::prev(closed_after));
  if (closed) {
    const Position base = *std::prev(closed_after);
    Position end = found->end;
    if (closed_after != found->closed_bases.end()) end = std::min(end, *closed_after);
    if (after != found->runs.end()) end = std::min(end, after->base);
    location->segment = found->closed_segments[static_cast<size_t>(closed_after - found->closed_bases.begin()) - 1];
    location->in_sidecar = true;
    location->run.slot = slot;
    location->run.base = base;
    location->run.count = static_cast<uint32_t>(end - base);
    return true;
  }
  const Run& run = *std::prev(after);
  location->segment = run.segment;
  const auto rest = absl::MakeConstSpan(*run.refs).subspan(position - run.base);
  const auto taken = rest.subspan(0, CountWithin(rest, limits));
  location->refs.assign(taken.begin(), taken.end());
  FillRecent(location);
  return true;
}

LogIndex::Slot& LogIndex::SlotAt(SlotId slot) {
  std::vector<Slot>& of_service = slots_[static_cast<uint8_t>(slot.service)];
  if (of_service.size() <= slot.slot) of_service.resize(size_t{slot.slot} + 1);
  return of_service[slot.slot];
}

const LogIndex::Slot* LogIndex::FindSlot(SlotId slot) const {
  const std::vector<Slot>& of_service = slots_[static_cast<uint8_t>(slot.service)];
  return slot.slot < of_service.size() ? &of_service[slot.slot] : nullptr;
}

void LogIndex::FillRecent(Location* location) const {
  if (recent_.empty() || LogAddress{location->segment, location->refs.front().offset} < recent_.front().start) return;
  location->recent.reserve(location->refs.size());
  for (const FrameRef& ref : location->refs) {
    const auto after =
        std::upper_bound(recent_.begin(), recent_.end(), LogAddress{location->segment, ref.offset},
                         [](const LogAddress& address, const Block& block) { return address < block.start; });
    const Block& block = *std::prev(after);
    location->recent.push_back({block.bytes, ref.offset - block.start.offset});
  }
}

}  // namespace halles::eventlog
