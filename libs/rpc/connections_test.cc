// Tests of who loses his connection: with a real server, and frames that no client of gRPC would send.
#include "libs/rpc/connections.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/machine/address.h"
#include "libs/machine/system_clock.h"
#include "libs/rpc/server.h"
#include "libs/rpc/test_frames.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

// The first half of a message.
std::string Half(uint32_t stream) { return Data(stream, Message("half").substr(0, 7)); }
std::string HalfCall(uint32_t stream) { return CallHeaders(stream) + Half(stream); }
// A call with its whole request.
std::string Call(uint32_t stream) { return CallHeaders(stream) + Data(stream, Message(""), kEndStreamFlag); }

// What a server's connections count, without a server.
class Counted : public testing::Test {
 protected:
  // Sockets of which nobody reads: only what the counting is told counts.
  OwnedFd Connect() {
    OwnedFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_TRUE(connections->Add(fd.get()));
    EXPECT_TRUE(Receive(fd, Preface()));
    return fd;
  }
  static bool Receive(const OwnedFd& fd, std::string bytes) {
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return Connections::Received(fd.get(), message, bytes.size());
  }
  static std::string Calls(uint32_t first, uint32_t count) {
    std::string all;
    for (uint32_t i = first; i < first + count; ++i) all += Frame(1, 4 | kEndStreamFlag, 1 + 2 * i);
    return all;
  }

  ConnectionLimits limits;
  SystemClock clock;
  std::unique_ptr<Connections> connections = std::make_unique<Connections>(limits, clock);
};

