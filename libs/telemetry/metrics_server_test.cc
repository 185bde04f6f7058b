// Tests of the scrape endpoint over a real socket.
#include "libs/telemetry/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/machine/system_clock.h"

namespace halles::telemetry {
namespace {

using ::testing::HasSubstr;

const Clock& Machine() {
  static const SystemClock clock;
  return clock;
}

OwnedFd Connect(const ListenAddress& to) {
  OwnedFd fd;
  if (to.host == "::1") {
    fd = OwnedFd(socket(AF_INET6, SOCK_STREAM, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(to.port);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  } else {
    fd = OwnedFd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(to.port);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  return fd;
}

void Send(const OwnedFd& fd, const std::string& bytes) {
  EXPECT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// The bytes received until the server closes the connection.
std::string ReadAll(const OwnedFd& fd) {
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = read(fd.get(), buffer, sizeof buffer)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  return answer;
}

std::string Ask(const ListenAddress& to, const std::string& request) {
  const OwnedFd fd = Connect(to);
  Send(fd, request);
  return ReadAll(fd);
}

std::string Get(const ListenAddress& to, const std::string& path) {
  return Ask(to, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(MetricsServer, ServesTheMetricsOnTheBoundPort) {
  Metrics metrics;
  metrics.AddGauge("cold", "Cold.").Set(4);
  metrics.AddHotCounter("hot_total", "Hot.").Add(5);
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine());
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_NE((*server)->address().port, 0);
  const std::string answer = Get((*server)->address(), "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("cold 4\n"));
  EXPECT_THAT(answer, HasSubstr("hot_total 5\n"));
}

TEST(MetricsServer, RefusesAPortInUseAndAnythingOutsideLoopback) {
  Metrics metrics;
  const auto first = MetricsServer::Open({"localhost", 0}, metrics, Machine());
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = MetricsServer::Open({"localhost", (*first)->address().port}, metrics, Machine());
  EXPECT_EQ(ReasonOf(second.status()), "ADDRESS_IN_USE");
  EXPECT_EQ(ReasonOf(MetricsServer::Open({"0.0.0.0", 0}, metrics, Machine()).status()), "TLS_REQUIRED");
}

TEST(MetricsServer, ListensOnIpv6) {
  Metrics metrics;
  const auto server = MetricsServer::Open({"::1", 0}, metrics, Machine());
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(Get((*server)->address(), "/metrics"), HasSubstr("200 OK"));
}

TEST(MetricsServer, AnswersARequestThatComesInPieces) {
  Metrics metrics;
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine());
  ASSERT_TRUE(server.ok()) << server.status();
  const OwnedFd fd = Connect((*server)->address());
  for (const char* piece : {"GET /met", "rics?x=1 HTTP/1.1\r\nHost", ": x\r\n\r", "\n"}) Send(fd, piece);
  EXPECT_THAT(ReadAll(fd), HasSubstr("200 OK"));
}

TEST(MetricsServer, AnswersUnknownPathsAndMethodsWithErrors) {
  Metrics metrics;
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine());
  ASSERT_TRUE(server.ok()) << server.status();
  const ListenAddress to = (*server)->address();
  EXPECT_THAT(Get(to, "/other"), HasSubstr("404 Not Found"));
  EXPECT_THAT(Ask(to, "POST /metrics HTTP/1.1\r\n\r\n"), HasSubstr("405 Method Not Allowed"));
  EXPECT_THAT(Ask(to, "hello\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Ask(to, "GET /metrics HTTP/1.1\r\nx: " + std::string(8 * 1024, 'x')), HasSubstr("431"));
}

TEST(MetricsServer, ServesDespiteClientsThatNeverFinish) {
  Metrics metrics;
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine());
  ASSERT_TRUE(server.ok()) << server.status();
  std::vector<OwnedFd> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(Connect((*server)->address()));
    Send(slow.back(), "GET /metrics HTTP/1.1\r\n");
  }
  EXPECT_THAT(Get((*server)->address(), "/metrics"), HasSubstr("200 OK"));
  // Only 64 of 200 are kept: the first is closed.
  EXPECT_EQ(ReadAll(slow.front()), "");
}

// Among many that never finish, whoever has asked is answered before he is closed.
TEST(MetricsServer, AnswersWhoHasAskedBeforeItClosesHim) {
  Metrics metrics;
  MetricsServerOptions options;
  options.connections_max = 1;
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine(), options);
  ASSERT_TRUE(server.ok()) << server.status();
  for (int i = 0; i < 300; ++i) {
    const OwnedFd asks = Connect((*server)->address());
    Send(asks, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    const OwnedFd silent = Connect((*server)->address());
    ASSERT_THAT(ReadAll(asks), HasSubstr("200 OK")) << i;
  }
}

TEST(MetricsServer, EndsARequestThatTakesTooLong) {
  Metrics metrics;
  MetricsServerOptions options;
  options.request_timeout = absl::Milliseconds(1);
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine(), options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(ReadAll(Connect((*server)->address())), "");
}

TEST(MetricsServer, EndsAClientThatDoesNotRead) {
  Metrics metrics;
  // More than the buffers of a connection hold.
  for (int i = 0; i < 10'000; ++i)
    metrics.AddGauge("g", std::string(1'000, 'h'), {{"n", std::string(1'000, 'l')}, {"i", std::to_string(i)}});
  MetricsServerOptions options;
  options.answer_timeout = absl::Milliseconds(1);
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics, Machine(), options);
  ASSERT_TRUE(server.ok()) << server.status();
  const OwnedFd fd = Connect((*server)->address());
  Send(fd, "GET /metrics HTTP/1.1\r\n\r\n");
  // The server is done with it when it accepts and ends another one.
  EXPECT_THAT(Get((*server)->address(), "/other"), HasSubstr("404"));
  const std::string answer = ReadAll(fd);
  EXPECT_LT(answer.size(), 10'000'000u);
}

}  // namespace
}  // namespace halles::telemetry
