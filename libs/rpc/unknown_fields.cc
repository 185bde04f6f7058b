// Walks messages in search of unknown fields.
#include "libs/rpc/unknown_fields.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/unknown_field_set.h"
#include "google/rpc/error_details.pb.h"
#include "libs/base/status.h"

namespace halles::rpc {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

UnknownFieldCheck::UnknownFieldCheck(const std::vector<const Descriptor*>& types) {
  for (const Descriptor* type : types) Add(type);
}

void UnknownFieldCheck::Add(const Descriptor* type) {
  if (!holds_.try_emplace(type).second) return;
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    fields.push_back(field);
    Add(field->message_type());
  }
  holds_[type] = std::move(fields);
}

absl::Status UnknownFieldCheck::Check(const Message& message) const {
  const std::optional<Found> found = Find(message);
  if (!found.has_value()) return absl::OkStatus();
  const std::string where = found->path.empty() ? message.GetDescriptor()->name() : found->path;
  const std::string what = absl::StrCat("field ", found->number, " is unknown here");
  absl::Status status =
      Failure(absl::StatusCode::kInvalidArgument, "UNKNOWN_FIELD",
              absl::StrCat(where, ": ", what, "; commands are refused rather than understood in part"),
              {{"path", found->path}, {"field_number", absl::StrCat(found->number)}});
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field(found->path);
  violation->set_description(what);
  status.SetPayload(kBadRequestUrl, absl::Cord(bad_request.SerializeAsString()));
  return status;
}

std::optional<UnknownFieldCheck::Found> UnknownFieldCheck::Find(const Message& message) const {
  const Reflection* const reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  if (!unknown.empty()) return Found{"", unknown.field(0).number()};
  const auto prefixed = [](Found found, const std::string& step) {
    found.path = found.path.empty() ? step : absl::StrCat(step, ".", found.path);
    return found;
  };
  for (const FieldDescriptor* field : holds_.find(message.GetDescriptor())->second) {
    if (field->is_repeated()) {
      const int size = reflection->FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        auto found = Find(reflection->GetRepeatedMessage(message, field, i));
        if (found.has_value()) return prefixed(*std::move(found), absl::StrCat(field->name(), "[", i, "]"));
      }
    } else if (reflection->HasField(message, field)) {
      auto found = Find(reflection->GetMessage(message, field));
      if (found.has_value()) return prefixed(*std::move(found), field->name());
    }
  }
  return std::nullopt;
}

}  // namespace halles::rpc
