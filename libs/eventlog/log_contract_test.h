// The contract of log.h as a test suite that every driver must pass.
//
//   INSTANTIATE_TEST_SUITE_P(Memory, LogContract, ::testing::Values(LogDriver{"Memory", [] { ... }}), LogDriverName);
#ifndef HALLES_LIBS_EVENTLOG_LOG_CONTRACT_TEST_H_
#define HALLES_LIBS_EVENTLOG_LOG_CONTRACT_TEST_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/log.h"

namespace halles::eventlog {

// One log for one test.
class LogUnderTest {
 public:
  virtual ~LogUnderTest() = default;
  virtual EventLog& log() = 0;
  // Closes the log and reopens it; false when the driver stores nothing.
  virtual bool Reopen() { return false; }
  // Completes all pending work, for a driver that does nothing by itself.
  virtual void Settle() {}
  // Makes reads fail with a transient error, or ends that; false when the driver has no such error.
  virtual bool SetUnreadable(bool) { return false; }
  // Loses the connection to the slot; false when the driver has no connection.
  virtual bool LoseConnection(SlotId) { return false; }
};

struct LogDriver {
  std::string name;
  std::function<std::unique_ptr<LogUnderTest>()> open;
};

inline std::string LogDriverName(const ::testing::TestParamInfo<LogDriver>& info) { return info.param.name; }

// Collects reports and waits for them.
// Thread safety: all methods may be called from any thread.
class CollectingSink : public ReportSink {
 public:
  void OnReports(absl::Span<const AppendReport> reports) override {
    MutexLock lock(&mutex_);
    reports_.insert(reports_.end(), reports.begin(), reports.end());
  }
  size_t count() const {
    MutexLock lock(&mutex_);
    return reports_.size();
  }
  // All reports so far, after there are `count`; waits at most a minute.
  std::vector<AppendReport> WaitFor(size_t count) {
    MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return reports_.size() >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(enough, absl::Minutes(1))) << "reports: " << reports_.size();
    return reports_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<AppendReport> reports_ ABSL_GUARDED_BY(mutex_);
};

// Collects notifications and waits for them.
// Thread safety: all methods may be called from any thread.
class CollectingListener : public LogListener {
 public:
  void OnGrowth(absl::Span<const SlotEnd> grown) override {
    MutexLock lock(&mutex_);
    for (const SlotEnd& slot : grown) ends_[slot.slot] = std::max(ends_[slot.slot], slot.end);
  }
  void OnReset(absl::Span<const SlotId> slots) override {
    MutexLock lock(&mutex_);
    for (SlotId slot : slots) ++resets_[slot];
  }
  // Waits at most a minute until it was notified that the slot grew to `end`.
  bool HearsOf(SlotId slot, Position end) {
    MutexLock lock(&mutex_);
    const auto heard = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ends_[slot] >= end; };
    return mutex_.AwaitWithTimeout(heard, absl::Minutes(1));
  }
  bool HearsOfReset(SlotId slot) {
    MutexLock lock(&mutex_);
    const auto heard = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return resets_[slot] > 0; };
    return mutex_.AwaitWithTimeout(heard, absl::Minutes(1));
  }
  std::map<SlotId, Position> ends() const {
    MutexLock lock(&mutex_);
    return ends_;
  }
  std::map<SlotId, int> resets() const {
    MutexLock lock(&mutex_);
    return resets_;
  }

 private:
  mutable Mutex mutex_;
  std::map<SlotId, Position> ends_ ABSL_GUARDED_BY(mutex_);
  std::map<SlotId, int> resets_ ABSL_GUARDED_BY(mutex_);
};

class LogContract : public ::testing::TestWithParam<LogDriver> {
 protected:
  static constexpr SlotId kOne{ServiceId::kCheckout, 1};
  static constexpr SlotId kTwo{ServiceId::kCheckout, 2};
  static constexpr SlotId kOther{ServiceId::kCustomerIdentity, 1};

  EventLog& log() { return driver_->log(); }
  bool Reopen() { return driver_->Reopen(); }
  void Settle() { driver_->Settle(); }
  bool SetUnreadable(bool unreadable) { return driver_->SetUnreadable(unreadable); }
  bool LoseConnection(SlotId slot) { return driver_->LoseConnection(slot); }

