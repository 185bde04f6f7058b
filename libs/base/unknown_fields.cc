// Searches messages for unknown fields.
#include "libs/base/unknown_fields.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/unknown_field_set.h"
#include "google/rpc/error_details.pb.h"
#include "libs/base/status.h"

namespace halles {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

UnknownFieldCheck::UnknownFieldCheck(const std::vector<const Descriptor*>& types) {
  for (const Descriptor* type : types) Add(type);
}

void UnknownFieldCheck::Add(const Descriptor* type) {
  if (!types_.try_emplace(type).second) return;
  Type holds;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) holds.enums.push_back(field);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    holds.messages.push_back(field);
    Add(field->message_type());
  }
  types_[type] = std::move(holds);
}

std::string UnknownFieldCheck::Found::What() const {
  return absl::StrCat(value ? "value " : "field ", number, " is unknown here");
}

absl::Status UnknownFieldCheck::Check(const Message& message) const {
  const std::optional<Found> found = Find(message, /*values=*/false);
  if (!found.has_value()) return absl::OkStatus();
  const std::string where = found->path.empty() ? message.GetDescriptor()->name() : found->path;
  absl::Status status = Failure(absl::StatusCode::kInvalidArgument, "UNKNOWN_FIELD",
                                absl::StrCat(where, ": ", found->What(), "; a command with an unknown part is refused"),
                                {{"path", found->path}, {"field_number", absl::StrCat(found->number)}});
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field(found->path);
  violation->set_description(found->What());
  status.SetPayload(kBadRequestUrl, absl::Cord(bad_request.SerializeAsString()));
  return status;
}

absl::Status UnknownFieldCheck::CheckCall(const Message& message) const {
  const std::optional<Found> found = Find(message, /*values=*/true);
  if (!found.has_value()) return absl::OkStatus();
  const std::string where = found->path.empty() ? message.GetDescriptor()->name() : found->path;
  return Failure(absl::StatusCode::kUnimplemented, "UNKNOWN_FIELD",
                 absl::StrCat(where, ": ", found->What(), "; a later build is needed"), {{"path", found->path}});
}

std::optional<UnknownFieldCheck::Found> UnknownFieldCheck::Find(const Message& message, bool values) const {
  const Reflection* const reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  if (!unknown.empty()) return Found{.number = unknown.field(0).number()};
  const auto prefixed = [](Found found, const std::string& step) {
    found.path = found.path.empty() ? step : absl::StrCat(step, ".", found.path);
    return found;
  };
  const Type& holds = types_.find(message.GetDescriptor())->second;
  for (const FieldDescriptor* field : holds.messages) {
    if (field->is_repeated()) {
      const int size = reflection->FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        auto found = Find(reflection->GetRepeatedMessage(message, field, i), values);
        if (found.has_value()) return prefixed(*std::move(found), absl::StrCat(field->name(), "[", i, "]"));
      }
    } else if (reflection->HasField(message, field)) {
      auto found = Find(reflection->GetMessage(message, field), values);
      if (found.has_value()) return prefixed(*std::move(found), field->name());
    }
  }
  if (!values) return std::nullopt;
  for (const FieldDescriptor* field : holds.enums) {
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      const int value = field->is_repeated() ? reflection->GetRepeatedEnumValue(message, field, i)
                                             : reflection->GetEnumValue(message, field);
      if (field->enum_type()->FindValueByNumber(value) != nullptr) continue;
      return Found{.path = field->is_repeated() ? absl::StrCat(field->name(), "[", i, "]") : field->name(),
                   .number = value,
                   .value = true};
    }
  }
  return std::nullopt;
}

}  // namespace halles
