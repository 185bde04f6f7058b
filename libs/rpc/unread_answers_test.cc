// Tests of answers that are not read: with a real server, and a caller that allows it to send no more than 64 KiB.
#include "libs/rpc/unread_answers.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "libs/rpc/test_frames.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

constexpr size_t kMebibyte = 1024 * 1024;
constexpr int kAnswerBytes = 100'000;

class UnreadAnswersTest : public ServerTest {
 protected:
  void StartWithAMebibyte() {
    ServerOptions options;
    options.unread_bytes_max = kMebibyte;
    Start({}, options);
    service->on_get = [](const auto&, const auto&, const auto& reply) {
      test::GetResponse response;
      response.set_text(std::string(kAnswerBytes, 'x'));
      reply(response);
    };
  }
  // A caller who reads no further than the first 64 KiB of his answers.
  OwnedFd SlowReader() {
    OwnedFd fd = ConnectTo(server->address().port);
    EXPECT_TRUE(Send(fd, Preface()));
    return fd;
  }
  static std::string Call(uint32_t stream, const std::string& path = "/halles.rpc.test.TestService/Get") {
    return CallHeaders(stream, path) + Data(stream, Message(""), kEndStreamFlag);
  }
};

TEST_F(UnreadAnswersTest, EndThoseThatWaitLongestBeyondTheLimit) {
  StartWithAMebibyte();
  const OwnedFd slow = SlowReader();
  for (uint32_t i = 0; i < 30; ++i) ASSERT_TRUE(Send(slow, Call(1 + 2 * i)));
  AwaitEnds(slow, 20);  // ten answers fit
  EXPECT_EQ(server->unread_ended(), 20u);
  // Whoever reads is served, one answer of the slow one after the other making room.
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(Get().ok()) << i;
}

TEST_F(UnreadAnswersTest, AreForgottenWithTheirConnection) {
  StartWithAMebibyte();
  {
    const OwnedFd slow = SlowReader();
    for (uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(Send(slow, Call(1 + 2 * i)));
    EXPECT_TRUE(Await([this] { return server->unread_bytes() > 5 * kAnswerBytes; }));
  }
  EXPECT_TRUE(Await([this] { return server->unread_bytes() == 0; }));
  EXPECT_EQ(server->unread_ended(), 0u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(UnreadAnswersTest, OfCallersWhoReadEndNobody) {
  StartWithAMebibyte();
  std::vector<std::thread> callers;
  std::atomic<int> refused{0};
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int call = 0; call < 100; ++call) refused += Get().ok() ? 0 : 1;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(server->unread_ended(), 0u);
}

TEST_F(UnreadAnswersTest, OfStreamsCountToo) {
  StartWithAMebibyte();
  Mutex mutex;
  std::vector<StreamWriter<test::WatchResponse>> writers;
  std::atomic<int> ended{0};
  service->on_watch = [&](StreamWriter<test::WatchResponse> writer) {
    writer.OnCancel([&ended] { ++ended; });
    MutexLock lock(&mutex);
    writers.push_back(std::move(writer));
    return absl::OkStatus();
  };
  const OwnedFd slow = SlowReader();
  ASSERT_TRUE(Send(slow, Call(1, "/halles.rpc.test.TestService/Watch")));
  ASSERT_TRUE(Send(slow, Call(3, "/halles.rpc.test.TestService/Watch")));
  {
    MutexLock lock(&mutex);
    ASSERT_TRUE(mutex.AwaitWithTimeout([&writers] { return writers.size() == 2; }, absl::Minutes(1)));
  }
  test::WatchResponse message;
  message.set_padding(std::string(20'000, 'x'));
  for (int i = 0; i < 30; ++i) {
    for (const auto& writer : writers) writer.Write(message);
  }
  AwaitEnds(slow, 1);
  EXPECT_TRUE(Await([&ended] { return ended == 1; }));
  EXPECT_EQ(server->unread_ended(), 1u);
  EXPECT_NE(writers[0].Write(message), writers[1].Write(message));
  server.reset();
}

}  // namespace
}  // namespace halles::rpc
