// Blocked Bloom filters.
#include "libs/store/key_filter.h"

#include "absl/strings/match.h"
#include "libs/base/hash.h"
#include "libs/store/key_codec.h"

namespace halles::store {
namespace {

constexpr int kProbes = 6;
constexpr size_t kGrowth = 4;
constexpr size_t kBitsPerKey = 16;
constexpr int64_t kPeriodMicros = int64_t{24} * 3600 * 1'000'000;

}  // namespace

// The place of a key in every part.
struct KeyFilter::Bits {
  explicit Bits(absl::string_view key) : hash(Hash128Of("", key)) {}

  bool AreIn(const Part& part) const {
    const Block& block = part.blocks[hash.hi & (part.blocks.size() - 1)];
    uint64_t bits = hash.lo;
    for (int i = 0; i < kProbes; ++i, bits >>= 9) {
      if ((block.words[bits & 7] & uint64_t{1} << (bits >> 3 & 63)) == 0) return false;
    }
    return true;
  }
  void SetIn(Part* part) const {
    Block& block = part->blocks[hash.hi & (part->blocks.size() - 1)];
    uint64_t bits = hash.lo;
    for (int i = 0; i < kProbes; ++i, bits >>= 9) block.words[bits & 7] |= uint64_t{1} << (bits >> 3 & 63);
  }

  const Hash128 hash;
};

bool KeyFilter::Add(absl::string_view key) {
  const Bits bits(key);
  for (const Part& part : parts_) {
    if (bits.AreIn(part)) return false;
  }
  if (parts_.empty() || parts_.back().room == 0) {
    const size_t blocks = parts_.empty() ? kFirstBytes / sizeof(Block) : parts_.back().blocks.size() * kGrowth;
    Part& part = parts_.emplace_back();
    part.blocks.resize(blocks);
    part.room = blocks * sizeof(Block) * 8 / kBitsPerKey;
  }
  bits.SetIn(&parts_.back());
  --parts_.back().room;
  ++keys_;
  return true;
}

bool KeyFilter::MayContain(absl::string_view key) const {
  if (parts_.empty()) return false;
  const Bits bits(key);
  for (const Part& part : parts_) {
    if (bits.AreIn(part)) return true;
  }
  return false;
}

size_t KeyFilter::bytes() const {
  size_t bytes = 0;
  for (const Part& part : parts_) bytes += part.blocks.size() * sizeof(Block);
  return bytes;
}

SpaceFilter::SpaceFilter(const std::vector<FilteredTable>& tables) {
  for (const FilteredTable& table : tables) {
    Table& covered = tables_.emplace_back();
    AppendField(table.table, &covered.prefix);
    covered.by_time = table.by_time;
  }
}

size_t SpaceFilter::Find(absl::string_view key, int64_t* period) const {
  size_t index = 0;
  while (index < tables_.size() && !absl::StartsWith(key, tables_[index].prefix)) ++index;
  if (index == tables_.size()) return index;
  UnixMicros time = 0;
  key.remove_prefix(tables_[index].prefix.size());
  *period = tables_[index].by_time && TakeField(&key, &time) ? time / kPeriodMicros : 0;
  return index;
}

bool SpaceFilter::Add(absl::string_view key) {
  int64_t period = 0;
  const size_t table = Find(key, &period);
  return table < tables_.size() && tables_[table].periods[period].Add(key) && complete_;
}

bool SpaceFilter::MayContain(absl::string_view key) const {
  if (!complete_) return true;
  int64_t period = 0;
  const size_t table = Find(key, &period);
  if (table == tables_.size()) return true;
  const auto filter = tables_[table].periods.find(period);
  return filter != tables_[table].periods.end() && filter->second.MayContain(key);
}

void SpaceFilter::Forget(UnixMicros before) {
  for (Table& table : tables_) {
    if (table.by_time) table.periods.erase(table.periods.begin(), table.periods.lower_bound(before / kPeriodMicros));
  }
}

std::vector<std::string> SpaceFilter::prefixes() const {
  std::vector<std::string> prefixes;
  for (const Table& table : tables_) prefixes.push_back(table.prefix);
  return prefixes;
}

size_t SpaceFilter::bytes() const {
  size_t bytes = 0;
  for (const Table& table : tables_) {
    for (const auto& [period, filter] : table.periods) bytes += filter.bytes();
  }
  return bytes;
}

}  // namespace halles::store
