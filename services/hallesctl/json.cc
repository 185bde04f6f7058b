// The JSON writer.
#include "services/hallesctl/json.h"

#include "absl/strings/str_format.h"

namespace halles::hallesctl {

void JsonWriter::Separate() {
  if (!first_) text_.push_back(',');
  first_ = false;
}

JsonWriter& JsonWriter::BeginObject() {
  Separate();
  text_.push_back('{');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  text_.push_back('}');
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Separate();
  text_.push_back('[');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  text_.push_back(']');
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Key(absl::string_view key) {
  Value(key);
  text_.push_back(':');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::Value(absl::string_view text) {
  Separate();
  text_.push_back('"');
  for (char c : text) {
    switch (c) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\t':
        text_ += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          text_ += absl::StrFormat("\\u%04x", static_cast<unsigned char>(c));
        } else {
          text_.push_back(c);
        }
    }
  }
  text_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::Value(double value) { return Raw(absl::StrFormat("%.3f", value)); }

JsonWriter& JsonWriter::Raw(absl::string_view json) {
  Separate();
  absl::StrAppend(&text_, json.empty() ? "null" : json);
  return *this;
}

}  // namespace halles::hallesctl