  // Appends and waits until all are durable.
  void AppendAll(SlotId slot, const std::vector<std::string>& records) {
    CollectingSink sink;
    for (size_t i = 0; i < records.size(); ++i) log().Append(slot, records[i], i, &sink);
    Settle();
    for (const AppendReport& report : sink.WaitFor(records.size())) EXPECT_TRUE(report.status.ok()) << report.status;
  }
  std::vector<StoredRecord> ReadAll(SlotId slot, Position from = 0, ReadLimits limits = {}) {
    std::vector<StoredRecord> records;
    auto reader = log().NewReader(slot, from);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return records;
    ReadToEnd(**reader, &records, limits);
    return records;
  }
  // Polls until the reader reports the end.
  void ReadToEnd(LogReader& reader, std::vector<StoredRecord>* records, ReadLimits limits = {}) {
    while (true) {
      const auto read = reader.Poll(limits, records);
      ASSERT_TRUE(read.ok()) << read.status();
      if (read->at_end) return;
      if (read->count == 0) Settle();
    }
  }
  std::vector<std::string> Bytes(SlotId slot, Position from = 0) {
    std::vector<std::string> bytes;
    for (StoredRecord& record : ReadAll(slot, from)) bytes.push_back(std::move(record.bytes));
    return bytes;
  }

 private:
  std::unique_ptr<LogUnderTest> driver_ = GetParam().open();
};

TEST_P(LogContract, IsEmptyAtFirst) {
  EXPECT_EQ(*log().End(kOne), 0u);
  EXPECT_TRUE(ReadAll(kOne).empty());
}

TEST_P(LogContract, ReportsPositionsFromZeroInTheOrderOfTheAppends) {
  CollectingSink sink;
  for (uint64_t i = 0; i < 500; ++i) log().Append(kOne, absl::StrCat("record ", i), 1000 + i, &sink);
  Settle();
  const std::vector<AppendReport> reports = sink.WaitFor(500);
  for (uint64_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(reports[i].status.ok()) << reports[i].status;
    ASSERT_EQ(reports[i].tag, 1000 + i);
    ASSERT_EQ(reports[i].slot, kOne);
    ASSERT_EQ(reports[i].position, i);
  }
}

TEST_P(LogContract, ReturnsTheBytesInOrder) {
  std::vector<std::string> records;
  for (int i = 0; i < 300; ++i)
    records.push_back(absl::StrCat(i, std::string(static_cast<size_t>(i) * 7, '\0'), "end"));
  AppendAll(kOne, records);
  const std::vector<StoredRecord> read = ReadAll(kOne);
  ASSERT_EQ(read.size(), records.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].position, i);
    EXPECT_EQ(read[i].bytes, records[i]);
  }
}

TEST_P(LogContract, AcceptsRecordsFromEmptyToTheLargest) {
  const std::vector<std::string> records = {"", "x", std::string(kMaxRecordBytes, 'm'), "after"};
  AppendAll(kOne, records);
  EXPECT_EQ(Bytes(kOne), records);
}

TEST_P(LogContract, KeepsSlotsApart) {
  AppendAll(kOne, {"one", "two"});
  AppendAll(kTwo, {"three"});
  AppendAll(kOther, {"four"});
  AppendAll(kOne, {"five"});
  EXPECT_EQ(Bytes(kOne), (std::vector<std::string>{"one", "two", "five"}));
  EXPECT_EQ(Bytes(kTwo), (std::vector<std::string>{"three"}));
  EXPECT_EQ(Bytes(kOther), (std::vector<std::string>{"four"}));
  EXPECT_EQ(*log().End(kOne), 3u);
}

TEST_P(LogContract, ReadsFromAnyPositionUpToTheEnd) {
  AppendAll(kOne, {"a", "b", "c"});
  EXPECT_EQ(Bytes(kOne, 1), (std::vector<std::string>{"b", "c"}));
  EXPECT_TRUE(Bytes(kOne, 3).empty());
}

