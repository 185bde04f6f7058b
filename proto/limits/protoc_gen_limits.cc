// A plugin of protoc: writes "<file>.limits.{h,cc}", which check the requests of a file against the limits of their fields
// (halles/options/v1/limits.proto), and "<file>.limits.md", which lists them. A field without a limit is an error.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/protobuf/compiler/code_generator.h"
#include "google/protobuf/compiler/plugin.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "proto/limits/rules.h"

namespace halles {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::OneofDescriptor;
using google::protobuf::compiler::GeneratorContext;
using Content = FieldRule::Content;

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CEscape(text), "\""); }

std::string NamespaceOf(const FileDescriptor& file) { return absl::StrReplaceAll(file.package(), {{".", "::"}}); }

// The name of a message or an enum; a nested one is "Outer_Inner".
template <class Type>
std::string CppName(const Type& type) {
  std::string name = type.name();
  for (const Descriptor* outer = type.containing_type(); outer != nullptr; outer = outer->containing_type()) {
    name = absl::StrCat(outer->name(), "_", name);
  }
  return absl::StrCat("::", NamespaceOf(*type.file()), "::", name);
}

// The name of the C++ accessor of a field.
std::string Accessor(const FieldDescriptor& field) { return absl::AsciiStrToLower(field.name()); }

std::string KindCase(const OneofDescriptor& oneof) { return absl::StrCat(oneof.name(), "_case()"); }

std::string Number(int64_t value) {
  // The smallest number has no literal.
  if (value == std::numeric_limits<int64_t>::min()) return "std::numeric_limits<int64_t>::min()";
  return absl::StrCat("int64_t{", value, "}");
}

// Writes the checks of one type of message.
class MessageWriter {
 public:
  MessageWriter(const RequestRules& all, std::string* text) : all_(all), text_(*text) {}

  void Write(const MessageRules& rules) {
    absl::StrAppend(&text_, "absl::Status Check(const ", CppName(*rules.type), "& message, const Place* in) {\n");
    for (const FieldRule& rule : rules.fields) WriteField(rule);
    for (const OneofRule& rule : rules.oneofs) WriteOneof(rule);
    absl::StrAppend(&text_, "  return absl::OkStatus();\n}\n\n");
  }

 private:
  template <class... Parts>
  void Line(int indent, const Parts&... parts) {
    absl::StrAppend(&text_, std::string(2 * indent, ' '), parts..., "\n");
  }

  void WriteField(const FieldRule& rule) {
    const FieldDescriptor& field = *rule.field;
    const std::string name = Accessor(field);
    const std::string here = absl::StrCat("Place{in, ", Quoted(field.name()), "}");
    if (rule.limits.output_only()) {
      const std::string given = field.is_repeated()    ? absl::StrCat("message.", name, "_size() > 0")
                                : field.has_presence() ? absl::StrCat("message.has_", name, "()")
                                : field.cpp_type() == FieldDescriptor::CPPTYPE_STRING
                                    ? absl::StrCat("!message.", name, "().empty()")
                                    : absl::StrCat("message.", name, "() != 0");
      Line(1, "if (", given, ") return ::halles::limits::Invalid(", here, ", \"is output only\");");
      return;
    }
    if (field.is_repeated()) {
      WriteRepeated(rule, name, here);
      return;
    }
    const std::string value = absl::StrCat("message.", name, "()");
    if (!field.has_presence()) {
      WriteValue(1, rule, value, here);
      return;
    }
    if (rule.limits.required()) Line(1, "if (!message.has_", name, "()) return ", Missing(here, rule), ";");
    if (rule.content == Content::kNothing) return;
    if (rule.limits.required()) {
      WriteValue(1, rule, value, here);
      return;
    }
    Line(1, "if (message.has_", name, "()) {");
    WriteValue(2, rule, value, here);
    Line(1, "}");
  }

