// Tests of the search for unknown fields.
#include "libs/base/unknown_fields.h"

#include <string>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/rpc/rpc_test_service.pb.h"

namespace halles::rpc {
namespace {

using test::Part;
using test::PutRequest;

void AddUnknown(google::protobuf::Message* message, int number) {
  message->GetReflection()->MutableUnknownFields(message)->AddVarint(number, 1);
}

absl::Status Check(const PutRequest& request) { return UnknownFieldCheck({PutRequest::descriptor()}).Check(request); }

PutRequest FullRequest() {
  PutRequest request;
  request.set_text("x");
  request.mutable_part()->add_parts()->set_text("y");
  request.add_parts();
  request.add_parts()->add_parts()->add_parts();
  (*request.mutable_part()->mutable_named())["a"].set_text("z");
  return request;
}

TEST(UnknownFieldCheck, IsOkIfAllFieldsAreKnown) {
  EXPECT_TRUE(Check(PutRequest()).ok());
  EXPECT_TRUE(Check(FullRequest()).ok());
}

TEST(UnknownFieldCheck, NamesTheNumberAndThePath) {
  PutRequest request = FullRequest();
  AddUnknown(request.mutable_parts(1)->mutable_parts(0)->mutable_parts(0), 99);
  const absl::Status status = Check(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_FIELD");
  EXPECT_EQ(MetadataOf(status, "field_number"), "99");
  EXPECT_EQ(MetadataOf(status, "path"), "parts[1].parts[0].parts[0]");
  EXPECT_TRUE(status.GetPayload(kBadRequestUrl).has_value());
}

TEST(UnknownFieldCheck, NamesTheMessageWhenItIsAtTheTop) {
  PutRequest request = FullRequest();
  AddUnknown(&request, 1000);
  EXPECT_EQ(MetadataOf(Check(request), "path"), "");
  EXPECT_EQ(Check(request).message().substr(0, 38), "PutRequest: field 1000 is unknown here");
}

TEST(UnknownFieldCheck, ChecksNestedMessagesAndMaps) {
  PutRequest request = FullRequest();
  AddUnknown(request.mutable_part(), 7);
  EXPECT_EQ(MetadataOf(Check(request), "path"), "part");
  request = FullRequest();
  AddUnknown(&(*request.mutable_part()->mutable_named())["a"], 8);
  EXPECT_EQ(MetadataOf(Check(request), "path"), "part.named[0].value");
}

TEST(UnknownFieldCheck, FindsFieldsOfANewerClient) {
  Part newer;
  newer.set_text("x");
  AddUnknown(&newer, 15);
  PutRequest request;
  ASSERT_TRUE(request.mutable_part()->ParseFromString(newer.SerializeAsString()));
  EXPECT_EQ(MetadataOf(Check(request), "field_number"), "15");
}

}  // namespace
}  // namespace halles::rpc
