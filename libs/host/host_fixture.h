// A process over the toy services, on a real disk and with real threads, for tests. Included by tests only.
#ifndef HALLES_LIBS_HOST_HOST_FIXTURE_H_
#define HALLES_LIBS_HOST_HOST_FIXTURE_H_

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/host/calls.h"
#include "libs/host/host.h"
#include "libs/host/installation.h"
#include "libs/host/submit.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/projection/projection_fixture.h"

namespace halles::host {

using projection::AddRequest;
using projection::AddResponse;
using projection::CounterRow;
using projection::kSource;
using projection::kSums;
using projection::kSumsView;
using projection::kTarget;

inline constexpr absl::Duration kPatience = absl::Seconds(20);  // a test that waits longer has failed

// One answer, at any time and on any thread.
class Reply {
 public:
  void Set(absl::StatusOr<AddResponse> answer) {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(done_) << "answered twice";
    done_ = true;
    answer_ = std::move(answer);
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
  // -1 for an error.
  int64_t value() const {
    Await();
    MutexLock lock(&mutex_);
    EXPECT_TRUE(answer_.ok()) << answer_.status();
    return answer_.ok() ? answer_->value() : -1;
  }
  std::string token() const {
    MutexLock lock(&mutex_);
    return answer_.ok() ? answer_->consistency_token() : "";
  }

 private:
  mutable Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::StatusOr<AddResponse> answer_ ABSL_GUARDED_BY(mutex_) = absl::UnknownError("no answer");
};
using ReplyPtr = std::shared_ptr<Reply>;

inline Definitions Toy() {
  Definitions definitions;
  definitions.services = {partition::counter::Service(kSource), partition::counter::Service(kTarget)};
  definitions.views = {projection::Sums()};
  definitions.reactions = {projection::Reacts(&projection::ReactOnce)};
  definitions.schemas.AddState(kSource, partition::counter::StateSchema())
      .AddState(kTarget, partition::counter::StateSchema())
      .AddView(kTarget, kSumsView, "sums", store::Schema().Add(kSums));
  return definitions;
}

// The answer of a view: what it has added up for the counter.
inline AddResponse SumOf(const store::RowReader& rows, const std::string& counter) {
  AddResponse response;
  kSums.ForEach(
      rows,
      [&](const projection::SumKey&, const CounterRow& row, Position) {
        response.set_value(response.value() + row.value());
        return true;
      },
      counter);
  return response;
}

// The answer of a state: where the counter stands.
inline AddResponse ValueOf(const store::RowReader& rows, const std::string& counter, const std::string& token = "") {
  AddResponse response;
  response.set_value(partition::counter::kCounters.Get(rows, {counter}).value_or(CounterRow()).value());
  response.set_consistency_token(token);
  return response;
}

// The data of a call at a door.
struct Call {
  std::string actor = "test";
  std::string traceparent;
  MonotonicMicros deadline = kNoDeadline;
};

class HostTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { Close(); }

  virtual Definitions Parts() { return Toy(); }

  absl::Status TryOpen() {
    InstallationOptions on_disk;
    on_disk.data_dir = data_dir();
    on_disk.slots = SlotCounts(4);
    on_disk.scheduler = &scheduler_;
    on_disk.random = &random_;
    ASSIGN_OR_RETURN(installation_, Installation::Open(std::move(on_disk)));
    HostOptions options;
    options.log = &installation_->log();
    options.open_store = [this] { return installation_->OpenStore(); };
    options.scheduler = &scheduler_;
    options.random = &random_;
    options.identifier_keys = installation_->identifier_keys();
    options.request_key = installation_->request_key();
    options.definitions = Parts();
    ASSIGN_OR_RETURN(host_, Host::Open(std::move(options)));
    EXPECT_TRUE(host_->AwaitSettled(kPatience));
    return absl::OkStatus();
  }
  void Open() {
    const absl::Status opened = TryOpen();
    ASSERT_TRUE(opened.ok()) << opened;
  }
  void Close() {
    if (host_ == nullptr) return;
    host_->Drain(kPatience);
    Crash();
  }
  // Ends the process without a drain.
  void Crash() {
    host_.reset();
    installation_.reset();
  }

  std::string data_dir() const { return dir_.State(); }  // a folder within a temporary folder
  std::string state_dir() const { return data_dir() + "/state"; }
  std::vector<std::string> Quarantined() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir())) {
      if (absl::StrContains(entry.path().filename().string(), "quarantined")) found.push_back(entry.path().string());
    }
    return found;
  }

  ReplyPtr Submit(const AddRequest& request) {
    auto reply = std::make_shared<Reply>();
    const absl::Status taken = host::Submit<AddResponse>(
        *host_, request, Call(), [reply](absl::StatusOr<AddResponse> response) { reply->Set(std::move(response)); });
    if (!taken.ok()) reply->Set(taken);
    return reply;
  }
  // `count` additions of 1 to counters a, b, c ...
  void AddSome(int count) {
    std::vector<ReplyPtr> replies;
    for (int i = 0; i < count; ++i) {
      replies.push_back(
          Submit(partition::Add(absl::StrCat("r", next_++), 1, std::string(1, static_cast<char>('a' + i % 7)))));
    }
    for (const ReplyPtr& reply : replies) ASSERT_TRUE(reply->status().ok()) << reply->status();
  }
  void AwaitCaughtUp() {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!host_->caught_up()) {
      ASSERT_LT(absl::Now(), deadline) << "views and reactions do not catch up";
      std::this_thread::yield();
    }
  }
  std::map<store::FoldId, store::FoldMeta> Metas() {
    AwaitCaughtUp();
    auto metas = host_->Metas();
    EXPECT_TRUE(metas.ok()) << metas.status();
    return metas.ok() ? *std::move(metas) : std::map<store::FoldId, store::FoldMeta>();
  }
  std::map<store::FoldId, std::string> Digests() {
    std::map<store::FoldId, std::string> digests;
    for (const auto& [fold, meta] : Metas()) {
      if (meta.digest != store::Digest()) digests[fold] = meta.digest.Hex();
    }
    return digests;
  }
  // Reads through a view, with a token.
  absl::StatusOr<int64_t> Sum(const std::string& counter, const std::string& token = "") {
    const ReplyPtr reply = AskSum(kSumsView, counter, token);
    RETURN_IF_ERROR(reply->status());
    return reply->value();
  }
  ReplyPtr AskSum(uint8_t view, const std::string& counter, const std::string& token) {
    auto reply = std::make_shared<Reply>();
    AnswerFromView<AddResponse>(
        *host_, kTarget, view, token, kNoDeadline,
        [counter](const store::RowReader& rows) -> absl::StatusOr<AddResponse> { return SumOf(rows, counter); },
        [reply](absl::StatusOr<AddResponse> response) { reply->Set(std::move(response)); });
    return reply;
  }
  Proof Verify() {
    AwaitCaughtUp();
    auto proof = host_->Verify(nullptr);
    EXPECT_TRUE(proof.ok()) << proof.status();
    return proof.ok() ? *std::move(proof) : Proof();
  }

  store::TempDir dir_;
  SystemClock clock_;
  ThreadScheduler scheduler_{clock_};
  SeededRandom random_{1};
  std::unique_ptr<Installation> installation_;
  std::unique_ptr<Host> host_;
  int next_ = 0;
};

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_HOST_FIXTURE_H_
