// Runs simulated worlds from fixed seeds, from fresh seeds, and with planted faults. README.md lists what they check.
#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/machine/os_random.h"
#include "libs/telemetry/log.h"
#include "tests/simulation/planted_faults.h"

namespace halles::simulation {
namespace {

// HALLES_WORLD_SEEDS=FROM:COUNT selects other seeds, HALLES_WORLD_SEEDS=SEED a single one.
std::vector<uint64_t> Seeds() {
  uint64_t from = 1;
  uint64_t count = 4;
  if (const char* asked = std::getenv("HALLES_WORLD_SEEDS"); asked != nullptr) {
    const std::string text = asked;
    const size_t colon = text.find(':');
    if (!absl::SimpleAtoi(text.substr(0, colon), &from)) from = 1;
    if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &count)) count = 1;
  }
  std::vector<uint64_t> seeds;
  for (uint64_t i = 0; i < count; ++i) seeds.push_back(from + i);
  return seeds;
}

// The work of some worlds, and the time that it took.
struct Figures {
  uint64_t steps = 0;
  uint64_t records = 0;
  uint64_t answers = 0;
  uint64_t reads = 0;
  uint64_t overloads = 0;
  absl::Duration time;  // processor time

  void Print() const {
    const double minutes = absl::ToDoubleMinutes(time);
    printf(
        "%llu steps, %llu records, %llu answers, %llu refusals by full queues, %llu reads checked: %.0f steps and "
        "%.0f records a minute of one "
        "core\n",
        static_cast<unsigned long long>(steps), static_cast<unsigned long long>(records),
        static_cast<unsigned long long>(answers), static_cast<unsigned long long>(overloads),
        static_cast<unsigned long long>(reads), static_cast<double>(steps) / minutes,
        static_cast<double>(records) / minutes);
  }
};

