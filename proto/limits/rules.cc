// Reads limits from options, finds those that do not fit their fields, and describes them.
#include "proto/limits/rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace halles {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::OneofDescriptor;
using options::v1::FieldLimits;
using options::v1::NumberLimit;
using Content = FieldRule::Content;

constexpr char kTimestamp[] = "google.protobuf.Timestamp";
constexpr char kMoney[] = "halles.common.v1.Money";
constexpr char kDecimal[] = "halles.common.v1.Decimal";

// 10^k for large powers of ten, otherwise with commas between thousands.
std::string Words(int64_t number) {
  const bool negative = number < 0;
  const uint64_t size = negative ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  int zeros = 0;
  uint64_t rest = size;
  for (; rest != 0 && rest % 10 == 0; rest /= 10) ++zeros;
  const absl::string_view sign = negative ? "-" : "";
  if (rest == 1 && zeros >= 6) return absl::StrCat(sign, "10^", zeros);
  std::string digits = absl::StrCat(size);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return absl::StrCat(sign, digits);
}

// "1 to 64", "at most 64" or, if both are the same, "32".
std::string Range(uint32_t min, uint32_t max) {
  if (min == max) return Words(max);
  return min == 0 ? absl::StrCat("at most ", Words(max)) : absl::StrCat(Words(min), " to ", Words(max));
}

std::string NumberWords(const NumberLimit& limit) {
  std::string words;
  if (limit.has_min() && limit.has_max()) {
    words = absl::StrCat("must be ", Words(limit.min()), " to ", Words(limit.max()));
  } else if (limit.has_min() && limit.min() == 0) {
    words = "must not be negative";
  } else if (limit.has_min() && limit.min() == 1) {
    words = "must be positive";
  } else if (limit.has_min()) {
    words = absl::StrCat("must be at least ", Words(limit.min()));
  } else if (limit.has_max()) {
    words = absl::StrCat("must be at most ", Words(limit.max()));
  }
  if (limit.not_zero()) words = words.empty() ? "must not be 0" : absl::StrCat(words, " and not 0");
  return words;
}

std::string Misfit(const FieldDescriptor& field, absl::string_view why) {
  return absl::StrCat("the limits of ", field.full_name(), " do not fit it: ", why);
}

std::string FaultOfPresence(const FieldDescriptor& field, const FieldLimits& limits) {
  if (!limits.required()) return "";
  if (field.is_repeated()) return Misfit(field, "a repeated field is required by items.min");
  if (field.real_containing_oneof() != nullptr) return Misfit(field, "a oneof is required as a whole");
  if (!field.has_presence() && field.type() != FieldDescriptor::TYPE_ENUM) {
    return Misfit(field, "it cannot be told whether it is given; a text is required by text.min");
  }
  return "";
}

std::string AddItems(const FieldDescriptor& field, FieldRule* rule) {
  if (!rule->limits.has_items()) return "";
  const options::v1::ItemsLimit& items = rule->limits.items();
  if (!field.is_repeated()) return Misfit(field, "items are those of a repeated field");
  if (items.max() == 0 || items.min() > items.max()) return Misfit(field, "items.max is 0 or below items.min");
  if (items.unique() && field.type() != FieldDescriptor::TYPE_STRING) return Misfit(field, "unique is for strings");
  if (!items.unique_by().empty()) {
    const bool of_messages = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    rule->unique_by = of_messages ? field.message_type()->FindFieldByName(items.unique_by()) : nullptr;
    if (rule->unique_by == nullptr || rule->unique_by->is_repeated() ||
        rule->unique_by->type() != FieldDescriptor::TYPE_STRING) {
      return Misfit(field, "unique_by names no string of its entries");
    }
  }
  rule->items_range = Range(items.min(), items.max());
  return "";
}

std::string AddText(const FieldDescriptor& field, FieldRule* rule) {
  const options::v1::TextLimit& text = rule->limits.text();
  if (text.kind() == options::v1::TEXT_KIND_CURRENCY) {
    if (text.min() != 0 || text.max() != 0) return Misfit(field, "a currency has a length of its own");
  } else if (text.max() == 0 || text.min() > text.max()) {
    return Misfit(field, "text.max is 0 or below text.min");
  }
  rule->content = Content::kText;
  rule->range = Range(text.min(), text.max());
  return "";
}

