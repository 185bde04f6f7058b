// Lays the limits of a type out as steps, and walks messages along them.
#include "libs/base/limits/limits.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"
#include "halles/options/v1/limits.pb.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;
using options::v1::FieldLimits;
using options::v1::TextKind;

constexpr int64_t kTimeSecondsMax = 7'258'118'399;  // the end of 2199
constexpr int32_t kNanosMax = 999'999'999;

// 10^k for large powers of ten, thousands apart by commas otherwise.
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

// "1 to 64", "at most 64" or, when both are the same, "32".
std::string Range(uint32_t min, uint32_t max) {
  if (min == max) return Words(max);
  return min == 0 ? absl::StrCat("at most ", Words(max)) : absl::StrCat(Words(min), " to ", Words(max));
}

std::string NumberWords(const options::v1::NumberLimit& limit) {
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

bool IsIdCharacter(char c, bool upper_case) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         (upper_case && c >= 'A' && c <= 'Z');
}

bool IsId(absl::string_view text, bool upper_case) {
  return std::all_of(text.begin(), text.end(), [upper_case](char c) { return IsIdCharacter(c, upper_case); });
}

// The values of an enum: a bit for each of the small ones, which are nearly all.
class KnownValues {
 public:
  KnownValues() = default;
  explicit KnownValues(const EnumDescriptor& type) {
    for (int i = 0; i < type.value_count(); ++i) {
      const int number = type.value(i)->number();
      if (number >= 0 && number < kSmall) {
        small_ |= uint64_t{1} << number;
      } else {
        others_.push_back(number);
      }
    }
    std::sort(others_.begin(), others_.end());
  }

  bool Has(int number) const {
    if (number >= 0 && number < kSmall) return (small_ >> number & 1) != 0;
    return std::binary_search(others_.begin(), others_.end(), number);
  }

 private:
  static constexpr int kSmall = 64;
  uint64_t small_ = 0;
  std::vector<int> others_;
};

}  // namespace

// Where the walk is. Lives on the stack, and becomes a path only when there is an error to name it.
struct LimitPlan::Place {
  const Place* parent;
  const std::string& name;
  int index = -1;

  std::string ToString() const {
    std::string path = parent == nullptr ? std::string() : absl::StrCat(parent->ToString(), ".");
    absl::StrAppend(&path, name);
    if (index >= 0) absl::StrAppend(&path, "[", index, "]");
    return path;
  }
  absl::Status Invalid(absl::string_view description) const { return InvalidField(ToString(), description); }
};

// What one field is checked for.
struct LimitPlan::Step {
  enum class Content { kNothing, kText, kBytes, kInteger, kUnsigned, kEnum, kTime, kMessage };

  const FieldDescriptor* field = nullptr;
  const OneofDescriptor* oneof = nullptr;  // the step is about this oneof, not about a field

  Content content = Content::kNothing;
  bool has_presence = false;
  bool repeated = false;
  bool wide = false;  // an integer of 64 bits
  bool required = false;
  bool output_only = false;
  std::string when_missing;

  uint32_t length_min = 0;
  uint32_t length_max = 0;
  TextKind text_kind = options::v1::TEXT_KIND_UNSPECIFIED;

  // Of an integer, or of `amount` of a message.
  bool has_range = false;
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
  bool not_zero = false;
  const FieldDescriptor* amount = nullptr;
  std::string number_words;

  KnownValues known;

  const MessagePlan* message = nullptr;  // nullptr: nothing in it is looked at

  bool has_items = false;
  uint32_t items_min = 0;
  uint32_t items_max = 0;
  bool unique = false;
  const FieldDescriptor* unique_by = nullptr;

  absl::Status Missing(const Place& place) const {
    return place.Invalid(when_missing.empty() ? "must be given" : when_missing);
  }

