// Tests of page tokens.
#include "libs/base/page_token.h"

#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles {
namespace {

TEST(PageToken, RoundTripsThePlace) {
  for (const std::string& place : {std::string("x"), std::string("a\0b", 3), std::string(300, 'z')}) {
    EXPECT_EQ(DecodePageToken("request", EncodePageToken("request", place)).value(), place);
  }
}

TEST(PageToken, BeginsAtTheFirstPageWhenEmpty) { EXPECT_EQ(DecodePageToken("request", "").value(), ""); }

TEST(PageToken, IsRefusedForAnotherRequest) {
  const absl::Status status = DecodePageToken("other", EncodePageToken("request", "place")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MetadataOf(status, "field"), "page_token");
  EXPECT_NE(status.message().find("another request"), absl::string_view::npos);
}

TEST(PageToken, IsRefusedWithAnyByteChanged) {
  const std::string token = EncodePageToken("request", "place");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string damaged = token;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(DecodePageToken("request", damaged).ok()) << i;
  }
  EXPECT_FALSE(DecodePageToken("request", token.substr(0, 5)).ok());
  EXPECT_FALSE(DecodePageToken("request", "not a token!").ok());
}

}  // namespace
}  // namespace halles
