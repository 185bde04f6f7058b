// Fixture for tests of views and reactions: instances on one log, counters, their sums and copies.
#ifndef HALLES_LIBS_PROJECTION_PROJECTION_FIXTURE_H_
#define HALLES_LIBS_PROJECTION_PROJECTION_FIXTURE_H_

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/partition/runtime_fixture.h"
#include "libs/projection/definitions.h"
#include "libs/projection/follower_pool.h"
#include "libs/store/memory_disk.h"
#include "libs/store/table.h"

namespace halles::projection {

using partition::Add;
using partition::kFirstSlot;
using partition::kOtherSlot;
using partition::ReplyPtr;
using partition::counter::AddRequest;
using partition::counter::AddResponse;
using partition::counter::CounterEvent;
using partition::counter::CounterRow;

inline constexpr ServiceId kSource = ServiceId::kInventory;  // the counted service
inline constexpr ServiceId kTarget = ServiceId::kLoyalty;    // the reacting service, which owns the view
inline constexpr uint8_t kSumsView = 1;

// Sums of a counter, one row per source slot.
struct SumKey {
  std::string counter;
  SlotId source;
  static constexpr std::array kFieldNames = {"counter", "source"};
  auto Fields() const { return std::tie(counter, source); }
  auto Fields() { return std::tie(counter, source); }
};
inline constexpr store::Table<SumKey, CounterRow> kSums(1, "sums");

inline absl::Status ProjectSum(store::Rows& view, const CounterEvent& event, const partition::FactContext& context) {
  CounterRow row = kSums.Get(view, {event.counter(), context.slot}).value_or(CounterRow());
  row.set_value(row.value() + event.amount());
  row.set_additions(row.additions() + 1);
  kSums.Put(view, {event.counter(), context.slot}, row);
  return absl::OkStatus();
}

// Writes first and then fails, as a projection may.
inline absl::Status ProjectStrictly(store::Rows& view, const CounterEvent& event,
                                    const partition::FactContext& context) {
  RETURN_IF_ERROR(ProjectSum(view, event, context));
  if (event.amount() == partition::counter::kUnlucky) return absl::DataLossError("an unlucky number");
  return absl::OkStatus();
}

inline void TopicsOf(const CounterEvent& event, std::vector<std::string>* topics) {
  topics->push_back(event.counter());
}

inline ViewDefinition Sums(absl::Status (*project)(store::Rows&, const CounterEvent&,
                                                   const partition::FactContext&) = &ProjectSum,
                           uint32_t fold_version = 1, uint8_t view = kSumsView) {
  ViewDefinition definition{kTarget, view, absl::StrCat("sums-", view), fold_version, {}};
  definition.sources = {ProjectionOf<CounterEvent>(kSource, 1, project, &TopicsOf)};
  return definition;
}

inline AddRequest Copy(const std::string& counter, int64_t amount) {
  AddRequest request;
  request.set_counter(counter);
  request.set_amount(amount);
  return request;
}

using React = std::vector<AddRequest> (*)(const CounterEvent&, const partition::FactContext&);

// Copies each addition to the counter "all".
inline std::vector<AddRequest> ReactOnce(const CounterEvent& event, const partition::FactContext&) {
  return {Copy("all", event.amount())};
}
// Copies each addition to two counters in any slots, and once more to the first.
inline std::vector<AddRequest> ReactThrice(const CounterEvent& event, const partition::FactContext&) {
  return {Copy("left", event.amount()), Copy("right", event.amount()), Copy("left", event.amount())};
}

inline ReactionDefinition Reacts(React react, const std::vector<int>& fields = {}, bool once_is_enough = false) {
  return ReactionOf<CounterEvent>("copies", kTarget, kSource, 1, react, fields, once_is_enough);
}

// Two reactions to one source: a copy to "left", and two to "right".
inline std::vector<ReactionDefinition> ReactsInTwoWays() {
  return {Reacts(+[](const CounterEvent& event, const partition::FactContext&) {
            return std::vector<AddRequest>{Copy("left", event.amount())};
          }),
          Reacts(+[](const CounterEvent& event, const partition::FactContext&) {
            return std::vector<AddRequest>{Copy("right", event.amount()), Copy("right", event.amount())};
          })};
}

// A process on the log of the test: both services, their followers, and a store that survives its crashes.
// Thread safety: none; everything runs on the thread of the virtual scheduler.
class Instance {
 public:
  Instance(testing::VirtualScheduler* world, eventlog::MemoryLog* log, uint64_t seed)
      : node_(world), log_(*log), random_(seed) {}
  ~Instance() { Crash(); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  std::vector<ViewDefinition> views;
  std::vector<ReactionDefinition> reactions;
  uint64_t progress_every = kReactionProgressEvery;
  partition::SlotRole role = partition::SlotRole::kOwner;
  bool offers = true;
  int shards = 2;
  partition::Calls* calls = nullptr;
  std::unique_ptr<store::MemoryDisk> disk;  // instead of a directory, when there is one
  size_t flush_bytes = store::kFlushBytes;
  std::vector<std::string> touched;

  void Start() {
    store::StoreOptions store_options = store::Quiet();
    store_options.scheduler = &node_;
    store_options.flush_bytes = flush_bytes;
    const InstallId& install = log_.identity().install;
    auto opened = disk == nullptr ? store::Store::Open(dir_.State(), install, store_options)
                                  : store::Store::OpenOn(*disk->Open(), install, store_options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    FollowerPoolOptions options;
    options.log = &log_;
    options.store = store_.get();
    options.scheduler = &node_;
    options.shards = shards;
    options.views = views;
    options.reactions = reactions;
    options.progress_every = progress_every;
    options.touched = [this](const std::string&, const std::vector<std::string>& topics) {
      touched.insert(touched.end(), topics.begin(), topics.end());
    };
    auto pool_or = FollowerPool::Open(std::move(options));
    ASSERT_TRUE(pool_or.ok()) << pool_or.status();
    pool_ = *std::move(pool_or);
    partition::RuntimeOptions runtime_options;
    runtime_options.log = &log_;
    runtime_options.store = store_.get();
    runtime_options.scheduler = &node_;
    runtime_options.instance = InstanceId::Random(random_);
    runtime_options.executors = 2;
    runtime_options.services = {partition::counter::Service(kSource), partition::counter::Service(kTarget)};
    runtime_options.role = role;
    runtime_options.counters = &counters_;
    runtime_options.request_key = "key";
    if (offers) {
      runtime_options.on_confirmed = [this](partition::ConfirmedRecord record) { pool_->Offer(std::move(record)); };
    }
    runtime_options.on_serving = [this](SlotId slot, bool serving) { pool_->OnServing(slot, serving); };
    runtime_options.on_stopped = [this](SlotId slot, const partition::ReactedTo& reacted) {
      pool_->OnStopped(slot, reacted);
    };
    runtime_options.extend_token = [this](SlotId target, const TokenPositions& sources,
                                          const partition::ExtendDone& done) {
      pool_->AnswerExtension(target, sources, node_.Now() + absl::ToInt64Microseconds(partition::kExtendPatience),
                             done);
    };
    runtime_options.calls = calls;
    auto runtime_or = partition::Runtime::Start(std::move(runtime_options));
    ASSERT_TRUE(runtime_or.ok()) << runtime_or.status();
    runtime_ = *std::move(runtime_or);
    pool_->Start(runtime_.get());
  }
  // Ends the process without a flush.
  void Crash() {
    if (pool_ != nullptr) pool_->Stop();
    runtime_.reset();
    pool_.reset();
    store_.reset();
  }
  void DeleteState() { std::filesystem::remove_all(dir_.State()); }

  partition::Runtime& runtime() { return *runtime_; }
  FollowerPool& pool() { return *pool_; }
  store::Store& store() { return *store_; }
  Reactor& reactor() { return *pool_->ReactorOf(kTarget); }
  ViewFollower& view(uint8_t number = kSumsView) { return pool_->View(kTarget, number); }
  partition::RuntimeCounters& counters() { return counters_; }
  const Scheduler& scheduler() const { return node_; }

 private:
  testing::VirtualScheduler::Node node_;
  eventlog::MemoryLog& log_;
  SeededRandom random_;
  store::TempDir dir_;
  partition::RuntimeCounters counters_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<FollowerPool> pool_;
  std::unique_ptr<partition::Runtime> runtime_;
};

// The test decides the outcome of each append of the target service; all others land at once.
class ProjectionTest : public ::testing::Test {
 protected:
  static constexpr int64_t kWhileMicros = 100'000;

  // `seed` decides which queue runs next.
  explicit ProjectionTest(uint64_t seed = 1) : world_(seed, /*step_micros_max=*/0) {}

  void Start(Instance& instance) {
    instance.Start();
    for (int i = 0; i < 10; ++i) {
      Quiesce();
      log_.DeliverAll();
    }
    Quiesce();
    ASSERT_TRUE(instance.runtime().settled());
  }
  // Crashes the instance; its work in progress is lost.
  void Kill(Instance& instance) {
    for (const auto& append : log_.pending()) ASSERT_TRUE(log_.Drop(append.id).ok());
    instance.Crash();
  }

  void Quiesce() { world_.RunReady(); }
  void TimePasses(int64_t micros) { world_.Advance(micros); }
  void Flush(Instance& instance) {
    absl::Status flushed = absl::UnknownError("the flush did not end");
    instance.store().FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });
    Quiesce();
    EXPECT_TRUE(flushed.ok()) << flushed;
  }

