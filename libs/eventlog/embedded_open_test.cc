// Tests of opening the embedded log: the records it keeps, the errors it reports, and the byte that it names.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/eventlog/embedded_fixture.h"
#include "libs/eventlog/frame.h"

namespace halles::eventlog::test {
namespace {

using ::testing::HasSubstr;

using EmbeddedLogOpen = EmbeddedLogTest;

TEST_F(EmbeddedLogOpen, KeepsIdentityAndRecords) {
  Open();
  const LogIdentity identity = log->identity();
  EXPECT_FALSE(identity.install.empty());
  EXPECT_EQ(identity.slots, SlotCounts(8));
  AppendOneByOne(kSlotA, 20);
  Reopen();
  EXPECT_EQ(log->identity().install, identity.install);
  ExpectAllThere();
  AppendOneByOne(kSlotA, 20);
  AppendOneByOne(kSlotC, 1);
  Reopen();
  ExpectAllThere();
}

TEST_F(EmbeddedLogOpen, AcceptsAnotherSegmentSize) {
  Open();
  AppendOneByOne(kSlotA, 10);
  for (uint32_t bytes : {4096u, 1024u, 64u * 1024, 2048u}) {
    options.segment_bytes = bytes;
    Reopen();
    AppendOneByOne(kSlotA, 10);
    AppendOneByOne(kSlotB, 10);
    ExpectAllThere();
  }
  EXPECT_EQ(
      EmbeddedLog::Open({.directory = "/x", .segment_bytes = 1000, .clock = &clock, .random = &random}).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST_F(EmbeddedLogOpen, RefusesOtherNumbersOfSlots) {
  options.slots->Set(ServiceId::kInventory, 4);
  Open();
  log.reset();
  options.slots = SlotCounts(8);
  const absl::Status status = OpenError();
  EXPECT_EQ(ReasonOf(status), "LOG_SLOTS_DIFFER");
  EXPECT_THAT(std::string(status.message()), HasSubstr("made with 8,inventory=4 slots a service, not with 8"));
  options.slots = std::nullopt;
  Open();
  EXPECT_EQ(log->identity().slots.of(ServiceId::kInventory), 4u);
  EXPECT_EQ(log->identity().slots.of(ServiceId::kCheckout), 8u);
}

TEST_F(EmbeddedLogOpen, HasTheSlotsThatItsServiceHas) {
  options.slots->Set(ServiceId::kInventory, 4);
  Open();
  EXPECT_EQ(log->End({ServiceId::kInventory, 3}).status(), absl::OkStatus());
  EXPECT_EQ(log->End({ServiceId::kInventory, 4}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(log->End({ServiceId::kCheckout, 7}).status(), absl::OkStatus());
  EXPECT_EQ(log->End({ServiceId::kCheckout, 8}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EmbeddedLogOpen, RefusesAnOlderFormatByItsNumber) {
  Open();
  log.reset();
  std::string identity = "halles embedded log\nformat 1\ninstall 07070707070707070707070707070707\nslots 64\n";
  absl::StrAppendFormat(&identity, "crc32c %08x\n", Crc32c(identity));
  ASSERT_EQ(identity.size(), disk.Contents(PathOf("IDENTITY")).size() + 1);  // 64 for 8
  disk.Overwrite(PathOf("IDENTITY"), 0, identity);
  const absl::Status status = OpenError();
  EXPECT_EQ(ReasonOf(status), "LOG_FORMAT_OLDER");
  EXPECT_THAT(std::string(status.message()), HasSubstr("has format 1, which has one number of slots for all services"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("this Halles reads format 3"));
}

// The build before this one wrote such logs; its recorded answers lack fields that repeats need.
TEST_F(EmbeddedLogOpen, RefusesTheFormatBeforeItsOwn) {
  Open();
  log.reset();
  std::string text = disk.Contents(PathOf("IDENTITY"));
  text = text.substr(0, text.find("crc32c"));
  text.replace(text.find("format 3"), 8, "format 2");
  absl::StrAppendFormat(&text, "crc32c %08x\n", Crc32c(text));
  disk.Overwrite(PathOf("IDENTITY"), 0, text);
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "LOG_FORMAT_OLDER");
  EXPECT_THAT(std::string(status.message()), HasSubstr("has format 2, whose recorded answers"));
}

TEST_F(EmbeddedLogOpen, RefusesASecondOpen) {
  Open();
  const absl::Status status = EmbeddedLog::Open(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "LOG_IN_USE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("the log in /data/log is in use"));
  Reopen();
}

TEST_F(EmbeddedLogOpen, RefusesDamageBelowTheMark) {
  options.segment_bytes = 8192;
  Open();
  AppendOneByOne(kSlotA, 4);
  AppendOneByOne(kSlotB, 4);
  log.reset();
  const std::string segment = PathOf("00000001.segment");
  const std::string before = disk.Contents(segment);
  uint32_t end = 0;  // end of the frames; the mark is the last one
  std::vector<uint32_t> starts;
  for (uint32_t offset = kSegmentHeaderBytes;;) {
    const auto frame = ParseFrame({1, offset}, absl::string_view(before).substr(offset));
    if (!frame.has_value()) break;
    starts.push_back(offset);
    offset += static_cast<uint32_t>(frame->bytes);
    end = offset;
  }
  ASSERT_GE(starts.size(), 9u);
  const uint32_t mark = starts.back();
  for (uint32_t byte = kSegmentHeaderBytes; byte < mark; ++byte) {
    disk.FlipBit(segment, byte, static_cast<int>(byte % 8));
    const std::string damaged = disk.Contents(segment);
    const absl::Status status = OpenError();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << "byte " << byte;
    EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED");
    const uint32_t frame = *std::prev(std::upper_bound(starts.begin(), starts.end(), byte));
    ASSERT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("/data/log/00000001.segment, byte ", frame, ":")));
    ASSERT_EQ(disk.Contents(segment), damaged) << "a refused open changes nothing";
    disk.Overwrite(segment, 0, before);
  }
  // The mark is not below itself, so a torn mark is an ordinary power cut.
  for (uint32_t byte = mark; byte < end; ++byte) {
    disk.FlipBit(segment, byte, static_cast<int>(byte % 8));
    Open();
    ExpectAllThere();
    log.reset();
    disk.Overwrite(segment, 0, before);
  }
}

TEST_F(EmbeddedLogOpen, RefusesZerosBelowTheMark) {
  options.segment_bytes = 8192;
  Open();
  AppendOneByOne(kSlotA, 8);
  log.reset();
  disk.Overwrite(PathOf("00000001.segment"), 512, std::string(512, '\0'));
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("00000001.segment, byte "));
}

TEST_F(EmbeddedLogOpen, RefusesDamageInAClosedSegmentWhoseSidecarIsGone) {
  Open();
  AppendOneByOne(kSlotA, 40);
  log.reset();
  ASSERT_TRUE(disk.Exists(PathOf("00000003.segment")));
  const std::string segment = PathOf("00000001.segment");
  const std::string before = disk.Contents(segment);
  ASSERT_TRUE(disk.Remove(PathOf("00000001.index")).ok());
  const size_t end = before.find_last_not_of('\0');
  for (uint64_t byte : {uint64_t{0}, uint64_t{70}, uint64_t{700}, uint64_t{end}}) {
    disk.FlipBit(segment, byte);
    const absl::Status status = OpenError();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << byte;
    EXPECT_THAT(std::string(status.message()), HasSubstr("00000001.segment, byte "));
    disk.Overwrite(segment, 0, before);
  }
  Open();
  ExpectAllThere();
}

TEST_F(EmbeddedLogOpen, DropsTheSidecarOfARewrittenSegment) {
  options.segment_bytes = 8192;
  Open();
  AppendOneByOne(kSlotA, 3);
  const std::string sidecar = PathOf("00000001.index");
  auto refs = std::make_shared<FrameRefs>(FrameRefs{{64, 31}});
  const std::string stale = EncodeSidecar(log->identity().install, 1, 128, {{kSlotA, 0, refs}});
  log.reset();
  ASSERT_TRUE(ReplaceFile(disk, sidecar, stale).ok());
  Open();
  EXPECT_FALSE(disk.Exists(sidecar));
  AppendOneByOne(kSlotA, 100);
  log.reset();
  ASSERT_TRUE(disk.Exists(PathOf("00000002.segment")));
  ASSERT_TRUE(ReplaceFile(disk, sidecar, stale).ok());
  Open();
  ExpectAllThere();
}

TEST_F(EmbeddedLogOpen, RefusesAMissingSegment) {
  Open();
  AppendOneByOne(kSlotA, 40);
  log.reset();
  ASSERT_TRUE(disk.Remove(PathOf("00000002.segment")).ok());
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(status), "LOG_INCOMPLETE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("lacks the segment 00000002.segment"));
}

TEST_F(EmbeddedLogOpen, RefusesASegmentOfAnotherLog) {
  Open();
  AppendOneByOne(kSlotA, 2);
  log.reset();
  testing::FaultyDisk other_disk;
  EmbeddedLogOptions other = OptionsOn(other_disk, clock, random);
  { auto other_log = EmbeddedLog::Open(other); }
  disk.Overwrite(PathOf("00000001.segment"), 0, other_disk.Contents(PathOf("00000001.segment")));
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("00000001.segment, byte 0: the header is that of segment 1 of"));
}

TEST_F(EmbeddedLogOpen, RefusesADamagedIdentity) {
  Open();
  AppendOneByOne(kSlotA, 2);
  log.reset();
  const std::string before = disk.Contents(PathOf("IDENTITY"));
  for (uint64_t byte = 0; byte < before.size(); ++byte) {
    disk.FlipBit(PathOf("IDENTITY"), byte, static_cast<int>(byte % 8));
    const absl::Status status = OpenError();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << byte;
    EXPECT_EQ(ReasonOf(status), "LOG_IDENTITY_DAMAGED");
    EXPECT_THAT(std::string(status.message()), HasSubstr("/data/log/IDENTITY is damaged"));
    disk.Overwrite(PathOf("IDENTITY"), 0, before);
  }
  disk.Truncate(PathOf("IDENTITY"), 0);
  EXPECT_EQ(ReasonOf(OpenError()), "LOG_IDENTITY_DAMAGED");
  ASSERT_TRUE(disk.Remove(PathOf("IDENTITY")).ok());
  EXPECT_EQ(ReasonOf(OpenError()), "LOG_INCOMPLETE");
}

TEST_F(EmbeddedLogOpen, RefusesANewerFormat) {
  Open();
  log.reset();
  std::string text = disk.Contents(PathOf("IDENTITY"));
  text = text.substr(0, text.find("crc32c"));
  text.replace(text.find("format 3"), 8, "format 4");
  text += "colour green\n";
  text += absl::StrFormat("crc32c %08x\n", Crc32c(text));
  disk.Overwrite(PathOf("IDENTITY"), 0, text);
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "LOG_FORMAT_NEWER");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the log in /data/log has format 4; this Halles reads format 3"));
}

}  // namespace
}  // namespace halles::eventlog::test