  absl::Status CheckText(absl::string_view text, const Place& place) const {
    if (text.empty() && length_min == 0) return absl::OkStatus();
    switch (text_kind) {
      case options::v1::TEXT_KIND_ID:
      case options::v1::TEXT_KIND_LOWER_CASE_ID: {
        const bool upper_case = text_kind == options::v1::TEXT_KIND_ID;
        if (text.size() >= length_min && text.size() <= length_max && IsId(text, upper_case)) return absl::OkStatus();
        return place.Invalid(absl::StrCat("must have ", Range(length_min, length_max), " characters of ",
                                          upper_case ? "A-Z, " : "", "a-z, 0-9, '-' and '_'"));
      }
      case options::v1::TEXT_KIND_CURRENCY:
        if (Currency::Parse(text).ok()) return absl::OkStatus();
        return place.Invalid("must be a currency of ISO 4217 such as GBP");
      case options::v1::TEXT_KIND_TOKEN:
        return CheckLength(text.size(), "characters", place);
      case options::v1::TEXT_KIND_UNSPECIFIED:
      case options::v1::TextKind_INT_MIN_SENTINEL_DO_NOT_USE_:
      case options::v1::TextKind_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    const std::optional<size_t> length = PrintableLength(text);
    if (!length.has_value()) return place.Invalid("must be printable text");
    return CheckLength(*length, "characters", place);
  }

  absl::Status CheckLength(size_t length, absl::string_view unit, const Place& place) const {
    if (length >= length_min && length <= length_max) return absl::OkStatus();
    return place.Invalid(absl::StrCat("must have ", Range(length_min, length_max), " ", unit, ", not ", length));
  }

  absl::Status CheckNumber(int64_t number, const Place& place) const {
    if (number >= min && number <= max && !(not_zero && number == 0)) return absl::OkStatus();
    return place.Invalid(number_words);
  }

  absl::Status CheckEnum(int number, const Place& place) const {
    if (!known.Has(number)) {
      return UnknownValue(place.ToString(), absl::StrCat("has the value ", number, ", which is unknown here"));
    }
    return required && number == 0 ? Missing(place) : absl::OkStatus();
  }

  static absl::Status CheckTime(const Message& message, const Place& place) {
    const auto& time = static_cast<const Timestamp&>(message);
    if (time.seconds() >= 0 && time.seconds() <= kTimeSecondsMax && time.nanos() >= 0 && time.nanos() <= kNanosMax) {
      return absl::OkStatus();
    }
    return place.Invalid("must be in the years 1970 to 2199");
  }

  absl::Status CheckAmount(const Message& held, const Place& place) const;

  // An unsigned number that is beyond every limit counts as the largest.
  static int64_t Capped(uint64_t number) {
    return static_cast<int64_t>(std::min<uint64_t>(number, std::numeric_limits<int64_t>::max()));
  }

  absl::Status CheckOutputOnly(const Reflection& reflection, const Message& in, const Place& place) const {
    const bool given = field->is_repeated() ? reflection.FieldSize(in, field) > 0 : reflection.HasField(in, field);
    return given ? place.Invalid("is output only") : absl::OkStatus();
  }
};

struct LimitPlan::MessagePlan {
  const Reflection* reflection = nullptr;  // asking each message for it costs as much as reading a field
  std::vector<Step> steps;
};

absl::Status LimitPlan::Step::CheckAmount(const Message& held, const Place& place) const {
  return amount == nullptr ? absl::OkStatus() : CheckNumber(message->reflection->GetInt64(held, amount), place);
}

// Makes the plans of a type and of all that it holds.
class LimitPlan::Compiler {
 public:
  explicit Compiler(LimitPlan* plan) : plan_(plan) {}

  absl::StatusOr<const MessagePlan*> Add(const Descriptor& type) {
    const auto [entry, is_new] = made_.try_emplace(&type, nullptr);
    if (!is_new) return entry->second;
    MessagePlan& plan = *plan_->plans_.emplace_back(std::make_unique<MessagePlan>());
    plan.reflection = google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->GetReflection();
    made_[&type] = &plan;
    for (int i = 0; i < type.field_count(); ++i) {
      ASSIGN_OR_RETURN(std::optional<Step> step, StepOf(*type.field(i)));
      if (step.has_value()) plan.steps.push_back(*std::move(step));
    }
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
      const OneofDescriptor& oneof = *type.oneof_decl(i);
      const options::v1::OneofLimits& limits = oneof.options().GetExtension(options::v1::oneof_limits);
      if (!limits.required()) continue;
      Step step;
      step.oneof = &oneof;
      step.when_missing = limits.when_missing();
      plan.steps.push_back(std::move(step));
    }
    return &plan;
  }

 private:
  static absl::Status Misfit(const FieldDescriptor& field, absl::string_view why) {
    return absl::FailedPreconditionError(absl::StrCat("the limits of ", field.full_name(), " do not fit it: ", why));
  }

