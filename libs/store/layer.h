// Layers of rows in memory, the base below them, and merged reads over both.
#ifndef HALLES_LIBS_STORE_LAYER_H_
#define HALLES_LIBS_STORE_LAYER_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/base/slot.h"
#include "libs/store/fold.h"
#include "libs/store/rows.h"

namespace halles::store {

// One write, or the last of several to the same key. The key is stored behind the struct, in the same allocation,
// because rows are allocated and freed by the hundred thousand per second.
struct LayerRow {
  struct Deleter {
    void operator()(LayerRow* row) const;
  };
  using Ptr = std::unique_ptr<LayerRow, Deleter>;

  static Ptr New(absl::string_view key, std::string value, Position position, bool deleted);

  absl::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  // Its memory in bytes, including allocations and tree nodes.
  size_t bytes() const { return key_size + value.size() + 160; }

  std::string value;
  Position position = 0;
  uint64_t record = 0;  // in flight: counts the records begun, to identify the one that wrote this
  uint32_t key_size = 0;
  bool deleted = false;
  bool fresh = false;  // neither the base nor an older layer has the key; belongs to the key, not to the write
};

// A write in flight and the write that it hides, which is restored if the record is abandoned.
struct InFlightUndo {
  LayerRow* row = nullptr;
  LayerRow* hidden = nullptr;
};
using InFlightIndex = absl::btree_map<absl::string_view, LayerRow*>;

// Counts the dirty bytes of a store, and decides when a flush is due.
// Thread safety: may be shared. The counts are relaxed atomics, ordered with nothing; NoteDirty says how it is ordered.
class DirtyMeter {
 public:
  enum class Notice {
    kDirty,   // something became dirty for the first time since a flush began
    kEnough,  // a flush is due: enough bytes are dirty, or enough were logged since the last flush
    kMany,    // a flush is urgent
  };
  struct Limits {
    size_t enough_bytes = SIZE_MAX / 2;
    size_t enough_log_bytes = SIZE_MAX / 2;
    size_t many_bytes = SIZE_MAX / 2;
  };

  explicit DirtyMeter(const Limits& limits) : limits_(limits) {}

  // Called on the thread that reaches a limit, possibly under the locks of rows. Set it before the meter is shared.
  void OnNotice(std::function<void(Notice)> call) { on_notice_ = std::move(call); }

  // This many bytes of rows became dirty, or were freed if negative.
  void Add(int64_t bytes) {
    const int64_t before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (Crosses(before, bytes, limits_.enough_bytes)) Tell(Notice::kEnough);
    if (Crosses(before, bytes, limits_.many_bytes)) Tell(Notice::kMany);
  }

  // The log grew by this many bytes, which the next start reads again unless they are flushed before.
  void NoteLogBytes(size_t bytes) {
    const auto delta = static_cast<int64_t>(bytes);
    const int64_t before = log_bytes_.fetch_add(delta, std::memory_order_relaxed);
    if (Crosses(before, delta, limits_.enough_log_bytes)) Tell(Notice::kEnough);
  }

  // A clean fold has become dirty. Its flag is set before: since both this and BeginFlush exchange, either this one
  // finds that a flush began and notifies, or that flush sees the flag.
  void NoteDirty() {
    if (!any_dirty_.exchange(true, std::memory_order_acq_rel)) Tell(Notice::kDirty);
  }

  // Called before a flush looks for dirty folds.
  void BeginFlush() {
    any_dirty_.exchange(false, std::memory_order_acq_rel);
    log_bytes_.store(0, std::memory_order_relaxed);
  }

  // Whether a fold became dirty since the last flush began.
  bool any_dirty() const { return any_dirty_.load(std::memory_order_acquire); }
  bool enough() const {
    return bytes() >= limits_.enough_bytes ||
           log_bytes_.load(std::memory_order_relaxed) >= static_cast<int64_t>(limits_.enough_log_bytes);
  }
  bool many() const { return bytes() >= limits_.many_bytes; }
  size_t bytes() const {
    const int64_t bytes = bytes_.load(std::memory_order_relaxed);
    return bytes < 0 ? 0 : static_cast<size_t>(bytes);
  }