// Counting all of it takes seconds, during which nobody else is looked at.
TEST_F(Counted, StopAtTheFirstLimitHoweverMuchOneReadHolds) {
  const OwnedFd attacker = Connect();
  std::string bytes = Calls(0, 100'000);
  for (uint32_t i = 0; i < 100'000; ++i) bytes += Reset(1 + 2 * i);
  EXPECT_FALSE(Receive(attacker, std::move(bytes)));
  EXPECT_EQ(connections->closed(CloseCause::kStreams), 1u) << "of the calls, before any reset was counted";
}

TEST_F(Counted, LetAClientSendThatHasItsPartWhileOthersHoldTooMany) {
  const OwnedFd client = Connect();
  EXPECT_TRUE(Receive(client, Calls(0, 63)));
  std::vector<OwnedFd> attackers;
  for (int i = 0; i < 5; ++i) {
    attackers.push_back(Connect());
    EXPECT_TRUE(Receive(attackers.back(), Calls(0, 2'030)));
  }
  EXPECT_FALSE(Receive(attackers.front(), Calls(2'030, 18)) && Receive(attackers.back(), Calls(2'030, 18)));
  EXPECT_TRUE(Receive(client, Calls(63, 1)));
  EXPECT_EQ(connections->closed(CloseCause::kOpenCalls), 1u);
}

class ConnectionsTest : public ServerTest {
 protected:
  // A connection that speaks HTTP/2, and never acknowledges what the server says.
  OwnedFd Connect() {
    OwnedFd fd = ConnectTo(server->address().port);
    Send(fd, Preface());
    return fd;
  }
  // Sends what `frames(n)` makes for n = 0, 1, ... until the server closes the connection, which it must before `most`.
  static void SendUntilClosed(const OwnedFd& fd, uint32_t most, const std::function<std::string(uint32_t)>& frames) {
    for (uint32_t sent = 0; Send(fd, frames(sent)); ++sent) ASSERT_LT(sent, most) << "the caller was never ended";
    AwaitClosed(fd);
  }
  // `count` of what `frames` makes for a stream.
  static std::string Many(uint32_t count, const std::function<std::string(uint32_t)>& frames) {
    std::string all;
    for (uint32_t i = 0; i < count; ++i) all += frames(1 + 2 * i);
    return all;
  }
  // Calls of Get wait for their answers until `answers` is true.
  struct Held {
    Mutex mutex;
    bool answers ABSL_GUARDED_BY(mutex) = false;
    std::vector<Reply<test::GetResponse>> replies ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<Held> HoldAnswers() {
    auto held = std::make_shared<Held>();
    service->on_get = [held](const auto&, const auto&, const auto& reply) {
      {
        MutexLock lock(&held->mutex);
        if (!held->answers) return held->replies.push_back(reply);
      }
      reply(test::GetResponse());
    };
    return held;
  }
  static void Answer(Held* held) {
    std::vector<Reply<test::GetResponse>> replies;
    {
      MutexLock lock(&held->mutex);
      held->answers = true;
      replies.swap(held->replies);
    }
    for (const auto& reply : replies) reply(test::GetResponse());
  }
  uint64_t Closed(CloseCause cause) const { return server->connections().closed(cause); }
};

TEST_F(ConnectionsTest, EndWhoResetsManyCallsAndServeOthers) {
  ServerOptions options;
  options.connections.frames_burst = 500;
  Start({}, options);
  SendUntilClosed(Connect(), 500'000, [](uint32_t n) { return CallHeaders(1 + 2 * n) + Reset(1 + 2 * n); });
  EXPECT_EQ(Closed(CloseCause::kResets), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndWhoSendsManyFramesOfNoCall) {
  ServerOptions options;
  options.connections.frames_burst = 500;
  Start({}, options);
  SendUntilClosed(Connect(), 1'000'000, [](uint32_t) { return Frame(4, 0, 0); });
  EXPECT_EQ(Closed(CloseCause::kControl), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndACallThatNeverComesToItsEnd) {
  clock = &manual_clock;
  ServerOptions options;
  Start({}, options);
  const OwnedFd slow = Connect();
  EXPECT_TRUE(Send(slow, HalfCall(1)));
  // Until the acceptor has looked at it with the clock beyond the limit.
  while (Closed(CloseCause::kSlowRequest) == 0) {
    EXPECT_TRUE(Get().ok());
    manual_clock.Advance(1'000'000);
  }
  AwaitClosed(slow);
  EXPECT_EQ(Closed(CloseCause::kSlowRequest), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndThoseWithMostWhenAllHaveTooMany) {
  ServerOptions options;
  options.connections.unfinished_max = 30;
  Start({}, options);
  const OwnedFd few = Connect(), many = Connect();
  EXPECT_TRUE(Send(few, Many(2, HalfCall)));
  EXPECT_TRUE(Send(many, Many(40, HalfCall)));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kUnfinished), 1u);
  EXPECT_TRUE(Get().ok());
  // The other one may go on.
  EXPECT_TRUE(Send(few, Frame(0, 1, 1, std::string(28, 'x'))));
  char byte = 0;
  EXPECT_EQ(recv(few.get(), &byte, 1, 0), 1);
}

TEST_F(ConnectionsTest, EndThoseWithManyBytesWhenAllHaveTooMany) {
  ServerOptions options;
  options.connections.unfinished_bytes_max = 30'000;
  Start({}, options);
  // Within the 64 KiB that a connection may send before gRPC allows it more.
  const OwnedFd few = Connect(), many = Connect();
  const std::string large = std::string("\0\0\1\0\0", 5) + std::string(16'000, 'x');
  EXPECT_TRUE(Send(few, HalfCall(1)));
  EXPECT_TRUE(Send(many, Many(2, [&large](uint32_t stream) { return CallHeaders(stream) + Data(stream, large); })));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kUnfinished), 1u);
}

// Those who come in a crowd with too much are closed before gRPC has seen it, whatever is held at that moment.
TEST_F(ConnectionsTest, LetNobodyHaveManyForAWhileAfterACrowd) {
  ServerOptions options;
  options.connections.unfinished_max = 30;
  Start({}, options);
  const OwnedFd crowd = Connect();
  EXPECT_TRUE(Send(crowd, Many(40, HalfCall)));
  AwaitClosed(crowd);
  EXPECT_EQ(Closed(CloseCause::kUnfinished), 1u);
  const OwnedFd many = Connect();
  EXPECT_TRUE(Send(many, Many(17, HalfCall)));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kUnfinished), 2u);
  EXPECT_TRUE(Await([this] { return server->connections().open() == 0; }));
  const OwnedFd few = Connect();
  EXPECT_TRUE(Send(few, Many(16, HalfCall)));
  EXPECT_TRUE(Send(few, Data(1, std::string(2, 'x'), kEndStreamFlag)));
  AwaitEnds(few, 1);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndWhoSendsHeadersFarBeyondTheirLimit) {
  Start();
  const OwnedFd attacker = Connect();
  EXPECT_TRUE(Send(attacker, CallHeaders(1) + Frame(1, 0, 3, std::string(16'000, 'x')) +
                                 Frame(9, 0, 3, std::string(16'000, 'x')) + Frame(9, 0, 3, std::string(1'000, 'x'))));
  AwaitClosed(attacker);
  EXPECT_EQ(Closed(CloseCause::kHeaders), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndThoseWithManyWhileMemoryIsShort) {
  ServerOptions options;
  options.connections.memory_bytes_max = 1;
  Start({}, options);
  const OwnedFd attacker = Connect();
  EXPECT_TRUE(Send(attacker, Many(40, HalfCall)));
  AwaitClosed(attacker);
  EXPECT_EQ(Closed(CloseCause::kMemory), 1u);
  EXPECT_TRUE(Get().ok());
}

// gRPC does not hold a client to its limit of calls who never acknowledges it.
TEST_F(ConnectionsTest, EndWhoOpensMoreCallsThanHeIsAllowed) {
  ServerOptions options;
  options.streams_max = 10;
  Start({}, options);
  const auto held = HoldAnswers();
  const OwnedFd attacker = Connect();
  EXPECT_TRUE(Send(attacker, Many(21, Call)));
  AwaitClosed(attacker);
  EXPECT_EQ(Closed(CloseCause::kStreams), 1u);
  Answer(held.get());
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, LetACallerMakeManyCallsOneAfterTheOther) {
  ServerOptions options;
  options.streams_max = 1;
  Start({}, options);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Get().ok()) << i;
  const OwnedFd caller = Connect();
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Send(caller, Call(1 + 2 * i)));
    AwaitEnds(caller, 1);
  }
  EXPECT_EQ(Closed(CloseCause::kStreams), 0u);
}

TEST_F(ConnectionsTest, EndThoseWithMostOpenCallsWhenAllHaveTooMany) {
  ServerOptions options;
  options.connections.open_max = 30;
  Start({}, options);
  const auto held = HoldAnswers();
  const OwnedFd few = Connect(), many = Connect();
  EXPECT_TRUE(Send(few, Many(2, Call)));
  EXPECT_TRUE(Send(many, Many(32, Call)));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kOpenCalls), 1u);
  // The other one is answered.
  Answer(held.get());
  AwaitEnds(few, 2);
}

TEST_F(ConnectionsTest, LetNewcomersOpenFewCallsForAWhileAfterACrowd) {
  ServerOptions options;
  options.connections.open_max = 40;
  Start({}, options);
  const auto held = HoldAnswers();
  const OwnedFd before = Connect(), crowd = Connect();
  EXPECT_TRUE(Send(before, Call(1)));
  EXPECT_TRUE(Send(crowd, Many(45, Call)));
  AwaitClosed(crowd);
  EXPECT_EQ(Closed(CloseCause::kOpenCalls), 1u);
  // gRPC cleans up behind the crowd when its calls are answered, and from then on each is answered at once.
  Answer(held.get());
  EXPECT_TRUE(Await([this] { return server->connections().open() == 1; }));
  const OwnedFd many = Connect();
  EXPECT_TRUE(Send(many, Many(30, Call)));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kOpenCalls), 2u);
  // Who was there before has what he always had.
  EXPECT_TRUE(Await([this] { return server->connections().open() == 1; }));
  EXPECT_TRUE(Send(before, Many(20, [](uint32_t stream) { return Call(stream + 2); })));
  AwaitEnds(before, 21);
}

TEST_F(ConnectionsTest, EndThoseWithManyBytesOfOpenCallsWhenAllHaveTooMany) {
  ServerOptions options;
  options.connections.open_bytes_max = 30'000;
  Start({}, options);
  const auto held = HoldAnswers();
  const OwnedFd few = Connect(), many = Connect();
  // GetRequest has the field `text`, number 1, and ignores those that it does not know, such as number 3.
  const std::string request = std::string("\0\0\0\x3e\x83\x1a\x80\x7d", 8) + std::string(16'000, 'x');
  EXPECT_TRUE(Send(few, Call(1)));
  EXPECT_TRUE(Send(
      many, Many(2, [&](uint32_t stream) { return CallHeaders(stream) + Data(stream, request, kEndStreamFlag); })));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kOpenCalls), 1u);
  Answer(held.get());
  AwaitEnds(few, 1);
}

TEST_F(ConnectionsTest, EndWhoFloodsMethodsThatNobodyHasAndReadsNoAnswer) {
  ServerOptions options;
  options.streams_max = 100;
  Start({}, options);
  SendUntilClosed(Connect(), 500, [](uint32_t n) {
    return Many(100, [n](uint32_t stream) { return CallHeaders(200 * n + stream, "/nobody/Has", kEndStreamFlag); });
  });
  EXPECT_EQ(Closed(CloseCause::kStreams), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, AreCountedWhileTheyAreOpen) {
  Start();
  EXPECT_TRUE(Get().ok());
  EXPECT_EQ(server->connections().open(), 1u);
  {
    const OwnedFd other = Connect();
    char byte = 0;
    EXPECT_EQ(recv(other.get(), &byte, 1, 0), 1);
    EXPECT_EQ(server->connections().open(), 2u);
  }
  server->Drain(absl::ZeroDuration());
  EXPECT_TRUE(Await([this] { return server->connections().open() == 0; })) << "gRPC closes them a moment later";
}

}  // namespace
}  // namespace halles::rpc
