// Starts a host on its disk, connection and machine, and checks its appends, calls and answers.
#include "tests/simulation/process.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/record.h"
#include "libs/partition/slot_catch_up.h"
#include "libs/partition/slot_runner.h"
#include "libs/projection/source_follower.h"
#include "libs/projection/source_reader.h"
#include "services/halles/all_services.h"
#include "tests/simulation/world.h"

namespace halles::simulation {

std::unique_ptr<eventlog::EventLog> Interposer::Log(eventlog::EventLog*, Process*) { return nullptr; }
std::shared_ptr<store::DatabaseHome> Interposer::Disk(std::shared_ptr<store::DatabaseHome> disk, Process*) {
  return disk;
}
std::unique_ptr<Scheduler> Interposer::Machine(Scheduler*, Process*) { return nullptr; }
void Interposer::Define(host::Definitions*, Process*) {}
CallFate Interposer::OnCall(const partition::OutgoingCall&, Process*) { return CallFate::kTravels; }

// Checks the appends of a process: a claim is for a term that began after the process started to read, and no record is
// appended twice unless the log refused it.
class Process::ObservedLog : public eventlog::EventLog, private eventlog::ReportSink {
 public:
  ObservedLog(eventlog::EventLog* inner, Process* process) : inner_(*inner), process_(*process) {
    World& world = process_.world_;
    world.auditor.CatchUp();
    for (const SlotId slot : world.auditor.slots()) terms_at_start_[slot] = world.auditor.term(slot);
  }

  const eventlog::LogIdentity& identity() const override { return inner_.identity(); }
  void Append(SlotId slot, std::string bytes, uint64_t tag, eventlog::ReportSink* sink) override {
    Findings& findings = process_.world_.findings;
    if (bytes.size() > eventlog::kMaxRecordBytes) {
      findings.Add("I19", absl::StrCat(process_.name(), " appends ", bytes.size(), " bytes to ", slot.ToString(),
                                       ", the limit is ", eventlog::kMaxRecordBytes));
    }
    const eventlog::RecordHeader header = eventlog::ParseRecord(bytes).header;
    const Hash128 hash = Hash128Of(slot.ToString(), bytes);
    if (header.kind == eventlog::RecordKind::kClaim && header.term <= terms_at_start_[slot]) {
      findings.Add("I1", absl::StrCat(process_.name(), " claims term ", header.term, " of ", slot.ToString(),
                                      ", which had begun before it started to read"));
    }
    if (!appended_.insert(hash).second) {
      findings.Add("I2", absl::StrCat(process_.name(), " appends record ", header.sequence, " of term ", header.term,
                                      " of ", slot.ToString(), " again"));
    }
    under_way_[{slot, tag}] = {hash, sink};
    inner_.Append(slot, std::move(bytes), tag, this);
  }
  void Abandon(SlotId slot, eventlog::ReportSink*) override { inner_.Abandon(slot, this); }
  absl::StatusOr<Position> End(SlotId slot) override { return inner_.End(slot); }
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> NewReader(SlotId slot, Position from) override {
    ASSIGN_OR_RETURN(std::unique_ptr<eventlog::LogReader> reader, inner_.NewReader(slot, from));
    return std::make_unique<ObservedReader>(std::move(reader), &process_);
  }
  std::unique_ptr<eventlog::Subscription> Follow(eventlog::FollowOptions options) override {
    return inner_.Follow(std::move(options));
  }

