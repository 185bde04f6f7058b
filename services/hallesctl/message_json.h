// Any message of the API as JSON, with the field names of the protos.
#ifndef HALLES_SERVICES_HALLESCTL_MESSAGE_JSON_H_
#define HALLES_SERVICES_HALLESCTL_MESSAGE_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "services/hallesctl/json.h"

namespace halles::hallesctl {

// "2017-01-01T11:53:26Z".
std::string TimeJson(const google::protobuf::Timestamp& time);
// The word for an enum value without the prefix: "external_id" for IDENTIFIER_TYPE_EXTERNAL_ID, "sale" for
// LINE_KIND_SALE, "claim" for RECORD_KIND_CLAIM and so on.
std::string EnumWord(absl::string_view value_name, absl::string_view prefix);
// The word for a value whose prefix is the name of its enum; "" for UNSPECIFIED.
std::string EnumWord(const google::protobuf::EnumValueDescriptor* value);
template <typename Enum>
std::string WordOf(Enum value) {
  return EnumWord(google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(static_cast<int>(value)));
}

// Writes every field in the order of the proto: integers as numbers, enums as words, times as text, bytes in
// hexadecimal digits, money with its decimal string, exact decimals as text. Absent messages are left out; empty and
// zero values are written.
void WriteMessage(const google::protobuf::Message& message, JsonWriter* json);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_MESSAGE_JSON_H_
