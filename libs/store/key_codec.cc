// Encodes and decodes the key fields that need more than a line.
#include "libs/store/key_codec.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace halles::store {

void AppendStringField(absl::string_view value, std::string* out) {
  for (;;) {
    const size_t zero = value.find('\0');
    if (zero == absl::string_view::npos) break;
    out->append(value.data(), zero + 1);
    out->push_back('\xff');
    value.remove_prefix(zero + 1);
  }
  out->append(value.data(), value.size());
  out->append(2, '\0');
}

bool TakeStringField(absl::string_view* in, std::string* value) {
  value->clear();
  for (;;) {
    const size_t zero = in->find('\0');
    if (zero == absl::string_view::npos || zero + 1 == in->size()) return false;
    const char follower = (*in)[zero + 1];
    if (follower != '\0' && follower != '\xff') return false;
    value->append(in->data(), follower == '\0' ? zero : zero + 1);
    in->remove_prefix(zero + 2);
    if (follower == '\0') return true;
  }
}

void AppendBigEndian(uint64_t value, int width, std::string* out) {
  char bytes[8];
  for (int i = 0; i < width; ++i) bytes[i] = static_cast<char>(value >> (8 * (width - 1 - i)));
  out->append(bytes, static_cast<size_t>(width));
}

bool TakeBigEndian(absl::string_view* in, int width, uint64_t* value) {
  if (in->size() < static_cast<size_t>(width)) return false;
  *value = 0;
  for (int i = 0; i < width; ++i) *value = *value << 8 | static_cast<uint8_t>((*in)[static_cast<size_t>(i)]);
  in->remove_prefix(static_cast<size_t>(width));
  return true;
}

std::string PrintBytes(absl::string_view bytes) {
  const bool printable = std::all_of(bytes.begin(), bytes.end(),
                                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  return printable ? std::string(bytes) : absl::StrCat("0x", absl::BytesToHexString(bytes));
}

}  // namespace halles::store
