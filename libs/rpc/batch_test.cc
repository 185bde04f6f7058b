// Tests of streams of commands through a real server.
#include "libs/rpc/batch.h"

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "halles/bulk/v1/bulk_service.grpc.pb.h"
#include "libs/base/mutex.h"
#include "libs/rpc/batch_stream.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

using bulk::v1::SubmitBatchRequest;
using bulk::v1::SubmitBatchResponse;
using ::testing::ElementsAre;

constexpr char kPut[] = "halles.rpc.test.TestService/Put";

class BulkTestService final : public bulk::v1::BulkService::CallbackService {
 public:
  BulkTestService(Door* door, const Methods* methods) : door_(*door), methods_(*methods) {}
  grpc::ServerBidiReactor<SubmitBatchRequest, SubmitBatchResponse>* SubmitBatch(
      grpc::CallbackServerContext* context) override {
    return door_.Batches(context, methods_, unknown_);
  }

 private:
  Door& door_;
  const Methods& methods_;
  const UnknownMethodStatus unknown_ = [](const std::string& name) {
    return Failure(absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD", name);
  };
};

// The client's side of a stream.
struct Stream {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<SubmitBatchRequest, SubmitBatchResponse>> call;
  std::map<uint64_t, bulk::v1::Answer> answers;
  uint64_t next = 0;

  // Sends so many commands, with the next tags.
  bool Send(int count, const std::string& text = "x", const std::string& method = kPut) {
    SubmitBatchRequest message;
    for (int i = 0; i < count; ++i) {
      bulk::v1::Command& command = *message.add_commands();
      command.set_tag(next++);
      command.set_method(method);
      test::PutRequest put;
      put.set_request_id(absl::StrCat("r", command.tag()));
      put.set_text(text);
      put.SerializeToString(command.mutable_request());
    }
    return call->Write(message);
  }
  // Sends no more. A client of gRPC that may still send drops the answers that it has not read when its connection closes.
  void Done() { call->WritesDone(); }
  // Reads one message; false at the end.
  bool Read() {
    SubmitBatchResponse message;
    if (!call->Read(&message)) return false;
    for (const bulk::v1::Answer& answer : message.answers()) {
      EXPECT_TRUE(answers.emplace(answer.tag(), answer).second) << answer.tag() << " was answered twice";
    }
    return true;
  }
  absl::Status End() {
    while (Read()) {
    }
    return FromGrpc(call->Finish());
  }
  absl::Status ErrorFor(uint64_t tag) const {
    google::rpc::Status status;
    EXPECT_TRUE(status.ParseFromString(answers.at(tag).error()));
    return FromProto(status);
  }
  std::string ReasonFor(uint64_t tag) const {
    const auto found = answers.find(tag);
    if (found == answers.end()) return "no answer";
    return found->second.has_error() ? ReasonOf(ErrorFor(tag)) : "OK";
  }
};

class BatchTest : public ServerTest {
 protected:
  void StartBoth(const DoorOptions& bulk_options = {}, const ServerOptions& server_options = {}) {
    door = std::make_unique<Door>(test::TestService::service_full_name(), *clock, &metrics);
    service = std::make_unique<TestService>(door.get());
    methods.Add(kPut, service.get(), &TestService::Put);
    methods.Add("halles.rpc.test.TestService/Get", service.get(), &TestService::Get);
    methods.Add("halles.rpc.test.TestService/Watch", service.get(), &TestService::Watch);
    bulk_door = std::make_unique<Door>(bulk::v1::BulkService::service_full_name(), *clock, &metrics, bulk_options);
    bulk_service = std::make_unique<BulkTestService>(bulk_door.get(), &methods);
    auto started = Server::Start(server_options, *clock,
                                 {{service.get(), test::TestService::service_full_name(), door.get()},
                                  {bulk_service.get(), bulk::v1::BulkService::service_full_name(), bulk_door.get()}});
    ASSERT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
    channel = grpc::CreateChannel(server->address().ToString(), grpc::InsecureChannelCredentials());
    stub = test::TestService::NewStub(channel);
  }
  std::unique_ptr<Stream> Open() {
    auto stream = std::make_unique<Stream>();
    stream->call = bulk::v1::BulkService::NewStub(channel)->SubmitBatch(&stream->context);
    return stream;
  }

