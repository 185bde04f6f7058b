// Tests of ids and of the random source.
#include "libs/base/ids.h"

#include <set>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "gtest/gtest.h"

namespace halles {
namespace {

static_assert(!std::is_convertible_v<std::string, OrderId>);
static_assert(!std::is_convertible_v<OrderId, std::string>);
static_assert(!std::is_same_v<OrderId, ReturnId>);
static_assert(!std::is_same_v<InstanceId, InstallId>);

TEST(StringId, KeepsItsText) {
  const OrderId id = OrderId::FromString("till-7/123");
  EXPECT_EQ(id.ToString(), "till-7/123");
  EXPECT_FALSE(id.empty());
  EXPECT_TRUE(OrderId().empty());
  EXPECT_LT(OrderId::FromString("a"), OrderId::FromString("b"));
  EXPECT_EQ((absl::flat_hash_set<OrderId>{id, OrderId(), id}).size(), 2u);
}

TEST(Id128, RoundTripsThroughHexAndBytes) {
  SeededRandom random(1);
  const auto id = InstanceId::Random(random);
  EXPECT_EQ(id.Hex().size(), 32u);
  EXPECT_EQ(InstanceId::FromHex(id.Hex()), id);
  EXPECT_EQ(InstanceId::FromBytes(id.view()), id);
  EXPECT_EQ(InstanceId::FromBytes(id.bytes()), id);
  EXPECT_EQ((absl::flat_hash_set<InstanceId>{id, InstanceId(), id}).size(), 2u);
}

TEST(Id128, RefusesAnythingElse) {
  EXPECT_EQ(InstallId::FromHex("00"), std::nullopt);
  EXPECT_EQ(InstallId::FromHex(std::string(32, 'g')), std::nullopt);
  EXPECT_EQ(InstallId::FromHex(std::string(34, '0')), std::nullopt);
  EXPECT_EQ(InstallId::FromBytes("fifteen bytes.."), std::nullopt);
}

TEST(Id128, IsEmptyByDefault) {
  SeededRandom random(2);
  EXPECT_TRUE(InstallId().empty());
  EXPECT_FALSE(InstallId::Random(random).empty());
}

TEST(SeededRandom, RepeatsForTheSameSeed) {
  SeededRandom a(7), b(7), c(8);
  EXPECT_EQ(a.Next64(), b.Next64());
  EXPECT_NE(a.Next64(), c.Next64());
}

TEST(RandomSource, IsUniformBelowItsBound) {
  SeededRandom random(3);
  std::vector<int> counts(3);
  for (int i = 0; i < 30000; ++i) ++counts.at(random.Uniform(3));
  for (int count : counts) EXPECT_NEAR(count, 10000, 400);
  EXPECT_EQ(random.Uniform(1), 0u);
}

}  // namespace
}  // namespace halles
