// Tests of what followers share: only what a reader would have come to by itself.
#include "libs/projection/record_share.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "libs/base/slot.h"

namespace halles::projection {
namespace {

constexpr SlotId kSlot{ServiceId::kCheckout, 3};

// A cursor of a lineage, told from others by its logical time.
eventlog::Cursor At(Position next, UnixMicros lineage = 1) {
  eventlog::Cursor cursor;
  cursor.next = next;
  cursor.logical_time = lineage;
  return cursor;
}

SourceBatches Records(Position from, Position to, UnixMicros lineage = 1, size_t bytes = 100) {
  SourceBatches records;
  for (Position position = from; position < to; ++position) {
    auto record = std::make_shared<SourceBatch>();
    record->position = position;
    record->before = At(position, lineage);
    record->after = At(position + 1, lineage);
    record->bytes = std::string(bytes, 'x');
    records.push_back(std::move(record));
  }
  return records;
}

// "5-7" for the positions 5 to 7, "" for none.
std::string Taken(RecordShare& share, const eventlog::Cursor& cursor, size_t records_max = 1000,
                  Position until = 1000) {
  SourceBatches taken;
  share.Take(kSlot, cursor, records_max, until, &taken);
  if (taken.empty()) return "";
  return std::to_string(taken.front()->position) + "-" + std::to_string(taken.back()->position);
}

TEST(RecordShare, GivesWhatWasOfferedFromTheCursorOn) {
  RecordShare share;
  share.Offer(kSlot, Records(5, 10));
  EXPECT_EQ(Taken(share, At(5)), "5-9");
  EXPECT_EQ(Taken(share, At(7)), "7-9");
  EXPECT_EQ(Taken(share, At(7), 2), "7-8");
  EXPECT_EQ(Taken(share, At(5), 1000, 8), "5-7");
}

TEST(RecordShare, HasNothingBeforeOrBehind) {
  RecordShare share;
  EXPECT_EQ(Taken(share, At(5)), "");
  share.Offer(kSlot, Records(5, 10));
  EXPECT_EQ(Taken(share, At(4)), "");
  EXPECT_EQ(Taken(share, At(10)), "");
}

TEST(RecordShare, GivesNothingToAReaderOfAnotherLineage) {
  RecordShare share;
  share.Offer(kSlot, Records(5, 10));
  EXPECT_EQ(Taken(share, At(7, 2)), "");
}

TEST(RecordShare, TakesWhatIsOfferedTwiceOnce) {
  RecordShare share;
  share.Offer(kSlot, Records(5, 10));
  share.Offer(kSlot, Records(7, 12));
  share.Offer(kSlot, Records(3, 6));
  EXPECT_EQ(Taken(share, At(5)), "5-11");
}

TEST(RecordShare, BeginsAnewBehindAGapAndOnAnotherLineage) {
  RecordShare share;
  share.Offer(kSlot, Records(5, 10));
  share.Offer(kSlot, Records(20, 22));
  EXPECT_EQ(Taken(share, At(5)), "");
  EXPECT_EQ(Taken(share, At(20)), "20-21");
  share.Offer(kSlot, Records(22, 24, 2));
  EXPECT_EQ(Taken(share, At(20)), "");
  EXPECT_EQ(Taken(share, At(22, 2)), "22-23");
}

TEST(RecordShare, KeepsTheNewestWithinItsLimits) {
  RecordShare share;
  share.Offer(kSlot, Records(0, 100));
  EXPECT_EQ(Taken(share, At(100 - RecordShare::kRecordsMax)), "36-99");
  EXPECT_EQ(Taken(share, At(35)), "");
  share.Offer(kSlot, Records(100, 102, 1, RecordShare::kBytesMax));
  EXPECT_EQ(Taken(share, At(101)), "101-101");
  EXPECT_EQ(Taken(share, At(100)), "");
}

}  // namespace
}  // namespace halles::projection
