// Tests of tables: the order of keys, round trips, and the names of rows.
#include "libs/store/table.h"

#include <array>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "libs/base/ids.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/store/memory_rows.h"

namespace halles::store {
namespace {

using ::google::protobuf::Int64Value;
using ::testing::ElementsAre;

enum class Channel : int32_t { kShop = -1, kWeb = 1, kApp = 2 };

struct LineKey {
  OrderId order;
  uint32_t line = 0;

  static constexpr std::array kFieldNames = {"order", "line"};
  auto Fields() const { return std::tie(order, line); }
  auto Fields() { return std::tie(order, line); }
};

struct EveryKey {
  std::string text;
  Sku sku;
  uint8_t small = 0;
  int64_t amount = 0;
  Channel channel = Channel::kWeb;
  SlotId source;
  Hash256 hash;
  InstallId install;
  std::array<uint8_t, 4> raw{};
  uint64_t big = 0;

  auto Fields() const { return std::tie(text, sku, small, amount, channel, source, hash, install, raw, big); }
  auto Fields() { return std::tie(text, sku, small, amount, channel, source, hash, install, raw, big); }
};

struct AmountKey {
  int64_t amount = 0;
  auto Fields() const { return std::tie(amount); }
  auto Fields() { return std::tie(amount); }
};

struct NameKey {
  std::string name;
  uint8_t part = 0;
  auto Fields() const { return std::tie(name, part); }
  auto Fields() { return std::tie(name, part); }
};

constexpr Table<LineKey, Int64Value> kLines(7, "lines");
constexpr Table<AmountKey, std::string> kAmounts(8, "amounts");
constexpr Table<NameKey, std::string> kNames(9, "names");
constexpr Table<EveryKey, Int64Value> kEverything(10, "everything");

LineKey Line(const std::string& order, uint32_t line) { return LineKey{OrderId::FromString(order), line}; }

Int64Value Value(int64_t value) {
  Int64Value message;
  message.set_value(value);
  return message;
}

std::vector<int64_t> LinesOf(const RowReader& rows, const std::string& order) {
  std::vector<int64_t> values;
  kLines.ForEach(
      rows,
      [&](const LineKey&, const Int64Value& value, Position) {
        values.push_back(value.value());
        return true;
      },
      OrderId::FromString(order));
  return values;
}

TEST(Table, ReturnsAStoredRowWithItsPosition) {
  MemoryRows rows;
  rows.set_position(41);
  kLines.Put(rows, Line("o-1", 3), Value(12));
  const auto found = kLines.Find(rows, Line("o-1", 3));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->row.value(), 12);
  EXPECT_EQ(found->position, 41u);
  EXPECT_FALSE(kLines.Get(rows, Line("o-1", 4)).has_value());
  kLines.Delete(rows, Line("o-1", 3));
  EXPECT_FALSE(kLines.Contains(rows, Line("o-1", 3)));
}

TEST(Table, VisitsOnlyRowsWithThePrefix) {
  MemoryRows rows;
  for (const char* order : {"a", "ab", "b"}) {
    for (uint32_t line : {256u, 1u}) kLines.Put(rows, Line(order, line), Value(line));
  }
  EXPECT_THAT(LinesOf(rows, "a"), ElementsAre(1, 256));
  EXPECT_THAT(LinesOf(rows, "ab"), ElementsAre(1, 256));
  EXPECT_THAT(LinesOf(rows, ""), ElementsAre());
}

TEST(Table, VisitsFromAKeyUntilStopped) {
  MemoryRows rows;
  for (uint32_t line = 0; line < 10; ++line) kLines.Put(rows, Line("o", line), Value(line));
  std::vector<int64_t> values;
  kLines.ForEachFrom(
      rows, Line("o", 4),
      [&](const LineKey& key, const Int64Value& value, Position) {
        EXPECT_EQ(key.line, static_cast<uint32_t>(value.value()));
        values.push_back(value.value());
        return values.size() < 3;
      },
      OrderId::FromString("o"));
  EXPECT_THAT(values, ElementsAre(4, 5, 6));
}

TEST(Table, OrdersSignedNumbersByValue) {
  MemoryRows rows;
  const std::vector<int64_t> amounts = {std::numeric_limits<int64_t>::min(), -300, -1, 0, 1, 255, 256,
                                        std::numeric_limits<int64_t>::max()};
  for (int64_t amount : amounts) kAmounts.Put(rows, AmountKey{amount}, "");
  std::vector<int64_t> seen;
  kAmounts.ForEach(rows, [&](const AmountKey& key, const std::string&, Position) {
    seen.push_back(key.amount);
    return true;
  });
  EXPECT_EQ(seen, amounts);
}

TEST(Table, OrdersArbitraryStringsByTheirBytes) {
  SeededRandom random(7);
  MemoryRows rows;
  std::map<std::pair<std::string, uint8_t>, std::string> model;
  for (int i = 0; i < 2000; ++i) {
    NameKey key;
    const char alphabet[] = {'\0', '\x01', 'a', '\xfe', '\xff'};
    for (uint64_t n = random.Uniform(5); n > 0; --n) key.name += alphabet[random.Uniform(5)];
    key.part = static_cast<uint8_t>(random.Uniform(3) * 127);
    kNames.Put(rows, key, std::to_string(i));
    model[{key.name, key.part}] = std::to_string(i);
  }
  std::map<std::pair<std::string, uint8_t>, std::string>::const_iterator expected = model.begin();
  kNames.ForEach(rows, [&](const NameKey& key, const std::string& value, Position) {
    EXPECT_EQ(std::make_pair(key.name, key.part), expected->first);
    EXPECT_EQ(value, expected->second);
    ++expected;
    return true;
  });
  EXPECT_EQ(expected, model.end());
}

TEST(Table, RoundTripsEveryKindOfField) {
  SeededRandom random(3);
  EveryKey key;
  key.text = std::string("a\0b", 3);
  key.sku = Sku::FromString("sku");
  key.small = 200;
  key.amount = -5;
  key.channel = Channel::kShop;
  key.source = SlotId{ServiceId::kCheckout, 17};
  key.hash = Sha256("x");
  key.install = InstallId::Random(random);
  key.raw = {1, 0, 255, 4};
  key.big = 1ull << 63;
  MemoryRows rows;
  kEverything.Put(rows, key, Value(1));
  kEverything.ForEach(rows, [&](const EveryKey& found, const Int64Value&, Position) {
    EXPECT_TRUE(found.Fields() == key.Fields());
    return true;
  });
  EXPECT_TRUE(rows.status().ok());
  std::string bytes;
  AppendKey(key, &bytes);
  EveryKey back;
  ASSERT_TRUE(TakeKey(bytes, &back));
  EXPECT_TRUE(back.Fields() == key.Fields());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(TakeKey(bytes.substr(0, size), &back)) << size;
  EXPECT_FALSE(TakeKey(bytes + "x", &back));
}

TEST(Table, ReportsAnUnreadableRow) {
  MemoryRows rows;
  rows.Put(kLines.Encode(Line("o", 1)), "\xff");
  EXPECT_FALSE(kLines.Get(rows, Line("o", 1)).has_value());
  EXPECT_EQ(ReasonOf(rows.status()), "UNREADABLE_ROW");
  EXPECT_THAT(std::string(rows.status().message()), testing::HasSubstr("order=o line=1"));
}

TEST(Table, StopsAtAnUnreadableKey) {
  MemoryRows rows;
  rows.Put(kLines.Prefix() + "zz", "");
  kLines.ForEach(rows, [](const LineKey&, const Int64Value&, Position) {
    ADD_FAILURE();
    return true;
  });
  EXPECT_EQ(ReasonOf(rows.status()), "UNREADABLE_ROW");
}

#ifndef __SANITIZE_THREAD__  // the distribution's libprotobuf lays maps out otherwise than code built for ThreadSanitizer
TEST(SerializeRow, IsIndependentOfTheInsertionOrderOfMaps) {
  google::protobuf::Struct forth, back;
  for (int i = 0; i < 50; ++i) (*forth.mutable_fields())[std::to_string(i)].set_number_value(i);
  for (int i = 49; i >= 0; --i) (*back.mutable_fields())[std::to_string(i)].set_number_value(i);
  EXPECT_EQ(SerializeRow(forth), SerializeRow(back));
}
#endif

TEST(Schema, DescribesRowsForTheOperator) {
  const Schema schema = Schema().Add(kLines).Add(kNames);
  EXPECT_EQ(schema.Describe(kLines.Encode(Line("cj:123", 4))), "lines order=cj:123 line=4");
  EXPECT_EQ(schema.Describe(kNames.Encode(NameKey{"n", 1})), "names n 1");
  EXPECT_EQ(schema.Describe(kAmounts.Encode(AmountKey{1})), "table 8 0x8000000000000001");
  EXPECT_EQ(schema.Describe(kLines.Prefix() + "x"), "lines x");
  EXPECT_EQ(schema.Describe("x"), "key x");
}

TEST(SchemaDeathTest, RefusesTwoTablesWithOneId) {
  constexpr Table<AmountKey, std::string> kOther(7, "other");
  EXPECT_DEATH(Schema().Add(kLines).Add(kOther), "two tables");
}

TEST(MemoryRows, AreEqualIfKeysAndValuesAre) {
  MemoryRows a, b;
  a.set_position(1);
  a.Put("k", "v");
  b.Put("k", "v");
  EXPECT_TRUE(SameContent(a, b));
  b.Put("k", "w");
  EXPECT_FALSE(SameContent(a, b));
}

TEST(MemoryRows, FailReadsWhenTold) {
  MemoryRows rows;
  rows.Put("k", "v");
  rows.FailReads(absl::DataLossError("disk"));
  EXPECT_FALSE(rows.Get("k").has_value());
  EXPECT_EQ(rows.status(), absl::DataLossError("disk"));
}

}  // namespace
}  // namespace halles::store
