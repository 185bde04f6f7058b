// Tests of the embedded log: when records can be read, and which appends are refused.
#include "libs/eventlog/embedded_log.h"

#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "libs/base/status.h"
#include "libs/eventlog/embedded_fixture.h"
#include "libs/machine/system_clock.h"

namespace halles::eventlog::test {
namespace {

using testing::DiskOperation;
using ::testing::HasSubstr;

using EmbeddedLogAppend = EmbeddedLogTest;
using EmbeddedLogReader = EmbeddedLogTest;
using EmbeddedLogFullDisk = EmbeddedLogTest;
using EmbeddedLogFailure = EmbeddedLogTest;

// A disk that is held while appends arrive, so that they form one batch.
void AppendAsOneBatch(testing::FaultyDisk& disk, const std::function<void()>& append_first,
                      const std::function<void()>& append_rest) {
  disk.HoldSyncs();
  append_first();
  disk.AwaitHeldSync();
  append_rest();
  disk.ReleaseSyncs();
}

TEST_F(EmbeddedLogAppend, ReportsPositionsInOrder) {
  Open();
  AppendOneByOne(kSlotA, 3);
  AppendOneByOne(kSlotB, 2);
  const auto all = reports.Await(5);
  std::vector<Position> positions;
  for (const AppendReport& report : all) {
    EXPECT_TRUE(report.status.ok()) << report.status;
    EXPECT_EQ(report.position, report.tag);
  }
  ExpectAllThere();
}

TEST_F(EmbeddedLogAppend, SyncsOnceForAllAppendsThatArriveMeanwhile) {
  options.segment_bytes = 64 * 1024;
  options.mark_delay = absl::InfiniteDuration();
  Open();
  const size_t before = disk.Syncs(PathOf("00000001.segment"));
  AppendAsOneBatch(
      disk, [&] { AppendNext(kSlotA); },
      [&] {
        for (int i = 0; i < 20; ++i) AppendNext(kSlots[i % 3]);
      });
  reports.Await(sent);
  EXPECT_EQ(disk.Syncs(PathOf("00000001.segment")) - before, 2u);
  EXPECT_EQ(reports.calls(), 2u);
  ExpectAllThere();
}

TEST_F(EmbeddedLogAppend, CallsEachSinkAndListenerOncePerSync) {
  Open();
  Reports other;
  class Heard : public LogListener {
   public:
    void OnGrowth(absl::Span<const SlotEnd> grown) override { calls.emplace_back(grown.begin(), grown.end()); }
    void OnReset(absl::Span<const SlotId>) override { ADD_FAILURE() << "a reset of an embedded log"; }
    std::vector<std::vector<SlotEnd>> calls;
  } listener;
  const auto subscription = log->Follow({.slots = {kSlotA, kSlotC}, .listener = &listener});
  const std::vector<std::vector<SlotEnd>>& heard = listener.calls;
  AppendAsOneBatch(
      disk, [&] { AppendNext(kSlotA); },
      [&] {
        AppendNext(kSlotA);
        log->Append(kSlotC, "x", 1, &other);
        AppendNext(kSlotA);
        log->Append(kSlotC, "y", 2, &other);
      });
  reports.Await(3);
  other.Await(2);
  log.reset();  // listeners are notified after sinks; closing waits for both
  EXPECT_EQ(reports.calls(), 2u);
  EXPECT_EQ(other.calls(), 1u);
  ASSERT_EQ(heard.size(), 2u);
  ASSERT_EQ(heard[1].size(), 2u);
  EXPECT_EQ(heard[1][0].slot, kSlotA);
  EXPECT_EQ(heard[1][0].end, 3u);
  EXPECT_EQ(heard[1][1].slot, kSlotC);
  EXPECT_EQ(heard[1][1].end, 2u);
}

TEST_F(EmbeddedLogAppend, DropsAbandonedAppendsOrLandsThemUnreported) {
  Open();
  disk.HoldSyncs();
  AppendNext(kSlotA);
  disk.AwaitHeldSync();
  log->Append(kSlotA, "waits", 1, &reports);
  log->Abandon(kSlotA, &reports);
  Reports other;
  log->Append(kSlotA, RecordAt(kSlotA, 1), 2, &other);
  disk.ReleaseSyncs();
  EXPECT_EQ(other.Await(1)[0].position, 1u);
  EXPECT_EQ(reports.count(), 0u);
  appended[kSlotA] = 2;
  ExpectAllThere();
  log->Append(kSlotA, "again", 3, &reports);
  EXPECT_EQ(reports.Await(1)[0].tag, 3u);
}

TEST_F(EmbeddedLogAppend, WritesOneMarkWhenNothingFollows) {
  options.segment_bytes = 64 * 1024;
  Open();
  AppendOneByOne(kSlotA, 1);
  log.reset();
  const std::string closed = disk.Contents(PathOf("00000001.segment"));
  Open();
  log.reset();
  EXPECT_EQ(disk.Contents(PathOf("00000001.segment")), closed) << "opening and closing adds nothing";
}

TEST_F(EmbeddedLogAppend, RefusesRecordsThatCanNeverBeStored) {
  Open();
  log->Append(kSlotA, std::string(4000, 'x'), 1, &reports);
  log->Append({ServiceId::kCheckout, 8}, "x", 2, &reports);
  sent += 2;
  const auto all = reports.Await(sent);
  EXPECT_EQ(all[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(all[0].status), "LOG_RECORD_TOO_LARGE");
  EXPECT_EQ(all[1].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(all[1].status), "LOG_NO_SUCH_SLOT");
  AppendOneByOne(kSlotA, 1);
  ExpectAllThere();
}

TEST_F(EmbeddedLogAppend, RefusesAppendsWhenTooManyWaitForTheDisk) {
  options.pending_bytes_max = 1000;
  Open();
  AppendAsOneBatch(
      disk, [&] { AppendNext(kSlotA); },
      [&] {
        log->Append(kSlotB, std::string(900, 'x'), 1, &reports);
        log->Append(kSlotB, std::string(200, 'y'), 2, &reports);
      });
  const auto all = reports.Await(3);
  EXPECT_TRUE(all[1].status.ok());
  EXPECT_EQ(ReasonOf(all[2].status), "LOG_OVERLOADED");
  EXPECT_TRUE(RetryAfterOf(all[2].status).has_value());
  EXPECT_EQ(*log->End(kSlotB), 1u);
}

TEST_F(EmbeddedLogAppend, StoresRecordsOfEverySize) {
  options.segment_bytes = 1024 * 1024;
  Open();
  const std::string longest(kMaxRecordBytes, 'x');
  log->Append(kSlotA, "", 0, &reports);
  log->Append(kSlotA, longest, 1, &reports);
  log->Append(kSlotA, longest, 2, &reports);
  for (const AppendReport& report : reports.Await(3)) EXPECT_TRUE(report.status.ok()) << report.status;
  for (int i = 0; i < 2; ++i) {
    const auto records = ReadAll(*log, kSlotA);
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records[0], "");
    EXPECT_EQ(records[1], longest);
    EXPECT_EQ(records[2], longest);
    Reopen();
  }
}

TEST_F(EmbeddedLogReader, NeverReadsUnsyncedRecords) {
  Open();
  auto reader = log->NewReader(kSlotA, 0);
  ASSERT_TRUE(reader.ok());
  std::vector<StoredRecord> records;
  disk.HoldSyncs();
  AppendNext(kSlotA);
  disk.AwaitHeldSync();
  EXPECT_EQ(*log->End(kSlotA), 0u);
  EXPECT_EQ((*reader)->Poll({}, &records)->count, 0u);
  EXPECT_EQ(reports.count(), 0u);
  disk.ReleaseSyncs();
  reports.Await(1);
  EXPECT_EQ(*log->End(kSlotA), 1u);
  EXPECT_EQ((*reader)->Poll({}, &records)->count, 1u);
  EXPECT_EQ(records[0].bytes, RecordAt(kSlotA, 0));
}

TEST_F(EmbeddedLogReader, ReadsTheSameFromMemoryAndFromSegments) {
  for (size_t recent : {size_t{0}, size_t{600}, size_t{1} << 20}) {
    options.recent_bytes_max = recent;
    Reopen();
    for (int i = 0; i < 30; ++i) AppendOneByOne(kSlots[i % 3], 1 + i % 2);
    ExpectAllThere();
  }
  Reopen();
  ExpectAllThere();
}

TEST_F(EmbeddedLogReader, ObeysItsLimitsButReturnsAtLeastOneRecord) {
  Open();
  AppendOneByOne(kSlotA, 10);
  Reopen();
  auto reader = log->NewReader(kSlotA, 2);
  ASSERT_TRUE(reader.ok());
  std::vector<StoredRecord> records;
  EXPECT_EQ((*reader)->Poll({.records_max = 3}, &records)->count, 3u);
  EXPECT_EQ((*reader)->Poll({.bytes_max = 1}, &records)->count, 1u);
  EXPECT_EQ((*reader)->Poll({.records_max = 0}, &records)->count, 0u);
  EXPECT_EQ((*reader)->next(), 6u);
  EXPECT_EQ(records.front().position, 2u);
  EXPECT_EQ(records.back().position, 5u);
}

TEST_F(EmbeddedLogReader, RefusesToStartBeyondTheEnd) {
  Open();
  AppendOneByOne(kSlotA, 2);
  EXPECT_TRUE(log->NewReader(kSlotA, 2).ok());
  const absl::Status status = log->NewReader(kSlotA, 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("checkout/0 ends at position 2"));
  EXPECT_EQ(log->NewReader({ServiceId::kCheckout, 8}, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EmbeddedLogReader, FindsDamageInClosedSegments) {
  options.recent_bytes_max = 0;
  Open();
  AppendOneByOne(kSlotA, 30);
  log.reset();
  ASSERT_TRUE(disk.Exists(PathOf("00000002.index")));
  const std::string segment = PathOf("00000001.segment");
  const std::string before = disk.Contents(segment);
  // The first frame takes the bytes from 64 to 124: 28 of header and 31 of payload, filled up to a multiple of 8.
  for (uint64_t byte = 64; byte < 128; byte += 3) {
    disk.FlipBit(segment, byte, static_cast<int>(byte % 8));
    Open();
    auto reader = log->NewReader(kSlotA, 0);
    ASSERT_TRUE(reader.ok());
    std::vector<StoredRecord> records;
    const absl::Status status = (*reader)->Poll({}, &records).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("00000001.segment, byte 64"));
    EXPECT_EQ(MetadataOf(status, "byte"), "64");
    EXPECT_TRUE(records.empty());
    log.reset();
    disk.Overwrite(segment, 0, before);
  }
}

TEST_F(EmbeddedLogReader, DoesNotReportUnreadableFilesAsDamage) {
  options.recent_bytes_max = 0;
  Open();
  AppendOneByOne(kSlotA, 30);
  for (const char* name : {"00000001.index", "00000001.segment"}) {
    for (DiskOperation failing : {DiskOperation::kOpen, DiskOperation::kRead}) {
      SCOPED_TRACE(name);
      Reopen();
      const std::string path = PathOf(name);
      const std::string before = disk.Contents(path);
      disk.SetFault([&](DiskOperation operation, const std::string& at) {
        return operation == failing && at == path ? absl::UnavailableError("Too many open files") : absl::OkStatus();
      });
      auto reader = log->NewReader(kSlotA, 0);
      ASSERT_TRUE(reader.ok());
      std::vector<StoredRecord> records;
      const absl::Status status = (*reader)->Poll({}, &records).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      EXPECT_EQ(ReasonOf(status), "LOG_UNAVAILABLE");
      disk.SetFault(nullptr);
      ExpectAllThere();
      EXPECT_EQ(disk.Contents(path), before);
    }
  }
}

TEST_F(EmbeddedLogReader, ReportsAMissingSegmentAsDamage) {
  options.recent_bytes_max = 0;
  Open();
  AppendOneByOne(kSlotA, 30);
  Reopen();
  ASSERT_TRUE(disk.Remove(PathOf("00000001.segment")).ok());
  std::vector<StoredRecord> records;
  const absl::Status status = (*log->NewReader(kSlotA, 0))->Poll({}, &records).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED");
}

TEST_F(EmbeddedLogReader, ReturnsTheRecordsBeforeDamage) {
  options.recent_bytes_max = 0;
  Open();
  AppendOneByOne(kSlotA, 30);
  Reopen();
  disk.FlipBit(PathOf("00000002.segment"), 70);
  auto reader = log->NewReader(kSlotA, 0);
  std::vector<StoredRecord> records;
  ASSERT_TRUE((*reader)->Poll({}, &records).ok());
  EXPECT_EQ(records.size(), (*reader)->next());
  EXPECT_FALSE(records.empty());
  EXPECT_EQ((*reader)->Poll({}, &records).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*reader)->Poll({}, &records).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(EmbeddedLogReader, RebuildsMissingAndDamagedSidecars) {
  auto remove_sidecars = [this] {
    for (const std::string& path : disk.Paths()) {
      if (path.ends_with(".index")) {
        ASSERT_TRUE(disk.Remove(path).ok());
      }
    }
  };
  options.recent_bytes_max = 0;
  Open();
  for (int i = 0; i < 40; ++i) AppendOneByOne(kSlots[i % 3], 1);
  log.reset();
  const std::string sidecar = PathOf("00000001.index");
  const std::string before = disk.Contents(sidecar);
  for (uint64_t byte = 0; byte < before.size(); ++byte) {
    disk.FlipBit(sidecar, byte, static_cast<int>(byte % 8));
    Open();
    ExpectAllThere();
    log.reset();
    EXPECT_EQ(disk.Contents(sidecar), before) << "byte " << byte;
  }
  for (uint64_t size = 0; size < before.size(); size += 13) {
    disk.Truncate(sidecar, size);
    Open();
    ExpectAllThere();
    log.reset();
    EXPECT_EQ(disk.Contents(sidecar), before) << "size " << size;
  }
  remove_sidecars();
  Open();
  ExpectAllThere();
  AppendOneByOne(kSlotB, 5);
  remove_sidecars();
  ExpectAllThere();
}

TEST_F(EmbeddedLogFullDisk, RefusesAppendsServesReadsAndResumes) {
  Open();
  AppendOneByOne(kSlotA, 1);
  disk.SetCapacity(5000);  // two segments but no third
  size_t stored = 1;
  for (int i = 0; i < 40; ++i) {
    log->Append(kSlotA, RecordAt(kSlotA, stored), 0, &reports);
    const AppendReport report = reports.Await(++sent).back();
    if (!report.status.ok()) break;
    EXPECT_EQ(report.position, stored++);
  }
  const absl::Status refusal = reports.Await(sent).back().status;
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refusal), "LOG_DISK_FULL");
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("free space"));
  EXPECT_EQ(log->health(), refusal);
  appended[kSlotA] = stored;
  ExpectAllThere();