std::string AddNumber(const FieldDescriptor& field, FieldRule* rule) {
  const NumberLimit& number = rule->limits.number();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      rule->content = Content::kNumber;
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      if (number.min() < 0 || number.max() < 0) return Misfit(field, "an unsigned number is never negative");
      rule->content = Content::kNumber;
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const bool decimal = field.message_type()->full_name() == kDecimal;
      if (!decimal && field.message_type()->full_name() != kMoney) return Misfit(field, "it is no Money or Decimal");
      rule->amount = field.message_type()->FindFieldByName(decimal ? "unscaled" : "minor_units");
      if (decimal && (number.has_max() || number.min() < 0 || number.min() > 1)) {
        return Misfit(field, "only the sign of a Decimal is limited");
      }
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Misfit(field, "number is the limit of an integer");
  }
  if (number.has_min() && number.has_max() && number.min() > number.max()) {
    return Misfit(field, "number.max is below number.min");
  }
  rule->number_words = NumberWords(number);
  return rule->number_words.empty() ? Misfit(field, "number says nothing") : "";
}

// The checks of each value of the field. The caller adds messages.
std::string AddContent(const FieldDescriptor& field, FieldRule* rule) {
  const FieldLimits& limits = rule->limits;
  const bool is_text = field.type() == FieldDescriptor::TYPE_STRING;
  const bool is_bytes = field.type() == FieldDescriptor::TYPE_BYTES;
  if (limits.has_text() && !is_text) return Misfit(field, "text is the limit of a string");
  if (limits.has_bytes() && !is_bytes) return Misfit(field, "bytes is the limit of bytes");
  if (limits.has_number()) {
    if (std::string fault = AddNumber(field, rule); !fault.empty()) return fault;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (limits.has_text()) return AddText(field, rule);
      if (limits.has_bytes()) {
        if (limits.bytes().max() == 0 || limits.bytes().min() > limits.bytes().max()) {
          return Misfit(field, "bytes.max is 0 or below bytes.min");
        }
        rule->content = Content::kBytes;
        rule->range = Range(limits.bytes().min(), limits.bytes().max());
      }
      return "";
    case FieldDescriptor::CPPTYPE_ENUM:
      rule->content = Content::kEnum;
      return "";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      rule->content = field.message_type()->full_name() == kTimestamp ? Content::kTime : Content::kMessage;
      return "";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_BOOL:
      return "";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      break;
  }
  // A rule would have to define the treatment of NaN, and no amount or quantity of ours is a floating-point number.
  return Misfit(field, "a request holds no floating point");
}

// Every new field must state how large it may be, or why that does not matter.
std::string FaultOfLack(const FieldDescriptor& field, const FieldRule& rule) {
  const bool unlimited = !rule.limits.unlimited().empty();
  const bool limited =
      rule.limits.has_text() || rule.limits.has_bytes() || rule.limits.has_number() || rule.limits.has_items();
  if (unlimited && limited) return Misfit(field, "it is limited and unlimited");
  if (unlimited || rule.limits.output_only()) return "";
  bool lacks = field.is_repeated() && !rule.limits.has_items();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      lacks = lacks || rule.content == Content::kNothing;
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_MESSAGE:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      break;
  }
  return lacks ? absl::StrCat(field.full_name(), " has no limit: give it one, or say in `unlimited` why it needs none")
               : "";
}

// The text of a field in the table: "required; 1 to 64 characters".
std::string TableWords(const FieldRule& rule) {
  const FieldLimits& limits = rule.limits;
  if (limits.output_only()) return "output only";
  if (!limits.unlimited().empty())
    return absl::StrCat(limits.required() ? "required; " : "", "no limit: ", limits.unlimited());
  std::vector<std::string> words;
  if (limits.required()) words.push_back("required");
  if (limits.has_items()) {
    words.push_back(absl::StrCat(rule.items_range, " entries"));
    if (limits.items().unique()) words.push_back("each once");
    if (rule.unique_by != nullptr) words.push_back(absl::StrCat("each `", rule.unique_by->name(), "` once"));
  }
  switch (rule.content) {
    case Content::kText:
      switch (limits.text().kind()) {
        case options::v1::TEXT_KIND_ID:
          words.push_back(absl::StrCat(rule.range, " characters of A-Z, a-z, 0-9, '-' and '_'"));
          break;
        case options::v1::TEXT_KIND_LOWER_CASE_ID:
          words.push_back(absl::StrCat(rule.range, " characters of a-z, 0-9, '-' and '_'"));
          break;
        case options::v1::TEXT_KIND_CURRENCY:
          words.push_back("a currency of ISO 4217");
          break;
        case options::v1::TEXT_KIND_TOKEN:
          words.push_back(absl::StrCat(rule.range, " bytes"));
          break;
        case options::v1::TEXT_KIND_UNSPECIFIED:
        case options::v1::TextKind_INT_MIN_SENTINEL_DO_NOT_USE_:
        case options::v1::TextKind_INT_MAX_SENTINEL_DO_NOT_USE_:
          words.push_back(absl::StrCat(rule.range, " characters"));
          break;
      }
      break;
    case Content::kBytes:
      words.push_back(absl::StrCat(rule.range, " bytes"));
      break;
    case Content::kEnum:
      words.push_back(absl::StrCat("a known `", rule.field->enum_type()->name(), "`"));
      break;
    case Content::kTime:
      words.push_back("in the years 1970 to 2199");
      break;
    case Content::kMessage:
      words.push_back(absl::StrCat("see `", rule.field->message_type()->name(), "`"));
      break;
    case Content::kNumber:
    case Content::kNothing:
      break;
  }
  if (!rule.number_words.empty()) words.push_back(rule.number_words);
  return absl::StrJoin(words, "; ");
}

}  // namespace

