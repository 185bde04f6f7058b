// A plugin of protoc: writes "<file>.visit.h" with a Visit for each message that has `oneof event` (see libs/base/visit.h).
#include <memory>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/protobuf/compiler/code_generator.h"
#include "google/protobuf/compiler/plugin.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace halles {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::OneofDescriptor;

std::string CppName(absl::string_view full_name) {
  return absl::StrCat("::", absl::StrReplaceAll(full_name, {{".", "::"}}));
}

// "order_confirmed" as protoc's enum of cases names it: "kOrderConfirmed".
std::string CaseName(const FieldDescriptor& field) {
  std::string name = "k";
  bool upper = true;
  for (const char c : field.name()) {
    if (c == '_') {
      upper = true;
      continue;
    }
    name.push_back(upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c);
    upper = absl::ascii_isdigit(static_cast<unsigned char>(c));
  }
  return name;
}

const OneofDescriptor* EventOf(const Descriptor& message) {
  for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
    if (message.oneof_decl(i)->name() == "event") return message.oneof_decl(i);
  }
  return nullptr;
}

// Empty, or why the kinds of `oneof` cannot be told apart by their types.
std::string FaultOf(const OneofDescriptor& oneof) {
  std::set<const Descriptor*> seen;
  for (int i = 0; i < oneof.field_count(); ++i) {
    const FieldDescriptor& field = *oneof.field(i);
    if (field.type() != FieldDescriptor::TYPE_MESSAGE) return absl::StrCat(field.full_name(), " is not a message");
    if (!seen.insert(field.message_type()).second) {
      return absl::StrCat(field.full_name(), " holds ", field.message_type()->name(),
                          " as another field does: each kind of event needs a message of its own");
    }
  }
  return "";
}

std::string VisitOf(const Descriptor& event, const OneofDescriptor& oneof) {
  std::string checks;
  std::string cases;
  std::string kinds;
  for (int i = 0; i < oneof.field_count(); ++i) {
    const FieldDescriptor& field = *oneof.field(i);
    const std::string type = CppName(field.message_type()->full_name());
    const std::string what = absl::StrCat(event.name(), ".", field.name());
    const std::string& kind = field.message_type()->name();
    absl::StrAppend(&checks, "  static_assert(::halles::visit_internal::Takes<Bare, ", type, ">,\n                \"",
                    what, " is not handled: give the visitor an overload for ", kind,
                    ", or name that in its PassesOver\");\n");
    absl::StrAppend(&checks, "  static_assert(!::halles::visit_internal::Takes<Bare, ", type,
                    "> || ::halles::visit_internal::kFits<Bare, ", type, ">,\n                \"", what,
                    " is answered with another type than NoEvent\");\n");
    absl::StrAppend(&checks, "  static_assert(!::halles::visit_internal::kContradicts<Bare, ", type,
                    ">,\n                \"", what, " is handled and named in PassesOver\");\n");
    absl::StrAppend(&cases, "    case ", event.name(), "::", CaseName(field),
                    ":\n      return ::halles::visit_internal::VisitOne(event.", field.name(), "(), visitor);\n");
    absl::StrAppend(&kinds, i == 0 ? "" : ",", "\n    Kind<", field.number(), ", ", type, ">");
  }
  const std::string package = absl::StrReplaceAll(event.file()->package(), {{".", "::"}});
  return absl::StrCat(
      "namespace ", package, " {\n\n",
      "// Calls `visitor` with the kind of event that is set; with NoEvent when none is.\n",
      "template <class Visitor>\nauto Visit(const ", event.name(), "& event, Visitor&& visitor) {\n",
      "  using Bare = std::remove_cvref_t<Visitor>;\n  ::halles::visit_internal::CheckVisitor<Bare>();\n", checks,
      "  switch (event.event_case()) {\n", cases, "    case ", event.name(), "::EVENT_NOT_SET:\n      break;\n  }\n",
      "  return ::halles::visit_internal::VisitOne(::halles::NoEvent(), visitor);\n}\n\n}  // namespace ", package,
      "\n\nnamespace halles::visit_internal {\n\ntemplate <>\nstruct KindsOf<", CppName(event.full_name()),
      "> : KindList<", kinds, "> {};\n\n}  // namespace halles::visit_internal\n\n");
}

// Limits: looks at messages at the top of a file, where events are.
class VisitGenerator : public google::protobuf::compiler::CodeGenerator {
 public:
  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }

  bool Generate(const FileDescriptor* file, const std::string&, google::protobuf::compiler::GeneratorContext* context,
                std::string* error) const override {
    const std::string stem(absl::StripSuffix(file->name(), ".proto"));
    const std::string guard = absl::StrCat(
        "HALLES_GENERATED_", absl::AsciiStrToUpper(absl::StrReplaceAll(stem, {{"/", "_"}, {".", "_"}, {"-", "_"}})),
        "_VISIT_H_");
    std::string text =
        absl::StrCat("// Generated from ", file->name(), ": calls a visitor with the kind of an event.\n#ifndef ",
                     guard, "\n#define ", guard, "\n\n#include <type_traits>\n\n#include \"", stem,
                     ".pb.h\"\n#include \"libs/base/visit.h\"\n\n");
    for (int i = 0; i < file->message_type_count(); ++i) {
      const Descriptor& message = *file->message_type(i);
      const OneofDescriptor* const oneof = EventOf(message);
      if (oneof == nullptr) continue;
      *error = FaultOf(*oneof);
      if (!error->empty()) return false;
      absl::StrAppend(&text, VisitOf(message, *oneof));
    }
    absl::StrAppend(&text, "#endif  // ", guard, "\n");
    const std::unique_ptr<google::protobuf::io::ZeroCopyOutputStream> out(context->Open(stem + ".visit.h"));
    google::protobuf::io::CodedOutputStream(out.get()).WriteString(text);
    return true;
  }
};

}  // namespace
}  // namespace halles

int main(int argc, char** argv) {
  const halles::VisitGenerator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