TEST_P(LogContract, RefusesAReaderBeyondTheEnd) {
  AppendAll(kOne, {"a"});
  EXPECT_EQ(log().NewReader(kOne, 2).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(IsPassing(log().NewReader(kOne, 2).status()));
  EXPECT_EQ(log().NewReader(kTwo, 1).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_P(LogContract, ContinuesWithTheSameReaderAfterTheEnd) {
  AppendAll(kOne, {"a"});
  auto reader = log().NewReader(kOne, 0);
  ASSERT_TRUE(reader.ok());
  std::vector<StoredRecord> records;
  ReadToEnd(**reader, &records);
  EXPECT_EQ((*reader)->next(), 1u);
  AppendAll(kOne, {"b", "c"});
  while (records.size() < 3) {
    const auto read = (*reader)->Poll({}, &records);
    ASSERT_TRUE(read.ok()) << read.status();
    if (read->count == 0) Settle();
  }
  EXPECT_EQ((*reader)->next(), 3u);
  EXPECT_EQ(records.back().bytes, "c");
}

TEST_P(LogContract, ReportsTheEndOnlyAfterAllRecordsFromBeforeTheReader) {
  CollectingSink sink;
  for (Position end = 1; end <= 40; ++end) {
    log().Append(kOne, absl::StrCat(end), end, &sink);
    Settle();
    sink.WaitFor(end);
    std::vector<StoredRecord> records;
    auto reader = log().NewReader(kOne, end / 2);
    ASSERT_TRUE(reader.ok()) << reader.status();
    ReadToEnd(**reader, &records, {.records_max = 3});
    EXPECT_EQ((*reader)->next(), end);
    EXPECT_EQ(records.size(), end - end / 2);
  }
}

TEST_P(LogContract, IsNotAtTheEndBeforeItsLastRecordIsReturned) {
  AppendAll(kOne, {"a", "b", "c"});
  auto reader = log().NewReader(kOne, 0);
  ASSERT_TRUE(reader.ok());
  std::vector<StoredRecord> records;
  while (records.size() < 2) {
    const auto read = (*reader)->Poll({.records_max = 1}, &records);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_FALSE(read->at_end);
    if (read->count == 0) Settle();
  }
  ReadToEnd(**reader, &records);
  EXPECT_EQ(records.size(), 3u);
}

TEST_P(LogContract, ObeysTheLimitsOfAPollButReturnsAtLeastOneRecord) {
  AppendAll(kOne, {std::string(100, 'a'), std::string(100, 'b'), std::string(100, 'c')});
  auto reader = log().NewReader(kOne, 0);
  ASSERT_TRUE(reader.ok());
  std::vector<StoredRecord> records;
  const auto take = [&](const ReadLimits& limits) {
    while (true) {
      const auto read = (*reader)->Poll(limits, &records);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || read->count > 0 || read->at_end) return read.ok() ? read->count : 0;
      Settle();
    }
  };
  EXPECT_EQ(take({.records_max = 1}), 1u);
  EXPECT_EQ(take({.records_max = 10, .bytes_max = 10}), 1u);
  EXPECT_EQ(take({.records_max = 10, .bytes_max = 1000}), 1u);
  EXPECT_EQ(ReadAll(kOne, 0, {.records_max = 2, .bytes_max = 150}).size(), 3u);
}

TEST_P(LogContract, ShowsARecordAtTheLatestWhenItIsReported) {
  class ReadingSink : public ReportSink {
   public:
    explicit ReadingSink(EventLog* log) : log_(*log) {}
    void OnReports(absl::Span<const AppendReport> reports) override {
      MutexLock lock(&mutex_);
      for (const AppendReport& report : reports) {
        const auto end = log_.End(report.slot);
        if (!end.ok() || *end <= *report.position) ++too_early_;
        ++count_;
      }
    }
    size_t TooEarly(size_t count) {
      MutexLock lock(&mutex_);
      EXPECT_TRUE(
          mutex_.AwaitWithTimeout([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return count_ >= count; }, absl::Minutes(1)));
      return too_early_;
    }

   private:
    EventLog& log_;
    Mutex mutex_;
    size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
    size_t too_early_ ABSL_GUARDED_BY(mutex_) = 0;
  };
  ReadingSink sink(&log());
  for (uint64_t i = 0; i < 100; ++i) log().Append(kOne, "record", i, &sink);
  Settle();
  EXPECT_EQ(sink.TooEarly(100), 0u);
}

TEST_P(LogContract, NotifiesFollowersOfTheirSlotsOnly) {
  CollectingListener of_one, of_both;
  const auto one = log().Follow({.slots = {kOne}, .listener = &of_one});
  const auto both = log().Follow({.slots = {kTwo, kOne}, .listener = &of_both});
  AppendAll(kOther, {"x"});
  AppendAll(kTwo, {"c"});
  AppendAll(kOne, {"a", "b"});
  Settle();
  EXPECT_TRUE(of_one.HearsOf(kOne, 2));
  EXPECT_TRUE(of_both.HearsOf(kOne, 2));
  EXPECT_TRUE(of_both.HearsOf(kTwo, 1));
  EXPECT_EQ(of_one.ends().size(), 1u);
  EXPECT_EQ(of_both.ends().size(), 2u);
}

TEST_P(LogContract, NotifiesOnlyOfReadableRecords) {
  class ReadingListener : public CollectingListener {
   public:
    explicit ReadingListener(EventLog* log) : log_(*log) {}
    void OnGrowth(absl::Span<const SlotEnd> grown) override {
      for (const SlotEnd& slot : grown) {
        // opening a reader without new records would cause another notification, and so on
        if (slot.end <= seen) continue;
        auto reader = log_.NewReader(slot.slot, seen);
        std::vector<StoredRecord> records;
        if (!reader.ok() || !(*reader)->Poll({}, &records).ok() || (*reader)->next() < slot.end) ++too_early;
        seen = (*reader)->next();
      }
      CollectingListener::OnGrowth(grown);
    }
    Position seen = 0;  // used by the calls, which are serialised
    std::atomic<int> too_early{0};

   private:
    EventLog& log_;
  };
  ReadingListener listener(&log());
  const auto following = log().Follow({.slots = {kOne}, .listener = &listener});
  for (int i = 0; i < 50; ++i) AppendAll(kOne, {"record"});
  Settle();
  EXPECT_TRUE(listener.HearsOf(kOne, 50));
  EXPECT_EQ(listener.too_early, 0);
}

TEST_P(LogContract, CallsNoListenerAfterItsSubscriptionEnded) {
  CollectingListener ended, other;
  auto subscription = log().Follow({.slots = {kOne}, .listener = &ended});
  const auto following = log().Follow({.slots = {kOne}, .listener = &other});
  AppendAll(kOne, {"a"});
  subscription.reset();
  const auto before = ended.ends();
  AppendAll(kOne, {"b", "c"});
  Settle();
  EXPECT_TRUE(other.HearsOf(kOne, 3));
  EXPECT_EQ(ended.ends(), before);
}

TEST_P(LogContract, ReportsNoAbandonedAppend) {
  constexpr size_t kEach = 200;
  CollectingSink sink, of_other_slot, other;
  for (size_t i = 0; i < kEach; ++i) {
    log().Append(kOne, "given up", i, &sink);
    log().Append(kTwo, "other slot", i, &of_other_slot);
    log().Append(kOne, "other sink", i, &other);
  }
  log().Append(kTwo, "other slot, same sink", kEach, &sink);
  log().Abandon(kOne, &sink);
  std::vector<AppendReport> before = sink.WaitFor(0);
  log().Append(kOne, "after", kEach + 1, &sink);
  Settle();
  of_other_slot.WaitFor(kEach);
  other.WaitFor(kEach);
  const size_t other_slot_before = std::count_if(before.begin(), before.end(), [](auto& r) { return r.slot == kTwo; });
  const std::vector<AppendReport> reports = sink.WaitFor(before.size() + 2 - other_slot_before);
  EXPECT_EQ(reports.size(), before.size() + 2 - other_slot_before);
  EXPECT_EQ(std::count_if(reports.begin(), reports.end(), [](auto& r) { return r.tag == kEach + 1; }), 1);
  EXPECT_EQ(std::count_if(reports.begin(), reports.end(), [](auto& r) { return r.tag == kEach; }), 1);
  // Abandoned records that landed are whole; those of the other sink are all there.
  std::map<std::string, size_t> stored;
  for (const std::string& record : Bytes(kOne)) ++stored[record];
  EXPECT_LE(stored["given up"], kEach);
  EXPECT_EQ(stored["other sink"], kEach);
  EXPECT_EQ(stored["after"], 1u);
}

TEST_P(LogContract, LetsASinkAbandonWithinAReport) {
  class Abandoning : public CollectingSink {
   public:
    explicit Abandoning(EventLog* log) : log_(*log) {}
    void OnReports(absl::Span<const AppendReport> reports) override {
      for (const AppendReport& report : reports) {
        if (report.tag <= abandoned) ++unwanted;
      }
      if (abandoned == 0) {
        abandoned = appended.load();
        log_.Abandon(kOne, this);
      }
      CollectingSink::OnReports(reports);
    }
    std::atomic<uint64_t> appended{0};  // last tag passed to the log
    uint64_t abandoned = 0;             // used by the calls, which are serialised
    std::atomic<int> unwanted{0};

   private:
    EventLog& log_;
  };
  Abandoning sink(&log());
  for (uint64_t tag = 1; tag <= 200; ++tag) {
    log().Append(kOne, "record", tag, &sink);
    sink.appended = tag;
  }
  Settle();
  sink.WaitFor(1);
  CollectingSink last;
  log().Append(kOne, "last", 1, &last);
  Settle();
  last.WaitFor(1);
  EXPECT_EQ(sink.unwanted, 0);
}

TEST_P(LogContract, ContinuesWithTheSameReaderAfterATransientError) {
  AppendAll(kOne, {"a", "b", "c"});
  auto reader = log().NewReader(kOne, 0);
  ASSERT_TRUE(reader.ok());
  std::vector<StoredRecord> records;
  while (records.empty()) {
    ASSERT_TRUE((*reader)->Poll({.records_max = 1}, &records).ok());
    Settle();
  }
  if (!SetUnreadable(true)) return;
  const absl::Status status = (*reader)->Poll({}, &records).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(IsPassing(status));
  EXPECT_EQ(records.size(), 1u);
  SetUnreadable(false);
  ReadToEnd(**reader, &records);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].bytes, "b");
}

