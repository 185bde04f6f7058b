// What the tests of the runtime are written with: a mesh of counters on a log in memory, and answers to wait for.
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
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/clock.h"
#include "libs/base/hash.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/eventlog/memory_log.h"
#include "libs/eventlog/record.h"
#include "libs/partition/command.h"
#include "libs/partition/counter_service.h"
#include "libs/partition/runtime.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"

namespace halles::partition {

inline constexpr absl::Duration kPatience = absl::Seconds(20);  // a test that waits longer has failed
inline constexpr SlotId kFirstSlot{ServiceId::kInventory, 0};
inline constexpr SlotId kOtherSlot{ServiceId::kInventory, 1};

// One answer, whenever it comes.
class Reply {
 public:
  void Set(absl::StatusOr<counter::AddResponse> answer, AnswerPosition position) {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(done_) << "answered twice";
    done_ = true;
    answer_ = std::move(answer);
    position_ = position;
  }
  bool done() const {
    MutexLock lock(&mutex_);
    return done_;
  }
  void Await() const {
    MutexLock lock(&mutex_);
    ASSERT_TRUE(mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return done_; }, kPatience));
  }
  absl::Status status() const {
    Await();
    MutexLock lock(&mutex_);
    return answer_.status();
  }
  std::string reason() const { return ReasonOf(status()); }
  // -1 when it is an error.
  int64_t value() const {
    Await();
    MutexLock lock(&mutex_);
    EXPECT_TRUE(answer_.ok()) << answer_.status();
    return answer_.ok() ? answer_->value() : -1;
  }
  AnswerPosition position() const {
    Await();
    MutexLock lock(&mutex_);
    return position_;
  }

 private:
  mutable Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::StatusOr<counter::AddResponse> answer_ ABSL_GUARDED_BY(mutex_) = absl::UnknownError("no answer");
  AnswerPosition position_ ABSL_GUARDED_BY(mutex_);
};
using ReplyPtr = std::shared_ptr<Reply>;

inline counter::AddRequest Add(const std::string& request_id, int64_t amount, const std::string& counter = "c") {
  counter::AddRequest request;
  request.set_request_id(request_id);
  request.set_counter(counter);
  request.set_amount(amount);
  return request;
}

inline std::unique_ptr<Command> CommandOf(counter::AddRequest request, const ReplyPtr& reply,
                                          absl::Time deadline = absl::InfiniteFuture(), bool internal = false) {
  Command::Envelope envelope;
  envelope.request_id = request.request_id();
  request.clear_request_id();
  envelope.body_hash = Sha256(request.SerializeAsString());
  envelope.deadline = deadline;
  envelope.internal = internal;
  auto command = std::make_unique<TypedCommand<counter::AddRequest, counter::AddResponse, counter::CounterEvent>>(
      std::move(request), &counter::Decide, counter::kCounter,
      [reply](absl::StatusOr<counter::AddResponse> answer, AnswerPosition position) {
        reply->Set(std::move(answer), position);
      });
  command->envelope = std::move(envelope);
  return command;
}

// A UUIDv7 of that time; `n` tells several of one time apart.
inline std::string Uuid7At(UnixMicros time, int n = 0) {
  const int64_t millis = time / 1000;
  return absl::StrFormat("%08x-%04x-7000-8000-%012x", millis >> 16, millis & 0xffff, n);
}

// Two slots of counters. The log keeps over restarts, and so does the store unless it is deleted.
class RuntimeTest : public testing::Test {
 protected:
  using Delivery = eventlog::MemoryLog::Delivery;

  explicit RuntimeTest(Delivery delivery = Delivery::kAtOnce)
      : log_(std::make_unique<eventlog::MemoryLog>(
            eventlog::LogIdentity{.install = store::Install(7), .slots_per_service = 2}, delivery)) {}
  ~RuntimeTest() override { Stop(); }

  void SetUp() override { Start(); }

