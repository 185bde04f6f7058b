// Integers as stored bytes, least significant first.
#ifndef HALLES_LIBS_EVENTLOG_LITTLE_ENDIAN_H_
#define HALLES_LIBS_EVENTLOG_LITTLE_ENDIAN_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace halles::eventlog {

// Writes `value` to the sizeof(Integer) bytes at `out`.
template <typename Integer>
void StoreLittle(Integer value, char* out) {
  for (size_t i = 0; i < sizeof(Integer); ++i) out[i] = static_cast<char>(value >> (8 * i));
}

template <typename Integer>
void AppendLittle(Integer value, std::string* out) {
  char bytes[sizeof(Integer)];
  StoreLittle(value, bytes);
  out->append(bytes, sizeof(Integer));
}

// Reads an integer at `offset` of `bytes`, which must be long enough.
template <typename Integer>
Integer LoadLittle(absl::string_view bytes, size_t offset) {
  Integer value = 0;
  for (size_t i = 0; i < sizeof(Integer); ++i) {
    value |= static_cast<Integer>(static_cast<Integer>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i));
  }
  return value;
}

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_LITTLE_ENDIAN_H_
