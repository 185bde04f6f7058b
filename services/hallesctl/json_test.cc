// Tests of the JSON writer.
#include "services/hallesctl/json.h"

#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

TEST(JsonWriter, WritesKeysInOrderAndIntegersAsNumbers) {
  JsonWriter json;
  json.BeginObject().Field("orders", int64_t{9007199254740993}).Field("name", "a").Field("equal", true);
  json.Key("slots").BeginArray().Value(1).Value(2).BeginObject().EndObject().EndArray();
  json.Key("none").Raw("").Field("seconds", 1.5).EndObject();
  EXPECT_EQ(json.text(),
            R"({"orders":9007199254740993,"name":"a","equal":true,"slots":[1,2,{}],"none":null,"seconds":1.500})");
}

TEST(JsonWriter, EscapesText) {
  JsonWriter json;
  json.Value(absl::string_view("a\"b\\c\nd\te\x01\xC2\xA3"));
  EXPECT_EQ(json.text(), "\"a\\\"b\\\\c\\nd\\te\\u0001\xC2\xA3\"");
}

}  // namespace
}  // namespace halles::hallesctl
