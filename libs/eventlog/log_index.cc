// Keeps track of what can be read.
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
    slot.runs.push_back({segment, run.base, nullptr, run.refs_at, run.refs_checksum});
    slot.end = run.base + run.count;
  }
}

void LogIndex::AddRuns(uint32_t segment, std::vector<SlotRun> runs) {
  MutexLock lock(&mutex_);
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
  for (const PlacedRecord& record : records) {
    Slot& slot = SlotAt(record.slot);
    if (slot.runs.empty() || slot.runs.back().segment != segment) {
      slot.runs.push_back({.segment = segment, .base = slot.end, .refs = std::make_shared<FrameRefs>()});
      newest_slots_.push_back(record.slot);
    }
    // Slots that grew are told from their last ref: it is older than this batch the first time.
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
    std::vector<Run>& runs = SlotAt(run.slot).runs;
    auto it = std::lower_bound(runs.begin(), runs.end(), segment,
                               [](const Run& a, uint32_t number) { return a.segment < number; });
    if (it == runs.end() || it->segment != segment) continue;
    it->refs_at = run.refs_at;
    it->refs_checksum = run.refs_checksum;
    it->refs = nullptr;
  }
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
  const Run& run = *std::prev(after);
  location->segment = run.segment;
  if (run.refs == nullptr) {
    const Position run_end = after == found->runs.end() ? found->end : after->base;
    location->in_sidecar = true;
    location->run = {slot, run.base, static_cast<uint32_t>(run_end - run.base), run.refs_at, run.refs_checksum};
    return true;
  }
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
