// Writes JSON: keys in the order in which they are given, integers as numbers, amounts as strings.
#ifndef HALLES_SERVICES_HALLESCTL_JSON_H_
#define HALLES_SERVICES_HALLESCTL_JSON_H_

#include <concepts>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace halles::hallesctl {

// Builds one JSON value; the writer adds commas. Every object or array that is begun must be ended.
class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  // Writes the key of the next value.
  JsonWriter& Key(absl::string_view key);
  JsonWriter& Value(absl::string_view text);
  JsonWriter& Value(const std::string& text) { return Value(absl::string_view(text)); }
  JsonWriter& Value(const char* text) { return Value(absl::string_view(text)); }
  JsonWriter& Value(bool value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Value(std::integral auto value) { return Raw(absl::StrCat(value)); }
  // Writes the number with three decimals.
  JsonWriter& Value(double value);
  // Writes JSON text as it is; null when it is empty.
  JsonWriter& Raw(absl::string_view json);

  template <typename T>
  JsonWriter& Field(absl::string_view key, const T& value) {
    return Key(key).Value(value);
  }

  const std::string& text() const { return text_; }

 private:
  void Separate();

  std::string text_;
  bool first_ = true;  // no value precedes the next one in its object or array
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_JSON_H_