  // Keeps the replies instead of answering.
  void KeepReplies() {
    service->on_put = [this](const test::PutRequest&, const Call&, Reply<test::PutResponse> reply) {
      MutexLock lock(&mutex);
      kept.push_back(std::move(reply));
      return absl::OkStatus();
    };
  }
  size_t Kept() {
    MutexLock lock(&mutex);
    return kept.size();
  }
  void Release(const test::PutResponse& response = {}) {
    std::vector<Reply<test::PutResponse>> replies;
    {
      MutexLock lock(&mutex);
      replies.swap(kept);
    }
    for (const auto& reply : replies) reply(response);
  }

  Methods methods;
  std::unique_ptr<Door> bulk_door;
  std::unique_ptr<BulkTestService> bulk_service;
  Mutex mutex;
  std::vector<Reply<test::PutResponse>> kept ABSL_GUARDED_BY(mutex);
  // The server goes before what its calls use.
  ~BatchTest() override { server.reset(); }
};

TEST_F(BatchTest, AnswersEachCommandByItselfAndEndsWithOk) {
  StartBoth();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(1, "good"));
  ASSERT_TRUE(stream->Send(1, "", "halles.rpc.test.TestService/Take"));
  ASSERT_TRUE(stream->Send(1, "", "halles.rpc.test.TestService/Get"));
  ASSERT_TRUE(stream->Send(1, "", "halles.rpc.test.TestService/Watch"));
  SubmitBatchRequest message;
  message.add_commands()->set_tag(4);
  message.mutable_commands(0)->set_method(kPut);
  message.mutable_commands(0)->set_request("\xff");
  message.add_commands()->set_tag(5);
  message.mutable_commands(1)->set_method(kPut);
  ASSERT_TRUE(stream->call->Write(message));
  stream->next = 6;
  ASSERT_TRUE(stream->Send(1, "also good"));
  stream->call->WritesDone();
  EXPECT_TRUE(stream->End().ok());
  std::vector<std::string> reasons;
  for (uint64_t tag = 0; tag < stream->next; ++tag) reasons.push_back(stream->ReasonFor(tag));
  EXPECT_THAT(reasons, ElementsAre("OK", "UNKNOWN_METHOD", "NOT_A_COMMAND", "NOT_A_COMMAND", "MALFORMED_REQUEST",
                                   "INVALID_FIELD", "OK"));
  test::PutResponse response;
  ASSERT_TRUE(response.ParseFromString(stream->answers[6].response()));
  EXPECT_EQ(response.text(), "also good");
}

TEST_F(BatchTest, BeginsCommandsInTheirOrder) {
  StartBoth();
  std::vector<std::string> order;
  service->on_put = [&](const test::PutRequest& put, const Call&, const Reply<test::PutResponse>& reply) {
    order.push_back(put.request_id());
    reply(test::PutResponse());
    return absl::OkStatus();
  };
  const auto stream = Open();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(stream->Send(20));
  stream->call->WritesDone();
  EXPECT_TRUE(stream->End().ok());
  ASSERT_EQ(order.size(), 1000u);
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], absl::StrCat("r", i));
}

TEST_F(BatchTest, GivesEachCommandItsTimeAndTrace) {
  StartBoth();
  std::vector<Call> calls;
  service->on_put = [&](const test::PutRequest&, const Call& call, const Reply<test::PutResponse>& reply) {
    calls.push_back(call);
    reply(test::PutResponse());
    return absl::OkStatus();
  };
  const auto stream = std::make_unique<Stream>();
  stream->context.AddMetadata("traceparent", "of the stream");
  stream->call = bulk::v1::BulkService::NewStub(channel)->SubmitBatch(&stream->context);
  SubmitBatchRequest message;
  for (const uint32_t timeout_ms : {0u, 30'000u, 3'600'000u}) {
    bulk::v1::Command& command = *message.add_commands();
    command.set_tag(timeout_ms);
    command.set_method(kPut);
    command.set_timeout_ms(timeout_ms);
    PutOf("x").SerializeToString(command.mutable_request());
  }
  message.mutable_commands(1)->set_traceparent("of the command");
  const MonotonicMicros before = system_clock.MonotonicMicros();
  ASSERT_TRUE(stream->call->Write(message));
  stream->call->WritesDone();
  EXPECT_TRUE(stream->End().ok());
  const MonotonicMicros after = system_clock.MonotonicMicros();
  ASSERT_EQ(calls.size(), 3u);
  constexpr int64_t kSlack = 100'000;  // two clocks
  const std::vector<std::pair<size_t, int64_t>> expected = {{0, 10}, {1, 30}, {2, 60}};
  for (const auto& [at, seconds] : expected) {
    EXPECT_GE(calls[at].deadline, before + seconds * 1'000'000 - kSlack) << at;
    EXPECT_LE(calls[at].deadline, after + seconds * 1'000'000 + kSlack) << at;
  }
  EXPECT_EQ(calls[0].traceparent, "of the stream");
  EXPECT_EQ(calls[1].traceparent, "of the command");
}

TEST_F(BatchTest, AnswersEverythingAfterTheClientHasEndedItsSide) {
  StartBoth();
  KeepReplies();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(200));
  stream->call->WritesDone();
  ASSERT_TRUE(Await([&] { return Kept() == 200; }));
  std::thread answering([&] { Release(); });
  EXPECT_TRUE(stream->End().ok());
  answering.join();
  EXPECT_EQ(stream->answers.size(), 200u);
}

