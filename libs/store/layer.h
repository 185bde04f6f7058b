// One layer of rows in memory, what lies under the layers, and how they are read as one.
#ifndef HALLES_LIBS_STORE_LAYER_H_
#define HALLES_LIBS_STORE_LAYER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/base/slot.h"
#include "libs/store/fold.h"
#include "libs/store/rows.h"

namespace halles::store {

// One write, or the last of several to the same key. The key lies behind the struct, in the same allocation: rows are
// made and freed by the hundred thousand a second.
struct LayerRow {
  struct Deleter {
    void operator()(LayerRow* row) const;
  };
  using Ptr = std::unique_ptr<LayerRow, Deleter>;

  static Ptr New(absl::string_view key, std::string value, Position position, SlotId source, bool deleted);

  absl::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  // What it costs to keep, allocations and tree included.
  size_t bytes() const { return key_size + value.size() + 160; }

  std::string value;
  Position position = 0;
  uint64_t record = 0;  // in flight: counts the records begun, to know the one that wrote this
  uint32_t key_size = 0;
  SlotId source;  // of a view's row: the slot it was folded from
  bool deleted = false;
};

// A write in flight and the one it hides, to be taken back when the record is abandoned.
struct InFlightUndo {
  LayerRow* row = nullptr;
  LayerRow* hidden = nullptr;
};
using InFlightIndex = absl::btree_map<absl::string_view, LayerRow*>;

// Counts dirty bytes of all layers of a store, and says when there are enough of them, and when there are too many.
// Thread safety: may be shared. Relaxed atomics: a count, ordered with nothing.
class DirtyMeter {
 public:
  explicit DirtyMeter(size_t enough, size_t many = SIZE_MAX / 2)
      : enough_(static_cast<int64_t>(enough)), many_(static_cast<int64_t>(many)) {}

  void Add(int64_t bytes) {
    const int64_t before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    const int64_t after = before + bytes;
    if (before < enough_ && after >= enough_ && on_enough_) on_enough_();
    if (before < many_ && after >= many_ && on_many_) on_many_();
  }
  size_t bytes() const {
    const int64_t bytes = bytes_.load(std::memory_order_relaxed);
    return bytes < 0 ? 0 : static_cast<size_t>(bytes);
  }
  // Both are called on the thread that adds. Set before the meter is shared.
  void OnEnough(std::function<void()> call) { on_enough_ = std::move(call); }
  void OnMany(std::function<void()> call) { on_many_ = std::move(call); }

 private:
  const int64_t enough_;
  const int64_t many_;
  std::atomic<int64_t> bytes_{0};
  std::function<void()> on_enough_;
  std::function<void()> on_many_;
};

// An ordered map of writes, deletions included.
// Thread safety: one writer and no reader, or many readers.
class Layer {
 public:
  using Map = absl::btree_map<absl::string_view, LayerRow::Ptr>;

  // `meter` may be null.
  explicit Layer(DirtyMeter* meter) : meter_(meter) {}
  // Moving takes the rows and leaves an empty layer; bytes stay counted until the layer that holds them is destroyed.
  ~Layer();
  Layer(Layer&& other) noexcept;
  Layer& operator=(Layer&&) = delete;

  // Puts the row in for good.
  void Put(LayerRow::Ptr row) { Exchange(std::move(row)); }
  // Puts the row in until Undo, which takes back everything since the last ForgetUndo.
  void PutUndoable(LayerRow::Ptr row) { undo_.push_back(Exchange(std::move(row))); }
  void Undo();
  void ForgetUndo() {
    if (!undo_.empty()) undo_.clear();
  }

  const LayerRow* Find(absl::string_view key) const {
    const auto it = rows_.find(key);
    return it == rows_.end() ? nullptr : it->second.get();
  }
  const Map& rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }
  size_t bytes() const { return static_cast<size_t>(bytes_); }

 private:
  static constexpr int64_t kReportBytes = 16 * 1024;

  // How to take one Put back.
  struct Replaced {
    LayerRow* row = nullptr;  // in `rows_`
    LayerRow::Ptr before;     // its content before; null: there was no such row
  };

  // A row stays where it is when its content changes, since the map's key points into it.
  Replaced Exchange(LayerRow::Ptr row);

  void Count(int64_t delta) {
    bytes_ += delta;
    if (bytes_ - reported_ >= kReportBytes || reported_ - bytes_ >= kReportBytes) Report();
  }
  void Report();

  DirtyMeter* meter_;
  Map rows_;
  std::vector<Replaced> undo_;
  int64_t bytes_ = 0;
  int64_t reported_ = 0;
};

// Rows on their way to disk with the cursors they belong to; shared as const.
struct FrozenRows {
  FrozenRows(Layer rows, std::map<SlotId, FoldCursor> sources) : layer(std::move(rows)), cursors(std::move(sources)) {}

  Layer layer;
  std::map<SlotId, FoldCursor> cursors;  // by source
};

// Walks rows of the base in order of the key.
class BaseCursor {
 public:
  virtual ~BaseCursor() = default;
  virtual bool Valid() const = 0;
  virtual absl::string_view key() const = 0;
  virtual Row row() const = 0;
  virtual void Next() = 0;
  // OK, or why Valid() is false too early.
  virtual absl::Status status() const = 0;
};

// The rows below the layers: what was flushed.
// Thread safety: may be shared.
class BaseRows {
 public:
  virtual ~BaseRows() = default;
  virtual absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const = 0;
  // At the first row not less than `start` that begins with `prefix`.
  virtual std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const = 0;
};

// Reads layers, the newest first, above a base. A deletion hides what is below it. `in_flight` may be null.
std::optional<Row> GetMerged(const InFlightIndex* in_flight, absl::Span<const Layer* const> layers,
                             const BaseRows* base, absl::string_view key, absl::Status* failure);
void ScanMerged(const InFlightIndex* in_flight, absl::Span<const Layer* const> layers, const BaseRows& base,
                absl::string_view prefix, absl::string_view start, RowReader::Visit visit, absl::Status* failure);

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_LAYER_H_
