// Tests of hashes against published values; stored data depends on them.
#include "libs/base/hash.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(Hash64, IsXxh3) {
  EXPECT_EQ(Hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(Hash64("halles"), 0xd98046d35c474d10u);
}

TEST(Hash128Of, NeverChanges) { EXPECT_EQ(Hash128Of("key", "value").Hex(), "a0bc02eedef26458f4fa2ad63b6e3eeb"); }

TEST(Hash128Of, DistinguishesItsArguments) {
  EXPECT_NE(Hash128Of("ab", "c"), Hash128Of("a", "bc"));
  EXPECT_NE(Hash128Of("", "a"), Hash128Of("a", ""));
}

TEST(Hash128Of, IsTheSameForShortAndLongInput) {
  // 504 bytes are hashed in one pass, 505 as a stream; both are XXH3 of the documented bytes.
  EXPECT_EQ(Hash128Of("k", std::string(503, 'x')).Hex(), "2c747284b79d88e85c8150c7083817e0");
  EXPECT_EQ(Hash128Of("k", std::string(504, 'x')).Hex(), "534504d2f80d189ab7318259776593b4");
}

TEST(Sha256, MatchesTheStandard) {
  EXPECT_EQ(Sha256("").Hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc").Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256("a", "bc"), Sha256("abc"));
}

TEST(HmacSha256, MatchesRfc4231) {
  EXPECT_EQ(HmacSha256("Jefe", "what do ya want for nothing?").Hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HmacSha256(std::string(20, '\x0b'), "Hi There").Hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  // A key longer than a block.
  EXPECT_EQ(HmacSha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First").Hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hash256, RoundTripsThroughItsBytes) {
  const Hash256 hash = Sha256("x");
  EXPECT_EQ(Hash256::FromBytes(hash.view()), hash);
  EXPECT_EQ(Hash256::FromBytes("short"), std::nullopt);
}

TEST(Crc32c, MatchesRfc3720) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32c, ContinuesFromThePrecedingBytes) {
  const std::string text = "a text of some length, cut anywhere";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(Crc32c(text.substr(cut), Crc32c(text.substr(0, cut))), Crc32c(text));
  }
}

TEST(MaskCrc, IsReversible) {
  for (uint32_t crc : {0u, 1u, 0xe3069283u, 0xffffffffu}) {
    EXPECT_EQ(UnmaskCrc(MaskCrc(crc)), crc);
    EXPECT_NE(MaskCrc(crc), crc);
  }
}

}  // namespace
}  // namespace halles
