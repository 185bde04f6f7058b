// Tests of streams through a real server.
#include "libs/rpc/stream.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

using test::WatchResponse;
using Writer = StreamWriter<WatchResponse>;

WatchResponse Numbered(int64_t number, size_t bytes = 0) {
  WatchResponse response;
  response.set_number(number);
  response.set_padding(std::string(bytes, 'x'));
  return response;
}

class StreamTest : public ServerTest {
 protected:
  // The client's side of the watch.
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<WatchResponse>> reader;
    // Reads until the end; returns the messages.
    std::vector<int64_t> Rest() {
      std::vector<int64_t> numbers;
      WatchResponse response;
      while (reader->Read(&response)) numbers.push_back(response.number());
      return numbers;
    }
    absl::Status End() { return FromGrpc(reader->Finish()); }
  };

  std::unique_ptr<Watch> Open(const test::WatchRequest& request = {}) {
    auto watch = std::make_unique<Watch>();
    watch->reader = stub->Watch(&watch->context, request);
    return watch;
  }

  // Opens a watch and waits for its writer.
  std::unique_ptr<Watch> OpenKeeping(std::optional<Writer>* kept) {
    absl::Notification arrived;
    service->on_watch = [&](Writer writer) {
      *kept = writer;
      arrived.Notify();
      return absl::OkStatus();
    };
    auto watch = Open();
    arrived.WaitForNotification();
    return watch;
  }
};

TEST_F(StreamTest, AreRefusedBeyondTheLimitOfTheDoor) {
  Start({.streams_max = 1});
  std::optional<Writer> kept;
  const auto first = OpenKeeping(&kept);
  const absl::Status refused = Open()->End();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(ReasonOf(refused), "TOO_MANY_STREAMS");
  kept->Finish(absl::OkStatus());
  EXPECT_TRUE(first->End().ok());
  kept.reset();
  // The door hears of the end a moment after the client.
  const auto again = [this, &kept] {
    service->on_watch = [&kept](const Writer& writer) {
      kept = writer;
      writer.Finish(absl::OkStatus());
      return absl::OkStatus();
    };
    return Open()->End().ok();
  };
  EXPECT_TRUE(Await(again));
}

TEST_F(StreamTest, RefusesAWatchBeyondItsLimits) {
  Start();
  service->on_watch = [](const Writer& writer) {
    writer.Finish(absl::OkStatus());
    return absl::OkStatus();
  };
  test::WatchRequest request;
  request.set_text(std::string(17, 'x'));
  EXPECT_EQ(MetadataOf(Open(request)->End(), "field"), "text");
  request.set_text(std::string(16, 'x'));
  EXPECT_TRUE(Open(request)->End().ok());
}

TEST_F(StreamTest, SendsInOrderAllMessagesWrittenBeforeTheEnd) {
  Start();
  service->on_watch = [](const Writer& writer) {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(writer.Write(Numbered(i)));
    writer.Finish(absl::OkStatus());
    EXPECT_FALSE(writer.Write(Numbered(100)));
    return absl::OkStatus();
  };
  auto watch = Open();
  std::vector<int64_t> expected;
  for (int i = 0; i < 100; ++i) expected.push_back(i);
  EXPECT_EQ(watch->Rest(), expected);
  EXPECT_TRUE(watch->End().ok());
}

TEST_F(StreamTest, EndsWithTheStatusOfFinish) {
  Start();
  service->on_watch = [](const Writer&) { return InvalidField("resume_token", "is bad"); };
  EXPECT_EQ(ReasonOf(Open()->End()), "INVALID_FIELD");
  service->on_watch = [](const Writer& writer) {
    writer.Finish(absl::NotFoundError("gone"));
    writer.Finish(absl::OkStatus());
    return absl::OkStatus();
  };
  EXPECT_EQ(Open()->End(), absl::NotFoundError("gone"));
}

TEST_F(StreamTest, EndsForASlowReader) {
  DoorOptions options;
  options.stream_messages_max = 8;
  Start(options);
  std::optional<Writer> writer;
  auto watch = OpenKeeping(&writer);
  int64_t written = 0;
  while (writer->Write(Numbered(written, 100'000))) ++written;  // ends, because nobody reads
  EXPECT_FALSE(writer->Write(Numbered(written)));
  const std::vector<int64_t> read = watch->Rest();
  EXPECT_LT(static_cast<int64_t>(read.size()), written);
  for (size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i], static_cast<int64_t>(i));
  const absl::Status status = watch->End();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "SLOW_WATCHER");
}

TEST_F(StreamTest, LimitsTheBytesItHolds) {
  DoorOptions options;
  options.stream_bytes_max = 1000;
  Start(options);
  service->on_watch = [](const Writer& writer) {
    EXPECT_FALSE(writer.Write(Numbered(1, 1001)));
    return absl::OkStatus();
  };
  EXPECT_EQ(ReasonOf(Open()->End()), "SLOW_WATCHER");
}

TEST_F(StreamTest, NotifiesTheWriterOnceThatTheCallerLeft) {
  Start();
  std::optional<Writer> writer;
  auto watch = OpenKeeping(&writer);
  absl::Notification cancelled;  // a second Notify would end the process
  writer->OnCancel([&cancelled, copy = *writer] { cancelled.Notify(); });
  EXPECT_TRUE(writer->Write(Numbered(1)));
  watch->context.TryCancel();
  cancelled.WaitForNotification();
  EXPECT_FALSE(writer->Write(Numbered(2)));
  bool at_once = false;
  writer->OnCancel([&at_once] { at_once = true; });
  EXPECT_TRUE(at_once);
  watch->Rest();
  EXPECT_EQ(watch->End().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamTest, EndsWhenItsWriterIsDropped) {
  Start();
  service->on_watch = [](const Writer& writer) {
    EXPECT_TRUE(writer.Write(Numbered(1)));
    return absl::OkStatus();
  };
  auto watch = Open();
  EXPECT_EQ(watch->Rest(), std::vector<int64_t>{1});
  EXPECT_EQ(watch->End().code(), absl::StatusCode::kInternal);
}

TEST_F(StreamTest, EndsAndStaysEndedWhenTheServerDrains) {
  Start();
  std::optional<Writer> writer;
  auto watch = OpenKeeping(&writer);
  absl::Notification cancelled;
  writer->OnCancel([&cancelled] { cancelled.Notify(); });
  door->BeginDrain();
  cancelled.WaitForNotification();
  EXPECT_EQ(ReasonOf(watch->End()), "DRAINING");
  EXPECT_EQ(ReasonOf(Open()->End()), "DRAINING");
}

TEST_F(StreamTest, SurvivesConcurrentWriteEndAndCancel) {
  Start();
  for (int round = 0; round < 30; ++round) {
    std::optional<Writer> writer;
    auto watch = OpenKeeping(&writer);
    writer->OnCancel([copy = *writer] { copy.Write(Numbered(-1)); });
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([copy = *writer] {
        for (int n = 0; n < 100 && copy.Write(Numbered(n)); ++n) {
        }
      });
    }
    threads.emplace_back([copy = *writer] { copy.Finish(absl::OkStatus()); });
    threads.emplace_back([&watch] { watch->context.TryCancel(); });
    writer.reset();
    watch->Rest();
    for (std::thread& thread : threads) thread.join();
    const absl::Status end = watch->End();
    EXPECT_TRUE(end.ok() || end.code() == absl::StatusCode::kCancelled) << end;
  }
  server->Drain(absl::Seconds(10));
}

}  // namespace
}  // namespace halles::rpc
