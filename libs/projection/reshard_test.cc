// Tests of copying a log into other numbers of slots: nothing is lost or done twice, whatever was in flight.
#include "libs/projection/reshard.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/memory_log.h"
#include "libs/projection/figures.h"
#include "libs/projection/projection_fixture.h"

namespace halles::projection {
namespace {

constexpr int kSourceCounters = 6;
// The reactions to one addition: two copies to "left", one to "right".
constexpr int kReactions = 3;

absl::Status NoObserver(uint64_t, uint64_t) { return absl::OkStatus(); }

SlotCounts Counts(uint32_t of_source, uint32_t of_target) {
  SlotCounts counts(1);
  counts.Set(kSource, of_source);
  counts.Set(kTarget, of_target);
  return counts;
}

class ReshardTest : public ProjectionTest {
 protected:
  ReshardTest() {
    a_.reactions = {Reacts(&ReactThrice)};
    a_.views = {Sums()};
  }

  // Adds to several counters, each in the slot of its key.
  void AddToEach(Instance& instance, eventlog::MemoryLog& log, int rounds) {
    for (int i = 0; i < rounds * kSourceCounters; ++i) {
      AddRequest request = Add(absl::StrCat("r", next_++), 1);
      request.set_counter(absl::StrCat("c", i % kSourceCounters));
      const SlotId slot = SlotOf(kSource, "", request.counter(), log.identity().slots.of(kSource));
      ASSERT_TRUE(Submit(instance, std::move(request), slot)->status().ok());
    }
  }

  absl::StatusOr<LogFigures> Figures(eventlog::EventLog* log) {
    store::SchemaBook schemas;
    return FiguresOf(log, Services(), {Sums()}, {Reacts(&ReactThrice)}, schemas, &NoObserver);
  }

  static const std::vector<partition::ServiceDefinition>& Services() {
    static const auto& services = *new std::vector<partition::ServiceDefinition>{partition::counter::Service(kSource),
                                                                                 partition::counter::Service(kTarget)};
    return services;
  }

  // A log with other slot counts and the records of `from`.
  std::unique_ptr<eventlog::MemoryLog> Resharded(eventlog::EventLog* from, const SlotCounts& slots) {
    auto to = std::make_unique<eventlog::MemoryLog>(
        eventlog::LogIdentity{.install = store::Install(static_cast<char>(20 + next_install_++)), .slots = slots},
        eventlog::MemoryLog::Delivery::kAtOnce);
    const absl::StatusOr<LogFigures> before = Figures(from);
    EXPECT_TRUE(before.ok()) << before.status();
    SeededRandom random(3);
    const absl::Status done =
        Reshard(from, to.get(), Services(), {Reacts(&ReactThrice)}, before->cursors, random, &NoObserver);
    EXPECT_TRUE(done.ok()) << done;
    const absl::StatusOr<LogFigures> after = Figures(to.get());
    EXPECT_TRUE(after.ok()) << after.status();
    for (const auto& [name, figure] : before->figures) {
      EXPECT_EQ(figure.count, after->figures.at(name).count) << name;
      EXPECT_TRUE(figure == after->figures.at(name)) << name;
    }
    EXPECT_EQ(before->figures.size(), after->figures.size());
    return to;
  }

