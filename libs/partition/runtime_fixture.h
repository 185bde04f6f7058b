// Fixture for tests of the runtime: counters on a log in memory, and answers that can be awaited.
#ifndef HALLES_LIBS_PARTITION_RUNTIME_FIXTURE_H_
#define HALLES_LIBS_PARTITION_RUNTIME_FIXTURE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/request_id.h"
#include "libs/eventlog/memory_log.h"
#include "libs/eventlog/record.h"
#include "libs/partition/command.h"
#include "libs/partition/counter_service.h"
#include "libs/partition/runtime.h"
#include "libs/store/memory_disk.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::partition {

inline constexpr SlotId kFirstSlot{ServiceId::kInventory, 0};
inline constexpr SlotId kOtherSlot{ServiceId::kInventory, 1};

// One answer, at any time.
class Reply {
 public:
  void Set(absl::StatusOr<counter::AddResponse> answer, AnswerPosition position) {
    EXPECT_FALSE(done_) << "answered twice";
    done_ = true;
    answer_ = std::move(answer);
    position_ = position;
  }
  bool done() const { return done_; }
  absl::Status status() const {
    EXPECT_TRUE(done_) << "no answer";
    return answer_.status();
  }
  std::string reason() const { return ReasonOf(status()); }
  // -1 for an error.
  int64_t value() const {
    EXPECT_TRUE(status().ok()) << answer_.status();
    return answer_.ok() ? answer_->value() : -1;
  }
  AnswerPosition position() const { return position_; }

 private:
  bool done_ = false;
  absl::StatusOr<counter::AddResponse> answer_ = absl::UnknownError("no answer");
  AnswerPosition position_;
};
using ReplyPtr = std::shared_ptr<Reply>;

inline CommandReply To(const ReplyPtr& reply) {
  return [reply](const absl::StatusOr<google::protobuf::Message*>& response, AnswerPosition position) {
    if (response.ok()) {
      reply->Set(static_cast<counter::AddResponse&>(**response), position);
    } else {
      reply->Set(response.status(), position);
    }
  };
}

inline counter::AddRequest Add(const std::string& request_id, int64_t amount, const std::string& counter = "c") {
  counter::AddRequest request;
  request.set_request_id(request_id);
  request.set_counter(counter);
  request.set_amount(amount);
  return request;
}

// A UUIDv7 of that time; `n` distinguishes ids of the same time.
inline std::string Uuid7At(UnixMicros time, int n = 0) {
  const int64_t millis = time / 1000;
  return absl::StrFormat("%08x-%04x-7000-8000-%012x", millis >> 16, millis & 0xffff, n);
}

// Two slots of counters in a world without threads, whose time advances only when the test says so. The log survives
// restarts, and so does the store unless it is deleted.
class RuntimeTest : public ::testing::Test {
 protected:
  using Delivery = eventlog::MemoryLog::Delivery;

  explicit RuntimeTest(Delivery delivery = Delivery::kAtOnce)
      : log_(std::make_unique<eventlog::MemoryLog>(
            eventlog::LogIdentity{.install = store::Install(7), .slots = SlotCounts(2)}, delivery)) {}
  ~RuntimeTest() override { Stop(); }

  void SetUp() override { Start(); }

