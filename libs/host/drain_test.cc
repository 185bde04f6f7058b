// The end of a host beside a rebuild that is just putting its rows in place.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/host.h"
#include "libs/host/host_fixture.h"
#include "libs/host/submit.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/projection/projection_fixture.h"

namespace halles::host {
namespace {

class HostOnThreads : public ::testing::Test {
 protected:
  void SetUp() override {
    HostOptions options;
    options.log = &log_;
    options.open_store = [this] {
      if (on_open_store) on_open_store();
      store::StoreOptions store_options;
      store_options.scheduler = &scheduler_;
      return store::Store::Open(dir_.State(), log_.identity().install, store_options);
    };
    options.scheduler = &scheduler_;
    options.random = &random_;
    options.request_key = "key";
    options.definitions.services = {partition::counter::Service(kSource)};
    options.definitions.schemas.AddState(kSource, partition::counter::StateSchema());
    auto host = Host::Open(std::move(options));
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
    ASSERT_TRUE(host_->AwaitSettled(kPatience));
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

  std::function<void()> on_open_store;
  store::TempDir dir_;
  SystemClock clock_;
  ThreadScheduler scheduler_{clock_};
  SeededRandom random_{1};
  eventlog::MemoryLog log_{eventlog::LogIdentity{.install = store::Install(7), .slots = SlotCounts(2)}};
  std::unique_ptr<Host> host_;
};

TEST_F(HostOnThreads, DrainsWhatARebuildHasPutInPlaceWhenItEndsBesideIt) {
  ASSERT_TRUE(Submit("r1").ok());
  std::optional<std::thread> drain;
  std::atomic<bool> drained{false};
  absl::Notification draining;
  on_open_store = [&] {
    // Between the rows that served and those that will.
    drain.emplace([&] {
      draining.Notify();
      host_->Drain(kPatience);
      drained = true;
    });
    draining.WaitForNotification();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    EXPECT_FALSE(drained) << "there is nothing that it could have drained";
    EXPECT_EQ(ReasonOf(host_->With([](Serving&) {})), "NOT_SERVING");
  };
  const auto proof = host_->Rebuild(nullptr);
  EXPECT_TRUE(proof.ok()) << proof.status();
  ASSERT_TRUE(drain.has_value());
  drain->join();
  EXPECT_EQ(ReasonOf(Submit("r2")), "DRAINING");
  EXPECT_TRUE(host_->AwaitSettled(kPatience));
}

TEST_F(HostOnThreads, WaitsWithASwapForWhoeverIsInsideAndTakesNobodyElseIn) {
  ASSERT_TRUE(Submit("r1").ok());
  absl::Notification inside;
  absl::Notification leave;
  std::thread user([&] {
    EXPECT_TRUE(host_
                    ->With([&](Serving& serving) {
                      inside.Notify();
                      leave.WaitForNotification();
                      EXPECT_EQ(serving.runtime->confirmed({kSource, 7}), 0u) << "it is still there";
                    })
                    .ok());
  });
  inside.WaitForNotification();
  std::atomic<bool> swapped{false};
  std::thread rebuild([&] {
    EXPECT_TRUE(host_->Rebuild(nullptr).ok());
    swapped = true;
  });
  // Once the gate is closed.
  const absl::Time deadline = absl::Now() + kPatience;
  while (host_->With([](Serving&) {}).ok() && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_FALSE(swapped);
  // Whoever waits for the slots meanwhile is not in the way, and has nothing taken from under it.
  std::thread waiter([&] { EXPECT_TRUE(host_->AwaitSettled(kPatience)); });
  leave.Notify();
  user.join();
  rebuild.join();
  waiter.join();
  EXPECT_TRUE(Submit("r2").ok());
}

}  // namespace
}  // namespace halles::host