TEST_P(LogContract, NotifiesFollowersOfALostConnectionOfTheirSlotsOnly) {
  CollectingListener of_one, of_two;
  const auto one = log().Follow({.slots = {kOne}, .listener = &of_one});
  const auto two = log().Follow({.slots = {kTwo}, .listener = &of_two});
  AppendAll(kOne, {"a"});
  if (!LoseConnection(kOne)) return;
  Settle();
  EXPECT_TRUE(of_one.HearsOfReset(kOne));
  EXPECT_TRUE(of_two.resets().empty());
  AppendAll(kOne, {"b"});
  Settle();
  EXPECT_TRUE(of_one.HearsOf(kOne, 2));
  EXPECT_EQ(Bytes(kOne), (std::vector<std::string>{"a", "b"}));
}

TEST_P(LogContract, AcceptsAppendsFromManyThreads) {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 250;
  std::vector<CollectingSink> sinks(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < kEach; ++i) log().Append(i % 2 == 0 ? kOne : kTwo, absl::StrCat(t, ":", i), i, &sinks[t]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Settle();
  std::map<SlotId, std::map<Position, std::string>> expected;
  for (size_t t = 0; t < kThreads; ++t) {
    for (const AppendReport& report : sinks[t].WaitFor(kEach)) {
      ASSERT_TRUE(report.status.ok() && report.position.has_value()) << report.status;
      EXPECT_TRUE(expected[report.slot].emplace(*report.position, absl::StrCat(t, ":", report.tag)).second);
    }
  }
  for (SlotId slot : {kOne, kTwo}) {
    const std::vector<StoredRecord> records = ReadAll(slot);
    ASSERT_EQ(records.size(), kThreads * kEach / 2);
    for (const StoredRecord& record : records) EXPECT_EQ(record.bytes, expected[slot][record.position]);
  }
}

TEST_P(LogContract, KeepsItsRecordsAndItsIdentityWhenReopened) {
  AppendAll(kOne, {"a", "b"});
  const LogIdentity before = log().identity();
  if (!Reopen()) return;  // the driver stores nothing
  EXPECT_EQ(log().identity().install, before.install);
  EXPECT_EQ(log().identity().slots, before.slots);
  AppendAll(kOne, {"c"});
  EXPECT_EQ(Bytes(kOne), (std::vector<std::string>{"a", "b", "c"}));
}

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_LOG_CONTRACT_TEST_H_
