// Tests of who loses his connection: with a real server, and frames that no client of gRPC would send.
#include "libs/rpc/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/machine/address.h"
#include "libs/rpc/server.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload = "") {
  std::string frame;
  for (const size_t byte : {payload.size() >> 16, payload.size() >> 8, payload.size()}) {
    frame.push_back(static_cast<char>(byte));
  }
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (const uint32_t byte : {stream >> 24, stream >> 16, stream >> 8, stream})
    frame.push_back(static_cast<char>(byte));
  return frame + payload;
}

// The headers of a call, none of them in the table of HPACK.
std::string Headers(uint32_t stream) {
  std::string block;
  const std::pair<std::string, std::string> headers[] = {{":method", "POST"},
                                                         {":scheme", "http"},
                                                         {":path", "/halles.rpc.test.TestService/Get"},
                                                         {":authority", "x"},
                                                         {"content-type", "application/grpc"},
                                                         {"te", "trailers"}};
  for (const auto& [name, value] : headers) {
    block += std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
  }
  return Frame(1, 4, stream, block);
}
// The first half of a message.
std::string Half(uint32_t stream) { return Frame(0, 0, stream, std::string("\0\0\0\0\x20half", 9)); }
std::string Reset(uint32_t stream) { return Frame(3, 0, stream, std::string("\0\0\0\x08", 4)); }

class ConnectionsTest : public ServerTest {
 protected:
  // A connection that speaks HTTP/2.
  OwnedFd Connect() {
    OwnedFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server->address().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    Send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0));
    return fd;
  }
  static bool Send(const OwnedFd& fd, const std::string& bytes) {
    return send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  // Reads until the server closes the connection.
  static void AwaitClosed(const OwnedFd& fd) {
    char buffer[4096];
    while (recv(fd.get(), buffer, sizeof buffer, 0) > 0) {
    }
  }
  uint64_t Closed(CloseCause cause) const { return server->connections().closed(cause); }
};

TEST_F(ConnectionsTest, EndWhoResetsManyCallsAndServeOthers) {
  ServerOptions options;
  options.connections.frames_burst = 500;
  Start({}, options);
  const OwnedFd attacker = Connect();
  uint32_t stream = 1;
  for (bool open = true; open;) {
    std::string frames;
    for (int i = 0; i < 50; ++i, stream += 2) frames += Headers(stream) + Reset(stream);
    open = Send(attacker, frames);
    ASSERT_LT(stream, 1'000'000u) << "the caller was never ended";
  }
  AwaitClosed(attacker);
  EXPECT_EQ(Closed(CloseCause::kResets), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndWhoSendsManyFramesOfNoCall) {
  ServerOptions options;
  options.connections.frames_burst = 500;
  Start({}, options);
  const OwnedFd attacker = Connect();
  int sent = 0;
  for (bool open = true; open; ++sent) {
    std::string frames;
    for (int i = 0; i < 50; ++i) frames += Frame(4, 0, 0);
    open = Send(attacker, frames);
    ASSERT_LT(sent, 100'000) << "the caller was never ended";
  }
  AwaitClosed(attacker);
  EXPECT_EQ(Closed(CloseCause::kControl), 1u);
  EXPECT_TRUE(Get().ok());
}

TEST_F(ConnectionsTest, EndACallThatNeverComesToItsEnd) {
  clock = &manual_clock;
  ServerOptions options;
  Start({}, options);
  const OwnedFd slow = Connect();
  EXPECT_TRUE(Send(slow, Headers(1) + Half(1)));
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
  EXPECT_TRUE(Send(few, Headers(1) + Half(1) + Headers(3) + Half(3)));
  std::string frames;
  for (uint32_t stream = 1; stream < 80; stream += 2) frames += Headers(stream) + Half(stream);
  EXPECT_TRUE(Send(many, frames));
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
  EXPECT_TRUE(Send(few, Headers(1) + Half(1)));
  EXPECT_TRUE(Send(many, Headers(1) + Frame(0, 0, 1, large) + Headers(3) + Frame(0, 0, 3, large)));
  AwaitClosed(many);
  EXPECT_EQ(Closed(CloseCause::kUnfinished), 1u);
}

TEST_F(ConnectionsTest, EndThoseWithManyWhileMemoryIsShort) {
  ServerOptions options;
  options.connections.memory_bytes_max = 1;
  Start({}, options);
  const OwnedFd attacker = Connect();
  std::string frames;
  for (uint32_t stream = 1; stream < 80; stream += 2) frames += Headers(stream) + Half(stream);
  EXPECT_TRUE(Send(attacker, frames));
  AwaitClosed(attacker);
  EXPECT_EQ(Closed(CloseCause::kMemory), 1u);
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
  EXPECT_EQ(server->connections().open(), 0u);
}

}  // namespace
}  // namespace halles::rpc