  void WriteRepeated(const FieldRule& rule, const std::string& name, const std::string& here) {
    const options::v1::ItemsLimit& items = rule.limits.items();
    if (rule.limits.has_items()) {
      Line(1, "if (message.", name, "_size() > ", items.max(), " || message.", name, "_size() < ", items.min(), ") {");
      if (!rule.limits.when_missing().empty()) {
        Line(2, "if (message.", name, "().empty()) return ", Missing(here, rule), ";");
      }
      Line(2, "return ::halles::limits::BadCount(", here, ", ", Quoted(rule.items_range), ", message.", name,
           "_size());");
      Line(1, "}");
    }
    const bool looked_at =
        rule.content != Content::kNothing &&
        (rule.content != Content::kMessage || rule.amount != nullptr || !all_.Find(rule.field->message_type())->idle());
    if (looked_at) {
      Line(1, "for (int i = 0; i < message.", name, "_size(); ++i) {");
      WriteValue(2, rule, absl::StrCat("message.", name, "(i)"),
                 absl::StrCat("Place{in, ", Quoted(rule.field->name()), ", i}"));
      Line(1, "}");
    }
    if (!items.unique() && rule.unique_by == nullptr) return;
    const std::string key =
        rule.unique_by == nullptr ? "entry" : absl::StrCat("entry.", Accessor(*rule.unique_by), "()");
    Line(1, "if (const int twice = ::halles::limits::FirstRepeat(message.", name,
         "(), [](const auto& entry) -> absl::string_view { return ", key, "; }); twice >= 0) {");
    Line(2, "const Place entry{in, ", Quoted(rule.field->name()), ", twice};");
    const std::string place =
        rule.unique_by == nullptr ? "entry" : absl::StrCat("Place{&entry, ", Quoted(rule.unique_by->name()), "}");
    Line(2, "return ::halles::limits::Invalid(", place, ", \"must come once\");");
    Line(1, "}");
  }

  void WriteValue(int indent, const FieldRule& rule, const std::string& value, const std::string& place) {
    switch (rule.content) {
      case Content::kText:
        WriteText(indent, rule, value, place);
        return;
      case Content::kBytes:
        Line(indent, "if (!::halles::limits::IsLength(", value, ".size(), ", rule.limits.bytes().min(), ", ",
             rule.limits.bytes().max(), ")) return ::halles::limits::BadLength(", place, ", ", Quoted(rule.range),
             ", \"bytes\", ", value, ".size());");
        return;
      case Content::kNumber:
        WriteNumber(indent, rule, value, place, rule.field->cpp_type());
        return;
      case Content::kEnum: {
        const EnumDescriptor& type = *rule.field->enum_type();
        Line(indent, "if (!", CppName(type), "_IsValid(", value, ")) return ::halles::limits::Unknown(", place, ", ",
             value, ");");
        if (rule.limits.required()) {
          Line(indent, "if (static_cast<int>(", value, ") == 0) return ", Missing(place, rule), ";");
        }
        return;
      }
      case Content::kTime:
        Line(indent, "if (!::halles::limits::IsTime(", value, ")) return ::halles::limits::BadTime(", place, ");");
        return;
      case Content::kMessage:
        WriteMessage(indent, rule, value, place);
        return;
      case Content::kNothing:
        return;
    }
  }