TEST_F(BatchTest, AnswersACommandThatIsDropped) {
  StartBoth();
  KeepReplies();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(1));
  stream->call->WritesDone();
  ASSERT_TRUE(Await([&] { return Kept() == 1; }));
  {
    MutexLock lock(&mutex);
    kept.clear();
  }
  EXPECT_TRUE(stream->End().ok());
  EXPECT_EQ(stream->ErrorFor(0).code(), absl::StatusCode::kInternal);
}

TEST_F(BatchTest, EndsAfterAMessageWithTooManyCommands) {
  StartBoth();
  KeepReplies();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(kBatchCommandsMax));
  ASSERT_TRUE(stream->Send(kBatchCommandsMax + 1));
  ASSERT_TRUE(Await([&] { return Kept() == kBatchCommandsMax; }));
  Release();
  const absl::Status end = stream->End();
  EXPECT_EQ(ReasonOf(end), "INVALID_FIELD") << end;
  EXPECT_EQ(MetadataOf(end, "field"), "commands");
  EXPECT_EQ(stream->answers.size(), static_cast<size_t>(kBatchCommandsMax)) << "what was begun is answered";
}

TEST_F(BatchTest, EndsAfterAMessageThatIsTooLarge) {
  StartBoth();
  const auto stream = Open();
  stream->Send(1, std::string(1024 * 1024, 'x'));
  EXPECT_EQ(stream->End().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Put(PutOf("x")).ok()) << "others are served";
}

TEST_F(BatchTest, ReadsNoFurtherWhileTooManyAreInFlight) {
  StartBoth();
  KeepReplies();
  const auto stream = Open();
  constexpr int kMessages = 12;
  std::thread writing([&] {
    for (int i = 0; i < kMessages; ++i) EXPECT_TRUE(stream->Send(kBatchCommandsMax));
    stream->call->WritesDone();
  });
  ASSERT_TRUE(Await([&] { return Kept() == kBatchInFlightMax; }));
  // Another call comes and goes meanwhile, and nothing more of the stream has been begun.
  service->on_get = [](const test::GetRequest&, const Call&, const Reply<test::GetResponse>& reply) {
    reply(test::GetResponse());
  };
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Get().ok());
  EXPECT_EQ(Kept(), static_cast<size_t>(kBatchInFlightMax));
  std::atomic<bool> done{false};
  std::thread answering([&] {
    while (!done) {
      EXPECT_LE(Kept(), static_cast<size_t>(kBatchInFlightMax));
      Release();
    }
  });
  EXPECT_TRUE(stream->End().ok());
  done = true;
  answering.join();
  writing.join();
  EXPECT_EQ(stream->answers.size(), static_cast<size_t>(kMessages * kBatchCommandsMax));
}

TEST_F(BatchTest, EndsForAClientThatDoesNotReadItsAnswers) {
  ServerOptions options;
  options.unread_bytes_max = 8 * 1024 * 1024;
  StartBoth({}, options);
  KeepReplies();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(kBatchCommandsMax));
  ASSERT_TRUE(Await([&] { return Kept() == kBatchCommandsMax; }));
  test::PutResponse large;
  large.set_text(std::string(128 * 1024, 'x'));
  Release(large);
  ASSERT_TRUE(Await([&] { return server->unread_ended() == 1; }));
  const absl::Status end = stream->End();
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(end.message(), "SLOW_READER")) << end;
  EXPECT_TRUE(Await([&] { return server->unread_bytes() == 0; }));
}

TEST_F(BatchTest, SendsLargeAnswersInSeveralMessages) {
  StartBoth();
  service->on_put = [](const test::PutRequest& put, const Call&, const Reply<test::PutResponse>& reply) {
    test::PutResponse response;
    response.set_text(put.text() + std::string(700 * 1024, 'x'));
    reply(response);
    return absl::OkStatus();
  };
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(10));
  stream->call->WritesDone();
  const absl::Status end = stream->End();
  EXPECT_TRUE(end.ok()) << end;
  EXPECT_EQ(stream->answers.size(), 10u);
}

