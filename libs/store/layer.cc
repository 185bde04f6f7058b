// Layers of rows, and the walk that reads them as one.
#include "libs/store/layer.h"

#include <algorithm>
#include <new>

#include "absl/strings/match.h"

namespace halles::store {

LayerRow::Ptr LayerRow::New(absl::string_view key, std::string value, Position position, SlotId source, bool deleted) {
  Ptr row(new (::operator new(sizeof(LayerRow) + key.size())) LayerRow);
  key.copy(reinterpret_cast<char*>(row.get() + 1), key.size());
  row->value = std::move(value);
  row->position = position;
  row->key_size = static_cast<uint32_t>(key.size());
  row->source = source;
  row->deleted = deleted;
  return row;
}

void LayerRow::Deleter::operator()(LayerRow* row) const {
  row->~LayerRow();
  ::operator delete(row);
}

Layer::Layer(Layer&& other) noexcept : meter_(other.meter_) {
  // What is set aside is counted exactly.
  other.Report();
  rows_ = std::exchange(other.rows_, {});
  other.undo_.clear();
  bytes_ = std::exchange(other.bytes_, 0);
  reported_ = std::exchange(other.reported_, 0);
}

Layer::~Layer() {
  bytes_ = 0;
  Report();
}

void Layer::Report() {
  if (meter_ != nullptr && bytes_ != reported_) meter_->Add(bytes_ - reported_);
  reported_ = bytes_;
}

Layer::Replaced Layer::Exchange(LayerRow::Ptr row) {
  const auto [it, inserted] = rows_.try_emplace(row->key(), nullptr);
  if (inserted) {
    Count(static_cast<int64_t>(row->bytes()));
    it->second = std::move(row);
    return Replaced{it->second.get(), nullptr};
  }
  LayerRow& kept = *it->second;
  Count(static_cast<int64_t>(row->value.size()) - static_cast<int64_t>(kept.value.size()));
  std::swap(kept.value, row->value);
  std::swap(kept.position, row->position);
  std::swap(kept.source, row->source);
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

// One of the sorted things that are merged.
template <class Map>
struct Walk {
  typename Map::const_iterator it;
  typename Map::const_iterator end;
  absl::string_view prefix;

  Walk(const Map& map, absl::string_view from, absl::string_view prefix)
      : it(map.lower_bound(from)), end(map.end()), prefix(prefix) {}
  bool Valid() const { return it != end && absl::StartsWith(it->first, prefix); }
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
  Walk<InFlightIndex> newest(in_flight == nullptr ? *kNothing : *in_flight, from, prefix);
  std::vector<Walk<Layer::Map>> walks;
  walks.reserve(layers.size());
  for (const Layer* layer : layers) walks.emplace_back(layer->rows(), from, prefix);
  const std::unique_ptr<BaseCursor> oldest = base.Seek(prefix, from);

  for (;;) {
    // The smallest key; of equal ones the newest row. `row` stays null while the base has it.
    bool found = false;
    absl::string_view key;
    const LayerRow* row = nullptr;
    const auto offer = [&](absl::string_view offered_key, const LayerRow* offered) {
      if (found && offered_key >= key) return;
      found = true;
      key = offered_key;
      row = offered;
    };
    if (newest.Valid()) offer(newest.it->first, newest.it->second);
    for (const Walk<Layer::Map>& walk : walks) {
      if (walk.Valid()) offer(walk.it->first, walk.it->second.get());
    }
    if (oldest->Valid()) offer(oldest->key(), nullptr);
    if (!found) break;

    if (row == nullptr) {
      if (!visit(key, oldest->row())) return;
      oldest->Next();
      continue;
    }
    if (!row->deleted && !visit(key, Content(*row))) return;
    // `key` belongs to a row in memory and outlives these steps.
    if (newest.Valid() && newest.it->first == key) ++newest.it;
    for (Walk<Layer::Map>& walk : walks) {
      if (walk.Valid() && walk.it->first == key) ++walk.it;
    }
    if (oldest->Valid() && oldest->key() == key) oldest->Next();
  }
  failure->Update(oldest->status());
}

}  // namespace halles::store