// Prints the seed before its world runs, so that it is the last line if the world ends the process.
void RunSeed(uint64_t seed, Figures* figures) {
  telemetry::SetLogLevel(telemetry::LogLevel::kError);
  printf("seed %llu\n", static_cast<unsigned long long>(seed));
  fflush(stdout);
  const std::clock_t begin = std::clock();
  World world(seed);
  EXPECT_TRUE(world.Run()) << world.findings.ToString() << "run it again with: HALLES_WORLD_SEEDS=" << seed
                           << " halles_world_test --gtest_filter='*FixedSeeds*'";
  figures->time += absl::Seconds(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  figures->steps += world.scheduler.steps();
  figures->records += world.auditor.records();
  figures->answers += world.answers();
  figures->reads += world.auditor.reads_checked() + world.auditor.parties_checked();
  figures->overloads += world.overloads;
}

class FixedSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(FixedSeeds, KeepEveryInvariant) {
  Figures figures;
  RunSeed(GetParam(), &figures);
  figures.Print();
}

INSTANTIATE_TEST_SUITE_P(World, FixedSeeds, ::testing::ValuesIn(Seeds()));

TEST(World, IsRepeatedByItsSeed) {
  telemetry::SetLogLevel(telemetry::LogLevel::kError);
  std::map<SlotId, std::vector<eventlog::StoredRecord>> first;
  for (int run = 0; run < 2; ++run) {
    World world(1);
    EXPECT_TRUE(world.Run(20'000)) << world.findings.ToString();
    for (const SlotId slot : world.auditor.slots()) {
      std::vector<eventlog::StoredRecord> records;
      ASSERT_TRUE((*world.log.NewReader(slot, 0))->Poll({.records_max = 1 << 20, .bytes_max = 1 << 30}, &records).ok());
      if (run == 0) {
        first[slot] = std::move(records);
        continue;
      }
      ASSERT_EQ(records.size(), first[slot].size()) << slot.ToString();
      for (size_t i = 0; i < records.size(); ++i) {
        ASSERT_EQ(records[i].bytes, first[slot][i].bytes) << slot.ToString() << "@" << i;
      }
    }
  }
}

// The checks of I19 prove nothing in a world that never reaches a limit.
TEST(World, ReachesItsLimits) {
  telemetry::SetLogLevel(telemetry::LogLevel::kError);
  World world(1);
  EXPECT_TRUE(world.Run()) << world.findings.ToString();
  EXPECT_GT(world.overloads, 0);
  EXPECT_GT(world.auditor.answers_dropped(), 0);
}

// Runs fresh seeds for HALLES_WORLD_SECONDS; a separate test in CI.
TEST(FreshSeeds, KeepEveryInvariant) {
  int64_t seconds = 1;
  if (const char* asked = std::getenv("HALLES_WORLD_SECONDS"); asked != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(asked, &seconds)) << "HALLES_WORLD_SECONDS is no number: " << asked;
  }
  OsRandom random;
  const absl::Time end = absl::Now() + absl::Seconds(seconds);
  Figures figures;
  do {
    RunSeed(random.Next64() >> 16, &figures);
  } while (absl::Now() < end && !HasFailure());
  figures.Print();
}

// A fault is searched for in short worlds, one after the other.
constexpr uint64_t kStepsToFindIn = 100'000;
constexpr uint64_t kStepsOfAFaultyWorld = 25'000;
constexpr uint64_t kFirstSeed = 9;

// The invariants that each fault breaks. A finding of another one says that the world is wrong, not the fault found.
const std::map<std::string, std::vector<std::string>>& Broken() {
  static const std::map<std::string, std::vector<std::string>> broken = {
      {"ReactionLostBetweenInstances", {"I8"}},
      {"ObservationOfACustomerLost", {"I8"}},
      {"AnswersDecidedAgainOutOfOrder", {"I6"}},
      {"ClaimOnAnEarlyEnd", {"I1", "I3"}},
      {"AppendRepeatedAfterAnUnknownOutcome", {"I2"}},
      {"RepeatedUnderAnotherRequestId", {"I6", "I7"}},
      {"AnsweredBeforeItIsDurable", {"I6"}},
      {"StaleOwnerAnswersReads", {"I6"}},
      {"AnswersForgottenByTheClock", {"I12"}},
      {"ExpiredRequestExecuted", {"I7"}},
      {"RecordedAnswersForgotten", {"I7"}},
      {"ReactionCursorsForgotten", {"I8"}},
      // A start on rows and cursors of two flushes: the digest is wrong, or a record is folded twice or never.
      {"CursorsStoredBeforeRows", {"I14", "I12", "I3"}},
      {"RowsStoredBeforeCursors", {"I14", "I12", "I3"}},
      // Rows, digests or recorded answers are gone; or the next record does not fit what is left.
      {"DiskLosesAcknowledgedWrites", {"I3", "I7", "I9", "I12", "I14"}},
      {"ViewSkipsAnEventAfterAReset", {"I15", "I12"}},
      {"ClockRunsFast", {"I11"}},
      {"WakeUpLost", {"I21"}},
      {"SlotsOnTwoQueues", {"I10"}},
      {"TaskWithinAnother", {"I10"}},
      {"ClientsTakeTheReserve", {"I19"}},
      {"BatchWithoutALimit", {"I19"}},
      // What a stale level lets through cannot be folded, or is more than there is.
      {"OversoldOnStaleState", {"I9", "I23"}},
      {"TakenBackOnStaleState", {"I26", "I9"}},
      {"PartyDependsOnTheOrderOfLinks", {"I17"}},
      {"FoldOfOneProcessDiffers", {"I12", "I9"}},
      {"HoldNotReleasedByCompensation", {"I22"}},
      {"OutcomeOfACallLost", {"I21", "I22"}},
      {"UnknownOutcomeTakenForARefusal", {"I25", "I22"}},
  };
  return broken;
}

class Finds : public ::testing::TestWithParam<PlantedFault> {};

TEST_P(Finds, Fault) {
  telemetry::SetLogLevel(telemetry::LogLevel::kError);
  uint64_t steps = 0;
  for (uint64_t seed = kFirstSeed; steps < kStepsToFindIn; ++seed) {
    const std::unique_ptr<Interposer> fault = GetParam().plant();
    World world(seed, fault.get());
    if (!world.Run(std::min(kStepsOfAFaultyWorld, kStepsToFindIn - steps))) {
      steps += world.findings.first().step;
      printf("%-36s %6llu steps  %s: %s\n", GetParam().name.c_str(), static_cast<unsigned long long>(steps),
             world.findings.first().invariant.c_str(), world.findings.first().what.c_str());
      EXPECT_LE(steps, kStepsToFindIn);
      ASSERT_TRUE(Broken().contains(GetParam().name)) << "say which invariants it breaks";
      EXPECT_THAT(Broken().at(GetParam().name), ::testing::Contains(world.findings.first().invariant))
          << "seed " << seed;
      return;
    }
    steps += world.scheduler.steps();
  }
  FAIL() << GetParam().name << " was not found in " << steps << " steps";
}

INSTANTIATE_TEST_SUITE_P(World, Finds, ::testing::ValuesIn(PlantedFaults()),
                         [](const auto& fault) { return fault.param.name; });

}  // namespace
}  // namespace halles::simulation