TEST_F(BatchTest, LeavesNothingBehindAfterACancel) {
  StartBoth();
  KeepReplies();
  for (int i = 0; i < 10; ++i) {
    const auto stream = Open();
    ASSERT_TRUE(stream->Send(64));
    ASSERT_TRUE(Await([&] { return Kept() == 64; }));
    stream->context.TryCancel();
    EXPECT_EQ(stream->End().code(), absl::StatusCode::kCancelled);
    Release();  // nobody is there any more
  }
  // A drain waits for calls and streams that are open.
  const int64_t begun = system_clock.MonotonicMicros();
  server->Drain(absl::Minutes(10));
  EXPECT_LT(system_clock.MonotonicMicros() - begun, 60'000'000);
}

TEST_F(BatchTest, AnswersWhatItHasBegunWhenTheServerDrains) {
  StartBoth();
  KeepReplies();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(64));
  ASSERT_TRUE(Await([&] { return Kept() == 64; }));
  {
    MutexLock lock(&mutex);
    kept[7].OnlyWaits();
  }
  std::thread drain([&] { server->Drain(absl::Minutes(10)); });
  // It waits for what others do, so it is told to try again.
  while (stream->answers.empty()) ASSERT_TRUE(stream->Read());
  EXPECT_EQ(stream->ReasonFor(7), "DRAINING");
  stream->Send(10);
  stream->Done();
  Release();
  const absl::Status end = stream->End();
  drain.join();
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(end), "DRAINING") << end;
  for (uint64_t tag = 0; tag < 64; ++tag) {
    EXPECT_EQ(stream->ReasonFor(tag), tag == 7 ? "DRAINING" : "OK") << tag;
  }
  for (uint64_t tag = 64; tag < 74; ++tag) EXPECT_NE(stream->ReasonFor(tag), "OK") << tag;
}

TEST_F(BatchTest, EndsWhatIsNotAnsweredInTimeWhenTheServerDrains) {
  StartBoth();
  KeepReplies();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(3));
  ASSERT_TRUE(Await([&] { return Kept() == 3; }));
  stream->Done();
  server->Drain(absl::ZeroDuration());
  EXPECT_EQ(stream->End().code(), absl::StatusCode::kUnavailable);
  for (uint64_t tag = 0; tag < 3; ++tag) EXPECT_EQ(stream->ReasonFor(tag), "DRAINING");
  Release();
}

TEST_F(BatchTest, IsRefusedWhileTheDoorIsClosedAndBeyondTheStreams) {
  DoorOptions options;
  options.streams_max = 1;
  StartBoth(options);
  bulk_door->Close(Failure(absl::StatusCode::kUnavailable, "STARTING", "later"));
  const auto early = Open();
  EXPECT_EQ(ReasonOf(early->End()), "STARTING");
  bulk_door->Open();
  ASSERT_TRUE(Await([&] {
    const auto first = Open();
    first->Send(1);
    return first->Read();
  }));
  // The first ends when it is forgotten; another is kept open.
  std::unique_ptr<Stream> open;
  ASSERT_TRUE(Await([&] {
    open = Open();
    open->Send(1);
    return open->Read();
  }));
  EXPECT_EQ(ReasonOf(Open()->End()), "TOO_MANY_STREAMS");
  open->call->WritesDone();
  EXPECT_TRUE(open->End().ok());
}

TEST_F(BatchTest, CountsEachCommandForItsMethod) {
  StartBoth();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(5));
  stream->call->WritesDone();
  EXPECT_TRUE(stream->End().ok());
  const std::string of_put = R"(grpc_method="Put",grpc_service="halles.rpc.test.TestService",grpc_type="unary"})";
  const std::string of_stream =
      R"(grpc_method="SubmitBatch",grpc_service="halles.bulk.v1.BulkService",grpc_type="bidi_stream"})";
  const auto counts = [&](const std::string& line) { return absl::StrContains(metrics.Text(), line); };
  EXPECT_TRUE(counts(absl::StrCat("grpc_server_started_total{", of_put, " 5\n")));
  EXPECT_TRUE(counts(absl::StrCat(R"(grpc_server_handled_total{grpc_code="OK",)", of_put, " 5\n")));
  EXPECT_TRUE(
      Await([&] { return counts(absl::StrCat(R"(grpc_server_handled_total{grpc_code="OK",)", of_stream, " 1\n")); }));
}

}  // namespace
}  // namespace halles::rpc