 private:
  // Checks that each read has limits.
  class ObservedReader : public eventlog::LogReader {
   public:
    ObservedReader(std::unique_ptr<eventlog::LogReader> inner, Process* process)
        : inner_(std::move(inner)), process_(*process) {}
    absl::StatusOr<eventlog::ReadResult> Poll(const eventlog::ReadLimits& limits,
                                              std::vector<eventlog::StoredRecord>* out) override {
      constexpr size_t kRecordsMax = std::max(partition::kCatchUpRecordsPerTask, projection::kFeedRecordsMax);
      constexpr size_t kBytesMax = std::max(partition::kCatchUpBytesPerTask, projection::kReadBytesMax);
      if (limits.records_max > kRecordsMax || limits.bytes_max > kBytesMax) {
        process_.world_.findings.Add(
            "I19", absl::StrCat(process_.name(), " reads batches of ", limits.records_max, " records and ",
                                limits.bytes_max, " bytes, the limits are ", kRecordsMax, " and ", kBytesMax));
      }
      return inner_->Poll(limits, out);
    }
    Position next() const override { return inner_->next(); }

   private:
    const std::unique_ptr<eventlog::LogReader> inner_;
    Process& process_;
  };

  void OnReports(absl::Span<const eventlog::AppendReport> reports) override {
    for (const eventlog::AppendReport& report : reports) {
      const auto append = under_way_.extract({report.slot, report.tag});
      if (append.empty()) continue;
      const auto& [hash, sink] = append.mapped();
      if (absl::IsResourceExhausted(report.status)) appended_.erase(hash);
      sink->OnReports({&report, 1});
    }
  }

  eventlog::EventLog& inner_;
  Process& process_;
  std::map<SlotId, uint64_t> terms_at_start_;
  std::set<Hash128> appended_;
  std::map<std::pair<SlotId, uint64_t>, std::pair<Hash128, eventlog::ReportSink*>> under_way_;  // by tag
};

// Carries calls and token extensions to the owner of their target: late, lost or duplicated.
class Process::Wire : public partition::Calls {
 public:
  explicit Wire(Process* from) : from_(*from), life_(from->life()) {}

  void Call(partition::OutgoingCall call, const partition::Command::Envelope& from, partition::CallDone done) override {
    World& world = from_.world_;
    CheckRecorded(from);
    partition::Command::Envelope envelope;
    envelope.tenant = from.tenant;
    envelope.actor = from.actor;
    const CallFate fate = world.interposer == nullptr ? CallFate::kTravels : world.interposer->OnCall(call, &from_);
    if (fate == CallFate::kSwallowed) return done(std::string(), {});
    Carry(SlotOf(call.service, envelope.tenant, call.aggregate_key, kSlots),
          [world = &world, from = &from_, life = life_, call, envelope, done, fate](Process& target) {
            target.runtime().Call(call, envelope,
                                  [world, from, life, done, fate](absl::StatusOr<std::string> response,
                                                                  partition::AnswerPosition position) {
                                    // The answer to a dead process is dropped.
                                    if (!from->alive() || from->life() != life) return;
                                    switch (fate) {
                                      case CallFate::kTravels:
                                        if (!world->Chance(50)) done(std::move(response), position);
                                        return;
                                      case CallFate::kRefused:
                                        return done(absl::FailedPreconditionError("refused"), {});
                                      case CallFate::kSwallowed:
                                      case CallFate::kNeverAnswered:
                                        return;
                                    }
                                  });
          });
  }

  void ExtendToken(SlotId slot, TokenPositions sources, partition::ExtendDone done) override {
    Carry(slot, [world = &from_.world_, from = &from_, life = life_, slot, sources, done](Process& target) {
      target.runtime().ExtendToken(slot, sources, [world, from, life, done](absl::StatusOr<Position> at) {
        if (from->alive() && from->life() == life && !world->Chance(50)) done(std::move(at));
      });
    });
  }

