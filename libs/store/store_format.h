// The encoding of the store's keys and values. store.h describes the layout.
#ifndef HALLES_LIBS_STORE_STORE_FORMAT_H_
#define HALLES_LIBS_STORE_STORE_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/ids.h"
#include "libs/store/fold.h"

namespace halles::store {

// The first key of every store.
std::string IdentityKey();
struct Identity {
  uint32_t format = 0;
  InstallId install;
};
// format(4) install(16)
std::string EncodeIdentity(const Identity& identity);
std::optional<Identity> DecodeIdentity(absl::string_view bytes);

// The prefix of all rows of the space.
std::string SpacePrefix(const RowSpace& space);

// The space of a row or meta; also of a prefix of one that names its space. nullopt for what belongs to no space.
std::optional<RowSpace> SpaceOfKey(absl::string_view key);

// What the metas of the space begin with.
std::string MetaPrefix(const RowSpace& space);
std::string MetaKey(const FoldId& fold);
std::optional<FoldId> DecodeMetaKey(absl::string_view key);
// version(4) next(8) digest(16: high, low) cursor
std::string EncodeMeta(const FoldMeta& meta);
std::optional<FoldMeta> DecodeMeta(absl::string_view bytes);

// The first key that does not begin with `prefix`, which is not all 0xff.
std::string PrefixEnd(absl::string_view prefix);

// The part of a stored row before its value.
struct RowHeader {
  Position position = 0;
  SlotId source;  // of a view's row
};
void AppendRowHeader(FoldId::Kind kind, const RowHeader& header, std::string* out);
// Takes the header off the front of a stored row; false if the row is too short for one.
bool TakeRowHeader(FoldId::Kind kind, absl::string_view* bytes, RowHeader* header);

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_STORE_FORMAT_H_
