// Tests of a process: opened, closed, damaged, verified and rebuilt.
#include "libs/host/host.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/host/calls.h"
#include "libs/host/installation.h"
#include "libs/host/submit.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/projection/projection_fixture.h"
#include "libs/store/alter_rows.h"

namespace halles::host {
namespace {

namespace fs = std::filesystem;
using projection::AddRequest;
using projection::AddResponse;
using projection::CounterRow;
using projection::kSource;
using projection::kSums;
using projection::kSumsView;
using projection::kTarget;

constexpr absl::Duration kPatience = absl::Seconds(20);  // a test that waits longer has failed

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

Definitions Toy() {
  Definitions definitions;
  definitions.services = {partition::counter::Service(kSource), partition::counter::Service(kTarget)};
  definitions.views = {projection::Sums()};
  definitions.reactions = {projection::Reacts(&projection::ReactOnce)};
  definitions.schemas.AddState(kSource, partition::counter::StateSchema())
      .AddState(kTarget, partition::counter::StateSchema())
      .AddView(kTarget, kSumsView, "sums", store::Schema().Add(kSums));
  return definitions;
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
    for (const auto& entry : fs::directory_iterator(data_dir())) {
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
        [counter](const store::RowReader& rows) -> absl::StatusOr<AddResponse> {
          AddResponse response;
          kSums.ForEach(
              rows,
              [&](const projection::SumKey&, const CounterRow& row, Position) {
                response.set_value(response.value() + row.value());
                return true;
              },
              counter);
          return response;
        },
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

using Reopen = HostTest;
using ForeignParts = HostTest;
using Verification = HostTest;
using Rebuilding = HostTest;
using ReadOfAView = HostTest;
using ReadOfAStateOnceItIsSettled = HostTest;

TEST_F(Reopen, KeepsEventsAnswersAndDigests) {
  AddSome(50);
  const auto metas = Metas();
  Close();
  Open();
  EXPECT_EQ(Submit(partition::Add("r0", 1, "a"))->value(), 1) << "the first answer";
  const auto reopened = Metas();
  for (const auto& [fold, meta] : metas) {
    EXPECT_EQ(reopened.at(fold).digest, meta.digest) << fold.ToString();
  }
  EXPECT_TRUE(Quarantined().empty());
}

TEST_F(Reopen, WithoutTheStateRebuildsIt) {
  AddSome(50);
  const auto digests = Digests();
  Close();
  fs::remove_all(state_dir());
  Open();
  EXPECT_EQ(Digests(), digests);
  EXPECT_EQ(*Sum("a"), 8);
  EXPECT_EQ(Submit(partition::Add("r0", 1, "a"))->value(), 1);
}

TEST_F(Reopen, WithoutADrainReadsTheLogAgain) {
  AddSome(50);
  AwaitCaughtUp();
  const auto digests = Digests();
  Crash();
  Open();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(Reopen, WithoutItsKeysIsRefusedAndChangesNothing) {
  AddSome(5);
  const auto digests = Digests();
  Close();
  fs::rename(data_dir() + "/keys", data_dir() + "/elsewhere");
  EXPECT_EQ(ReasonOf(TryOpen()), "KEYS_MISSING");
  fs::remove_all(data_dir() + "/keys");
  fs::rename(data_dir() + "/elsewhere", data_dir() + "/keys");
  Open();
  EXPECT_EQ(Digests(), digests);
}

// Another install provides the foreign parts.
TEST_F(ForeignParts, KeysAreRefused) {
  AddSome(5);
  Close();
  fs::rename(data_dir(), data_dir() + "-mine");
  Open();
  Close();
  fs::remove_all(data_dir() + "-mine/keys");
  fs::copy(data_dir() + "/keys", data_dir() + "-mine/keys", fs::copy_options::recursive);
  fs::remove_all(data_dir());
  fs::rename(data_dir() + "-mine", data_dir());
  EXPECT_EQ(ReasonOf(TryOpen()), "KEYS_FOREIGN");
}

TEST_F(ForeignParts, StateIsMovedAsideAndRebuilt) {
  AddSome(30);
  const auto digests = Digests();
  Close();
  fs::rename(data_dir(), data_dir() + "-mine");
  Open();
  AddSome(5);
  Close();
  fs::remove_all(data_dir() + "-mine/state");
  fs::copy(state_dir(), data_dir() + "-mine/state", fs::copy_options::recursive);
  fs::remove_all(data_dir());
  fs::rename(data_dir() + "-mine", data_dir());
  Open();
  EXPECT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(Digests(), digests);
  Close();
  Open();
  EXPECT_EQ(Quarantined().size(), 1u) << "once";
}

TEST_F(ForeignParts, StateAheadOfTheLogIsMovedAsideAndRebuilt) {
  AddSome(10);
  const auto digests = Digests();
  Close();
  // A backup of log and keys, and a state that has advanced since.
  fs::create_directories(data_dir() + "-backup");
  fs::copy(data_dir() + "/log", data_dir() + "-backup/log", fs::copy_options::recursive);
  Open();
  AddSome(10);
  EXPECT_NE(Digests(), digests);
  Close();
  fs::remove_all(data_dir() + "/log");
  fs::rename(data_dir() + "-backup/log", data_dir() + "/log");
  Open();
  EXPECT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(Digests(), digests);
  EXPECT_EQ(*Sum("a"), 2);
}

TEST_F(ForeignParts, UnreadableStateIsMovedAsideAndRebuilt) {
  AddSome(10);
  const auto digests = Digests();
  Close();
  std::ofstream(state_dir() + "/CURRENT") << "nonsense";
  Open();
  EXPECT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(Digests(), digests);
}

TEST_F(Reopen, ForWantOfFileHandlesMovesNoStateAside) {
  AddSome(10);
  Metas();
  host_->Drain(kPatience);
  host_.reset();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  int failed = 0;
  bool opened = false;
  for (rlim_t handles = 3; handles < 300 && !opened; ++handles) {
    rlimit few = before;
    few.rlim_cur = handles;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    opened = installation_->OpenStore().ok();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (!opened) ++failed;
    ASSERT_TRUE(Quarantined().empty()) << handles;
  }
  EXPECT_TRUE(opened);
  EXPECT_GT(failed, 3);
  installation_.reset();
}

class DamagedRows : public HostTest {
 protected:
  void Flush() {
    const auto flushed = std::make_shared<absl::Notification>();
    ASSERT_TRUE(
        host_
            ->With([&](Serving& serving) { serving.store->FlushAsync([flushed](absl::Status) { flushed->Notify(); }); })
            .ok());
    flushed->WaitForNotification();
  }
  // All files of rows.
  std::vector<fs::path> RowFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(state_dir())) {
      if (entry.path().extension() == ".sst") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    files.erase(files.begin());  // the first one ever written is the identity
    return files;
  }
  // One more for counter a, asked again while it passes.
  int64_t AddUntilServed() {
    const AddRequest request = partition::Add(absl::StrCat("r", next_++), 1, "a");
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      const ReplyPtr reply = Submit(request);
      if (reply->status().ok()) return reply->value();
      EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable) << reply->status();
    }
    ADD_FAILURE() << "not served";
    return -1;
  }
};

TEST_F(DamagedRows, AreFoldedAgainWhileCommandsAreServed) {
  AddSome(70);
  AwaitCaughtUp();
  Flush();
  ASSERT_GT(RowFiles().size(), 4u);
  for (const fs::path& path : RowFiles()) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(2);
    const int byte = file.get();
    file.seekp(2);
    file.put(static_cast<char>(byte ^ 0x40));
  }
  AddSome(7);
  Flush();  // finds the damage
  for (int64_t value = 12; value < 20; ++value) EXPECT_EQ(AddUntilServed(), value);
  Flush();
  EXPECT_TRUE(Verify().comparison.equal());
  EXPECT_EQ(*Sum("a"), 19);
  EXPECT_TRUE(Quarantined().empty());
  const auto digests = Digests();
  EXPECT_GT(digests.size(), 4u);
  Close();
  Open();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(DamagedRows, KeepNothingFromStarting) {
  AddSome(70);
  const auto digests = Digests();
  Close();
  for (const fs::path& path : RowFiles()) fs::resize_file(path, 20);
  Open();
  EXPECT_EQ(AddUntilServed(), 11);
  EXPECT_TRUE(Verify().comparison.equal());
  EXPECT_TRUE(Quarantined().empty());
  EXPECT_EQ(*Sum("a"), 11);
  EXPECT_EQ(Digests().size(), digests.size());
}

TEST_F(Verification, FindsNoDifference) {
  AddSome(60);
  const Proof proof = Verify();
  EXPECT_TRUE(proof.comparison.equal());
  EXPECT_GT(proof.comparison.rows, 60u);
  EXPECT_EQ(proof.events, 60u * 3) << "the source's state, the target's state and the view";
  EXPECT_EQ(proof.digests, 12u);
  EXPECT_EQ(*Sum("a"), 9) << "and disturbs nobody";
}

TEST_F(Verification, NamesAnAlteredRowOfAState) {
  AddSome(20);
  AwaitCaughtUp();
  SlotId slot;
  ASSERT_TRUE(host_->With([&](Serving& serving) { slot = serving.runtime->SlotFor(kSource, "", "b"); }).ok());
  Close();
  const std::string key = partition::counter::kCounters.Encode({"b"});
  EXPECT_EQ(store::AlterRows(state_dir(), store::RowSpace::State(slot),
                             [&](absl::string_view row, std::string* value) {
                               if (row != key) return false;
                               CounterRow counter;
                               EXPECT_TRUE(counter.ParseFromString(*value));
                               counter.set_value(counter.value() + 1);
                               *value = counter.SerializeAsString();
                               return true;
                             }),
            1);
  Open();
  const Proof proof = Verify();
  EXPECT_FALSE(proof.comparison.equal());
  ASSERT_FALSE(proof.differences.empty());
  EXPECT_TRUE(absl::StrContains(proof.differences.front(), absl::StrCat(slot.ToString(), " counters counter=b")))
      << proof.differences.front();
}

TEST_F(Verification, NamesAnAlteredRowOfAView) {
  AddSome(20);
  AwaitCaughtUp();
  Close();
  int altered = 0;
  store::AlterRows(state_dir(), store::RowSpace::View(kTarget, kSumsView), [&](absl::string_view, std::string* value) {
    if (altered++ > 0) return false;
    value->clear();
    return true;
  });
  EXPECT_GT(altered, 1);
  Open();
  const Proof proof = Verify();
  EXPECT_FALSE(proof.comparison.equal());
  ASSERT_FALSE(proof.differences.empty());
  EXPECT_TRUE(absl::StrContains(proof.differences.front(), "loyalty sums sums counter=a")) << proof.differences.front();
}

TEST_F(Verification, RunsOnceAtATimeAndCanBeCancelled) {
  AddSome(20);
  AwaitCaughtUp();
  absl::Status second;
  const auto proof = host_->Verify([&](const projection::ReplayProgress&) {
    second = host_->Rebuild(nullptr).status();
    return absl::CancelledError("enough");
  });
  EXPECT_EQ(proof.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(second), "PROOF_RUNNING");
  EXPECT_TRUE(Verify().comparison.equal()) << "the next one may run";
}

TEST_F(Rebuilding, CorrectsAlteredRowsAndKeepsServing) {
  AddSome(20);
  const auto digests = Digests();
  Close();
  int altered = 0;
  store::AlterRows(state_dir(), store::RowSpace::View(kTarget, kSumsView), [&](absl::string_view, std::string* value) {
    ++altered;
    CounterRow row;
    EXPECT_TRUE(row.ParseFromString(*value));
    row.set_value(row.value() + 100);
    *value = row.SerializeAsString();
    return true;
  });
  EXPECT_EQ(altered, 7);
  Open();
  EXPECT_EQ(*Sum("a"), 103);
  AwaitCaughtUp();
  const auto proof = host_->Rebuild(nullptr);
  ASSERT_TRUE(proof.ok()) << proof.status();
  EXPECT_FALSE(proof->comparison.equal()) << "it says what it found";
  EXPECT_EQ(*Sum("a"), 3);
  EXPECT_EQ(Digests(), digests);
  AddSome(7);
  AwaitCaughtUp();
  EXPECT_EQ(*Sum("a"), 4);
  EXPECT_TRUE(Verify().comparison.equal());
  Close();
  Open();
  EXPECT_EQ(*Sum("a"), 4);
  EXPECT_TRUE(Verify().comparison.equal());
}

TEST_F(Rebuilding, EndsWithTheProcess) {
  AddSome(20);
  AwaitCaughtUp();
  const auto proof = host_->Rebuild([this](const projection::ReplayProgress&) {
    host_->Drain(kPatience);
    return absl::OkStatus();
  });
  EXPECT_EQ(proof.status().code(), absl::StatusCode::kCancelled) << "nothing is put in place behind a drain";
  EXPECT_EQ(host_->Rebuild(nullptr).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(Rebuilding, LosesNoCommandSubmittedMeanwhile) {
  AddSome(200);
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const ReplyPtr reply = Submit(partition::Add(absl::StrCat("w", i), 1, "w"));
      reply->Await();
      if (reply->status().ok()) {
        ++accepted;
      } else {
        // Not served at that moment: nothing happened.
        EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable) << reply->status();
      }
    }
  });
  for (int i = 0; i < 2; ++i) {
    const auto proof = host_->Rebuild(nullptr);
    EXPECT_TRUE(proof.ok()) << proof.status();
    if (proof.ok()) {
      EXPECT_TRUE(proof->comparison.equal()) << proof->differences.front();
    }
  }
  stop = true;
  writer.join();
  AwaitCaughtUp();
  EXPECT_GT(accepted.load(), 0);
  EXPECT_EQ(*Sum("w"), accepted.load());
  EXPECT_TRUE(Verify().comparison.equal());
}