bool FieldRule::idle() const {
  return content == Content::kNothing && !limits.required() && !limits.has_items() && !limits.output_only();
}

const MessageRules* RequestRules::Find(const Descriptor* type) const {
  for (const auto& rules : messages_) {
    if (rules->type == type) return rules.get();
  }
  return nullptr;
}

std::string RequestRules::Add(const Descriptor& message) {
  std::string fault = AddMessage(message);
  if (fault.empty()) requests_.push_back(Find(&message));
  return fault;
}

std::string RequestRules::AddRequests(const FileDescriptor& file) {
  for (int i = 0; i < file.message_type_count(); ++i) {
    if (!absl::EndsWith(file.message_type(i)->name(), "Request")) continue;
    if (std::string fault = Add(*file.message_type(i)); !fault.empty()) return fault;
  }
  return "";
}

std::string RequestRules::AddMessage(const Descriptor& type) {
  if (Find(&type) != nullptr) return "";
  MessageRules& rules = *messages_.emplace_back(std::make_unique<MessageRules>());
  rules.type = &type;
  for (int i = 0; i < type.field_count(); ++i) {
    if (std::string fault = AddField(*type.field(i), &rules); !fault.empty()) return fault;
  }
  for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
    const OneofDescriptor& oneof = *type.oneof_decl(i);
    const options::v1::OneofLimits& limits = oneof.options().GetExtension(options::v1::oneof_limits);
    if (limits.required()) rules.oneofs.push_back({&oneof, limits.when_missing()});
  }
  return "";
}

std::string RequestRules::AddField(const FieldDescriptor& field, MessageRules* rules) {
  if (field.is_map()) return Misfit(field, "entries of maps have no order, so the first that is wrong has no name");
  FieldRule rule;
  rule.field = &field;
  rule.limits = field.options().GetExtension(options::v1::limits);
  if (!rule.limits.output_only()) {
    for (std::string fault : {FaultOfPresence(field, rule.limits), AddItems(field, &rule), AddContent(field, &rule)}) {
      if (!fault.empty()) return fault;
    }
  }
  if (std::string fault = FaultOfLack(field, rule); !fault.empty()) return fault;
  if (!rule.limits.unlimited().empty()) rule.content = Content::kNothing;
  if (rule.content == Content::kMessage) {
    if (std::string fault = AddMessage(*field.message_type()); !fault.empty()) return fault;
  }
  const bool documented = !rule.limits.unlimited().empty();
  if (!rule.idle() || documented) rules->fields.push_back(std::move(rule));
  return "";
}

std::string LimitTables(const RequestRules& rules) {
  std::string text;
  for (const auto& message : rules.messages()) {
    if (message->idle()) continue;
    absl::StrAppend(&text, "### ", message->type->name(), "\n`", message->type->full_name(),
                    "`\n\n| field | limit |\n|---|---|\n");
    for (const FieldRule& rule : message->fields) {
      absl::StrAppend(&text, "| `", rule.field->name(), "` | ", TableWords(rule), " |\n");
    }
    for (const OneofRule& rule : message->oneofs) {
      std::vector<std::string> names;
      for (int i = 0; i < rule.oneof->field_count(); ++i)
        names.push_back(absl::StrCat("`", rule.oneof->field(i)->name(), "`"));
      absl::StrAppend(&text, "| ", absl::StrJoin(names, ", "), " | one is required |\n");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace halles
