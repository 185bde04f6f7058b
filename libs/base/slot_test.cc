// Tests of the names of services, slots and events.
#include "libs/base/slot.h"

#include <set>

#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles {
namespace {

TEST(ServiceName, RoundTripsForEachService) {
  for (int number = 1; number <= 7; ++number) {
    const auto service = static_cast<ServiceId>(number);
    EXPECT_EQ(ParseService(ServiceName(service)).value(), service);
  }
  EXPECT_EQ(ServiceName(static_cast<ServiceId>(99)), "unknown");
}

TEST(ParseService, NamesTheValidServicesInItsError) {
  const absl::Status status = ParseService("chekout").status();
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_SERVICE");
  EXPECT_NE(status.message().find("checkout, terminal_gateway"), absl::string_view::npos) << status;
}

TEST(SlotId, RoundTripsThroughItsText) {
  const SlotId id{ServiceId::kCustomerIdentity, 65535};
  EXPECT_EQ(id.ToString(), "customer_identity/65535");
  EXPECT_EQ(SlotId::Parse(id.ToString()).value(), id);
}

TEST(SlotId, RefusesAnythingElse) {
  for (const char* text : {"", "/", "checkout", "checkout/", "checkout/65536", "checkout/-1", "checkout/01", "nope/1",
                           "checkout/1 ", "checkout/+1"}) {
    EXPECT_FALSE(SlotId::Parse(text).ok()) << text;
  }
}

TEST(SlotId, IsOrderedByServiceThenSlot) {
  EXPECT_LT((SlotId{ServiceId::kCheckout, 9}), (SlotId{ServiceId::kCustomerIdentity, 1}));
  EXPECT_LT((SlotId{ServiceId::kCheckout, 9}), (SlotId{ServiceId::kCheckout, 10}));
}

TEST(SlotCounts, RoundTripThroughTheirText) {
  for (const char* text : {"8", "1", "65536", "8,checkout=16", "8,checkout=16,inventory=4"}) {
    EXPECT_EQ(SlotCounts::Parse(text).value().ToString(), text);
  }
  EXPECT_EQ(SlotCounts::Parse("checkout=16,inventory=8").value().ToString(), "8,checkout=16");
}

TEST(SlotCounts, AreEqualWhenAllServicesHaveEqualCounts) {
  SlotCounts counts(8);
  counts.Set(ServiceId::kInventory, 4);
  EXPECT_NE(counts, SlotCounts(8));
  EXPECT_EQ(counts.of(ServiceId::kInventory), 4u);
  EXPECT_EQ(counts.of(ServiceId::kCheckout), 8u);
  counts.Set(ServiceId::kInventory, 8);
  EXPECT_EQ(counts, SlotCounts(8));
}

TEST(SlotCounts, RefuseAnythingElse) {
  for (const char* text : {"", "0", "65537", "8,", "8,16", "-1", "08", "checkout", "checkout=", "checkout=0", "till=8",
                           "checkout=8,checkout=8", "checkout=8 "}) {
    EXPECT_EQ(ReasonOf(SlotCounts::Parse(text).status()), "MALFORMED_SLOT_COUNTS") << text;
  }
}

TEST(SlotOf, NeverChanges) {
  // Golden values: stored events are in these slots.
  EXPECT_EQ(SlotOf(ServiceId::kCheckout, "", "order-1", 64).slot, 57);
  EXPECT_EQ(SlotOf(ServiceId::kCheckout, "tenant", "order-1", 64).slot, 13);
}

TEST(SlotOf, DistinguishesTenantAndKey) {
  EXPECT_NE(SlotOf(ServiceId::kCheckout, "ab", "c", 65536), SlotOf(ServiceId::kCheckout, "a", "bc", 65536));
}

TEST(SlotOf, UsesEverySlot) {
  std::set<uint16_t> used;
  for (int i = 0; i < 2000; ++i) used.insert(SlotOf(ServiceId::kCheckout, "", std::to_string(i), 64).slot);
  EXPECT_EQ(used.size(), 64u);
}

TEST(EventRef, RoundTripsThroughItsText) {
  const EventRef ref{{ServiceId::kCheckout, 17}, 4711, 2};
  EXPECT_EQ(ref.ToString(), "checkout/17@4711#2");
  EXPECT_EQ(EventRef::Parse(ref.ToString()).value(), ref);
}

TEST(EventRef, RefusesAnythingElse) {
  for (const char* text : {"", "checkout/17", "checkout/17@4711", "checkout/17#1@2", "checkout/17@#0",
                           "checkout/17@18446744073709551616#0", "checkout/17@1#4294967296"}) {
    EXPECT_FALSE(EventRef::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace halles
