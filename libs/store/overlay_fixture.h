// A base of rows over a map, for tests of the overlay: it counts reads and can fail. Included by tests only.
#ifndef HALLES_LIBS_STORE_OVERLAY_FIXTURE_H_
#define HALLES_LIBS_STORE_OVERLAY_FIXTURE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "libs/store/overlay.h"
#include "libs/store/store_test_util.h"

namespace halles::store {

// A base over a map. Frozen rows are applied to it as a flush would.
struct FakeDisk {
  std::map<std::string, Row> rows;
  absl::Status failure;
  int gets = 0;

  void Apply(const FrozenRows& frozen) {
    for (const auto& [key, row] : frozen.layer->rows()) {
      if (row->deleted) {
        rows.erase(std::string(key));
      } else {
        rows[std::string(key)] = Row{row->value, row->position};
      }
    }
  }
};

inline void StoreOn(FakeDisk* disk, const FrozenRows& frozen) {
  disk->Apply(frozen);
  frozen.stored.store(true);
}

class FakeCursor : public BaseCursor {
 public:
  FakeCursor(FakeDisk* disk, absl::string_view prefix, absl::string_view start)
      : disk_(disk), prefix_(prefix), it_(disk->rows.lower_bound(std::string(std::max(prefix, start)))) {}
  bool Valid() const override {
    return disk_->failure.ok() && it_ != disk_->rows.end() && absl::StartsWith(it_->first, prefix_);
  }
  absl::string_view key() const override { return it_->first; }
  Row row() const override { return it_->second; }
  void Next() override { ++it_; }
  absl::Status status() const override { return disk_->failure; }

 private:
  FakeDisk* const disk_;
  const std::string prefix_;
  std::map<std::string, Row>::const_iterator it_;
};

class FakeBase : public BaseRows {
 public:
  explicit FakeBase(FakeDisk* disk) : disk_(disk) {}
  absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override {
    ++disk_->gets;
    if (!disk_->failure.ok()) return disk_->failure;
    const auto it = disk_->rows.find(std::string(key));
    if (it == disk_->rows.end()) return std::nullopt;
    return it->second;
  }
  std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override {
    return std::make_unique<FakeCursor>(disk_, prefix, start);
  }

 private:
  FakeDisk* const disk_;
};

// The rows of `content` with the prefix, from `start` on.
inline Content Part(const Content& content, const std::string& prefix, const std::string& start) {
  Content part;
  for (const auto& [key, value] : content) {
    if (absl::StartsWith(key, prefix) && key >= start) part.emplace(key, value);
  }
  return part;
}

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_OVERLAY_FIXTURE_H_