TEST_F(ReadOfAView, WithATokenSeesItsPosition) {
  for (int i = 0; i < 50; ++i) {
    const ReplyPtr reply = Submit(partition::Add(absl::StrCat("t", i), 1, "t"));
    reply->Await();
    ASSERT_EQ(*Sum("t", reply->token()), i + 1);
  }
}

TEST_F(ReadOfAView, WithATokenOfAnotherInstallIsRefused) {
  EXPECT_EQ(ReasonOf(Sum("t", TokenIssuer(store::Install(9), "key").Issue({{SlotId{kSource, 0}, 1}})).status()),
            "FOREIGN_TOKEN");
  EXPECT_EQ(ReasonOf(Sum("t", "nonsense").status()), "MALFORMED_TOKEN");
}

// Sums of the counted amounts, and of those that the reaction copied.
constexpr uint8_t kCopiesView = 2;

// The reaction waits at a gate that the test opens.
class ReadBehindAReaction : public HostTest {
 protected:
  void TearDown() override {
    if (!gate_->HasBeenNotified()) gate_->Notify();
    HostTest::TearDown();
  }
  Definitions Parts() override {
    Definitions definitions = Toy();
    projection::ViewDefinition copies{kTarget, kCopiesView, "copies", 1, {}};
    for (ServiceId source : {kSource, kTarget}) {
      copies.sources.push_back(
          projection::ProjectionOf<projection::CounterEvent>(source, 1, &projection::ProjectSum, nullptr));
    }
    definitions.views.push_back(std::move(copies));
    definitions.schemas.AddView(kTarget, kCopiesView, "copies", store::Schema().Add(kSums));
    const auto react = definitions.reactions.front().react;
    definitions.reactions.front().react = [gate = gate_, react](absl::string_view payload,
                                                                const partition::FactContext& context) {
      gate->WaitForNotification();
      return react(payload, context);
    };
    return definitions;
  }