  // Space alone is not noticed before the next attempt is due.
  disk.SetCapacity(1 << 20);
  log->Append(kSlotA, "too early", 0, &reports);
  EXPECT_EQ(ReasonOf(reports.Await(++sent).back().status), "LOG_DISK_FULL");
  clock.Advance(1'000'000);
  AppendOneByOne(kSlotA, 20);
  EXPECT_TRUE(reports.Await(sent).back().status.ok());
  EXPECT_TRUE(log->health().ok());
  ExpectAllThere();
  Reopen();
  ExpectAllThere();
}

TEST_F(EmbeddedLogFullDisk, OpensAndServesWithAllItsRecords) {
  Open();
  AppendOneByOne(kSlotA, 1);
  disk.SetCapacity(0);
  for (int i = 0; i < 40; ++i) {
    log->Append(kSlotA, RecordAt(kSlotA, appended[kSlotA]), 0, &reports);
    if (!reports.Await(++sent).back().status.ok()) break;
    ++appended[kSlotA];
  }
  Reopen();
  ExpectAllThere();
  log->Append(kSlotA, RecordAt(kSlotA, 1), 0, &reports);  // the shortest possible record, and still there is no room
  log->Append(kSlotA, std::string(1900, 'x'), 0, &reports);
  sent += 2;
  EXPECT_EQ(ReasonOf(reports.Await(sent).back().status), "LOG_DISK_FULL");
  disk.SetCapacity(1 << 20);
  clock.Advance(1'000'000);
  appended[kSlotA] = *log->End(kSlotA);
  AppendOneByOne(kSlotA, 5);
  EXPECT_TRUE(reports.Await(sent).back().status.ok());
}

TEST_F(EmbeddedLogFullDisk, ReportsThatNoLogCanBeCreated) {
  disk.SetCapacity(100);
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "LOG_DISK_FULL");
  disk.SetCapacity(1 << 20);
  Open();
}