  void Start(std::vector<ServiceDefinition> services = {counter::Service(ServiceId::kInventory)}) {
    StartStore();
    Boot(std::move(services));
    // Lands claims, whatever the log does with other records.
    for (int i = 0; i < 10 && !runtime_->settled(); ++i) {
      Quiesce();
      log_->DeliverAll();
    }
    Quiesce();
    ASSERT_TRUE(runtime_->settled());
  }
  // Starts only the runtime, and waits for nothing.
  void Boot(std::vector<ServiceDefinition> services) {
    RuntimeOptions options;
    options.log = watches_ == nullptr ? log_.get() : watches_;
    options.store = store_.get();
    options.scheduler = &node_;
    options.instance = InstanceId::Random(random_);
    options.executors = 1;
    options.services = std::move(services);
    options.counters = &counters_;
    options.request_key = "key";
    options.calls = calls_;
    options.on_confirmed = on_confirmed_;
    options.accept_clock_jump = accept_clock_jump_;
    options.on_clock_refused = [this](const absl::Status& why) { clock_refusals_.push_back(why); };
    auto runtime = Runtime::Start(std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
  }
  void StartStore() {
    if (store_ != nullptr) return;
    store::StoreOptions options = store::Quiet();
    options.scheduler = &node_;
    const InstallId& install = log_->identity().install;
    auto store = disk_ == nullptr ? store::Store::Open(dir_.State(), install, options)
                                  : store::Store::OpenOn(*disk_->Open(), install, options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  // Ends the process in an orderly way: confirmed rows are flushed.
  void Stop() {
    if (runtime_ == nullptr) return;
    EndIntake(0);
    Flush();
    Crash();
  }
  // Ends the process without a flush.
  void Crash() {
    runtime_.reset();
    store_.reset();
  }
  void DeleteState() { std::filesystem::remove_all(dir_.State()); }

  void EndIntake(int64_t patience_micros) {
    runtime_->Drain(node_.Now() + patience_micros, [] {});
    TimePasses(patience_micros);
    Quiesce();
  }
  void Flush() {
    absl::Status flushed = absl::UnknownError("the flush did not end");
    store_->FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });
    Quiesce();
    EXPECT_TRUE(flushed.ok()) << flushed;
  }

  // Sends it to `slot`, even if its counter belongs to another slot.
  ReplyPtr Submit(counter::AddRequest request, SlotId slot = kFirstSlot, MonotonicMicros deadline = kNoDeadline,
                  bool internal = false) {
    auto reply = std::make_shared<Reply>();
    const RegisteredCommand* registered = runtime_->Find(counter::AddRequest::descriptor());
    const std::string counter = request.counter();
    std::unique_ptr<Command> command = registered->command->Make(std::move(request), counter, "key", To(reply));
    command->envelope.deadline = deadline;
    command->envelope.internal = internal;
    runtime_->Submit(slot, std::move(command));
    Quiesce();
    return reply;
  }

  // Runs all tasks that can run now.
  void Quiesce() { world_.RunReady(); }
  // Lets time pass, and runs the tasks that become due.
  void TimePasses(int64_t micros) { world_.Advance(micros); }

  SlotState StateOf(SlotId slot) {
    SlotState found;
    runtime_->States([&found, slot](const std::vector<SlotState>& states) {
      for (const SlotState& state : states) {
        if (state.slot == slot) found = state;
      }
    });
    Quiesce();
    EXPECT_EQ(found.slot, slot);
    return found;
  }
  Position End(SlotId slot = kFirstSlot) { return log_->End(slot).value(); }

  // The confirmed value of a counter.
  int64_t ValueOf(const std::string& counter = "c", SlotId slot = kFirstSlot) {
    int64_t value = -1;
    runtime_->Query(slot, 0, kNoDeadline, [&](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      value = counter::kCounters.Get(**rows, {counter}).value_or(counter::CounterRow()).value();
    });
    Quiesce();
    return value;
  }
  // Whether the slot remembers an answer to the request.
  bool Remembers(const std::string& request_id) {
    bool remembers = false;
    runtime_->Query(kFirstSlot, 0, kNoDeadline, [&](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      remembers =
          kDedupe.Contains(**rows, {TimeOfRequestId(request_id).expires, "", counter::kCounter.type, "c", request_id});
    });
    Quiesce();
    return remembers;
  }

  // How many answers with a time the slot remembers.
  size_t AnswersWithATime() {
    size_t answers = 0;
    runtime_->Query(kFirstSlot, 0, kNoDeadline, [&](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      kDedupe.ForEach(**rows, [&answers](const DedupeKey& key, const rows::DedupeRow&, Position) {
        answers += key.expires_us == kNeverExpires ? 0 : 1;
        return true;
      });
    });
    Quiesce();
    return answers;
  }

  // Flushes and returns the stored folds.
  std::map<store::FoldId, store::FoldMeta> Metas() {
    Flush();
    return store_->LoadMetas().value();
  }
  std::map<store::FoldId, store::Digest> Digests() {
    std::map<store::FoldId, store::Digest> digests;
    for (const auto& [fold, meta] : Metas()) digests[fold] = meta.digest;
    return digests;
  }

  // The accepted batches of the slot from `from` on, as a reader sees them.
  std::vector<log::v1::Batch> Batches(Position from = 0, SlotId slot = kFirstSlot) {
    std::vector<log::v1::Batch> batches;
    std::vector<eventlog::StoredRecord> records;
    auto reader = log_->NewReader(slot, 0);
    EXPECT_TRUE((*reader)->Poll({.records_max = 100'000}, &records).ok());
    eventlog::Cursor cursor = eventlog::GenesisCursor(log_->identity(), slot);
    for (const eventlog::StoredRecord& record : records) {
      const auto judgement = eventlog::Adjudicate(record.bytes, record.position, &cursor);
      EXPECT_TRUE(judgement.ok()) << judgement.status();
      if (judgement->verdict != eventlog::Verdict::kAccepted || record.position < from) continue;
      log::v1::RecordBody body;
      EXPECT_TRUE(body.ParseFromArray(judgement->body.data(), static_cast<int>(judgement->body.size())));
      batches.push_back(body.batch());
    }
    return batches;
  }

  store::TempDir dir_;
  std::unique_ptr<store::MemoryDisk> disk_;  // instead of the directory, if set
  testing::VirtualScheduler world_{1, /*step_micros_max=*/0};
  testing::VirtualScheduler::Node node_{&world_};
  SeededRandom random_{1};
  RuntimeCounters counters_;
  Calls* calls_ = nullptr;
  bool accept_clock_jump_ = false;
  std::vector<absl::Status> clock_refusals_;
  std::function<void(ConfirmedRecord)> on_confirmed_;
  std::unique_ptr<eventlog::MemoryLog> log_;
  eventlog::EventLog* watches_ = nullptr;  // in front of the log, if set
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Runtime> runtime_;
};

// The test decides the fate of each append.
class RuntimeFaultTest : public RuntimeTest {
 protected:
  RuntimeFaultTest() : RuntimeTest(Delivery::kByHand) {}

  // Submits, and runs until the slot can do no more.
  ReplyPtr Send(const counter::AddRequest& request) { return Submit(request); }
  // The last append.
  uint64_t LastAppend() const {
    const auto pending = log_->pending();
    EXPECT_FALSE(pending.empty());
    return pending.empty() ? 0 : pending.back().id;
  }
  // Lands the claim of the slot, and lets the slot read up to it.
  void DeliverClaim() {
    const Position before = End();
    ASSERT_TRUE(log_->Deliver(LastAppend()).ok());
    ASSERT_GT(End(), before);
    Quiesce();
    EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing);
  }
  void Deliver(uint64_t append) {
    ASSERT_TRUE(log_->Deliver(append).ok());
    Quiesce();
  }
  // Delivers pending appends and those that follow from them, until none is left.
  void DeliverEverything() {
    for (Quiesce(); !log_->pending().empty(); Quiesce()) log_->DeliverAll();
  }
  void Refuse(uint64_t append) {
    ASSERT_TRUE(log_->Refuse(append).ok());
    Quiesce();
  }
  // Makes its outcome unknown; the slot claims again.
  void TimeOut(uint64_t append) {
    ASSERT_TRUE(log_->TimeOut(append).ok());
    Quiesce();
  }
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_RUNTIME_FIXTURE_H_