  // Shared with the reaction, which may outlive a failing test.
  const std::shared_ptr<absl::Notification> gate_ = std::make_shared<absl::Notification>();
};

TEST_F(ReadBehindAReaction, SeesTheReactionsToTheToken) {
  const ReplyPtr added = Submit(partition::Add("r", 5, "t"));
  ASSERT_TRUE(added->status().ok()) << added->status();
  // The view has projected the source; only the reaction is missing.
  const absl::Time deadline = absl::Now() + kPatience;
  while (AskSum(kCopiesView, "t", "")->value() != 5) {
    ASSERT_LT(absl::Now(), deadline);
    std::this_thread::yield();
  }

  const ReplyPtr behind = AskSum(kCopiesView, "all", added->token());
  EXPECT_EQ(AskSum(kCopiesView, "all", "")->value(), 0) << "a read without a token passes it";
  EXPECT_FALSE(behind->done()) << "it waits for the reaction, not for the view alone";
  gate_->Notify();
  ASSERT_TRUE(behind->status().ok()) << behind->status();
  EXPECT_EQ(behind->value(), 5);
}

// Answers with the counter's value after it has reached `value`.
ReplyPtr WhenItStandsAt(Host& host, const std::string& counter, int64_t value, MonotonicMicros deadline) {
  auto reply = std::make_shared<Reply>();
  ReadStateWhen<AddResponse>(
      host, kSource, counter, "", deadline,
      [=](const store::RowReader& rows, SlotId,
          const std::string& token) -> absl::StatusOr<std::optional<AddResponse>> {
        const CounterRow row = partition::counter::kCounters.Get(rows, {counter}).value_or(CounterRow());
        if (row.value() > value) return absl::FailedPreconditionError("it is past that");
        if (row.value() < value) return std::nullopt;
        AddResponse response;
        response.set_value(row.value());
        response.set_consistency_token(token);
        return response;
      },
      [reply](absl::StatusOr<AddResponse> response) { reply->Set(std::move(response)); });
  return reply;
}

