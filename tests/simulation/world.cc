// Lets clients, faults and an operator act between the steps of the scheduler.
#include "tests/simulation/world.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/simulation/limits.h"
#include "tests/simulation/workload.h"

namespace halles::simulation {
namespace {

// Virtual time in which a world without faults must come to rest: longer than any timer of a saga.
constexpr int64_t kRestMicros = int64_t{3600} * 1'000'000;
constexpr int64_t kSecond = 1'000'000;
// Steps between two checks, between two actions of the operator, and, on average, between two faults.
constexpr uint64_t kWatchEvery = 500;
constexpr uint64_t kOperateEvery = 400;
constexpr uint64_t kTroubleEvery = 1'000;

eventlog::LogIdentity Identity() {
  InstallId::Bytes install{};
  install[0] = 5;
  return {.install = InstallId::FromBytes(install), .slots = SlotCounts(kSlots)};
}

}  // namespace

World::World(uint64_t seed, Interposer* planted)
    : random(seed),
      scheduler(seed),
      network_node(&scheduler),
      network(network_node.NewQueue("network")),
      log(Identity()),
      findings(&scheduler),
      auditor(&log, &scheduler, &findings),
      interposer(planted) {
  EXPECT_TRUE(identifier_keys.Add(1, std::string(IdentifierKeys::kKeyBytes, 'k')).ok());
  faults.append_timeout = absl::Milliseconds(200);
  faults.stall_max = absl::Milliseconds(20);
  faults.stall = faults.lose = faults.land_late = 500;
  faults.land_twice = faults.overtake = faults.lose_report = 500;
  faults.hide_position = faults.hold_report = faults.refuse = 500;
  faults.reset = 200;
  faults.fail_read = 1'000;
  for (int i = 0; i < 2; ++i) processes[static_cast<size_t>(i)] = std::make_unique<Process>(this, i);
  workload_ = std::make_unique<Workload>(this);
}

World::~World() {
  network_node.Kill();  // messages in transit are dropped
  for (auto& process : processes) process.reset();
}

Process* World::OwnerOf(SlotId slot) {
  for (auto& process : processes) {
    if (process->Serves(slot)) return process.get();
  }
  Process* any = processes[random.Uniform(2)].get();
  return any->alive() ? any : nullptr;
}

uint64_t World::answers() const { return workload_->answers(); }

bool World::Run(uint64_t steps_of_trouble) {
  processes[0]->Start(partition::SlotRole::kOwner);
  processes[1]->Start(partition::SlotRole::kStandby);
  for (uint64_t step = 0; step < steps_of_trouble && findings.empty(); ++step) {
    workload_->Act();
    if (Chance(kTroubleEvery)) Trouble();
    if (step % kOperateEvery == 0) Operate();
    if (step % kWatchEvery == 0) Watch();
    scheduler.Step();
  }
  if (findings.empty()) Rest();
  return findings.empty();
}

void World::Trouble() {
  Process& process = *processes[random.Uniform(2)];
  if (!process.alive()) return;
  switch (random.Uniform(12)) {
    case 0:
    case 1:
      return process.Kill();
    case 10:
    case 11: {
      // The disk of the log is full until the operator frees some space.
      eventlog::ConnectionFaults full = faults;
      full.refuse = 1'000'000;
      return process.connection().SetFaults(full);
    }
    case 2:
    case 3:
    case 4:
      return process.runtime().TakeOver(auditor.slots()[random.Uniform(auditor.slots().size())]);
    case 5:
      // At most half an hour wrong, so that a start never finds records an hour ahead of its clock.
      return process.SetWallOffset(static_cast<int64_t>(random.Uniform(3'600'000'000)) - 1'800'000'000);
    case 6:
      // Time passes without new requests, so that timers become due.
      return Pass(static_cast<int64_t>(random.Uniform(40)) * kSecond);
    case 7:
      process.connection().SetReachable(false);
      Pass(static_cast<int64_t>(random.Uniform(10'000)));
      if (process.alive()) process.connection().SetReachable(true);
      return;
    default:
      return DiskTrouble(process);
  }
}

void World::DiskTrouble(Process& process) {
  switch (random.Uniform(6)) {
    case 0:
      return process.disk().FailNextRead();
    case 1:
      return process.disk().FailNextWrite();
    case 2:
      return process.disk().SetFull(true);  // until the operator frees some space
    default:
      process.disk().SetWriteDelay(absl::Milliseconds(static_cast<int64_t>(random.Uniform(20))));
      return process.FlushAndCheck();
  }
}

void World::Pass(int64_t micros) { scheduler.Advance(micros); }

void World::Operate() {
  for (auto& process : processes) {
    if (Chance(2)) {
      process->disk().SetFull(false);
      if (process->alive()) process->connection().SetFaults(faults);
    }
    if (!process->alive() && Chance(2)) {
      process->Start(Chance(2) ? partition::SlotRole::kOwner : partition::SlotRole::kStandby);
    }
  }
  for (const SlotId slot : auditor.slots()) {
    Process& process = *processes[random.Uniform(2)];
    if (!processes[0]->Serves(slot) && !processes[1]->Serves(slot) && process.alive()) process.runtime().TakeOver(slot);
  }
}

void World::Watch() {
  workload_->AskAgain();
  auditor.CatchUp();
  for (auto& process : processes) {
    if (!process->alive()) continue;
    CheckLimits(process.get());
    if (process->host().counters().stopped_slots.load() > 0) {
      findings.Add("I3", absl::StrCat(process->name(), " has stopped a slot although the log is intact"));
    }
    for (const projection::SourceState& state : process->SourceStates()) {
      if (!state.error.ok()) findings.Add("I3", absl::StrCat(process->name(), ": ", state.error.message()));
    }
  }
}

// Ends the faults, restarts dead processes, lets everything that was begun end, and makes the last checks.
void World::Rest() {
  faults = eventlog::ConnectionFaults();
  for (auto& process : processes) {
    process->disk().SetWriteDelay(absl::ZeroDuration());
    process->disk().SetFull(false);
    for (int tries = 0; !process->alive() && tries < 3; ++tries) process->Start(partition::SlotRole::kStandby);
    if (!process->alive()) return findings.Add("I5", absl::StrCat(process->name(), " does not start"));
    process->connection().SetFaults(faults);
  }
  workload_->Close();
  for (int round = 0; round < 3; ++round) {
    Pass(20 * kSecond);
    Operate();
  }
  Pass(kRestMicros);
  for (auto& process : processes) workload_->ReadCustomers(process.get());
  Pass(kSecond);
  Watch();
  auditor.CheckRest(testing::VirtualScheduler::kWallAtStart + scheduler.now());
  std::array<size_t, 2> folds{};
  for (size_t i = 0; i < 2; ++i) {
    Process& process = *processes[i];
    if (!process.host().caught_up())
      findings.Add("I3", absl::StrCat(process.name(), " does not reach the end of the log"));
    absl::Status flushed = absl::UnknownError("the flush does not end");
    process.store().FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });
    Pass(kSecond);
    if (!flushed.ok()) findings.Add("I14", absl::StrCat(process.name(), ": ", flushed.message()));
    process.CheckStored();
    const auto metas = process.store().LoadMetas();
    if (!metas.ok()) return findings.Add("I14", absl::StrCat(process.name(), ": ", metas.status().message()));
    for (const auto& [fold, meta] : *metas) auditor.CheckAtEnd(fold, meta, process.name());
    folds[i] = metas->size();
  }
  if (folds[0] != folds[1]) findings.Add("I12", "the processes do not store the same folds");
  if (workload_->answers() == 0) findings.Add("I6", "no client was answered");
}

}  // namespace halles::simulation