  // nullopt when there is nothing to check.
  absl::StatusOr<std::optional<Step>> StepOf(const FieldDescriptor& field) {
    const FieldLimits& limits = field.options().GetExtension(options::v1::limits);
    if (field.is_map()) return Misfit(field, "entries of maps have no order, so the first that is wrong has no name");
    Step step;
    step.field = &field;
    step.has_presence = field.has_presence();
    step.repeated = field.is_repeated();
    step.wide =
        field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 || field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
    step.output_only = limits.output_only();
    step.when_missing = limits.when_missing();
    if (step.output_only) return std::optional<Step>(std::move(step));
    RETURN_IF_ERROR(AddPresence(field, limits, &step));
    RETURN_IF_ERROR(AddItems(field, limits, &step));
    RETURN_IF_ERROR(AddContent(field, limits, &step));
    const bool idle = step.content == Step::Content::kNothing && !step.required && !step.has_items;
    if (idle) return std::optional<Step>();
    return std::optional<Step>(std::move(step));
  }

  static absl::Status AddPresence(const FieldDescriptor& field, const FieldLimits& limits, Step* step) {
    step->required = limits.required();
    if (!limits.required()) return absl::OkStatus();
    if (field.is_repeated()) return Misfit(field, "a repeated field is required by items.min");
    if (field.real_containing_oneof() != nullptr) {
      return Misfit(field, "a oneof is required as a whole");
    }
    if (!field.has_presence() && field.type() != FieldDescriptor::TYPE_ENUM) {
      return Misfit(field, "it cannot be told whether it is given; a text is required by text.min");
    }
    return absl::OkStatus();
  }

  static absl::Status AddItems(const FieldDescriptor& field, const FieldLimits& limits, Step* step) {
    if (!limits.has_items()) return absl::OkStatus();
    const options::v1::ItemsLimit& items = limits.items();
    if (!field.is_repeated()) return Misfit(field, "items are those of a repeated field");
    if (items.max() == 0 || items.min() > items.max()) return Misfit(field, "items.max is 0 or below items.min");
    if (items.unique() && field.type() != FieldDescriptor::TYPE_STRING) return Misfit(field, "unique is for strings");
    if (!items.unique_by().empty()) {
      const bool of_messages = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      step->unique_by = of_messages ? field.message_type()->FindFieldByName(items.unique_by()) : nullptr;
      if (step->unique_by == nullptr || step->unique_by->is_repeated() ||
          step->unique_by->type() != FieldDescriptor::TYPE_STRING) {
        return Misfit(field, "unique_by names no string of its entries");
      }
    }
    step->has_items = true;
    step->items_min = items.min();
    step->items_max = items.max();
    step->unique = items.unique() || step->unique_by != nullptr;
    return absl::OkStatus();
  }

