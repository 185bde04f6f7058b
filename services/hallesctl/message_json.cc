// Writes the fields of a message as JSON.
#include "services/hallesctl/message_json.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/timestamp.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

// The prefix of an enum's values, such as "HOLD_STATE_" for HoldState.
std::string PrefixOf(absl::string_view enum_name) {
  std::string prefix;
  for (size_t i = 0; i < enum_name.size(); ++i) {
    if (i > 0 && absl::ascii_isupper(static_cast<unsigned char>(enum_name[i]))) prefix.push_back('_');
    prefix.push_back(absl::ascii_toupper(static_cast<unsigned char>(enum_name[i])));
  }
  prefix.push_back('_');
  return prefix;
}

// Writes messages that have a special form; false when `message` is none of them.
bool WriteWord(const Message& message, JsonWriter* json) {
  if (message.GetDescriptor() == Timestamp::descriptor()) {
    json->Value(TimeJson(static_cast<const Timestamp&>(message)));
    return true;
  }
  if (message.GetDescriptor() == common::v1::Decimal::descriptor()) {
    json->Value(DecimalText(static_cast<const common::v1::Decimal&>(message)));
    return true;
  }
  if (message.GetDescriptor() == common::v1::Money::descriptor()) {
    const auto& money = static_cast<const common::v1::Money&>(message);
    json->BeginObject().Field("currency", money.currency_code()).Field("minor_units", money.minor_units());
    json->Field("amount", AmountDecimal(money.minor_units(), money.currency_code())).EndObject();
    return true;
  }
  return false;
}

// Writes one value: `index` counts within a repeated field and is -1 for a field that is not repeated.
void WriteValue(const Message& message, const FieldDescriptor* field, int index, JsonWriter* json) {
  const Reflection* const at = message.GetReflection();
  const bool many = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      json->Value(many ? at->GetRepeatedInt32(message, field, index) : at->GetInt32(message, field));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      json->Value(many ? at->GetRepeatedInt64(message, field, index) : at->GetInt64(message, field));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      json->Value(many ? at->GetRepeatedUInt32(message, field, index) : at->GetUInt32(message, field));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      json->Value(many ? at->GetRepeatedUInt64(message, field, index) : at->GetUInt64(message, field));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      json->Value(many ? at->GetRepeatedDouble(message, field, index) : at->GetDouble(message, field));
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      json->Value(
          static_cast<double>(many ? at->GetRepeatedFloat(message, field, index) : at->GetFloat(message, field)));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      json->Value(many ? at->GetRepeatedBool(message, field, index) : at->GetBool(message, field));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      json->Value(EnumWord(many ? at->GetRepeatedEnum(message, field, index) : at->GetEnum(message, field)));
      break;
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = many ? at->GetRepeatedString(message, field, index) : at->GetString(message, field);
      json->Value(field->type() == FieldDescriptor::TYPE_BYTES ? absl::BytesToHexString(text) : text);
      break;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      WriteMessage(many ? at->GetRepeatedMessage(message, field, index) : at->GetMessage(message, field), json);
      break;
  }
}

}  // namespace

std::string TimeJson(const Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", TimeOf(time), absl::UTCTimeZone());
}

std::string EnumWord(absl::string_view value_name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(value_name, prefix));
}

std::string EnumWord(const EnumValueDescriptor* value) {
  if (value == nullptr || value->number() == 0) return "";
  return EnumWord(value->name(), PrefixOf(value->type()->name()));
}

void WriteMessage(const Message& message, JsonWriter* json) {
  if (WriteWord(message, json)) return;
  const google::protobuf::Descriptor* const type = message.GetDescriptor();
  json->BeginObject();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (field->is_repeated()) {
      json->Key(field->name()).BeginArray();
      const int count = message.GetReflection()->FieldSize(message, field);
      for (int index = 0; index < count; ++index) WriteValue(message, field, index, json);
      json->EndArray();
    } else if (!field->has_presence() || message.GetReflection()->HasField(message, field)) {
      json->Key(field->name());
      WriteValue(message, field, -1, json);
    }
  }
  json->EndObject();
}

}  // namespace halles::hallesctl
