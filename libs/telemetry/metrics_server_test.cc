// Tests of the scrape endpoint over a real socket.
#include "libs/telemetry/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles::telemetry {
namespace {

using ::testing::HasSubstr;

std::string Get(uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  close(fd);
  return answer;
}

TEST(MetricsServer, ServesTheMetricsOnTheBoundPort) {
  Metrics metrics;
  metrics.AddGauge("cold", "Cold.").Set(4);
  metrics.AddHotCounter("hot_total", "Hot.").Add(5);
  const auto server = MetricsServer::Open({"127.0.0.1", 0}, metrics);
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_NE((*server)->address().port, 0);
  const std::string answer = Get((*server)->address().port, "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("cold 4\n"));
  EXPECT_THAT(answer, HasSubstr("hot_total 5\n"));
}

TEST(MetricsServer, RefusesAPortInUseAndAnythingOutsideLoopback) {
  Metrics metrics;
  const auto first = MetricsServer::Open({"localhost", 0}, metrics);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = MetricsServer::Open({"localhost", (*first)->address().port}, metrics);
  EXPECT_EQ(ReasonOf(second.status()), "ADDRESS_IN_USE");
  EXPECT_EQ(ReasonOf(MetricsServer::Open({"0.0.0.0", 0}, metrics).status()), "TLS_REQUIRED");
}

}  // namespace
}  // namespace halles::telemetry
