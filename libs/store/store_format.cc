// The encoding of the store.
#include "libs/store/store_format.h"

#include "libs/store/key_codec.h"

namespace halles::store {
namespace {

constexpr uint8_t kIdentitySpace = 0;  // the kinds of folds are 1 and 2
constexpr uint8_t kMetaSpace = 3;

}  // namespace

std::string IdentityKey() { return std::string(2, static_cast<char>(kIdentitySpace)); }

std::string EncodeIdentity(const Identity& identity) {
  std::string bytes;
  AppendField(identity.format, &bytes);
  AppendField(identity.install, &bytes);
  return bytes;
}

std::optional<Identity> DecodeIdentity(absl::string_view bytes) {
  Identity identity;
  if (!TakeField(&bytes, &identity.format) || !TakeField(&bytes, &identity.install)) return std::nullopt;
  return identity;
}

std::string SpacePrefix(const RowSpace& space) {
  std::string prefix;
  AppendField(space.kind, &prefix);
  AppendField(space.service, &prefix);
  if (space.kind == FoldId::Kind::kState) {
    AppendField(space.slot, &prefix);
  } else {
    AppendField(space.view, &prefix);
  }
  return prefix;
}

std::string MetaPrefix(const RowSpace& space) {
  return std::string(1, static_cast<char>(kMetaSpace)) + SpacePrefix(space);
}

std::string MetaKey(const FoldId& fold) {
  std::string key = MetaPrefix(RowSpace::Of(fold));
  if (fold.kind == FoldId::Kind::kView) AppendField(fold.source, &key);
  return key;
}

std::optional<FoldId> DecodeMetaKey(absl::string_view key) {
  uint8_t space;
  FoldId fold;
  if (!TakeField(&key, &space) || space != kMetaSpace || !TakeField(&key, &fold.kind) ||
      !TakeField(&key, &fold.service)) {
    return std::nullopt;
  }
  switch (fold.kind) {
    case FoldId::Kind::kState:
      fold.source.service = fold.service;
      if (!TakeField(&key, &fold.source.slot)) return std::nullopt;
      break;
    case FoldId::Kind::kView:
      if (!TakeField(&key, &fold.view) || !TakeField(&key, &fold.source)) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  if (!key.empty()) return std::nullopt;
  return fold;
}

std::optional<RowSpace> SpaceOfKey(absl::string_view key) {
  if (!key.empty() && static_cast<uint8_t>(key.front()) == kMetaSpace) key.remove_prefix(1);
  RowSpace space;
  if (!TakeField(&key, &space.kind) || !TakeField(&key, &space.service)) return std::nullopt;
  switch (space.kind) {
    case FoldId::Kind::kState:
      return TakeField(&key, &space.slot) ? std::optional<RowSpace>(space) : std::nullopt;
    case FoldId::Kind::kView:
      return TakeField(&key, &space.view) ? std::optional<RowSpace>(space) : std::nullopt;
  }
  return std::nullopt;
}

std::string EncodeMeta(const FoldMeta& meta) {
  std::string bytes;
  AppendField(meta.version, &bytes);
  AppendField(meta.cursor.next, &bytes);
  AppendField(meta.digest.sum().hi, &bytes);
  AppendField(meta.digest.sum().lo, &bytes);
  bytes += meta.cursor.bytes;
  return bytes;
}

std::optional<FoldMeta> DecodeMeta(absl::string_view bytes) {
  FoldMeta meta;
  Hash128 sum;
  if (!TakeField(&bytes, &meta.version) || !TakeField(&bytes, &meta.cursor.next) || !TakeField(&bytes, &sum.hi) ||
      !TakeField(&bytes, &sum.lo)) {
    return std::nullopt;
  }
  meta.digest = Digest(sum);
  meta.cursor.bytes = std::string(bytes);
  return meta;
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

void AppendRowHeader(FoldId::Kind kind, const RowHeader& header, std::string* out) {
  AppendField(header.position, out);
  if (kind == FoldId::Kind::kView) AppendField(header.source, out);
}

bool TakeRowHeader(FoldId::Kind kind, absl::string_view* bytes, RowHeader* header) {
  return TakeField(bytes, &header->position) && (kind == FoldId::Kind::kState || TakeField(bytes, &header->source));
}

}  // namespace halles::store
