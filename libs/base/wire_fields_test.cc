// Tests of reading fields from bytes, with messages that protobuf wrote.
#include "libs/base/wire_fields.h"

#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace halles {
namespace {

using ::testing::ElementsAre;
using Fields = std::vector<std::tuple<uint32_t, uint64_t, std::string>>;

// A message with a field of each type.
std::string AllTypes() {
  google::protobuf::Any message;
  google::protobuf::UnknownFieldSet* fields = message.GetReflection()->MutableUnknownFields(&message);
  fields->AddVarint(3, uint64_t{1} << 63);
  fields->AddLengthDelimited(1000, "abc");
  fields->AddFixed32(4, 7);
  fields->AddFixed64(5, 8);
  fields->AddVarint(6, 0);
  return message.SerializeAsString();
}

bool Read(const std::string& bytes, Fields* fields) {
  return ReadWireFields(bytes, [fields](uint32_t tag, uint64_t number, absl::string_view text) {
    fields->emplace_back(tag, number, std::string(text));
    return true;
  });
}

TEST(WireFields, AreReadInTheirOrder) {
  Fields fields;
  EXPECT_TRUE(Read(AllTypes(), &fields));
  const Fields expected = {{WireTag(3, WireType::kNumber), uint64_t{1} << 63, ""},
                           {WireTag(1000, WireType::kText), 0, "abc"},
                           {WireTag(4, WireType::kFixed32), 0, ""},
                           {WireTag(5, WireType::kFixed64), 0, ""},
                           {WireTag(6, WireType::kNumber), 0, ""}};
  EXPECT_EQ(fields, expected);
  EXPECT_EQ(FirstWireField(AllTypes()), 3);
  EXPECT_TRUE(Read("", &fields));
  EXPECT_EQ(FirstWireField(""), 0);
}

TEST(WireFields, OfMessagesWithinAreTheirBytes) {
  google::rpc::BadRequest request;
  request.add_field_violations()->set_field("a");
  std::string field;
  EXPECT_TRUE(ReadWireFields(request.SerializeAsString(), [&](uint32_t tag, uint64_t, absl::string_view violation) {
    EXPECT_EQ(tag, WireTag(google::rpc::BadRequest::kFieldViolationsFieldNumber, WireType::kText));
    return ReadWireFields(violation, [&](uint32_t, uint64_t, absl::string_view text) {
      field = std::string(text);
      return true;
    });
  }));
  EXPECT_EQ(field, "a");
}

TEST(WireFields, AreNotReadBeyondTheEnd) {
  const std::string whole = AllTypes();
  std::vector<size_t> ends;  // of fields: a message may end there
  for (size_t size = 0; size <= whole.size(); ++size) {
    Fields fields;
    if (Read(whole.substr(0, size), &fields)) ends.push_back(size);
  }
  EXPECT_THAT(ends, ElementsAre(0, 11, 17, 22, 31, 33));
}

TEST(WireFields, AreNotReadFromWhatIsNoMessage) {
  Fields fields;
  for (const char* bytes : {"\x07", "\x0b\x0c", "\x12\xff\xff\xff\xff\x0f", "\x02\x01x"}) {
    EXPECT_FALSE(Read(bytes, &fields)) << bytes;
  }
  EXPECT_FALSE(Read(std::string("\x00\x00", 2), &fields));
}

TEST(WireFields, StopWhenTheReaderHasEnough) {
  int read = 0;
  EXPECT_FALSE(ReadWireFields(AllTypes(), [&read](uint32_t, uint64_t, absl::string_view) { return ++read < 2; }));
  EXPECT_EQ(read, 2);
}

}  // namespace
}  // namespace halles
