// Shared code of the embedded log's tests: a log on a faulty disk, records that encode their position, collected
// reports.
#ifndef HALLES_LIBS_EVENTLOG_EMBEDDED_FIXTURE_H_
#define HALLES_LIBS_EVENTLOG_EMBEDDED_FIXTURE_H_

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/testing/faulty_file.h"

namespace halles::eventlog::test {

inline constexpr SlotId kSlotA{ServiceId::kCheckout, 0};
inline constexpr SlotId kSlotB{ServiceId::kCheckout, 3};
inline constexpr SlotId kSlotC{ServiceId::kCustomerIdentity, 0};
inline constexpr SlotId kSlots[] = {kSlotA, kSlotB, kSlotC};

inline const char kDirectory[] = "/data/log";

// Collects reports and lets a test wait for them.
class Reports : public ReportSink {
 public:
  // Called with each report, before it is counted.
  std::function<void(const AppendReport&)> on_report;

  void OnReports(absl::Span<const AppendReport> reports) override {
    if (on_report) {
      for (const AppendReport& report : reports) on_report(report);
    }
    MutexLock lock(&mutex_);
    ++calls_;
    all_.insert(all_.end(), reports.begin(), reports.end());
  }
  std::vector<AppendReport> Await(size_t count) {
    MutexLock lock(&mutex_);
    mutex_.Await([this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return all_.size() >= count; });
    return all_;
  }
  size_t count() const {
    MutexLock lock(&mutex_);
    return all_.size();
  }
  size_t calls() const {
    MutexLock lock(&mutex_);
    return calls_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<AppendReport> all_ ABSL_GUARDED_BY(mutex_);
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The record for a position. Lengths differ, and some are equal, so that frames can replace each other.
inline std::string RecordAt(SlotId slot, Position position) {
  std::string record = absl::StrCat(slot.ToString(), "@", position, ":");
  record.append(20 + 61 * (position % 4), static_cast<char>('a' + position % 26));
  return record;
}

inline std::vector<std::string> ReadAll(EmbeddedLog& log, SlotId slot) {
  std::vector<std::string> records;
  auto reader = log.NewReader(slot, 0);
  EXPECT_TRUE(reader.ok()) << reader.status();
  if (!reader.ok()) return records;
  for (;;) {
    std::vector<StoredRecord> some;
    const auto result = (*reader)->Poll({}, &some);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return records;
    for (StoredRecord& record : some) {
      EXPECT_EQ(record.position, records.size());
      records.push_back(std::move(record.bytes));
    }
    if (result->at_end) return records;
  }
}

inline EmbeddedLogOptions OptionsOn(testing::FaultyDisk& disk, const Clock& clock, RandomSource& random) {
  EmbeddedLogOptions options;
  options.directory = kDirectory;
  options.slots = SlotCounts(8);
  options.segment_bytes = 2048;
  options.mark_delay = absl::ZeroDuration();
  options.file_system = &disk;
  options.clock = &clock;
  options.random = &random;
  options.on_fatal = [](const absl::Status& status) { ADD_FAILURE() << "fatal: " << status; };
  return options;
}

// A log on a faulty disk that can be closed and reopened.
class EmbeddedLogTest : public ::testing::Test {
 protected:
  EmbeddedLogTest() : options(OptionsOn(disk, clock, random)) {}

  void Open() {
    auto opened = EmbeddedLog::Open(options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log = *std::move(opened);
  }
  void Reopen() {
    log.reset();
    Open();
  }
  absl::Status OpenError() {
    log.reset();
    return EmbeddedLog::Open(options).status();
  }
  // Appends the slot's next record without waiting.
  void AppendNext(SlotId slot) {
    log->Append(slot, RecordAt(slot, appended[slot]), appended[slot], &reports);
    ++appended[slot];
    ++sent;
  }
  // Appends the next `count` records of the slot, each as its own batch.
  void AppendOneByOne(SlotId slot, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      AppendNext(slot);
      reports.Await(sent);
    }
  }
  void ExpectAllThere() {
    for (const auto& [slot, count] : appended) {
      const std::vector<std::string> records = ReadAll(*log, slot);
      ASSERT_EQ(records.size(), count) << slot.ToString();
      for (Position i = 0; i < count; ++i) EXPECT_EQ(records[i], RecordAt(slot, i));
    }
  }
  std::string PathOf(const std::string& name) { return absl::StrCat(kDirectory, "/", name); }

  testing::FaultyDisk disk;
  ManualClock clock;
  SeededRandom random{7};
  EmbeddedLogOptions options;
  Reports reports;
  std::map<SlotId, Position> appended;
  size_t sent = 0;
  std::unique_ptr<EmbeddedLog> log;
};

}  // namespace halles::eventlog::test

#endif  // HALLES_LIBS_EVENTLOG_EMBEDDED_FIXTURE_H_
