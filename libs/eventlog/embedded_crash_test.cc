// Power cuts at every operation of the embedded log: whichever unsynced bytes survive, in whatever order, no
// acknowledged record is lost and none appears from nowhere.
#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/eventlog/embedded_fixture.h"

namespace halles::eventlog::test {
namespace {

using Counts = std::map<SlotId, Position>;

// An acknowledged record, and the number of disk operations before its acknowledgement.
struct Promise {
  size_t operations = 0;
  SlotId slot;
  Position position = 0;
};

struct Life {
  testing::FaultyDisk disk;
  Counts appended;
  std::vector<Promise> promises;
  InstallId install;
  size_t opened_after = 0;  // in operations

  Counts PromisedAfter(size_t operations) const {
    Counts counts;
    for (const Promise& promise : promises) {
      Position& count = counts[promise.slot];
      if (promise.operations <= operations) count = std::max(count, promise.position + 1);
    }
    return counts;
  }
};

struct Shape {
  const char* name;
  absl::Duration mark_delay;
  uint32_t segment_bytes;
  int batches;
};

// A run with batches of one and of several records, over several segments.
std::unique_ptr<Life> LiveOnce(const Shape& shape) {
  auto life = std::make_unique<Life>();
  ManualClock clock;
  SeededRandom random(11);
  EmbeddedLogOptions options = OptionsOn(life->disk, clock, random);
  options.mark_delay = shape.mark_delay;
  options.segment_bytes = shape.segment_bytes;
  Reports reports;
  reports.on_report = [&](const AppendReport& report) {
    EXPECT_TRUE(report.status.ok()) << report.status;
    life->promises.push_back({life->disk.operations(), report.slot, *report.position});
  };
  auto log = EmbeddedLog::Open(options);
  EXPECT_TRUE(log.ok()) << log.status();
  life->opened_after = life->disk.operations();
  life->install = (*log)->identity().install;
  size_t sent = 0;
  auto append = [&](SlotId slot) {
    Position& next = life->appended[slot];
    (*log)->Append(slot, RecordAt(slot, next++), 0, &reports);
    ++sent;
  };
  for (int batch = 0; batch < shape.batches; ++batch) {
    life->disk.HoldSyncs();
    append(kSlots[batch % 3]);
    life->disk.AwaitHeldSync();
    for (int i = 0; i < batch % 5; ++i) append(kSlots[i % 3]);
    life->disk.ReleaseSyncs();
    reports.Await(sent);
  }
  return life;
}

Counts CountsOf(EmbeddedLog& log) {
  Counts counts;
  for (const SlotId& slot : kSlots) {
    const std::vector<std::string> records = ReadAll(log, slot);
    for (Position i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], RecordAt(slot, i)) << slot.ToString();
    counts[slot] = records.size();
  }
  return counts;
}

// Opens the log after a power cut and returns its contents.
Counts CheckSurvivor(testing::FaultyDisk& disk, const Shape& shape, const Life& life, size_t operations,
                     const Counts& promised) {
  ManualClock clock;
  SeededRandom random(12);
  EmbeddedLogOptions options = OptionsOn(disk, clock, random);
  options.mark_delay = shape.mark_delay;
  options.segment_bytes = shape.segment_bytes;
  Counts counts;
  {
    auto log = EmbeddedLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    if (!log.ok()) return counts;
    if (operations >= life.opened_after && !life.install.empty()) {
      EXPECT_EQ((*log)->identity().install, life.install);
    }
    counts = CountsOf(**log);
    for (const auto& [slot, count] : promised) EXPECT_GE(counts[slot], count) << "lost of " << slot.ToString();
    Reports reports;
    size_t sent = 0;
    for (int i = 0; i < 2; ++i) {
      for (const SlotId& slot : kSlots) {
        const Position position = counts[slot]++;
        (*log)->Append(slot, RecordAt(slot, position), position, &reports);
        ++sent;
      }
    }
    for (const AppendReport& report : reports.Await(sent)) {
      EXPECT_TRUE(report.status.ok()) << report.status;
      EXPECT_EQ(report.position, report.tag);
    }
  }
  auto log = EmbeddedLog::Open(options);
  EXPECT_TRUE(log.ok()) << log.status();
  if (log.ok()) {
    EXPECT_EQ(CountsOf(**log), counts) << "after going on";
  }
  return counts;
}

// Calls `check` with choices of surviving pieces: all choices if there are few pieces; otherwise none, all, all but
// one, only one, the earlier or later half, and random choices.
void ForChoices(size_t pieces, SeededRandom& random, const std::function<void(const std::vector<bool>&)>& check) {
  constexpr size_t kExhaustivePieces = 5;
  if (pieces <= kExhaustivePieces) {
    for (size_t bits = 0; bits < (size_t{1} << pieces); ++bits) {
      std::vector<bool> choice(pieces);
      for (size_t i = 0; i < pieces; ++i) choice[i] = (bits >> i & 1) != 0;
      check(choice);
    }
    return;
  }
  check(std::vector<bool>(pieces, false));
  check(std::vector<bool>(pieces, true));
  for (size_t i = 0; i < pieces; ++i) {
    std::vector<bool> choice(pieces, true);
    choice[i] = false;
    check(choice);
    choice.flip();
    check(choice);
  }
  std::vector<bool> half(pieces, false);
  for (size_t i = 0; i < pieces / 2; ++i) half[i] = true;
  check(half);
  half.flip();
  check(half);
  for (int i = 0; i < 6; ++i) {
    std::vector<bool> choice(pieces);
    for (size_t piece = 0; piece < pieces; ++piece) choice[piece] = random.Uniform(2) == 1;
    check(choice);
  }
}

class PowerCut : public ::testing::TestWithParam<Shape> {};

TEST_P(PowerCut, LosesNoAcknowledgedRecordAtAnyOperation) {
  const Shape& shape = GetParam();
  const auto life = LiveOnce(shape);
  SeededRandom random(13);
  size_t cuts = 0;
  for (size_t operations = 0; operations <= life->disk.operations(); ++operations) {
    const Counts promised = life->PromisedAfter(operations);
    ForChoices(life->disk.PiecesAtRisk(operations), random, [&](const std::vector<bool>& survives) {
      SCOPED_TRACE(absl::StrCat("after ", operations, " operations, cut ", cuts));
      auto disk = life->disk.AfterPowerCut(operations, [&](size_t piece) { return survives[piece]; });
      CheckSurvivor(*disk, shape, *life, operations, promised);
      ++cuts;
    });
    if (HasFailure()) return;
  }
  std::cout << shape.name << ": " << life->disk.operations() << " operations, " << cuts << " power cuts\n";
  EXPECT_GT(cuts, 250u);
}

TEST_P(PowerCut, LosesNoServedRecordWhenTheNextOpenIsCutToo) {
  const Shape& shape = GetParam();
  const auto life = LiveOnce(shape);
  SeededRandom random(14);
  size_t cuts = 0;
  // Every third operation of the first run is enough: for each, every operation of the second is tried.
  for (size_t operations = 0; operations <= life->disk.operations(); operations += 3) {
    const Counts promised = life->PromisedAfter(operations);
    const size_t pieces = life->disk.PiecesAtRisk(operations);
    if (pieces == 0) continue;
    for (int choice = 0; choice < 3; ++choice) {
      std::vector<bool> survives(pieces, choice == 0);
      if (choice == 2) survives[random.Uniform(pieces)] = true;
      if (choice == 1) {
        for (size_t i = 0; i < pieces; ++i) survives[i] = random.Uniform(3) > 0;
      }
      auto disk = life->disk.AfterPowerCut(operations, [&](size_t piece) { return survives[piece]; });
      ManualClock clock;
      SeededRandom install(15);
      EmbeddedLogOptions options = OptionsOn(*disk, clock, install);
      options.mark_delay = shape.mark_delay;
      options.segment_bytes = shape.segment_bytes;
      Counts served;
      size_t served_after = 0;
      {
        auto log = EmbeddedLog::Open(options);
        ASSERT_TRUE(log.ok()) << log.status();
        served_after = disk->operations();
        served = CountsOf(**log);
      }
      for (size_t again = 0; again <= disk->operations(); ++again) {
        const size_t at_risk = disk->PiecesAtRisk(again);
        for (int kept = 0; kept < (at_risk == 0 ? 1 : 4); ++kept) {
          SCOPED_TRACE(absl::StrCat("after ", operations, " and ", again, " operations, cut ", cuts));
          auto second = disk->AfterPowerCut(again, [&](size_t) {
            return kept == 0 ? false : kept == 1 ? true : random.Uniform(2) == 1;
          });
          CheckSurvivor(*second, shape, *life, operations, again >= served_after ? served : promised);
          ++cuts;
        }
        if (HasFailure()) return;
      }
    }
  }
  std::cout << shape.name << ": " << cuts << " second power cuts\n";
}

// The process dies but the machine stays up. The next process sees everything that was written, durable or not, and
// must make it durable before it serves it, even if the last operation was a failed sync.
TEST_P(PowerCut, LosesNoServedRecordAfterTheProcessDiesAtAnyOperation) {
  const Shape& shape = GetParam();
  SeededRandom random(16);
  size_t deaths = 0;
  for (size_t death = 0;; ++death) {
    SCOPED_TRACE(absl::StrCat("death at operation ", death));
    testing::FaultyDisk disk;
    ManualClock clock;
    SeededRandom install(17);
    EmbeddedLogOptions options = OptionsOn(disk, clock, install);
    options.mark_delay = shape.mark_delay;
    options.segment_bytes = shape.segment_bytes;
    options.on_fatal = [](const absl::Status&) {};
    std::atomic<size_t> operations{0};
    disk.SetFault([&](testing::DiskOperation operation, const std::string&) {
      // Dying before a read leaves the same as dying before the next change.
      if (operation == testing::DiskOperation::kOpen || operation == testing::DiskOperation::kRead) {
        return absl::OkStatus();
      }
      return operations++ < death ? absl::OkStatus() : absl::UnavailableError("dead");
    });
    Life life;
    if (auto log = EmbeddedLog::Open(options); log.ok()) {
      life.install = (*log)->identity().install;
      Reports reports;
      reports.on_report = [&](const AppendReport& report) {
        if (report.status.ok()) life.promises.push_back({0, report.slot, *report.position});
      };
      size_t sent = 0;
      for (int batch = 0; batch < shape.batches; ++batch) {
        for (int i = 0; i <= batch % 4; ++i) {
          const SlotId slot = kSlots[i % 3];
          (*log)->Append(slot, RecordAt(slot, life.appended[slot]++), 0, &reports);
          ++sent;
        }
        const auto all = reports.Await(sent);
        if (!all.back().status.ok()) break;
      }
    }
    disk.SetFault(nullptr);
    const bool died = operations > death;
    Counts served;
    {
      auto log = EmbeddedLog::Open(options);
      ASSERT_TRUE(log.ok()) << log.status();
      served = CountsOf(**log);
      for (const auto& [slot, count] : life.PromisedAfter(0)) EXPECT_GE(served[slot], count);
      // Continues into the next segment, which the dead process may have left unfinished.
      Reports reports;
      for (size_t sent = 1; sent <= 8; ++sent) {
        Position& next = served[kSlotB];
        (*log)->Append(kSlotB, RecordAt(kSlotB, next++), 0, &reports);
        EXPECT_TRUE(reports.Await(sent).back().status.ok());
      }
      const size_t at_risk = disk.operations();
      for (int kept = 0; kept < 3; ++kept) {
        auto cut = disk.AfterPowerCut(at_risk, [&](size_t) {
          return kept == 0 ? false : kept == 1 ? true : random.Uniform(2) == 1;
        });
        CheckSurvivor(*cut, shape, life, 0, served);
      }
    }
    if (HasFailure()) return;
    ++deaths;
    if (!died) break;
  }
  std::cout << shape.name << ": " << deaths << " deaths\n";
  EXPECT_GT(deaths, 30u);
}

// Frames after a torn one are valid where they are. Once cut, they must not reappear when the torn frame is rewritten
// and ends where they start.
TEST(PowerCutTail, RevivesNoCutRecord) {
  const auto record = [](int number, char life) {
    return absl::StrCat("record ", number, " of life ", std::string(1, life));
  };
  testing::FaultyDisk disk;
  ManualClock clock;
  SeededRandom random(18);
  EmbeddedLogOptions options = OptionsOn(disk, clock, random);
  options.mark_delay = absl::InfiniteDuration();
  size_t torn_at = 0;
  {
    auto log = EmbeddedLog::Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    Reports reports;
    disk.HoldSyncs();
    (*log)->Append(kSlotA, record(0, 'a'), 0, &reports);
    disk.AwaitHeldSync();
    for (int i = 1; i <= 4; ++i) (*log)->Append(kSlotA, record(i, 'a'), 0, &reports);
    disk.ReleaseSyncs();
    reports.Await(5);
    // The last operation synced the second batch; the one before wrote it.
    torn_at = disk.operations() - 1;
  }
  const size_t pieces = disk.PiecesAtRisk(torn_at);
  ASSERT_GE(pieces, 4u);
  size_t cuts = 0;
  for (size_t lost = 0; lost < pieces; ++lost) {
    auto cut = disk.AfterPowerCut(torn_at, [&](size_t piece) { return piece != lost; });
    options.file_system = cut.get();
    auto log = EmbeddedLog::Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    const std::vector<std::string> before = ReadAll(**log, kSlotA);
    if (before.size() < 5) ++cuts;
    Reports reports;
    (*log)->Append(kSlotA, record(static_cast<int>(before.size()), 'b'), 0, &reports);
    ASSERT_TRUE(reports.Await(1)[0].status.ok());
    auto second = cut->AfterPowerCut(cut->operations(), [](size_t) { return true; });
    log->reset();
    options.file_system = second.get();
    auto again = EmbeddedLog::Open(options);
    ASSERT_TRUE(again.ok()) << again.status();
    const std::vector<std::string> after = ReadAll(**again, kSlotA);
    ASSERT_EQ(after.size(), before.size() + 1) << "lost piece " << lost;
    EXPECT_EQ(after.back(), record(static_cast<int>(before.size()), 'b'));
  }
  EXPECT_GE(cuts, 3u);
}

// A write of several frames at the start of a segment may lose the first of them. The segment is then empty, and its
// new first frame must state the end of the segment before it again.
TEST(PowerCutTail, RewritesTheStartOfASegment) {
  Life life;
  ManualClock clock;
  SeededRandom random(19);
  EmbeddedLogOptions options = OptionsOn(life.disk, clock, random);
  options.mark_delay = absl::InfiniteDuration();
  options.segment_bytes = 1024;
  const Shape shape{"StartOfASegment", options.mark_delay, options.segment_bytes, 0};
  const auto second_segment_is_written = [&](size_t operations) {
    auto disk = life.disk.AfterPowerCut(operations, [](size_t) { return true; });
    const std::string path = absl::StrCat(kDirectory, "/00000002.segment");
    return disk->Exists(path) && ParseFrame({2, 64}, disk->Contents(path).substr(64)).has_value();
  };
  {
    auto log = EmbeddedLog::Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    Reports reports;
    const auto append = [&](size_t count) {
      for (size_t i = 0; i < count; ++i) {
        Position& next = life.appended[kSlotA];
        (*log)->Append(kSlotA, RecordAt(kSlotA, next), next, &reports);
        ++next;
      }
    };
    // Six frames fit; the seventh and all later ones start the next segment together.
    append(5);
    reports.Await(5);
    life.disk.HoldSyncs();
    append(1);
    life.disk.AwaitHeldSync();
    append(3);
    life.disk.ReleaseSyncs();
    reports.Await(9);
  }
  size_t written = 0;
  while (!second_segment_is_written(written)) ASSERT_LT(written++, life.disk.operations());
  const size_t pieces = life.disk.PiecesAtRisk(written);
  size_t emptied = 0;
  for (size_t lost = 1; lost < pieces; ++lost) {
    auto disk = life.disk.AfterPowerCut(written, [&](size_t piece) { return piece >= lost; });
    const Counts counts = CheckSurvivor(*disk, shape, life, written, {{kSlotA, 6}});
    if (counts.at(kSlotA) == 8) ++emptied;  // the six from before and two that the check appended
  }
  EXPECT_GE(emptied, 2u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, PowerCut,
                         ::testing::Values(Shape{"MarksAtOnce", absl::ZeroDuration(), 2048, 12},
                                           Shape{"NoMarks", absl::InfiniteDuration(), 2048, 12},
                                           Shape{"TinySegments", absl::InfiniteDuration(), 1024, 10},
                                           Shape{"OneSegment", absl::InfiniteDuration(), 16 * 1024, 8}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace halles::eventlog::test
