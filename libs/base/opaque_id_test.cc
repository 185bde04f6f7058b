// Tests of ids derived from hashes.
#include "libs/base/opaque_id.h"

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(Base32, EncodesFiveBitsPerDigit) {
  EXPECT_EQ(Base32(absl::string_view("\x00\x00\x00\x00\x00", 5), 8), "00000000");
  EXPECT_EQ(Base32("\xff\xff\xff\xff\xff", 8), "zzzzzzzz");
  EXPECT_EQ(Base32("\x08\x86", 3), "123");
}

TEST(Base32, SortsAsTheBytesDo) {
  for (int i = 0; i < 255; ++i) {
    const std::string smaller = {static_cast<char>(i), 'a'};
    const std::string larger = {static_cast<char>(i + 1), 'a'};
    EXPECT_LT(Base32(smaller, 3), Base32(larger, 3));
  }
}

TEST(OpaqueId, NeverChanges) { EXPECT_EQ(OpaqueId("ord-", {"", "uci", "536365"}), "ord-e2d2jjmskm773b2dgjsz86wnxx"); }

TEST(OpaqueId, DependsOnTheBordersOfItsParts) {
  EXPECT_NE(OpaqueId("x-", {"ab", "c"}), OpaqueId("x-", {"a", "bc"}));
  EXPECT_NE(OpaqueId("x-", {"ab", ""}), OpaqueId("x-", {"ab"}));
}

}  // namespace
}  // namespace halles