  absl::Status AddContent(const FieldDescriptor& field, const FieldLimits& limits, Step* step) {
    const bool is_text = field.type() == FieldDescriptor::TYPE_STRING;
    const bool is_bytes = field.type() == FieldDescriptor::TYPE_BYTES;
    if (limits.has_text() && !is_text) return Misfit(field, "text is the limit of a string");
    if (limits.has_bytes() && !is_bytes) return Misfit(field, "bytes is the limit of bytes");
    if (limits.has_number()) RETURN_IF_ERROR(AddRange(field, limits.number(), step));
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (limits.has_text()) return AddText(field, limits.text(), step);
        if (limits.has_bytes()) return AddBytes(field, limits.bytes(), step);
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_ENUM:
        step->content = Step::Content::kEnum;
        step->known = KnownValues(*field.enum_type());
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return AddMessage(field, step);
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_INT64:
        if (step->has_range) step->content = Step::Content::kInteger;
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_UINT32:
      case FieldDescriptor::CPPTYPE_UINT64:
        if (step->has_range) step->content = Step::Content::kUnsigned;
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_BOOL:
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_FLOAT:
      case FieldDescriptor::CPPTYPE_DOUBLE:
        break;
    }
    // It would have to say what it thinks of NaN, and no amount or quantity of ours is one.
    return Misfit(field, "a request holds no floating point");
  }

  static absl::Status AddText(const FieldDescriptor& field, const options::v1::TextLimit& text, Step* step) {
    if (text.kind() == options::v1::TEXT_KIND_CURRENCY) {
      if (text.max() != 0) return Misfit(field, "a currency has a length of its own");
    } else if (text.max() == 0 || text.min() > text.max()) {
      return Misfit(field, "text.max is 0 or below text.min");
    }
    step->content = Step::Content::kText;
    step->text_kind = text.kind();
    step->length_min = text.min();
    step->length_max = text.max();
    return absl::OkStatus();
  }

  static absl::Status AddBytes(const FieldDescriptor& field, const options::v1::BytesLimit& bytes, Step* step) {
    if (bytes.max() == 0 || bytes.min() > bytes.max()) return Misfit(field, "bytes.max is 0 or below bytes.min");
    step->content = Step::Content::kBytes;
    step->length_min = bytes.min();
    step->length_max = bytes.max();
    return absl::OkStatus();
  }

  static absl::Status AddRange(const FieldDescriptor& field, const options::v1::NumberLimit& number, Step* step) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_INT64:
      case FieldDescriptor::CPPTYPE_UINT32:
      case FieldDescriptor::CPPTYPE_UINT64:
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        const std::string& type = field.message_type()->full_name();
        const bool decimal = type == "halles.common.v1.Decimal";
        if (!decimal && type != "halles.common.v1.Money") return Misfit(field, "it is no Money or Decimal");
        step->amount = field.message_type()->FindFieldByName(decimal ? "unscaled" : "minor_units");
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
    step->has_range = true;
    if (number.has_min()) step->min = number.min();
    if (number.has_max()) step->max = number.max();
    step->not_zero = number.not_zero();
    step->number_words = NumberWords(number);
    if (step->number_words.empty()) return Misfit(field, "number says nothing");
    return absl::OkStatus();
  }

  absl::Status AddMessage(const FieldDescriptor& field, Step* step) {
    if (field.message_type()->full_name() == Timestamp::descriptor()->full_name()) {
      step->content = Step::Content::kTime;
      return absl::OkStatus();
    }
    const bool was_made = made_.contains(field.message_type());
    ASSIGN_OR_RETURN(const MessagePlan* plan, Add(*field.message_type()));
    // One that was begun before may be this very message, and is not complete yet.
    const bool read = step->amount != nullptr || step->unique_by != nullptr;
    if (!was_made && plan->steps.empty() && !read) return absl::OkStatus();
    step->content = Step::Content::kMessage;
    step->message = plan;
    return absl::OkStatus();
  }

  LimitPlan* plan_;
  std::map<const Descriptor*, const MessagePlan*> made_;
};

LimitPlan::LimitPlan() = default;
LimitPlan::LimitPlan(LimitPlan&&) noexcept = default;
LimitPlan& LimitPlan::operator=(LimitPlan&&) noexcept = default;
LimitPlan::~LimitPlan() = default;

absl::StatusOr<LimitPlan> LimitPlan::For(const Descriptor* type) {
  LimitPlan plan;
  RETURN_IF_ERROR(Compiler(&plan).Add(*type).status());
  return plan;
}

absl::Status LimitPlan::Check(const Message& message) const { return CheckMessage(*plans_.front(), message, nullptr); }

absl::Status LimitPlan::CheckMessage(const MessagePlan& plan, const Message& message, const Place* place) {
  for (const Step& step : plan.steps) RETURN_IF_ERROR(CheckStep(step, *plan.reflection, message, place));
  return absl::OkStatus();
}

absl::Status LimitPlan::CheckStep(const Step& step, const Reflection& reflection, const Message& message,
                                  const Place* place) {
  if (step.oneof != nullptr) {
    if (reflection.HasOneof(message, step.oneof)) return absl::OkStatus();
    // The message that holds it is what lacks something; at the top that is the request, which has no name.
    return place == nullptr ? step.Missing(Place{nullptr, step.oneof->name()}) : step.Missing(*place);
  }
  const FieldDescriptor* const field = step.field;
  const Place here{place, field->name()};
  if (step.output_only) return step.CheckOutputOnly(reflection, message, here);
  if (step.repeated) return CheckEntries(step, reflection, message, place);
  if (step.has_presence && !reflection.HasField(message, field)) {
    return step.required ? step.Missing(here) : absl::OkStatus();
  }
  switch (step.content) {
    case Step::Content::kText: {
      std::string scratch;
      return step.CheckText(reflection.GetStringReference(message, field, &scratch), here);
    }
    case Step::Content::kBytes: {
      std::string scratch;
      return step.CheckLength(reflection.GetStringReference(message, field, &scratch).size(), "bytes", here);
    }
    case Step::Content::kInteger:
      return step.CheckNumber(step.wide ? reflection.GetInt64(message, field) : reflection.GetInt32(message, field),
                              here);
    case Step::Content::kUnsigned:
      return step.CheckNumber(step.wide ? Step::Capped(reflection.GetUInt64(message, field))
                                        : int64_t{reflection.GetUInt32(message, field)},
                              here);
    case Step::Content::kEnum:
      return step.CheckEnum(reflection.GetEnumValue(message, field), here);
    case Step::Content::kTime:
      return Step::CheckTime(reflection.GetMessage(message, field), here);
    case Step::Content::kMessage: {
      const Message& held = reflection.GetMessage(message, field);
      RETURN_IF_ERROR(CheckMessage(*step.message, held, &here));
      return step.CheckAmount(held, here);
    }
    case Step::Content::kNothing:
      break;
  }
  return absl::OkStatus();
}

