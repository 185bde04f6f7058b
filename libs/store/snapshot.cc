// Reads a consistent snapshot, and compares two of them.
#include "libs/store/snapshot.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/store_format.h"

namespace halles::store {
namespace {

FoldId FoldOf(const RowSpace& space, SlotId source) {
  return space.kind == FoldId::Kind::kState ? FoldId::State(SlotId{space.service, space.slot})
                                            : FoldId::View(space.service, space.view, source);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Snapshot>> Snapshot::Impl::Take(const Database* database) {
  auto impl = std::make_unique<Impl>(database);
  ASSIGN_OR_RETURN(impl->folds_, database->Metas(impl->at()));
  return std::unique_ptr<Snapshot>(new Snapshot(std::move(impl)));
}

Snapshot::Snapshot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Snapshot::~Snapshot() = default;

const std::map<FoldId, FoldMeta>& Snapshot::folds() const { return impl_->folds(); }

std::vector<RowSpace> Snapshot::spaces() const {
  std::set<RowSpace> spaces;
  for (const auto& [fold, meta] : folds()) spaces.insert(RowSpace::Of(fold));
  return {spaces.begin(), spaces.end()};
}

// Walks the rows of a space.
class Snapshot::Walk {
 public:
  Walk(const Snapshot& snapshot, const RowSpace& space)
      : database_(snapshot.impl_->database()),
        space_(space),
        prefix_(SpacePrefix(space)),
        cursor_(snapshot.impl_->at().Seek(prefix_)) {
    Read();
  }

  bool Valid() const { return valid_; }
  const StoredRow& row() const { return row_; }
  void Next() {
    cursor_->Next();
    Read();
  }
  const absl::Status& status() const { return status_; }

 private:
  void Read() {
    valid_ = cursor_->Valid();
    if (!valid_) {
      status_.Update(cursor_->status());
      return;
    }
    row_.key = cursor_->key().substr(prefix_.size());
    row_.value = cursor_->value();
    RowHeader header;
    if (!TakeRowHeader(space_.kind, &row_.value, &header)) {
      valid_ = false;
      status_ = database_.SpaceDamaged(space_, kShortRow);
      return;
    }
    row_.position = header.position;
    row_.source = header.source;
  }

  const Database& database_;
  const RowSpace space_;
  const std::string prefix_;
  const std::unique_ptr<DatabaseCursor> cursor_;
  bool valid_ = false;
  StoredRow row_;
  absl::Status status_;
};

absl::Status Snapshot::ForEachRow(const RowSpace& space, absl::FunctionRef<bool(const StoredRow&)> visit) const {
  Walk walk(*this, space);
  for (; walk.Valid(); walk.Next()) {
    if (!visit(walk.row())) return absl::OkStatus();
  }
  return walk.status();
}

absl::StatusOr<std::map<FoldId, Digest>> Snapshot::Recompute() const {
  std::map<FoldId, Digest> digests;
  for (const auto& [fold, meta] : folds()) digests[fold] = Digest();
  for (const RowSpace& space : spaces()) {
    RETURN_IF_ERROR(ForEachRow(space, [&](const StoredRow& row) {
      digests[FoldOf(space, row.source)].AddRow(row.key, row.value);
      return true;
    }));
  }
  return digests;
}

namespace {

// Compares the metadata of the folds; the rows are compared after it.
void CompareFolds(const std::map<FoldId, FoldMeta>& stored, const std::map<FoldId, FoldMeta>& rebuilt,
                  const SchemaBook& schemas, absl::FunctionRef<void(const std::string&)> differs) {
  for (const auto& [fold, meta] : stored) {
    const auto it = rebuilt.find(fold);
    if (it == rebuilt.end()) {
      differs(absl::StrCat(schemas.Name(fold), ": only stored, not rebuilt"));
      continue;
    }
    if (meta.cursor.next != it->second.cursor.next) {
      differs(absl::StrCat(schemas.Name(fold), ": stored up to position ", meta.cursor.next, ", rebuilt up to ",
                           it->second.cursor.next));
    } else if (meta.cursor != it->second.cursor) {
      differs(absl::StrCat(schemas.Name(fold), ": the cursors at position ", meta.cursor.next, " differ"));
    }
    if (meta.version != it->second.version) {
      differs(absl::StrCat(schemas.Name(fold), ": folded by versions ", meta.version, " and ", it->second.version));
    }
    if (meta.digest != it->second.digest) {
      differs(absl::StrCat(schemas.Name(fold), ": the stored digest ", meta.digest.Hex(), " is not the rebuilt one ",
                           it->second.digest.Hex()));
    }
  }
  for (const auto& [fold, meta] : rebuilt) {
    if (stored.count(fold) == 0) differs(absl::StrCat(schemas.Name(fold), ": only rebuilt, not stored"));
  }
}

}  // namespace

absl::StatusOr<Comparison> CompareSnapshots(const Snapshot& stored, const Snapshot& rebuilt, const SchemaBook& schemas,
                                            absl::FunctionRef<void(absl::string_view)> on_difference) {
  Comparison comparison;
  const auto differs = [&](const std::string& what) {
    ++comparison.differences;
    on_difference(what);
  };
  CompareFolds(stored.folds(), rebuilt.folds(), schemas, differs);
  for (const auto& [fold, meta] : stored.folds()) comparison.positions += meta.cursor.next;

  std::set<RowSpace> spaces;
  for (const Snapshot* snapshot : {&stored, &rebuilt}) {
    for (const RowSpace& space : snapshot->spaces()) spaces.insert(space);
  }
  std::map<FoldId, Digest> stored_digests, rebuilt_digests;
  for (const RowSpace& space : spaces) {
    Snapshot::Walk a(stored, space), b(rebuilt, space);
    const auto name = [&](const Snapshot::Walk& walk) { return schemas.Describe(space, walk.row().key); };
    const auto count = [&](const Snapshot::Walk& walk, std::map<FoldId, Digest>* digests) {
      (*digests)[FoldOf(space, walk.row().source)].AddRow(walk.row().key, walk.row().value);
    };
    while (a.Valid() || b.Valid()) {
      ++comparison.rows;
      const bool in_a = a.Valid() && (!b.Valid() || a.row().key <= b.row().key);
      const bool in_b = b.Valid() && (!a.Valid() || b.row().key <= a.row().key);
      if (in_a && in_b) {
        if (a.row().value != b.row().value || a.row().source != b.row().source) {
          differs(absl::StrCat(name(a), ": differs"));
        } else if (a.row().position != b.row().position) {
          differs(absl::StrCat(name(a), ": written by position ", a.row().position, ", rebuilt by ", b.row().position));
        }
      } else {
        differs(in_a ? absl::StrCat(name(a), ": only stored, not rebuilt")
                     : absl::StrCat(name(b), ": only rebuilt, not stored"));
      }
      if (in_a) count(a, &stored_digests);
      if (in_b) count(b, &rebuilt_digests);
      if (in_a) a.Next();
      if (in_b) b.Next();
    }
    RETURN_IF_ERROR(b.status());
    // Stored rows that cannot be read differ from all others.
    if (!IsSpaceDamaged(a.status())) {
      RETURN_IF_ERROR(a.status());
    } else {
      differs(absl::StrCat(schemas.Name(space), ": ", a.status().message()));
    }
  }

  const auto check = [&](const Snapshot& snapshot, const std::map<FoldId, Digest>& computed, absl::string_view which) {
    for (const auto& [fold, meta] : snapshot.folds()) {
      const auto it = computed.find(fold);
      const Digest digest = it == computed.end() ? Digest() : it->second;
      if (digest == meta.digest) continue;
      differs(absl::StrCat(schemas.Name(fold), ": the ", which, " digest ", meta.digest.Hex(),
                           " is not that of its rows, ", digest.Hex()));
    }
    for (const auto& [fold, digest] : computed) {
      if (snapshot.folds().count(fold) == 0) differs(absl::StrCat(schemas.Name(fold), ": has rows and no cursor"));
    }
  };
  check(stored, stored_digests, "stored");
  check(rebuilt, rebuilt_digests, "rebuilt");
  return comparison;
}

}  // namespace halles::store
