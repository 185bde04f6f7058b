// Layers of rows, and a merged walk over them.
#include "libs/store/layer.h"

#include <algorithm>
#include <new>

#include "absl/strings/match.h"

namespace halles::store {

LayerRow::Ptr LayerRow::New(absl::string_view key, std::string value, Position position, bool deleted) {
  Ptr row(new (::operator new(sizeof(LayerRow) + key.size())) LayerRow);
  key.copy(reinterpret_cast<char*>(row.get() + 1), key.size());
  row->value = std::move(value);
  row->position = position;
  row->key_size = static_cast<uint32_t>(key.size());
  row->deleted = deleted;
  return row;
}

void LayerRow::Deleter::operator()(LayerRow* row) const {
  row->~LayerRow();
  ::operator delete(row);
}

Layer::~Layer() {
  bytes_ = 0;
  Report();
}

void Layer::Absorb(Layer* newer) {
  newer->undo_.clear();
  for (auto& [key, row] : newer->rows_) Exchange(std::move(row));
  // The keys point into rows that are destroyed or moved here; nothing reads them any more.
  newer->rows_.clear();
  newer->bytes_ = 0;
  newer->Report();
}

void Layer::Close() {
  undo_.clear();
  Report();
}

void Layer::Report() {
  if (meter_ != nullptr && bytes_ != reported_) meter_->Add(bytes_ - reported_);
  reported_ = bytes_;
}

void Layer::Sketch(absl::string_view key) {
  if (sketch_.Add(key)) return;
  sketch_.Reset(2 * rows_.size());
  for (const auto& [each, row] : rows_) sketch_.Add(each);
}

Layer::Replaced Layer::Exchange(LayerRow::Ptr row) {
  const auto [it, inserted] = rows_.try_emplace(row->key(), nullptr);
  if (inserted) {
    Count(static_cast<int64_t>(row->bytes()));
    it->second = std::move(row);
    if (with_sketch_) Sketch(it->first);
    return Replaced{it->second.get(), nullptr};
  }
  LayerRow& kept = *it->second;
  Count(static_cast<int64_t>(row->value.size()) - static_cast<int64_t>(kept.value.size()));
  std::swap(kept.value, row->value);
  std::swap(kept.position, row->position);
  std::swap(kept.deleted, row->deleted);
  return Replaced{&kept, std::move(row)};
}

void Layer::Undo() {
  for (; !undo_.empty(); undo_.pop_back()) {
    Replaced& last = undo_.back();
    if (last.before != nullptr) {
      Exchange(std::move(last.before));
    } else {
      Count(-static_cast<int64_t>(last.row->bytes()));
      rows_.erase(rows_.find(last.row->key()));
    }
  }
}

namespace {

// The rows of one layer with a prefix, in order.
struct Walk {
  Layer::Map::const_iterator it;
  Layer::Map::const_iterator end;
  size_t age;  // 0 is the newest layer

  absl::string_view key() const { return it->first; }
  bool Valid(absl::string_view prefix) const { return it != end && absl::StartsWith(it->first, prefix); }
};

// A merged walk over several layers. Of equal keys the newest row counts.
class MergedWalk {
 public:
  MergedWalk(absl::Span<const Layer* const> layers, absl::string_view from, absl::string_view prefix)
      : prefix_(prefix) {
    heap_.reserve(layers.size());
    for (size_t age = 0; age < layers.size(); ++age) {
      const Layer::Map& rows = layers[age]->rows();
      Walk walk{rows.lower_bound(from), rows.end(), age};
      if (walk.Valid(prefix_)) heap_.push_back(walk);
    }
    std::make_heap(heap_.begin(), heap_.end(), After);
  }

  bool Valid() const { return !heap_.empty(); }
  absl::string_view key() const { return heap_.front().key(); }
  const LayerRow* row() const { return heap_.front().it->second.get(); }
  // Moves beyond `key`, which is not greater than key().
  void Pass(absl::string_view key) {
    while (!heap_.empty() && heap_.front().key() == key) {
      std::pop_heap(heap_.begin(), heap_.end(), After);
      ++heap_.back().it;
      if (heap_.back().Valid(prefix_)) {
        std::push_heap(heap_.begin(), heap_.end(), After);
      } else {
        heap_.pop_back();
      }
    }
  }

 private:
  static bool After(const Walk& a, const Walk& b) {
    const int order = a.key().compare(b.key());
    return order != 0 ? order > 0 : a.age > b.age;
  }

  const absl::string_view prefix_;
  std::vector<Walk> heap_;  // the smallest key first
};

Row Content(const LayerRow& row) { return Row{row.value, row.position}; }

}  // namespace

std::optional<Row> GetMerged(const InFlightIndex* in_flight, absl::Span<const Layer* const> layers,
                             const BaseRows* base, absl::string_view key, absl::Status* failure) {
  const LayerRow* found = nullptr;
  if (in_flight != nullptr && !in_flight->empty()) {
    const auto it = in_flight->find(key);
    if (it != in_flight->end()) found = it->second;
  }
  for (size_t i = 0; found == nullptr && i < layers.size(); ++i) found = layers[i]->Find(key);
  if (found != nullptr) {
    if (found->deleted) return std::nullopt;
    return Content(*found);
  }
  if (base == nullptr) return std::nullopt;
  absl::StatusOr<std::optional<Row>> row = base->Get(key);
  if (!row.ok()) {
    failure->Update(row.status());
    return std::nullopt;
  }
  return *std::move(row);
}

void ScanMerged(const InFlightIndex* in_flight, absl::Span<const Layer* const> layers, const BaseRows& base,
                absl::string_view prefix, absl::string_view start, RowReader::Visit visit, absl::Status* failure) {
  const absl::string_view from = std::max(prefix, start);
  static const InFlightIndex* const kNothing = new InFlightIndex();
  const InFlightIndex& index = in_flight == nullptr ? *kNothing : *in_flight;
  auto newest = index.lower_bound(from);
  const auto in_flight_valid = [&] { return newest != index.end() && absl::StartsWith(newest->first, prefix); };
  MergedWalk merged(layers, from, prefix);
  const std::unique_ptr<BaseCursor> oldest = base.Seek(prefix, from);

  for (;;) {
    if (!oldest->Valid() && !oldest->status().ok()) {
      // What follows in memory does not follow without the rows that cannot be read.
      failure->Update(oldest->status());
      return;
    }
    // The smallest key; of equal keys the newest row. `row` stays null while the base has it.
    bool found = false;
    absl::string_view key;
    const LayerRow* row = nullptr;
    const auto offer = [&](absl::string_view offered_key, const LayerRow* offered) {
      if (found && offered_key >= key) return;
      found = true;
      key = offered_key;
      row = offered;
    };
    if (in_flight_valid()) offer(newest->first, newest->second);
    if (merged.Valid()) offer(merged.key(), merged.row());
    if (oldest->Valid()) offer(oldest->key(), nullptr);
    if (!found) break;

    if (row == nullptr) {
      if (!visit(key, oldest->row())) return;
      oldest->Next();
      continue;
    }
    if (!row->deleted && !visit(key, Content(*row))) return;
    // `key` belongs to a row in memory and outlives these steps.
    if (in_flight_valid() && newest->first == key) ++newest;
    merged.Pass(key);
    if (oldest->Valid() && oldest->key() == key) oldest->Next();
  }
}

}  // namespace halles::store