  void Start(std::vector<ServiceDefinition> services = {counter::Service(ServiceId::kInventory)}) {
    if (store_ == nullptr) {
      auto store = store::Store::Open(dir_.State(), log_->identity().install, store::Quiet());
      ASSERT_TRUE(store.ok()) << store.status();
      store_ = *std::move(store);
    }
    RuntimeOptions options;
    options.log = log_.get();
    options.store = store_.get();
    options.clock = &clock_;
    options.instance = InstanceId::Random(random_);
    options.executors = 1;
    options.services = std::move(services);
    options.counters = &counters_;
    options.request_key = "key";
    options.calls = calls_;
    auto runtime = Runtime::Start(std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
    // Claims land whatever the log does with other records.
    Until([this] {
      log_->DeliverAll();
      return runtime_->settled();
    });
    Quiesce();
  }

  // Ends the process in an orderly way: what is confirmed is flushed.
  void Stop() {
    if (runtime_ == nullptr) return;
    runtime_->Drain(absl::ZeroDuration());
    EXPECT_TRUE(store_->FlushNow().ok());
    Crash();
  }
  // Ends it without a flush.
  void Crash() {
    runtime_.reset();
    store_.reset();
  }
  void DeleteState() { std::filesystem::remove_all(dir_.State()); }

  ReplyPtr Submit(const counter::AddRequest& request, SlotId slot = kFirstSlot,
                  absl::Time deadline = absl::InfiniteFuture(), bool internal = false) {
    auto reply = std::make_shared<Reply>();
    runtime_->Submit(slot, CommandOf(request, reply, deadline, internal));
    return reply;
  }

  // Everything that was posted to the executor, and what that posted, has run.
  void Quiesce() {
    for (int i = 0; i < 6; ++i) runtime_->States();
  }
  void Until(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!condition()) {
      ASSERT_LT(absl::Now(), deadline) << "waited in vain";
      runtime_->States();
    }
  }

  SlotState StateOf(SlotId slot) {
    for (const SlotState& state : runtime_->States()) {
      if (state.slot == slot) return state;
    }
    ADD_FAILURE() << "no slot " << slot.ToString();
    return {};
  }
  Position End(SlotId slot = kFirstSlot) { return log_->End(slot).value(); }

  // The confirmed value of a counter.
  int64_t ValueOf(const std::string& counter = "c", SlotId slot = kFirstSlot) {
    int64_t value = -1;
    runtime_->Query(slot, 0, absl::InfiniteFuture(), [&](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      value = counter::kCounters.Get(**rows, {counter}).value_or(counter::CounterRow()).value();
    });
    Quiesce();
    return value;
  }
  // Whether the slot remembers an answer to the request.
  bool Remembers(const std::string& request_id) {
    bool remembers = false;
    runtime_->Query(kFirstSlot, 0, absl::InfiniteFuture(), [&](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      remembers = kDedupe.Contains(**rows, {"", request_id});
    });
    Quiesce();
    return remembers;
  }

  // Flushes and tells what is stored.
  std::map<store::FoldId, store::FoldMeta> Metas() {
    EXPECT_TRUE(store_->FlushNow().ok());
    return store_->LoadMetas().value();
  }
  std::map<store::FoldId, store::Digest> Digests() {
    std::map<store::FoldId, store::Digest> digests;
    for (const auto& [fold, meta] : Metas()) digests[fold] = meta.digest;
    return digests;
  }

  // Accepted batches of the slot from `from` on, as a reader sees them.
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
  ManualClock clock_;
  SeededRandom random_{1};
  RuntimeCounters counters_;
  CallSink* calls_ = nullptr;
  std::unique_ptr<eventlog::MemoryLog> log_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Runtime> runtime_;
};

// The test decides what becomes of each append.
class RuntimeFaultTest : public RuntimeTest {
 protected:
  RuntimeFaultTest() : RuntimeTest(Delivery::kByHand) {}

  // Submits, and waits until the slot has done with it what it can.
  ReplyPtr Send(const counter::AddRequest& request) {
    ReplyPtr reply = Submit(request);
    Quiesce();
    return reply;
  }
  // The append made last.
  uint64_t LastAppend() const {
    const auto pending = log_->pending();
    EXPECT_FALSE(pending.empty());
    return pending.empty() ? 0 : pending.back().id;
  }
  // The claim that the slot has made lands, and the slot reads up to it.
  void DeliverClaim() {
    const Position before = End();
    ASSERT_TRUE(log_->Deliver(LastAppend()).ok());
    ASSERT_GT(End(), before);
    Until([this] { return StateOf(kFirstSlot).phase == SlotPhase::kServing; });
    Quiesce();
  }
  void Deliver(uint64_t append) {
    ASSERT_TRUE(log_->Deliver(append).ok());
    Quiesce();
  }
  // Nobody knows what became of it; the slot claims again.
  void TimeOut(uint64_t append) {
    ASSERT_TRUE(log_->TimeOut(append).ok());
    Quiesce();
  }
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_RUNTIME_FIXTURE_H_