 private:
  // Delivers it to the owner of the slot: usually once and soon.
  void Carry(SlotId slot, const std::function<void(Process& target)>& bring) {
    World& world = from_.world_;
    for (uint64_t copies = world.Chance(20) ? world.random.Uniform(3) : 1; copies > 0; --copies) {
      const absl::Duration delay = world.random.Uniform(64) == 0
                                       ? absl::Seconds(static_cast<int64_t>(world.random.Uniform(15)))
                                       : absl::Microseconds(static_cast<int64_t>(world.random.Uniform(2'000)));
      world.network->PostAfter(delay, [world = &world, slot, bring] {
        if (Process* target = world->OwnerOf(slot)) bring(*target);
      });
    }
  }

  // Checks that a call is sent after the record that asks for it is durable (I20), if its request id identifies that
  // record.
  void CheckRecorded(const partition::Command::Envelope& from) {
    if (from.request_id.empty()) return;
    const SlotId slot = SlotOf(ServiceId::kCheckout, from.tenant, from.aggregate.key, kSlots);
    if (from_.world_.auditor.IsRecorded(slot, from.aggregate, from.request_id)) return;
    from_.world_.findings.Add(
        "I20", absl::StrCat(from_.name(), " makes a call for ", from.aggregate.key, " before its record is durable"));
  }

  Process& from_;
  const uint64_t life_;
};

Process::Process(World* world, int number) : world_(*world), number_(number), disk_(absl::StrCat("disk ", number)) {}
Process::~Process() { Kill(); }

std::string Process::name() const { return absl::StrCat("process ", number_, ", life ", life_); }

void Process::SetWallOffset(int64_t micros) {
  node_->JumpWall(micros - std::exchange(wall_offset_, micros));
  world_.auditor.OnWallClock(name(), micros);
}

void Process::Start(partition::SlotRole role) {
  ++life_;
  handed_in_.clear();
  told_.clear();
  unanswered_.clear();
  const uint64_t seed = world_.random.Next64();
  node_ = std::make_unique<testing::VirtualScheduler::Node>(&world_.scheduler);
  wall_offset_ = 0;
  SetWallOffset(static_cast<int64_t>(world_.random.Uniform(2'000'000)) - 1'000'000);
  random_ = std::make_unique<SeededRandom>(seed);
  connection_ =
      std::make_unique<eventlog::MemoryConnection>(&world_.log, world_.network.get(), node_.get(), seed, world_.faults);
  observed_ = std::make_unique<ObservedLog>(connection_.get(), this);
  wire_ = std::make_unique<Wire>(this);
  host::HostOptions options;
  options.definitions = program::AllServices();
  turns_ = std::make_unique<SlotTurns>(&world_.scheduler, &world_.findings, name());
  turns_->Watch(&options.definitions);
  if (world_.interposer != nullptr) {
    interposed_ = world_.interposer->Log(observed_.get(), this);
    interposed_machine_ = world_.interposer->Machine(node_.get(), this);
    world_.interposer->Define(&options.definitions, this);
  }
  machine_ = turns_->Watch(interposed_machine_ != nullptr ? interposed_machine_.get() : node_.get());
  options.log = interposed_ != nullptr ? interposed_.get() : observed_.get();
  options.open_store = [this]() -> absl::StatusOr<std::unique_ptr<store::Store>> {
    ASSIGN_OR_RETURN(std::shared_ptr<store::DatabaseHome> home, disk_.Open());
    if (world_.interposer != nullptr) home = world_.interposer->Disk(std::move(home), this);
    store::StoreOptions store_options;
    store_options.flush_bytes = size_t{256} << 10;
    store_options.flush_log_bytes = size_t{128} << 10;
    store_options.block_cache_bytes = 1 << 20;
    store_options.scheduler = machine_.get();
    return store::Store::OpenOn(home, world_.log.identity().install, store_options);
  };
  options.scheduler = machine_.get();
  options.random = random_.get();
  options.request_key = "key";
  options.identifier_keys = world_.identifier_keys;
  options.address = name();
  options.executors = 2;
  options.role = role;
  options.calls = wire_.get();
  options.on_clock_refused = [this](const absl::Status& why) {
    world_.findings.Add("I11", absl::StrCat(name(), " refuses its clock: ", why.message()));
  };
  auto host = host::Host::Open(std::move(options));
  if (!host.ok()) {
    // A disk that fails while it is opened ends the process; the operator restarts it.
    if (host.status().code() != absl::StatusCode::kUnavailable) {
      world_.findings.Add("I5", absl::StrCat(name(), " cannot open its stored rows: ", host.status().message()));
    }
    End();
    return;
  }
  host_ = *std::move(host);
  const absl::Status open = host_->With([this](host::Serving& serving) {
    runtime_ = serving.runtime.get();
    store_ = serving.store.get();
  });
  EXPECT_TRUE(open.ok()) << open;
  CheckStored();
}

void Process::Kill() {
  if (alive()) End();
}

void Process::End() {
  node_->Kill();
  runtime_ = nullptr;
  store_ = nullptr;
  host_.reset();
  interposed_.reset();
  observed_.reset();
  connection_.reset();
  wire_.reset();
  random_.reset();
  machine_.reset();
  interposed_machine_.reset();
  turns_.reset();
  node_.reset();
}

void Process::Submit(const partition::RegisteredCommand& registered, const std::string& key,
                     google::protobuf::Message&& request, Reply reply) {
  const SlotId slot = SlotOf(registered.service, "", key, kSlots);
  const uint64_t number = ++handed_in_[slot];
  partition::Command::Envelope envelope;
  if (world_.interposer != nullptr) world_.interposer->Hand(&envelope);
  ++unanswered_[slot];
  runtime_->Submit(registered, key, std::move(request), std::move(envelope),
                   [this, slot, number, life = life_, reply = std::move(reply)](
                       absl::StatusOr<google::protobuf::Message*> response, partition::AnswerPosition at) {
                     const absl::Status& status = response.status();
                     if (life == life_) --unanswered_[slot];
                     if (absl::IsResourceExhausted(status)) ++world_.overloads;
                     if (status.ok() || absl::IsFailedPrecondition(status)) {
                       // It was decided: earlier commands must have been answered before.
                       uint64_t& told = told_[slot];
                       if (number < told && life == life_) {
                         world_.findings.Add("I6", absl::StrCat(name(), " answers command ", number, " to ",
                                                                slot.ToString(), " after command ", told));
                       }
                       told = std::max(told, number);
                     } else if (absl::IsInternal(status) || absl::IsDataLoss(status)) {
                       world_.findings.Add("I9", absl::StrCat(name(), ": ", status.message()));
                     }
                     reply(std::move(response), at);
                   });
  // The last quarter of a slot's commands is reserved for commands that complete older work.
  if (unanswered_[slot] > partition::kSlotCommandsFromDoorsMax) {
    world_.findings.Add("I19",
                        absl::StrCat(name(), ", ", slot.ToString(), ": ", unanswered_[slot],
                                     " commands of clients, the limit is ", partition::kSlotCommandsFromDoorsMax));
  }
}

std::vector<projection::SourceState> Process::SourceStates() {
  std::vector<projection::SourceState> states;
  const absl::Status open = host_->With([&states](host::Serving& serving) { states = serving.pool->States(); });
  EXPECT_TRUE(open.ok()) << open;
  return states;
}

void Process::FlushAndCheck() {
  store_->FlushAsync([this, life = life_](const absl::Status& status) {
    if (status.ok() && alive() && life == life_) CheckStored();
  });
}

void Process::CheckStored() {
  // If the disk fails, there is nothing to check.
  absl::StatusOr<std::unique_ptr<store::Snapshot>> snapshot = store_->TakeSnapshot();
  if (!snapshot.ok()) return;
  absl::StatusOr<std::map<store::FoldId, store::Digest>> computed = (*snapshot)->Recompute();
  if (!computed.ok()) return;
  for (const auto& [fold, meta] : (*snapshot)->folds()) {
    world_.auditor.CheckStored(fold, meta, **snapshot, name());
    if ((*computed)[fold] != meta.digest) {
      world_.findings.Add("I14", absl::StrCat(name(), ": the rows of ", fold.ToString(), " do not match its digest"));
    }
  }
}

}  // namespace halles::simulation