 private:
  static bool Crosses(int64_t before, int64_t delta, size_t limit) {
    return before < static_cast<int64_t>(limit) && before + delta >= static_cast<int64_t>(limit);
  }
  void Tell(Notice notice) const {
    if (on_notice_) on_notice_(notice);
  }

  const Limits limits_;
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> log_bytes_{0};
  std::atomic<bool> any_dirty_{false};
  std::function<void(Notice)> on_notice_;
};

// Whether a fold has something to flush.
// Thread safety: may be read from any thread; relaxed, see DirtyMeter::NoteDirty. One thread at a time sets and clears it.
class DirtyFlag {
 public:
  // `meter` may be null.
  explicit DirtyFlag(DirtyMeter* meter) : meter_(meter) {}

  // Set it before the rows are counted, so that a flush triggered by them finds it.
  void Set() {
    if (dirty_.load(std::memory_order_relaxed)) return;
    dirty_.store(true, std::memory_order_relaxed);
    if (meter_ != nullptr) meter_->NoteDirty();
  }
  void Clear() { dirty_.store(false, std::memory_order_relaxed); }
  bool get() const { return dirty_.load(std::memory_order_relaxed); }

 private:
  DirtyMeter* const meter_;
  std::atomic<bool> dirty_{false};
};

// Excludes most keys and prefixes that a layer does not have, so that reading many layers costs little more than
// reading those that have rows. A Bloom filter whose bits of one key lie in one word; it grows with what is added.
// Thread safety: one writer and no reader, or many readers.
class KeySketch {
 public:
  // Scans with a prefix of at least this many bytes are filtered by these: the table and about ten bytes of the first
  // field.
  static constexpr size_t kPrefixBytes = 12;

  static size_t HashOf(absl::string_view bytes) { return absl::HashOf(bytes); }

  // False if the sketch is full: double it with Reset and add all keys again.
  bool Add(absl::string_view key) {
    if (++keys_ > words_.size() * kKeysPerWord) return false;
    Mark(HashOf(key));
    if (key.size() > kPrefixBytes) Mark(HashOf(key.substr(0, kPrefixBytes)));
    return true;
  }
  // Empties it, with capacity for this number of keys.
  void Reset(size_t keys) {
    words_.assign(std::bit_ceil(keys / kKeysPerWord + 1), 0);
    keys_ = 0;
  }
  // `hash` is of a whole key, or of the first kPrefixBytes of a longer prefix. False only if no such key was added.
  bool MayHold(size_t hash) const {
    if (words_.empty()) return false;
    const uint64_t bits = Bits(hash);
    return (words_[hash & (words_.size() - 1)] & bits) == bits;
  }

 private:
  static constexpr size_t kKeysPerWord = 3;

  static uint64_t Bits(size_t hash) {
    return uint64_t{1} << (hash >> 58) | uint64_t{1} << (hash >> 52 & 63) | uint64_t{1} << (hash >> 46 & 63) |
           uint64_t{1} << (hash >> 40 & 63);
  }
  void Mark(size_t hash) { words_[hash & (words_.size() - 1)] |= Bits(hash); }

  std::vector<uint64_t> words_;
  size_t keys_ = 0;
};

// An ordered map of writes, deletions included.
// Thread safety: one writer and no reader, or many readers.
class Layer {
 public:
  using Map = absl::btree_map<absl::string_view, LayerRow::Ptr>;

