// Tests of text from outside.
#include "libs/base/text.h"

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(PrintableLength, CountsCharactersNotBytes) {
  EXPECT_EQ(PrintableLength(""), 0u);
  EXPECT_EQ(PrintableLength("Halles"), 6u);
  EXPECT_EQ(PrintableLength("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x85"), 8u);
}

TEST(PrintableLength, RefusesControlCharacters) {
  EXPECT_FALSE(PrintableLength("a\nb").has_value());
  EXPECT_FALSE(PrintableLength(absl::string_view("a\0b", 3)).has_value());
  EXPECT_FALSE(PrintableLength("a\x7f").has_value());
  EXPECT_FALSE(PrintableLength("a\xc2\x85").has_value());
}

TEST(PrintableLength, FindsABadByteAtAnyPosition) {
  for (const char bad : {'\0', '\x1f', '\x7f', '\x80', '\xff'}) {
    for (size_t at = 0; at < 20; ++at) {
      std::string text(20, '~');
      text[at] = bad;
      EXPECT_FALSE(PrintableLength(text).has_value()) << at;
      text[at] = ' ';
      EXPECT_EQ(PrintableLength(text), 20u);
    }
  }
  EXPECT_EQ(PrintableLength("seven chars caf\xc3\xa9 and eight more"), 31u);
}

TEST(PrintableLength, RefusesInvalidUtf8) {
  for (const char* text : {"\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_FALSE(PrintableLength(text).has_value());
  }
}

TEST(FromBase64Url, AcceptsOneTextForTheSameBytes) {
  EXPECT_EQ(FromBase64Url("_-8"), "\xff\xef");
  EXPECT_EQ(FromBase64Url(""), "");
  for (const char* text : {"_-9", "_-8=", " _-8", "/+8", "_", "_-8."})
    EXPECT_FALSE(FromBase64Url(text).has_value()) << text;
}

}  // namespace
}  // namespace halles
