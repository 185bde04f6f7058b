// Identity and metas, which are stored as bytes in every database.
#include "libs/store/database.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "libs/store/store_format.h"

namespace halles::store {
namespace {

constexpr absl::string_view kSpaceDamaged = "SPACE_DAMAGED";

}  // namespace

absl::Status Damaged(absl::string_view what) { return Failure(absl::StatusCode::kDataLoss, "STORE_DAMAGED", what); }

bool IsSpaceDamaged(const absl::Status& status) { return ReasonOf(status) == kSpaceDamaged; }

absl::Status SpaceDamage(const RowSpace& space, absl::string_view what) {
  return Failure(absl::StatusCode::kUnavailable, kSpaceDamaged,
                 absl::StrCat("the stored rows of ", space.ToString(), " are damaged (", what,
                              ") and are folded again from the log; try again"),
                 {{"space", space.ToString()}});
}

absl::Status Database::SpaceDamaged(const RowSpace& space, absl::string_view what) const {
  if (on_damage_) on_damage_(space);
  return SpaceDamage(space, what);
}

absl::StatusOr<std::optional<FoldMeta>> Database::Meta(const FoldId& fold) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, Get(MetaKey(fold)));
  if (!bytes.has_value()) return std::nullopt;
  std::optional<FoldMeta> meta = DecodeMeta(*bytes);
  if (!meta.has_value()) return SpaceDamaged(RowSpace::Of(fold), "a meta row is unreadable");
  return meta;
}

namespace {

// The metas in `from`, a database or a snapshot of it.
template <typename From>
absl::StatusOr<std::map<FoldId, FoldMeta>> ReadMetas(const Database& database, const From& from,
                                                     const RowSpace& space) {
  std::map<FoldId, FoldMeta> metas;
  const std::unique_ptr<DatabaseCursor> cursor = from.Seek(MetaPrefix(space));
  for (; cursor->Valid(); cursor->Next()) {
    const std::optional<FoldId> fold = DecodeMetaKey(cursor->key());
    std::optional<FoldMeta> meta = DecodeMeta(cursor->value());
    if (!fold.has_value() || !meta.has_value()) return database.SpaceDamaged(space, "a meta row is unreadable");
    metas.emplace(*fold, *std::move(meta));
  }
  RETURN_IF_ERROR(cursor->status());
  return metas;
}

template <typename From>
absl::StatusOr<std::map<FoldId, FoldMeta>> ReadAllMetas(const Database& database, const From& from) {
  std::map<FoldId, FoldMeta> metas;
  for (const RowSpace& space : from.Spaces()) {
    auto of_space = ReadMetas(database, from, space);
    if (IsSpaceDamaged(of_space.status())) continue;
    RETURN_IF_ERROR(of_space.status());
    metas.merge(*of_space);
  }
  return metas;
}

}  // namespace

absl::StatusOr<std::map<FoldId, FoldMeta>> Database::Metas() const { return ReadAllMetas(*this, *this); }

absl::StatusOr<std::map<FoldId, FoldMeta>> Database::Metas(const DatabaseSnapshot& snapshot) const {
  return ReadAllMetas(*this, snapshot);
}

absl::StatusOr<std::map<FoldId, FoldMeta>> Database::Metas(const RowSpace& space) const {
  return ReadMetas(*this, *this, space);
}

absl::StatusOr<bool> Database::HasMetas(const RowSpace& space) const {
  const std::unique_ptr<DatabaseCursor> cursor = Seek(MetaPrefix(space));
  RETURN_IF_ERROR(cursor->status());
  return cursor->Valid();
}

absl::Status Database::WriteIdentity(const InstallId& install) {
  return Write(
      [&](DatabaseDraft& draft) {
        return draft.Put(IdentityKey(), EncodeIdentity({kStoreFormatVersion, install}));
      },
      [] { return absl::OkStatus(); });
}

absl::Status Database::CheckIdentity(absl::string_view name, const InstallId& install) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, Get(IdentityKey()));
  if (!bytes.has_value()) return Damaged(absl::StrCat("the state store in ", name, " has no identity"));
  const std::optional<Identity> identity = DecodeIdentity(*bytes);
  if (!identity.has_value())
    return Damaged(absl::StrCat("the identity of the state store in ", name, " is unreadable"));
  if (identity->format < kStoreFormatVersion) {
    return Failure(absl::StatusCode::kFailedPrecondition, "OLDER_STORE_FORMAT",
                   absl::StrCat("the state store in ", name, " has format ", identity->format, ", this build writes ",
                                kStoreFormatVersion),
                   {{"found", absl::StrCat(identity->format)}, {"supported", absl::StrCat(kStoreFormatVersion)}});
  }
  if (identity->format > kStoreFormatVersion) {
    return Failure(absl::StatusCode::kFailedPrecondition, "NEWER_STORE_FORMAT",
                   absl::StrCat("the state store in ", name, " has format ", identity->format,
                                "; this build reads up to ", kStoreFormatVersion),
                   {{"found", absl::StrCat(identity->format)}, {"supported", absl::StrCat(kStoreFormatVersion)}});
  }
  if (identity->install != install) {
    return Failure(absl::StatusCode::kFailedPrecondition, "FOREIGN_STORE",
                   absl::StrCat("the state store in ", name, " belongs to install ", identity->install.Hex(),
                                ", the log to ", install.Hex()),
                   {{"found", identity->install.Hex()}, {"expected", install.Hex()}});
  }
  return absl::OkStatus();
}

}  // namespace halles::store