  // `meter` may be null. Bytes stay counted until the layer is destroyed. MayHold may be called only on a layer with a
  // sketch.
  explicit Layer(DirtyMeter* meter, bool with_sketch = false) : meter_(meter), with_sketch_(with_sketch) {}
  ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  // Puts the row permanently.
  void Put(LayerRow::Ptr row) { Exchange(std::move(row)); }
  // Puts the row; Undo reverts everything since the last ForgetUndo.
  void PutUndoable(LayerRow::Ptr row) { undo_.push_back(Exchange(std::move(row))); }
  void Undo();
  void ForgetUndo() {
    if (!undo_.empty()) undo_.clear();
  }

  // Moves the rows of `newer` in.
  void Absorb(Layer* newer);
  // Ends writing: the byte count is exact from now on.
  void Close();

  const LayerRow* Find(absl::string_view key) const {
    const auto it = rows_.find(key);
    return it == rows_.end() ? nullptr : it->second.get();
  }
  // For a layer with a sketch: false only if it has no such row. See KeySketch for the hash.
  bool MayHold(size_t hash) const { return sketch_.MayHold(hash); }
  const Map& rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }
  size_t bytes() const { return static_cast<size_t>(bytes_); }

 private:
  static constexpr int64_t kReportBytes = 16 * 1024;

  // Reverts one Put.
  struct Replaced {
    LayerRow* row = nullptr;  // in `rows_`
    LayerRow::Ptr before;     // its content before; null: the row did not exist
  };

  // A row stays where it is when its content changes, since the map's key points into it.
  Replaced Exchange(LayerRow::Ptr row);

  void Count(int64_t delta) {
    bytes_ += delta;
    if (bytes_ - reported_ >= kReportBytes || reported_ - bytes_ >= kReportBytes) Report();
  }
  void Report();
  void Sketch(absl::string_view key);

  DirtyMeter* const meter_;
  const bool with_sketch_;
  Map rows_;
  KeySketch sketch_;
  std::vector<Replaced> undo_;
  int64_t bytes_ = 0;
  int64_t reported_ = 0;
};

// Rows of one fold on their way to disk, with the cursor they belong to; shared as const.
struct FrozenRows {
  FrozenRows(std::shared_ptr<const Layer> rows, FoldCursor at) : layer(std::move(rows)), cursor(std::move(at)) {}

  const std::shared_ptr<const Layer> layer;
  const FoldCursor cursor;
  // Set by the flusher when the base has the rows; then they may be dropped. Release and acquire: a reader that sees it
  // set reads them from the base.
  mutable std::atomic<bool> stored{false};
  // Set before the rows are ingested for the first time. They may be stored even if that fails, so later flushes trust no
  // row to be fresh. Relaxed: only the thread that writes a flush uses it.
  mutable std::atomic<bool> tried{false};
};

// Where a fold resumes.
struct FoldStart {
  std::optional<FoldCursor> cursor;          // nullopt: it begins
  std::shared_ptr<const FrozenRows> frozen;  // rows above the base that a flush is still writing; may be null
};

// Walks rows of the base in order of the key.
class BaseCursor {
 public:
  virtual ~BaseCursor() = default;
  virtual bool Valid() const = 0;
  virtual absl::string_view key() const = 0;
  virtual Row row() const = 0;
  virtual void Next() = 0;
  // OK, or the error because of which Valid() is false too early.
  virtual absl::Status status() const = 0;
};

// The rows below the layers, as flushed.
// Thread safety: may be shared.
class BaseRows {
 public:
  virtual ~BaseRows() = default;
  virtual absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const = 0;
  // At the first row not less than `start` that begins with `prefix`.
  virtual std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const = 0;
};

// Reads layers above a base, the newest first. A deletion hides the rows below it. `in_flight` may be null.
std::optional<Row> GetMerged(const InFlightIndex* in_flight, absl::Span<const Layer* const> layers,
                             const BaseRows* base, absl::string_view key, absl::Status* failure);
void ScanMerged(const InFlightIndex* in_flight, absl::Span<const Layer* const> layers, const BaseRows& base,
                absl::string_view prefix, absl::string_view start, RowReader::Visit visit, absl::Status* failure);

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_LAYER_H_
