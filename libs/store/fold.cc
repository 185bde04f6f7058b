// Names and digests of folds.
#include "libs/store/fold.h"

#include "absl/strings/str_cat.h"

namespace halles::store {

std::string FoldId::ToString() const {
  if (kind == Kind::kState) return source.ToString();
  return absl::StrCat(RowSpace::Of(*this).ToString(), " of ", source.ToString());
}

std::string RowSpace::ToString() const {
  if (kind == FoldId::Kind::kState) return SlotId{service, slot}.ToString();
  return absl::StrCat(ServiceName(service), " view ", static_cast<int>(view));
}

Digest& Digest::operator+=(const Digest& other) {
  const uint64_t lo = sum_.lo + other.sum_.lo;
  sum_.hi += other.sum_.hi + (lo < sum_.lo ? 1 : 0);
  sum_.lo = lo;
  return *this;
}

Digest& Digest::operator-=(const Digest& other) {
  const uint64_t lo = sum_.lo - other.sum_.lo;
  sum_.hi -= other.sum_.hi + (sum_.lo < other.sum_.lo ? 1 : 0);
  sum_.lo = lo;
  return *this;
}

SchemaBook& SchemaBook::AddState(ServiceId service, Schema schema) {
  entries_[RowSpace::State(SlotId{service, 0})] = Entry{"", std::move(schema)};
  return *this;
}

SchemaBook& SchemaBook::AddView(ServiceId service, uint8_t view, std::string name, Schema schema) {
  entries_[RowSpace::View(service, view)] = Entry{std::move(name), std::move(schema)};
  return *this;
}

std::string SchemaBook::Name(const RowSpace& space) const {
  if (space.kind == FoldId::Kind::kState) return space.ToString();
  const auto it = entries_.find(space);
  return it == entries_.end() ? space.ToString() : absl::StrCat(ServiceName(space.service), " ", it->second.name);
}

std::string SchemaBook::Name(const FoldId& fold) const {
  const std::string space = Name(RowSpace::Of(fold));
  return fold.kind == FoldId::Kind::kState ? space : absl::StrCat(space, " of ", fold.source.ToString());
}

std::string SchemaBook::Describe(const RowSpace& space, absl::string_view key) const {
  RowSpace of_schema = space;
  of_schema.slot = 0;
  const auto it = entries_.find(of_schema);
  return absl::StrCat(Name(space), " ",
                      it == entries_.end() ? Schema().Describe(key) : it->second.schema.Describe(key));
}

std::string SchemaBook::TableName(const RowSpace& space, absl::string_view key) const {
  RowSpace of_schema = space;
  of_schema.slot = 0;
  const auto it = entries_.find(of_schema);
  const Schema unknown;
  const Schema& schema = it == entries_.end() ? unknown : it->second.schema;
  return absl::StrCat(space.kind == FoldId::Kind::kState ? ServiceName(space.service) : Name(space), " ",
                      schema.TableName(key));
}

}  // namespace halles::store
