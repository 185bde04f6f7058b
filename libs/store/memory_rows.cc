// Rows over a std::map.
#include "libs/store/memory_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

namespace halles::store {

std::optional<Row> MemoryRows::Get(absl::string_view key) const {
  if (!read_failure_.ok()) {
    Fail(read_failure_);
    return std::nullopt;
  }
  const auto it = rows_.find(key);
  if (it == rows_.end()) return std::nullopt;
  return it->second;
}

void MemoryRows::Scan(absl::string_view prefix, absl::string_view start, Visit visit) const {
  if (!read_failure_.ok()) {
    Fail(read_failure_);
    return;
  }
  for (auto it = rows_.lower_bound(std::max(prefix, start)); it != rows_.end(); ++it) {
    if (!absl::StartsWith(it->first, prefix)) return;
    if (!visit(it->first, it->second)) return;
  }
}

void MemoryRows::Put(absl::string_view key, std::string value) {
  const auto it = rows_.find(key);
  if (it == rows_.end()) {
    rows_.emplace(std::string(key), Row{std::move(value), position_});
  } else {
    it->second = Row{std::move(value), position_};
  }
}

void MemoryRows::Delete(absl::string_view key) {
  const auto it = rows_.find(key);
  if (it != rows_.end()) rows_.erase(it);
}

bool SameContent(const MemoryRows& a, const MemoryRows& b) {
  return std::equal(
      a.rows().begin(), a.rows().end(), b.rows().begin(), b.rows().end(),
      [](const auto& x, const auto& y) { return x.first == y.first && x.second.value == y.second.value; });
}

}  // namespace halles::store