absl::Status LimitPlan::CheckEntries(const Step& step, const Reflection& reflection, const Message& message,
                                     const Place* place) {
  const FieldDescriptor* const field = step.field;
  const int size = reflection.FieldSize(message, field);
  if (step.has_items && (size < static_cast<int64_t>(step.items_min) || size > static_cast<int64_t>(step.items_max))) {
    const Place here{place, field->name()};
    if (size == 0 && !step.when_missing.empty()) return step.Missing(here);
    return here.Invalid(absl::StrCat("takes ", Range(step.items_min, step.items_max), " entries, not ", size));
  }
  std::string scratch;
  for (int i = 0; i < size; ++i) {
    const Place here{place, field->name(), i};
    switch (step.content) {
      case Step::Content::kText:
        RETURN_IF_ERROR(step.CheckText(reflection.GetRepeatedStringReference(message, field, i, &scratch), here));
        break;
      case Step::Content::kBytes:
        RETURN_IF_ERROR(
            step.CheckLength(reflection.GetRepeatedStringReference(message, field, i, &scratch).size(), "bytes", here));
        break;
      case Step::Content::kInteger:
        RETURN_IF_ERROR(step.CheckNumber(
            step.wide ? reflection.GetRepeatedInt64(message, field, i) : reflection.GetRepeatedInt32(message, field, i),
            here));
        break;
      case Step::Content::kUnsigned:
        RETURN_IF_ERROR(step.CheckNumber(step.wide ? Step::Capped(reflection.GetRepeatedUInt64(message, field, i))
                                                   : int64_t{reflection.GetRepeatedUInt32(message, field, i)},
                                         here));
        break;
      case Step::Content::kEnum:
        RETURN_IF_ERROR(step.CheckEnum(reflection.GetRepeatedEnumValue(message, field, i), here));
        break;
      case Step::Content::kTime:
        RETURN_IF_ERROR(Step::CheckTime(reflection.GetRepeatedMessage(message, field, i), here));
        break;
      case Step::Content::kMessage: {
        const Message& held = reflection.GetRepeatedMessage(message, field, i);
        RETURN_IF_ERROR(CheckMessage(*step.message, held, &here));
        RETURN_IF_ERROR(step.CheckAmount(held, here));
        break;
      }
      case Step::Content::kNothing:
        i = size;
        break;
    }
  }
  return step.unique ? CheckUnique(step, reflection, message, place) : absl::OkStatus();
}

absl::Status LimitPlan::CheckUnique(const Step& step, const Reflection& reflection, const Message& message,
                                    const Place* place) {
  constexpr size_t kOnStack = 64;
  const int size = reflection.FieldSize(message, step.field);
  std::string scratch;  // strings are kept as strings, so nothing is copied into it
  absl::InlinedVector<std::pair<absl::string_view, int>, kOnStack> names;
  for (int i = 0; i < size; ++i) {
    if (step.unique_by == nullptr) {
      names.emplace_back(reflection.GetRepeatedStringReference(message, step.field, i, &scratch), i);
    } else {
      const Message& entry = reflection.GetRepeatedMessage(message, step.field, i);
      names.emplace_back(step.message->reflection->GetStringReference(entry, step.unique_by, &scratch), i);
    }
  }
  std::sort(names.begin(), names.end());
  int first = size;  // that comes again
  for (size_t i = 1; i < names.size(); ++i) {
    if (names[i].first == names[i - 1].first) first = std::min(first, names[i].second);
  }
  if (first == size) return absl::OkStatus();
  const Place entry{place, step.field->name(), first};
  if (step.unique_by == nullptr) return entry.Invalid("must come once");
  return Place{&entry, step.unique_by->name()}.Invalid("must come once");
}

}  // namespace halles