TEST_F(ReadOfAStateOnceItIsSettled, WaitsForTheEventsOfTheAggregate) {
  const ReplyPtr reply = WhenItStandsAt(*host_, "s", 3, kNoDeadline);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Submit(partition::Add(absl::StrCat("s", i), 1, "s"))->status().ok());
  EXPECT_FALSE(reply->done());
  ASSERT_TRUE(Submit(partition::Add("s2", 1, "s"))->status().ok());
  EXPECT_EQ(reply->value(), 3);
}

TEST_F(ReadOfAStateOnceItIsSettled, AnswersAtOnceIfItIsSettled) {
  ASSERT_TRUE(Submit(partition::Add("s", 3, "s"))->status().ok());
  EXPECT_EQ(WhenItStandsAt(*host_, "s", 3, kNoDeadline)->value(), 3);
}

TEST_F(ReadOfAStateOnceItIsSettled, AnswersWithTheErrorOfTheRead) {
  ASSERT_TRUE(Submit(partition::Add("s", 4, "s"))->status().ok());
  EXPECT_EQ(WhenItStandsAt(*host_, "s", 3, kNoDeadline)->status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReadOfAStateOnceItIsSettled, EndsAtItsDeadline) {
  const ReplyPtr reply = WhenItStandsAt(*host_, "s", 3, scheduler_.Now() + 30'000);
  EXPECT_EQ(reply->reason(), "NOT_SETTLED");
}

TEST_F(ReadOfAStateOnceItIsSettled, EndsWithTheProcess) {
  const ReplyPtr reply = WhenItStandsAt(*host_, "s", 3, kNoDeadline);
  Close();
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace halles::host
