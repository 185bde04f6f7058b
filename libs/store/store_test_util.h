// Fixture for tests of the store: a temporary directory, and a slot and a view that count positions.
#ifndef HALLES_LIBS_STORE_STORE_TEST_UTIL_H_
#define HALLES_LIBS_STORE_STORE_TEST_UTIL_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/store/store.h"

namespace halles::store {

class TempDir {
 public:
  TempDir() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/store-XXXXXX");
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string State() const { return path_ + "/state"; }

 private:
  std::string path_;
};

inline InstallId Install(uint8_t n) {
  InstallId::Bytes bytes{};
  bytes[0] = n;
  return InstallId::FromBytes(bytes);
}

inline SlotId Checkout(uint16_t slot) { return SlotId{ServiceId::kCheckout, slot}; }

// Only FlushNow flushes rows.
inline StoreOptions Quiet() {
  StoreOptions options;
  options.block_cache_bytes = 1 << 20;
  return options;
}

inline FoldCursor CursorAt(Position next) { return FoldCursor{absl::StrCat("cursor ", next), next}; }

// The state of a slot on this thread, in a store without a scheduler.
struct TestSlot {
  TestSlot(Store* store, SlotId slot, const std::vector<uint16_t>& filtered = {}) {
    SlotOptions options;
    options.post = [](const std::function<void()>& function) { function(); };
    options.cursor = [this] { return CursorAt(next); };
    for (const uint16_t table : filtered) options.filtered_tables.push_back({.table = table});
    auto opened = store->OpenSlot(slot, std::move(options));
    if (!opened.ok()) {
      ADD_FAILURE() << opened.status();
      std::abort();
    }
    rows = *std::move(opened);
    if (rows->opened_at().has_value()) next = rows->opened_at()->next;
  }

  // One record that puts one row, confirmed at once.
  void Put(const std::string& key, const std::string& value) { rows->BeginApply(next++).Put(key, value); }
  void Delete(const std::string& key) { rows->BeginApply(next++).Delete(key); }
  std::string Get(const std::string& key) const {
    const std::optional<Row> row = rows->confirmed().Get(key);
    return row.has_value() ? row->value : "absent";
  }

  Position next = 0;
  std::unique_ptr<SlotRows> rows;
};

// The first `count` slots of checkout.
inline std::vector<SlotId> CheckoutSlots(uint16_t count) {
  std::vector<SlotId> slots;
  for (uint16_t slot = 0; slot < count; ++slot) slots.push_back(Checkout(slot));
  return slots;
}

// A view of the first slots of checkout.
inline std::unique_ptr<ViewRows> MustOpenView(Store* store, ServiceId service = ServiceId::kCheckout,
                                              uint16_t sources = 20) {
  auto view = store->OpenView(service, 1, 1, CheckoutSlots(sources));
  if (!view.ok()) {
    ADD_FAILURE() << view.status();
    std::abort();
  }
  return *std::move(view);
}

// Folds one row into the view, or deletes it when `value` is empty.
inline void Fold(ViewRows* view, SlotId source, Position position, const std::string& key, const std::string& value) {
  ViewRows::Batch batch(view, source);
  Rows& rows = batch.BeginRecord(position);
  if (value.empty()) {
    rows.Delete(key);
  } else {
    rows.Put(key, value);
  }
  batch.SetCursor(CursorAt(position + 1));
}

// Bytes that stay as they are when they are stored, and that one place of a test's data holds.
inline std::string Marker(char seed) {
  std::string marker;
  for (int i = 0; i < 64; ++i) marker.push_back(static_cast<char>(seed + i * 37 % 251));
  return marker;
}

// Changes a byte wherever the marker lies in a file of rows below the folder; returns in how many files.
inline int DamageFiles(const std::string& dir, const std::string& marker) {
  int damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const size_t at = bytes.find(marker);
    if (at == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(marker[0] ^ 1));
    ++damaged;
  }
  return damaged;
}

using Content = std::map<std::string, std::string>;

inline Content ContentOf(const RowReader& rows, const std::string& prefix = "", const std::string& start = "") {
  Content content;
  std::string last;
  rows.Scan(prefix, start, [&](absl::string_view key, const Row& row) {
    EXPECT_LT(last, key);
    last = std::string(key);
    content.emplace(last, row.value);
    return true;
  });
  EXPECT_TRUE(rows.status().ok()) << rows.status();
  return content;
}

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_STORE_TEST_UTIL_H_
