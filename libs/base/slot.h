// Services, slots, positions and references of events: the place of an event in the log.
#ifndef HALLES_LIBS_BASE_SLOT_H_
#define HALLES_LIBS_BASE_SLOT_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles {

// The services that own logs. The numbers are in stored keys and in logs and never change.
enum class ServiceId : uint8_t {
  kCheckout = 1,
  kTerminalGateway = 2,
  kCustomerIdentity = 3,
  kInventory = 4,
  kLoyalty = 5,
  kFraud = 6,
  kPayments = 7,
};

// "checkout", "customer_identity" and so on; "unknown" for a number without a service.
absl::string_view ServiceName(ServiceId service);

// The reverse of ServiceName. INVALID_ARGUMENT naming the valid ones.
absl::StatusOr<ServiceId> ParseService(absl::string_view name);

// The offset of a record within its slot, counted from 0.
using Position = uint64_t;

// A slot is one thread and decides tens of thousands of commands a second, so 8 slots carry a large retailer. Many
// small slots would be slow on a replicated log.
inline constexpr uint32_t kDefaultSlotCount = 8;
inline constexpr uint32_t kSlotCountMax = 65536;

// How many slots each service has: one count for all services, and others for services that need more or fewer. Fixed
// when the log is created. As text "8", or "8,checkout=16,inventory=4".
class SlotCounts {
 public:
  SlotCounts() = default;
  // `standard` is the count of every service that Set does not name. Counts are 1 to kSlotCountMax.
  explicit SlotCounts(uint32_t standard) : standard_(standard) {}
  void Set(ServiceId service, uint32_t count);

  uint32_t of(ServiceId service) const {
    const auto own = own_.find(service);
    return own == own_.end() ? standard_ : own->second;
  }

  std::string ToString() const;
  // Parses that text; without a count for all services, it is kDefaultSlotCount. INVALID_ARGUMENT,
  // MALFORMED_SLOT_COUNTS.
  static absl::StatusOr<SlotCounts> Parse(absl::string_view text);

  // Whether all services have the same counts, however the counts were given.
  friend bool operator==(const SlotCounts&, const SlotCounts&) = default;

 private:
  uint32_t standard_ = kDefaultSlotCount;
  std::map<ServiceId, uint32_t> own_;  // services whose count differs from the standard one
};

// One totally ordered part of the log of a service.
struct SlotId {
  ServiceId service = ServiceId::kCheckout;
  uint16_t slot = 0;

  friend bool operator==(const SlotId&, const SlotId&) = default;
  friend auto operator<=>(const SlotId&, const SlotId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SlotId& id) {
    return H::combine(std::move(h), id.service, id.slot);
  }

  // "checkout/17".
  std::string ToString() const;
  static absl::StatusOr<SlotId> Parse(absl::string_view text);
};

// The slot of an aggregate. The same arguments always give the same slot, because it decides where events are stored.
SlotId SlotOf(ServiceId service, absl::string_view tenant, absl::string_view aggregate_key, uint32_t slot_count);

// The reference of one event: event number `index` of the record at `position`.
struct EventRef {
  SlotId slot;
  Position position = 0;
  uint32_t index = 0;

  friend bool operator==(const EventRef&, const EventRef&) = default;
  friend auto operator<=>(const EventRef&, const EventRef&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const EventRef& ref) {
    return H::combine(std::move(h), ref.slot, ref.position, ref.index);
  }

  // "checkout/17@4711#0".
  std::string ToString() const;
  static absl::StatusOr<EventRef> Parse(absl::string_view text);
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_SLOT_H_
