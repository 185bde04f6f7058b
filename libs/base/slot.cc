// Names of services, slots and events as text, and the slot of an aggregate.
#include "libs/base/slot.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "libs/base/check.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"

namespace halles {
namespace {

struct Named {
  ServiceId service;
  absl::string_view name;
};
constexpr std::array<Named, 7> kServices = {{
    {ServiceId::kCheckout, "checkout"},
    {ServiceId::kTerminalGateway, "terminal_gateway"},
    {ServiceId::kCustomerIdentity, "customer_identity"},
    {ServiceId::kInventory, "inventory"},
    {ServiceId::kLoyalty, "loyalty"},
    {ServiceId::kFraud, "fraud"},
    {ServiceId::kPayments, "payments"},
}};

absl::Status Malformed(absl::string_view what, absl::string_view text, absl::string_view example) {
  return Failure(absl::StatusCode::kInvalidArgument, absl::StrCat("MALFORMED_", what),
                 absl::StrCat("\"", text, "\" does not name one; a valid form is ", example));
}

// Digits only, without leading zeros: one number has one name.
template <typename T>
bool ParseNumber(absl::string_view text, T* out) {
  uint64_t value;
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  if (text.size() > 1 && text[0] == '0') return false;
  if (!absl::SimpleAtoi(text, &value) || value > std::numeric_limits<T>::max()) return false;
  *out = static_cast<T>(value);
  return true;
}

}  // namespace

absl::string_view ServiceName(ServiceId service) {
  for (const Named& named : kServices) {
    if (named.service == service) return named.name;
  }
  return "unknown";
}

absl::StatusOr<ServiceId> ParseService(absl::string_view name) {
  for (const Named& named : kServices) {
    if (named.name == name) return named.service;
  }
  const auto append_name = [](std::string* out, const Named& named) { absl::StrAppend(out, named.name); };
  return Failure(
      absl::StatusCode::kInvalidArgument, "UNKNOWN_SERVICE",
      absl::StrCat("no service is named \"", name, "\"; there are ", absl::StrJoin(kServices, ", ", append_name)));
}

void SlotCounts::Set(ServiceId service, uint32_t count) {
  HALLES_CHECK(count >= 1 && count <= kSlotCountMax, "a count of slots that no service can have");
  own_.erase(service);
  if (count != standard_) own_[service] = count;
}

std::string SlotCounts::ToString() const {
  std::string text = absl::StrCat(standard_);
  for (const auto& [service, count] : own_) absl::StrAppend(&text, ",", ServiceName(service), "=", count);
  return text;
}

absl::StatusOr<SlotCounts> SlotCounts::Parse(absl::string_view text) {
  const auto malformed = [text](absl::string_view why) {
    return Failure(
        absl::StatusCode::kInvalidArgument, "MALFORMED_SLOT_COUNTS",
        absl::StrCat("\"", text, "\" does not say how many slots the services have: ", why,
                     "; valid forms are 8 and checkout=16,inventory=4, each number from 1 to ", kSlotCountMax));
  };
  std::optional<uint32_t> standard;
  std::map<ServiceId, uint32_t> own;
  for (const absl::string_view item : absl::StrSplit(text, ',')) {
    const size_t equals = item.find('=');
    const absl::string_view number = equals == absl::string_view::npos ? item : item.substr(equals + 1);
    uint32_t count = 0;
    if (!ParseNumber(number, &count) || count < 1 || count > kSlotCountMax) {
      return malformed(absl::StrCat("\"", number, "\" is no such number"));
    }
    if (equals == absl::string_view::npos) {
      if (standard.has_value()) return malformed("there are two numbers for all services");
      standard = count;
      continue;
    }
    const absl::StatusOr<ServiceId> service = ParseService(item.substr(0, equals));
    if (!service.ok()) return malformed(service.status().message());
    if (!own.emplace(*service, count).second) return malformed(absl::StrCat(ServiceName(*service), " comes twice"));
  }
  SlotCounts counts(standard.value_or(kDefaultSlotCount));
  for (const auto& [service, count] : own) counts.Set(service, count);
  return counts;
}

std::string SlotId::ToString() const { return absl::StrCat(ServiceName(service), "/", slot); }

absl::StatusOr<SlotId> SlotId::Parse(absl::string_view text) {
  SlotId id;
  const size_t slash = text.find('/');
  if (slash == absl::string_view::npos || !ParseNumber(text.substr(slash + 1), &id.slot)) {
    return Malformed("SLOT", text, "checkout/17");
  }
  ASSIGN_OR_RETURN(id.service, ParseService(text.substr(0, slash)));
  return id;
}

SlotId SlotOf(ServiceId service, absl::string_view tenant, absl::string_view aggregate_key, uint32_t slot_count) {
  std::string bytes;
  bytes.reserve(8 + tenant.size() + aggregate_key.size());
  const uint64_t length = tenant.size();
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(length >> shift));
  absl::StrAppend(&bytes, tenant, aggregate_key);
  return SlotId{service, static_cast<uint16_t>(Hash64(bytes) % slot_count)};
}

std::string EventRef::ToString() const { return absl::StrCat(slot.ToString(), "@", position, "#", index); }

absl::StatusOr<EventRef> EventRef::Parse(absl::string_view text) {
  EventRef ref;
  const size_t at = text.find('@');
  const size_t hash = at == absl::string_view::npos ? at : text.find('#', at);
  if (hash == absl::string_view::npos || !ParseNumber(text.substr(at + 1, hash - at - 1), &ref.position) ||
      !ParseNumber(text.substr(hash + 1), &ref.index)) {
    return Malformed("EVENT_REF", text, "checkout/17@4711#0");
  }
  ASSIGN_OR_RETURN(ref.slot, SlotId::Parse(text.substr(0, at)));
  return ref;
}

}  // namespace halles
