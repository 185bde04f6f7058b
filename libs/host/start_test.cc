// The start of a host: made before its data is open, caught up from where its state stands, and on a disk without space.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/host.h"
#include "libs/host/submit.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/projection/projection_fixture.h"
#include "libs/store/state_dir.h"

namespace halles::host {
namespace {

using projection::AddResponse;
using projection::kSource;
using projection::kTarget;

constexpr absl::Duration kPatience = absl::Seconds(20);  // a test that waits longer has failed

struct Call {
  std::string actor = "test";
  std::string traceparent;
  MonotonicMicros deadline = kNoDeadline;
};

class StartedHost : public ::testing::Test {
 protected:
  void Make() {
    HostOptions options;
    options.scheduler = &scheduler_;
    options.random = &random_;
    options.definitions.services = {partition::counter::Service(kSource), partition::counter::Service(kTarget)};
    options.definitions.views = {projection::Sums()};
    options.definitions.schemas.AddState(kSource, partition::counter::StateSchema())
        .AddState(kTarget, partition::counter::StateSchema())
        .AddView(kTarget, projection::kSumsView, "sums", store::Schema().Add(projection::kSums));
    host_ = Host::Make(std::move(options));
  }
  absl::Status Start() {
    return host_->Start({.log = &log_,
                         .open_store = [this]() -> absl::StatusOr<std::unique_ptr<store::Store>> {
                           if (!unusable_.ok()) return unusable_;
                           ASSIGN_OR_RETURN(std::shared_ptr<store::StateDir> home,
                                            store::StateDir::Lock(dir_.State(), [this](const std::string&) {
                                              return full_ ? Full() : absl::OkStatus();
                                            }));
                           store::StoreOptions options;
                           options.scheduler = &scheduler_;
                           return store::Store::OpenOn(std::move(home), log_.identity().install, std::move(options));
                         },
                         .identifier_keys = {},
                         .request_key = "key"});
  }
  void MustStart() {
    Make();
    const absl::Status started = Start();
    ASSERT_TRUE(started.ok()) << started;
    ASSERT_TRUE(host_->AwaitSettled(kPatience));
    AwaitCaughtUp();
  }
  void AwaitCaughtUp() {
    const int64_t until = clock_.MonotonicMicros() + absl::ToInt64Microseconds(kPatience);
    while (!host_->caught_up() && clock_.MonotonicMicros() < until) std::this_thread::yield();
    ASSERT_TRUE(host_->caught_up());
  }
  void End() {
    host_->Drain(kPatience);
    host_.reset();
  }

  static absl::Status Full() {
    return Failure(absl::StatusCode::kResourceExhausted, "STATE_DISK_FULL", "no space for the state");
  }
  absl::Status Submit(const std::string& request_id) {
    absl::Notification answered;
    absl::Status status;
    const absl::Status taken = host::Submit<AddResponse>(*host_, partition::Add(request_id, 1), Call(),
                                                         [&](const absl::StatusOr<AddResponse>& response) {
                                                           status = response.status();
                                                           answered.Notify();
                                                         });
    if (!taken.ok()) return taken;
    EXPECT_TRUE(answered.WaitForNotificationWithTimeout(kPatience));
    return status;
  }
  bool ReadOnly() {
    bool read_only = false;
    EXPECT_TRUE(host_->With([&](Serving& serving) { read_only = serving.store->read_only(); }).ok());
    return read_only;
  }
  uint64_t Records() {
    uint64_t records = 0;
    for (const ServiceId service : {kSource, kTarget}) {
      for (uint16_t slot = 0; slot < 2; ++slot) records += log_.End({service, slot}).value();
    }
    return records;
  }