  // The number of reactions that the last records of the log name as recorded ahead of their cursors.
  size_t Ahead(eventlog::MemoryLog* log) {
    size_t ahead = 0;
    for (const SlotId slot : SlotsOf(*log, kTarget)) {
      SourceReader reader(log, slot, eventlog::GenesisCursor(log->identity(), slot));
      SourceRecords records;
      EXPECT_TRUE(reader.Read(100'000, log->End(slot).value(), &records).ok());
      for (const SourceRecordPtr& record : records) {
        log::v1::RecordBody body;
        if (!body.ParseFromArray(record->body.data(), static_cast<int>(record->body.size()))) continue;
        for (const auto& progress : body.batch().progress()) ahead += static_cast<size_t>(progress.ahead_size());
      }
    }
    return ahead;
  }

  // Starts on the copy, lets all work finish, and checks the counts.
  void ExpectEachOnce(eventlog::MemoryLog* log, int additions, absl::string_view what) {
    Instance instance(&world_, log, 9);
    instance.reactions = a_.reactions;
    instance.views = a_.views;
    instance.Start();
    for (int i = 0; i < 50 && !(instance.runtime().settled() && instance.pool().caught_up()); ++i) {
      Quiesce();
      TimePasses(kWhileMicros);
    }
    ASSERT_TRUE(instance.pool().caught_up()) << what;
    const auto value = [&](const std::string& counter) {
      int64_t found = -1;
      instance.runtime().Query(SlotOf(kTarget, "", counter, log->identity().slots.of(kTarget)), 0, kNoDeadline,
                               [&](absl::StatusOr<const store::RowReader*> rows, Position) {
                                 ASSERT_TRUE(rows.ok()) << rows.status();
                                 found = partition::counter::kCounters.Get(**rows, {counter})->value();
                               });
      Quiesce();
      return found;
    };
    EXPECT_EQ(value("left"), 2 * additions) << what;
    EXPECT_EQ(value("right"), additions) << what;
    instance.Crash();
  }

  char next_install_ = 0;
};

TEST_F(ReshardTest, MakesEachReactionOnceWhereverTheOldLogEnds) {
  Start(a_);
  AddToEach(a_, log_, 1);
  const int additions = kSourceCounters;
  std::map<std::string, std::unique_ptr<eventlog::MemoryLog>> copies;
  size_t ahead = 0;
  // One more reaction lands each time; the other ones in flight would be lost with the instance.
  for (int recorded = 0; recorded <= kReactions * additions; ++recorded) {
    if (recorded > 0) {
      const std::vector<uint64_t> under_way = UnderWay();
      ASSERT_FALSE(under_way.empty()) << recorded;
      // Alternates between the slots, so that sometimes one is ahead of the other.
      Deliver(recorded % 3 == 0 ? under_way.back() : under_way.front());
    }
    for (const SlotCounts& slots : {Counts(1, 1), Counts(3, 1), Counts(1, 5), Counts(16, 16)}) {
      auto& copy = copies[absl::StrCat(recorded, " recorded, ", slots.ToString())];
      copy = Resharded(&log_, slots);
      ahead += Ahead(copy.get());
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(ahead, 0u);
  Kill(a_);
  for (const auto& [what, copy] : copies) ExpectEachOnce(copy.get(), additions, what);
}

TEST_F(ReshardTest, CanBeRepeatedOnItsOwnResult) {
  Start(a_);
  AddToEach(a_, log_, 2);
  DeliverFirst(3);
  const auto once = Resharded(&log_, Counts(16, 16));
  const auto twice = Resharded(once.get(), Counts(1, 1));
  const auto thrice = Resharded(twice.get(), Counts(5, 2));
  Kill(a_);
  ExpectEachOnce(thrice.get(), 2 * kSourceCounters, "thrice");
}

TEST_F(ReshardTest, AnswersRepeatsAsBefore) {
  Start(a_);
  AddToEach(a_, log_, 1);
  Settle(a_);
  const auto copy = Resharded(&log_, Counts(7, 3));
  Kill(a_);
  Instance instance(&world_, copy.get(), 9);
  instance.reactions = a_.reactions;
  instance.Start();
  for (int i = 0; i < 50 && !instance.runtime().settled(); ++i) TimePasses(kWhileMicros);
  const SlotId slot = SlotOf(kSource, "", "c3", 7);
  const Position end = copy->End(slot).value();
  AddRequest request = Add("r3", 1);
  request.set_counter("c3");
  ASSERT_TRUE(Submit(instance, request, slot)->status().ok());
  EXPECT_EQ(copy->End(slot).value(), end);
  request.set_amount(2);
  EXPECT_EQ(ReasonOf(Submit(instance, request, slot)->status()), "REQUEST_ID_REUSED");
  instance.Crash();
}

TEST_F(ReshardTest, RefusesAMisplacedRecord) {
  Start(a_);
  const uint16_t right = SlotOf(kSource, "", "c", 2).slot;
  AddSome(a_, 1, 1, {kSource, static_cast<uint16_t>(1 - right)});
  eventlog::MemoryLog to({.install = store::Install(8), .slots = SlotCounts(3)},
                         eventlog::MemoryLog::Delivery::kAtOnce);
  SeededRandom random(3);
  const absl::Status refused = Reshard(&log_, &to, Services(), {}, {}, random, &NoObserver);
  EXPECT_EQ(ReasonOf(refused), "MISPLACED_RECORD") << refused;
}

TEST_F(ReshardTest, RefusesRecordsOfAnUnknownService) {
  Start(a_);
  AddToEach(a_, log_, 1);
  eventlog::MemoryLog to({.install = store::Install(8), .slots = SlotCounts(3)},
                         eventlog::MemoryLog::Delivery::kAtOnce);
  SeededRandom random(3);
  const absl::Status refused = Reshard(&log_, &to, {partition::counter::Service(kTarget)}, {}, {}, random, &NoObserver);
  EXPECT_EQ(ReasonOf(refused), "UNKNOWN_SERVICE_RECORDS") << refused;
}

TEST_F(ReshardTest, ShowsAMissingEventInTheFigures) {
  Start(a_);
  AddToEach(a_, log_, 1);
  const absl::StatusOr<LogFigures> before = Figures(&log_);
  AddToEach(a_, log_, 1);
  const absl::StatusOr<LogFigures> after = Figures(&log_);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_FALSE(before->figures == after->figures);
}

}  // namespace
}  // namespace halles::projection
