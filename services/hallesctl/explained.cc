// Finds the sale in the JSON of an event.
#include "services/hallesctl/explained.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "libs/base/status.h"

namespace halles::hallesctl {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// The events that move money, the field that holds the sale, and the field that holds the amount ("": the sale's net).
constexpr struct {
  const char* event;
  const char* sale;
  const char* net;
} kSales[] = {{"order_imported", "sale", ""},         {"return_imported", "sale", ""},
              {"return_linked", "linked_return", ""}, {"order_confirmed", "sale", ""},
              {"order_cancelled", "reversal", ""},    {"fulfilment_ended", "reversal", ""},
              {"goods_returned", "sale", ""},         {"exchange_committed", "sale", "difference"}};

const Value* Member(const Struct& object, const std::string& key) {
  const auto found = object.fields().find(key);
  return found == object.fields().end() ? nullptr : &found->second;
}

const Struct* ObjectMember(const Struct& object, const std::string& key) {
  const Value* const value = Member(object, key);
  return value != nullptr && value->has_struct_value() ? &value->struct_value() : nullptr;
}

std::string TextMember(const Struct& object, const std::string& key) {
  const Value* const value = Member(object, key);
  return value == nullptr ? "" : value->string_value();
}

// Finds the sale in `object` or in an object within it.
bool Find(const Struct& object, EventValue* out) {
  for (const auto& [event, field, of_body] : kSales) {
    const Struct* const body = ObjectMember(object, event);
    const Struct* const sale = body == nullptr ? nullptr : ObjectMember(*body, field);
    const bool of_sale = of_body[0] == '\0';
    const Struct* const net = sale == nullptr ? nullptr
                              : of_sale       ? ObjectMember(*sale, "net")
                                              : ObjectMember(*body, of_body);
    if (net == nullptr) continue;
    int64_t minor_units = 0;
    const std::string text = TextMember(*net, "minor_units");
    if (!text.empty() && !absl::SimpleAtoi(text, &minor_units)) return false;
    out->type = event;
    out->net.set_minor_units(minor_units);
    out->net.set_currency_code(TextMember(*net, "currency_code"));
    if (const Struct* const external = ObjectMember(*sale, "external"); external != nullptr) {
      out->external_id = TextMember(*external, "external_id");
    }
    return true;
  }
  for (const auto& [key, value] : object.fields()) {
    if (value.has_struct_value() && Find(value.struct_value(), out)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<EventValue> ValueOfEvent(const std::string& event_json) {
  Struct object;
  EventValue value;
  if (google::protobuf::util::JsonStringToMessage(event_json, &object).ok() && Find(object, &value)) return value;
  return Failure(absl::StatusCode::kDataLoss, "NOT_A_SALE",
                 absl::StrCat("an event behind an amount moves no money: ", event_json.substr(0, 200)));
}

std::string IndentJson(const std::string& json) {
  std::string out;
  size_t depth = 0;
  bool quoted = false;
  const auto line = [&] { absl::StrAppend(&out, "\n", std::string(2 * depth, ' ')); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted) {
      out.push_back(c);
      if (c == '\\' && i + 1 < json.size()) out.push_back(json[++i]);
      if (c == '"') quoted = false;
      continue;
    }
    switch (c) {
      case '"':
        quoted = true;
        out.push_back(c);
        break;
      case '{':
      case '[':
        out.push_back(c);
        if (i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
          out.push_back(json[++i]);
          break;
        }
        ++depth;
        line();
        break;
      case '}':
      case ']':
        if (depth > 0) --depth;
        line();
        out.push_back(c);
        break;
      case ',':
        out.push_back(c);
        line();
        break;
      case ':':
        out += ": ";
        break;
      case ' ':
      case '\n':
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace halles::hallesctl