  Position End(SlotId slot = kFirstSlot) { return log_.End(slot).value(); }

  // Sends it to `slot`, even if its counter belongs to another slot.
  ReplyPtr Send(Instance& instance, AddRequest request, SlotId slot = kFirstSlot) {
    auto reply = std::make_shared<partition::Reply>();
    const partition::RegisteredCommand* registered = instance.runtime().Find(AddRequest::descriptor());
    const std::string counter = request.counter();
    instance.runtime().Submit(slot,
                              registered->command->Make(std::move(request), counter, "key", partition::To(reply)));
    Quiesce();
    return reply;
  }
  void DeliverAllOf(SlotId slot) {
    for (const auto& append : log_.pending()) {
      if (append.slot == slot) {
        EXPECT_TRUE(log_.Deliver(append.id).ok());
      }
    }
  }
  // Sends it, and lets appends to that slot land.
  ReplyPtr Submit(Instance& instance, AddRequest request, SlotId slot = kFirstSlot) {
    ReplyPtr reply = Send(instance, std::move(request), slot);
    DeliverAllOf(slot);
    Quiesce();
    return reply;
  }
  // Records additions in a slot of the source.
  void AddSome(Instance& instance, int count, int64_t amount = 1, SlotId slot = kFirstSlot) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(Submit(instance, Add(absl::StrCat("r", next_++), amount), slot)->status().ok());
    }
  }
  // Lands everything and lets time pass until all consumers have reached the end.
  void Settle(Instance& instance) {
    for (int i = 0; i < 50; ++i) {
      for (Quiesce(); !log_.pending().empty(); Quiesce()) log_.DeliverAll();
      if (instance.pool().caught_up()) return;
      TimePasses(kWhileMicros);
    }
    ADD_FAILURE() << "it does not come to the end";
  }
  // Pending appends of the target service.
  std::vector<uint64_t> UnderWay() const {
    std::vector<uint64_t> ids;
    for (const auto& append : log_.pending()) {
      if (append.slot.service == kTarget) ids.push_back(append.id);
    }
    return ids;
  }
  void Deliver(uint64_t append) {
    ASSERT_TRUE(log_.Deliver(append).ok());
    Quiesce();
  }
  void DeliverFirst(int count) {
    for (int i = 0; i < count; ++i) Deliver(UnderWay().front());
  }

  SlotId TargetSlot(const std::string& counter = "all") const {
    return SlotOf(kTarget, "", counter, log_.identity().slots.of(kTarget));
  }
  CounterRow Target(Instance& instance, const std::string& counter = "all") {
    CounterRow row;
    instance.runtime().Query(TargetSlot(counter), 0, kNoDeadline,
                             [&](absl::StatusOr<const store::RowReader*> rows, Position) {
                               ASSERT_TRUE(rows.ok()) << rows.status();
                               row = partition::counter::kCounters.Get(**rows, {counter}).value_or(CounterRow());
                             });
    Quiesce();
    return row;
  }
  CounterRow Sum(Instance& instance, SlotId source = kFirstSlot, uint8_t view = kSumsView) {
    const store::ViewRows::Query rows(&instance.view(view).rows());
    return kSums.Get(rows, {"c", source}).value_or(CounterRow());
  }

  // The accepted batches of the slot from `from` on, as a reader sees them.
  std::vector<log::v1::Batch> Batches(SlotId slot, Position from = 0) {
    std::vector<log::v1::Batch> batches;
    SourceReader reader(&log_, slot, eventlog::GenesisCursor(log_.identity(), slot));
    SourceRecords records;
    EXPECT_TRUE(reader.Read(100'000, End(slot), &records).ok());
    for (const SourceRecordPtr& record : records) {
      log::v1::RecordBody body;
      if (record->position < from || record->body.empty()) continue;
      EXPECT_TRUE(body.ParseFromArray(record->body.data(), static_cast<int>(record->body.size())));
      batches.push_back(body.batch());
    }
    return batches;
  }

  eventlog::MemoryLog log_{eventlog::LogIdentity{.install = store::Install(7), .slots = SlotCounts(2)},
                           eventlog::MemoryLog::Delivery::kByHand};
  testing::VirtualScheduler world_;
  Instance a_{&world_, &log_, 1};
  Instance b_{&world_, &log_, 2};
  int next_ = 0;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_PROJECTION_FIXTURE_H_