TEST_F(EmbeddedLogFailure, EndsTheProcessWhenASyncFails) {
  std::vector<absl::Status> fatal;
  options.on_fatal = [&](const absl::Status& status) { fatal.push_back(status); };
  options.segment_bytes = 64 * 1024;
  Open();
  AppendOneByOne(kSlotA, 3);
  log.reset();
  Open();
  int syncs = 0;
  disk.SetFault([&](DiskOperation operation, const std::string&) {
    if (operation != DiskOperation::kSync) return absl::OkStatus();
    ++syncs;
    return absl::UnavailableError("Input/output error");
  });
  AppendNext(kSlotA);
  const AppendReport report = reports.Await(sent).back();
  EXPECT_EQ(report.status.code(), absl::StatusCode::kUnavailable) << "stored or not: nobody knows";
  EXPECT_FALSE(report.position.has_value());
  AppendNext(kSlotB);
  EXPECT_EQ(reports.Await(sent).back().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(*log->End(kSlotA), 3u);
  log.reset();
  EXPECT_EQ(syncs, 1);
  ASSERT_EQ(fatal.size(), 1u);
  EXPECT_EQ(ReasonOf(fatal[0]), "LOG_WRITE_FAILED");
  EXPECT_THAT(std::string(fatal[0].message()), HasSubstr("Input/output error"));
}

TEST_F(EmbeddedLogFailure, EndsTheProcessWhenAWriteFailsAndTheNextOneContinues) {
  size_t fatal = 0;
  options.on_fatal = [&](const absl::Status&) { ++fatal; };
  Open();
  AppendOneByOne(kSlotA, 3);
  disk.SetFault([](DiskOperation operation, const std::string&) {
    return operation == DiskOperation::kWrite ? absl::UnavailableError("Input/output error") : absl::OkStatus();
  });
  AppendNext(kSlotA);
  EXPECT_EQ(reports.Await(sent).back().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(fatal, 1u);
  disk.SetFault(nullptr);
  appended[kSlotA] = 3;
  Reopen();
  ExpectAllThere();
  AppendOneByOne(kSlotA, 2);
  ExpectAllThere();
}

TEST_F(EmbeddedLogFailure, RefusesToOpenOnADirectoryThatCannotBeWritten) {
  Open();
  AppendOneByOne(kSlotA, 1);
  log.reset();
  disk.SetFault([](DiskOperation, const std::string&) {
    return absl::PermissionDeniedError("cannot write: Read-only file system");
  });
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(status), "LOG_NOT_WRITABLE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("the log in /data/log cannot be written"));
}

TEST(EmbeddedLogOnDisk, WritesReadsLocksAndReopensRealFiles) {
  const std::filesystem::path directory =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("embedded_log_", getpid());
  std::filesystem::remove_all(directory);
  EmbeddedLogOptions options;
  options.directory = (directory / "data" / "log").string();
  options.segment_bytes = 64 * 1024;
  const SystemClock clock;
  SeededRandom random(1);
  options.clock = &clock;
  options.random = &random;
  Reports reports;
  size_t sent = 0;
  InstallId install;
  for (int round = 0; round < 3; ++round) {
    auto log = EmbeddedLog::Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    if (round == 0) install = (*log)->identity().install;
    EXPECT_EQ((*log)->identity().install, install);
    EXPECT_EQ((*log)->identity().slots, SlotCounts());
    const absl::Status second = EmbeddedLog::Open(options).status();
    EXPECT_EQ(ReasonOf(second), "LOG_IN_USE");
    EXPECT_THAT(std::string(second.message()), HasSubstr(options.directory));
    EXPECT_THAT(std::string(second.message()), HasSubstr(absl::StrCat("held by process ", getpid())));
    for (Position i = 0; i < 1000; ++i) {
      for (const SlotId& slot : kSlots) {
        (*log)->Append(slot, RecordAt(slot, 1000 * static_cast<Position>(round) + i), 0, &reports);
      }
    }
    sent += 3000;
    for (const AppendReport& report : reports.Await(sent)) ASSERT_TRUE(report.status.ok()) << report.status;
    for (const SlotId& slot : kSlots) {
      const auto records = ReadAll(**log, slot);
      ASSERT_EQ(records.size(), 1000u * (static_cast<size_t>(round) + 1));
      for (Position i = 0; i < records.size(); ++i) ASSERT_EQ(records[i], RecordAt(slot, i));
    }
  }
  std::filesystem::remove_all(directory);
}

// A copy-on-write file system needs space for an overwrite of what was allocated.
TEST_F(EmbeddedLogTest, RefusesAppendsWhoseOverwriteFindsNoSpaceAndGoesOn) {
  for (const size_t stored : {size_t{0}, size_t{40}, size_t{150}, size_t{100'000}}) {
    SCOPED_TRACE(stored);
    Open();
    AppendOneByOne(kSlotA, 3);
    disk.SetOverwriteRoom(stored, /*room_for_zeros=*/true);
    log->Append(kSlotA, RecordAt(kSlotA, appended[kSlotA]), 0, &reports);
    const AppendReport refused = reports.Await(++sent).back();
    EXPECT_EQ(refused.status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(refused.status), "LOG_DISK_FULL");
    EXPECT_EQ(ReasonOf(log->health()), "LOG_DISK_FULL");
    EXPECT_EQ(ReadAll(*log, kSlotA).size(), appended[kSlotA]);
    disk.SetOverwriteRoom(std::nullopt);
    // Whoever opens it now, after a crash, finds nothing of what was refused.
    const auto left = disk.AfterPowerCut(disk.operations(), [](size_t) { return true; });
    clock.Advance(1'000'000);
    AppendOneByOne(kSlotA, 2);
    EXPECT_TRUE(log->health().ok());
    Reopen();
    ExpectAllThere();
    log.reset();
    EmbeddedLogOptions crashed = options;
    crashed.file_system = left.get();
    const auto reopened = EmbeddedLog::Open(crashed);
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    EXPECT_EQ(*(*reopened)->End(kSlotA), appended[kSlotA] - 2);
  }
}

TEST_F(EmbeddedLogTest, DoesNotKnowWhatAnOverwriteLeftThatItCannotCleanUp) {
  Open();
  AppendOneByOne(kSlotA, 3);
  disk.SetOverwriteRoom(100'000);
  for (int i = 0; i < 2; ++i) log->Append(kSlotA, RecordAt(kSlotA, 3), 0, &reports);
  reports.Await(sent += 2);
  log->Append(kSlotB, RecordAt(kSlotB, 0), 0, &reports);
  const std::vector<AppendReport> all = reports.Await(++sent);
  // The first may be there after a crash; what came when the disk was known to be full was not written.
  EXPECT_EQ(all[3].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(all.back().status.code(), absl::StatusCode::kResourceExhausted);
  disk.SetOverwriteRoom(std::nullopt);
  clock.Advance(1'000'000);
  AppendOneByOne(kSlotA, 2);
  EXPECT_TRUE(log->health().ok());
  Reopen();
  ExpectAllThere();
}

TEST_F(EmbeddedLogTest, WritesNoZerosAheadOfTheRecords) {
  options.segment_bytes = 1024 * 1024;
  Open();
  AppendOneByOne(kSlotA, 10);
  log.reset();
  // Headers of segments, the identity, ten records and their marks.
  EXPECT_LT(disk.written_bytes(), options.segment_bytes / 16);
}

TEST_F(EmbeddedLogFailure, EndsTheProcessWhenWhatWasLeftCannotBeOverwritten) {
  std::vector<absl::Status> fatal;
  options.on_fatal = [&](const absl::Status& status) { fatal.push_back(status); };
  Open();
  AppendOneByOne(kSlotA, 3);
  disk.SetOverwriteRoom(100);
  log->Append(kSlotA, RecordAt(kSlotA, 3), 0, &reports);
  reports.Await(++sent);
  EXPECT_TRUE(fatal.empty());
  disk.SetOverwriteRoom(std::nullopt);
  disk.SetFault([](DiskOperation operation, const std::string&) {
    return operation == DiskOperation::kWrite ? absl::UnavailableError("Input/output error") : absl::OkStatus();
  });
  clock.Advance(1'000'000);
  log->Append(kSlotA, RecordAt(kSlotA, 3), 0, &reports);
  EXPECT_FALSE(reports.Await(++sent).back().status.ok());
  log.reset();
  ASSERT_EQ(fatal.size(), 1u) << "an error of the medium is no full disk";
  EXPECT_EQ(ReasonOf(fatal[0]), "LOG_WRITE_FAILED");
}

}  // namespace
}  // namespace halles::eventlog::test