  void WriteText(int indent, const FieldRule& rule, const std::string& value, const std::string& place) {
    const options::v1::TextLimit& text = rule.limits.text();
    const std::string least_and_most = absl::StrCat(text.min(), ", ", text.max());
    switch (text.kind()) {
      case options::v1::TEXT_KIND_ID:
      case options::v1::TEXT_KIND_LOWER_CASE_ID: {
        const bool upper = text.kind() == options::v1::TEXT_KIND_ID;
        Line(indent, "if (!::halles::limits::Is", upper ? "" : "LowerCase", "Id(", value, ", ", least_and_most,
             ")) return ::halles::limits::Invalid(", place, ", ",
             Quoted(absl::StrCat("must have ", rule.range, " characters of ", upper ? "A-Z, " : "",
                                 "a-z, 0-9, '-' and '_'")),
             ");");
        return;
      }
      case options::v1::TEXT_KIND_CURRENCY:
        Line(indent, "if (!::halles::limits::IsCurrency(", value, ")) return ::halles::limits::Invalid(", place,
             ", \"must be a currency of ISO 4217 such as GBP\");");
        return;
      case options::v1::TEXT_KIND_TOKEN:
        Line(indent, "if (!::halles::limits::IsLength(", value, ".size(), ", least_and_most,
             ")) return ::halles::limits::BadLength(", place, ", ", Quoted(rule.range), ", \"bytes\", ", value,
             ".size());");
        return;
      case options::v1::TEXT_KIND_UNSPECIFIED:
      case options::v1::TextKind_INT_MIN_SENTINEL_DO_NOT_USE_:
      case options::v1::TextKind_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    Line(indent, "if (!::halles::limits::IsText(", value, ", ", least_and_most, ")) return ::halles::limits::BadText(",
         place, ", ", Quoted(rule.range), ", ", value, ");");
  }

  void WriteNumber(int indent, const FieldRule& rule, const std::string& value, const std::string& place,
                   FieldDescriptor::CppType type) {
    const options::v1::NumberLimit& limit = rule.limits.number();
    const std::string number = type == FieldDescriptor::CPPTYPE_UINT64
                                   ? absl::StrCat("::halles::limits::Capped(", value, ")")
                                   : absl::StrCat("int64_t{", value, "}");
    std::string wrong;
    const auto add = [&wrong](const std::string& condition) {
      absl::StrAppend(&wrong, wrong.empty() ? "" : " || ", condition);
    };
    if (limit.has_min()) add(absl::StrCat(number, " < ", Number(limit.min())));
    if (limit.has_max()) add(absl::StrCat(number, " > ", Number(limit.max())));
    if (limit.not_zero()) add(absl::StrCat(number, " == 0"));
    Line(indent, "if (", wrong, ") return ::halles::limits::Invalid(", place, ", ", Quoted(rule.number_words), ");");
  }

  void WriteMessage(int indent, const FieldRule& rule, const std::string& value, const std::string& place) {
    const bool idle = all_.Find(rule.field->message_type())->idle();
    if (!idle) {
      Line(indent, "const Place place", rule.field->index(), " = ", place, ";");
      Line(indent, "if (absl::Status status = Check(", value, ", &place", rule.field->index(),
           "); !status.ok()) return status;");
    }
    if (rule.amount == nullptr) return;
    // A Decimal is one number; for a Money the error names the invalid one of its two fields.
    const bool decimal = rule.amount->name() == "unscaled";
    const std::string parent = absl::StrCat("place", rule.field->index());
    if (!decimal && idle) Line(indent, "const Place ", parent, " = ", place, ";");
    WriteNumber(indent, rule, absl::StrCat(value, ".", Accessor(*rule.amount), "()"),
                decimal ? place : absl::StrCat("Place{&", parent, ", ", Quoted(rule.amount->name()), "}"),
                rule.amount->cpp_type());
  }

  void WriteOneof(const OneofRule& rule) {
    std::string none = absl::AsciiStrToUpper(rule.oneof->name());
    const std::string words = rule.when_missing.empty() ? "must be given" : rule.when_missing;
    // The error is about the message that holds it; at the top that is the request, which has no name.
    Line(1, "if (message.", KindCase(*rule.oneof), " == ", CppName(*rule.oneof->containing_type()), "::", none,
         "_NOT_SET) return ::halles::limits::Invalid(in == nullptr ? Place{nullptr, ", Quoted(rule.oneof->name()),
         "} : *in, ", Quoted(words), ");");
  }

  static std::string Missing(const std::string& place, const FieldRule& rule) {
    const std::string& words = rule.limits.when_missing();
    return absl::StrCat("::halles::limits::Invalid(", place, ", ", Quoted(words.empty() ? "must be given" : words),
                        ")");
  }

  const RequestRules& all_;
  std::string& text_;
};

void WriteFile(GeneratorContext* context, const std::string& name, const std::string& text) {
  const std::unique_ptr<google::protobuf::io::ZeroCopyOutputStream> out(context->Open(name));
  google::protobuf::io::CodedOutputStream(out.get()).WriteString(text);
}

std::string HeaderOf(const FileDescriptor& file, const std::string& stem, const RequestRules& rules) {
  const std::string guard = absl::StrCat(
      "HALLES_GENERATED_", absl::AsciiStrToUpper(absl::StrReplaceAll(stem, {{"/", "_"}, {".", "_"}, {"-", "_"}})),
      "_LIMITS_H_");
  std::string text =
      absl::StrCat("// Generated from ", file.name(), ": checks requests against the limits of their fields.\n#ifndef ",
                   guard, "\n#define ", guard, "\n\n#include \"absl/status/status.h\"\n#include \"", stem,
                   ".pb.h\"\n\nnamespace ", NamespaceOf(file), " {\n\n",
                   "// Each: INVALID_ARGUMENT that names the first field which breaks a limit, such as\n"
                   "// \"lines[3].sku\", in the order of the proto. The reason is INVALID_FIELD; "
                   "UNKNOWN_VALUE when an enum has a number\n// that this build does not know.\n");
  for (const MessageRules* request : rules.requests()) {
    absl::StrAppend(&text, "absl::Status CheckLimits(const ", request->type->name(), "& request);\n");
  }
  absl::StrAppend(&text, "\n}  // namespace ", NamespaceOf(file), "\n\n#endif  // ", guard, "\n");
  return text;
}

std::string SourceOf(const FileDescriptor& file, const std::string& stem, const RequestRules& rules) {
  std::set<std::string> includes;
  for (const auto& message : rules.messages()) {
    includes.insert(absl::StrCat(absl::StripSuffix(message->type->file()->name(), ".proto"), ".pb.h"));
  }
  std::string text = absl::StrCat("// Generated from ", file.name(),
                                  ": checks requests against the limits of their fields.\n#include \"", stem,
                                  ".limits.h\"\n\n#include <cstdint>\n#include <limits>\n\n"
                                  "#include \"absl/status/status.h\"\n#include \"absl/strings/string_view.h\"\n");
  for (const std::string& include : includes) absl::StrAppend(&text, "#include \"", include, "\"\n");
  absl::StrAppend(&text, "#include \"libs/base/limits/limits.h\"\n\nnamespace ", NamespaceOf(file),
                  " {\nnamespace {\n\n", "using ::halles::limits::Place;\n\n");
  // A message without rules has a check only if it is a request.
  std::vector<const MessageRules*> checked;
  for (const auto& message : rules.messages()) {
    const bool asked =
        std::find(rules.requests().begin(), rules.requests().end(), message.get()) != rules.requests().end();
    if (asked || !message->idle()) checked.push_back(message.get());
  }
  for (const MessageRules* message : checked) {
    absl::StrAppend(&text, "absl::Status Check(const ", CppName(*message->type), "& message, const Place* in);\n");
  }
  absl::StrAppend(&text, "\n");
  MessageWriter writer(rules, &text);
  for (const MessageRules* message : checked) writer.Write(*message);
  absl::StrAppend(&text, "}  // namespace\n\n");
  for (const MessageRules* request : rules.requests()) {
    absl::StrAppend(&text, "absl::Status CheckLimits(const ", request->type->name(),
                    "& request) { return Check(request, nullptr); }\n");
  }
  absl::StrAppend(&text, "\n}  // namespace ", NamespaceOf(file), "\n");
  return text;
}

class LimitsGenerator : public google::protobuf::compiler::CodeGenerator {
 public:
  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }

  bool Generate(const FileDescriptor* file, const std::string&, GeneratorContext* context,
                std::string* error) const override {
    RequestRules rules;
    *error = rules.AddRequests(*file);
    if (!error->empty()) return false;
    const std::string stem(absl::StripSuffix(file->name(), ".proto"));
    WriteFile(context, stem + ".limits.h", HeaderOf(*file, stem, rules));
    WriteFile(context, stem + ".limits.cc", SourceOf(*file, stem, rules));
    WriteFile(context, stem + ".limits.md", LimitTables(rules));
    return true;
  }
};

}  // namespace
}  // namespace halles

int main(int argc, char** argv) {
  const halles::LimitsGenerator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
