// Encodes the fields of a table's key so that the order of the bytes is the order of the fields.
//
// Layout, field after field, nothing between them:
//   unsigned integer   big endian, its own width
//   signed integer     big endian with the sign bit flipped
//   enum               as its underlying integer
//   SlotId             service (1 byte), slot (2 bytes, big endian)
//   byte array         as it is (ids of fixed width, hashes)
//   string, string id  each 0x00 written as 0x00 0xff, then 0x00 0x00 as the end
// Since every field is self-delimiting, the encoding of the first fields is a prefix of exactly the keys that begin
// with them.
#ifndef HALLES_LIBS_STORE_KEY_CODEC_H_
#define HALLES_LIBS_STORE_KEY_CODEC_H_

#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/hash.h"
#include "libs/base/slot.h"

namespace halles::store {

void AppendStringField(absl::string_view value, std::string* out);
bool TakeStringField(absl::string_view* in, std::string* value);
void AppendBigEndian(uint64_t value, int width, std::string* out);
bool TakeBigEndian(absl::string_view* in, int width, uint64_t* value);
// The bytes themselves if all are printable, otherwise in hexadecimal.
std::string PrintBytes(absl::string_view bytes);

namespace internal {

template <class T>
concept StringLikeId = requires(const T& id, std::string text) {
  { T::FromString(text) } -> std::same_as<T>;
  { id.ToString() } -> std::convertible_to<std::string>;
};

template <class T>
struct IsByteArray : std::false_type {};
template <size_t N>
struct IsByteArray<std::array<uint8_t, N>> : std::true_type {};

template <class T>
concept FixedBytes = requires(T value) {
  requires IsByteArray<std::decay_t<decltype(value.bytes)>>::value;
};

template <class T>
concept BytesId = requires(const T& value) {
  requires IsByteArray<std::decay_t<decltype(value.bytes())>>::value;
};

template <class T>
constexpr bool kUnknownField = false;

}  // namespace internal

template <class T>
void AppendField(const T& field, std::string* out) {
  if constexpr (std::is_enum_v<T>) {
    AppendField(static_cast<std::underlying_type_t<T>>(field), out);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    const auto flipped = static_cast<Unsigned>(static_cast<Unsigned>(field) ^ (Unsigned{1} << (sizeof(T) * 8 - 1)));
    AppendBigEndian(flipped, sizeof(T), out);
  } else if constexpr (std::is_integral_v<T>) {
    AppendBigEndian(field, sizeof(T), out);
  } else if constexpr (std::is_same_v<T, std::string>) {
    AppendStringField(field, out);
  } else if constexpr (std::is_same_v<T, SlotId>) {
    AppendField(field.service, out);
    AppendField(field.slot, out);
  } else if constexpr (internal::IsByteArray<T>::value) {
    out->append(reinterpret_cast<const char*>(field.data()), field.size());
  } else if constexpr (internal::FixedBytes<T>) {
    AppendField(field.bytes, out);
  } else if constexpr (internal::BytesId<T>) {
    AppendField(field.bytes(), out);
  } else if constexpr (internal::StringLikeId<T>) {
    AppendStringField(field.ToString(), out);
  } else {
    static_assert(internal::kUnknownField<T>, "this type cannot stand in a key");
  }
}

// Takes a field off the front of `in`; false if the bytes are not such a field.
template <class T>
bool TakeField(absl::string_view* in, T* field) {
  if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number;
    if (!TakeField(in, &number)) return false;
    *field = static_cast<T>(number);
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    uint64_t number;
    if (!TakeBigEndian(in, sizeof(T), &number)) return false;
    if constexpr (std::is_signed_v<T>) number ^= uint64_t{1} << (sizeof(T) * 8 - 1);
    *field = static_cast<T>(number);
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return TakeStringField(in, field);
  } else if constexpr (std::is_same_v<T, SlotId>) {
    return TakeField(in, &field->service) && TakeField(in, &field->slot);
  } else if constexpr (internal::IsByteArray<T>::value) {
    if (in->size() < field->size()) return false;
    in->copy(reinterpret_cast<char*>(field->data()), field->size());
    in->remove_prefix(field->size());
    return true;
  } else if constexpr (internal::FixedBytes<T>) {
    return TakeField(in, &field->bytes);
  } else if constexpr (internal::BytesId<T>) {
    std::decay_t<decltype(field->bytes())> bytes;
    if (!TakeField(in, &bytes)) return false;
    *field = T::FromBytes(bytes);
    return true;
  } else if constexpr (internal::StringLikeId<T>) {
    std::string text;
    if (!TakeStringField(in, &text)) return false;
    *field = T::FromString(text);
    return true;
  } else {
    static_assert(internal::kUnknownField<T>, "this type cannot stand in a key");
  }
}

template <class T>
std::string PrintField(const T& field) {
  if constexpr (std::is_enum_v<T>) {
    return absl::StrCat(static_cast<int64_t>(field));
  } else if constexpr (std::is_integral_v<T>) {
    return absl::StrCat(field);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return PrintBytes(field);
  } else if constexpr (internal::IsByteArray<T>::value) {
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(field.data()), field.size()));
  } else if constexpr (internal::FixedBytes<T>) {
    return PrintField(field.bytes);
  } else if constexpr (internal::BytesId<T>) {
    return PrintField(field.bytes());
  } else if constexpr (std::is_same_v<T, SlotId>) {
    return field.ToString();
  } else {
    return PrintBytes(field.ToString());
  }
}

template <class Key>
void AppendKey(const Key& key, std::string* out) {
  std::apply([out](const auto&... fields) { (AppendField(fields, out), ...); }, key.Fields());
}

// False if the bytes are not exactly the fields of this key.
template <class Key>
bool TakeKey(absl::string_view in, Key* key) {
  return std::apply([&in](auto&... fields) { return (TakeField(&in, &fields) && ...); }, key->Fields()) && in.empty();
}

namespace internal {

template <class Key, size_t I>
using FieldOf = std::decay_t<std::tuple_element_t<I, decltype(std::declval<const Key&>().Fields())>>;

// The argument is bound to the key's own field type, so that a literal is encoded with the width of the field.
template <class Key, size_t I>
void AppendAs(const FieldOf<Key, I>& field, std::string* out) {
  AppendField(field, out);
}

template <class Key, size_t... I, class... First>
void AppendFirst(std::index_sequence<I...>, [[maybe_unused]] std::string* out, const First&... first) {
  (AppendAs<Key, I>(first, out), ...);
}

}  // namespace internal

// Appends the first fields of a key: a prefix of all keys that begin with them.
template <class Key, class... First>
void AppendKeyPrefix(std::string* out, const First&... first) {
  internal::AppendFirst<Key>(std::index_sequence_for<First...>(), out, first...);
}

// "order=cj:123 line=4" when the key names its fields in kFieldNames (a std::array of const char*), otherwise "cj:123 4".
template <class Key>
std::string PrintKey(const Key& key) {
  std::string out;
  size_t i = 0;
  const auto print = [&](const auto& field) {
    if (i > 0) out += ' ';
    if constexpr (requires { Key::kFieldNames[0]; }) absl::StrAppend(&out, Key::kFieldNames[i], "=");
    out += PrintField(field);
    ++i;
  };
  std::apply([&](const auto&... fields) { (print(fields), ...); }, key.Fields());
  return out;
}

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_KEY_CODEC_H_