  absl::Status unusable_;
  std::atomic<bool> full_{false};
  store::TempDir dir_;
  SystemClock clock_;
  ThreadScheduler scheduler_{clock_};
  SeededRandom random_{1};
  eventlog::MemoryLog log_{eventlog::LogIdentity{.install = store::Install(7), .slots = SlotCounts(2)}};
  std::unique_ptr<Host> host_;
};

TEST_F(StartedHost, IsMadeBeforeItsDataIsOpen) {
  Make();
  EXPECT_EQ(ReasonOf(host_->With([](Serving&) { ADD_FAILURE() << "there is nothing"; })), "STARTING");
  EXPECT_EQ(ReasonOf(host_->CheckOpened()), "STARTING");
  EXPECT_FALSE(host_->settled());
  EXPECT_FALSE(host_->caught_up());
  EXPECT_EQ(host_->catch_up().records_total, 0u);
  EXPECT_EQ(ReasonOf(host_->MendState()), "STARTING");
  EXPECT_TRUE(host_->SlotStates().empty());
  End();
}

TEST_F(StartedHost, IsStartedAgainAfterAnError) {
  Make();
  unusable_ = Full();
  EXPECT_EQ(ReasonOf(Start()), "STATE_DISK_FULL");
  EXPECT_EQ(ReasonOf(host_->CheckOpened()), "STARTING");
  unusable_ = absl::OkStatus();
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(host_->CheckOpened().ok());
  ASSERT_TRUE(host_->AwaitSettled(kPatience));
  EXPECT_TRUE(Submit("r1").ok());
  End();
}

TEST_F(StartedHost, CountsTheRecordsThatItCatchesUpWith) {
  MustStart();
  EXPECT_LE(host_->catch_up().records_total, Records()) << "only claims came since";
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Submit("r" + std::to_string(i)).ok());
  host_.reset();  // as a crash would
  const uint64_t records = Records();
  ASSERT_GE(records, 50u);
  MustStart();
  // Nothing was flushed. Slots may fold before they are looked at, but not the view, which is half of the average.
  EXPECT_GE(host_->catch_up().records_total, 25u);
  EXPECT_LE(host_->catch_up().records_total, Records());
  EXPECT_EQ(host_->catch_up().records_done, host_->catch_up().records_total);
  End();
  const uint64_t flushed = Records();
  MustStart();
  EXPECT_LE(host_->catch_up().records_total, Records() - flushed) << "only claims came since";
  End();
}

TEST_F(StartedHost, ServesWithoutSpaceForItsStateAndWritesItOnceThereIs) {
  MustStart();
  ASSERT_TRUE(Submit("r1").ok());
  End();
  full_ = true;
  MustStart();
  EXPECT_TRUE(ReadOnly());
  EXPECT_TRUE(Submit("r2").ok()) << "the log has space";
  EXPECT_EQ(ReasonOf(host_->MendState()), "STATE_DISK_FULL");
  EXPECT_TRUE(ReadOnly());
  full_ = false;
  EXPECT_TRUE(host_->MendState().ok());
  EXPECT_FALSE(ReadOnly());
  EXPECT_TRUE(Submit("r3").ok());
  EXPECT_TRUE(host_->MendState().ok()) << "there is nothing to do";
  const absl::StatusOr<Proof> proof = host_->Verify(nullptr);
  ASSERT_TRUE(proof.ok()) << proof.status();
  EXPECT_TRUE(proof->comparison.equal());
  EXPECT_GE(proof->events, 3u);
  End();
}

TEST_F(StartedHost, EndsWhileItsStateCannotBeOpenedAgain) {
  MustStart();
  End();
  full_ = true;
  MustStart();
  full_ = false;
  unusable_ = absl::UnavailableError("no handles");
  absl::Status mended;
  std::thread mending([&] { mended = host_->MendState(); });
  const int64_t until = clock_.MonotonicMicros() + absl::ToInt64Microseconds(kPatience);
  while (host_->With([](Serving&) {}).ok() && clock_.MonotonicMicros() < until) std::this_thread::yield();
  EXPECT_EQ(ReasonOf(host_->With([](Serving&) {})), "NOT_SERVING");
  host_->Drain(kPatience);
  mending.join();
  EXPECT_FALSE(mended.ok());
  host_.reset();
}

}  // namespace
}  // namespace halles::host
