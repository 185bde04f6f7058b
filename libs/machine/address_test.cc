// Tests of listen addresses.
#include "libs/machine/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles {
namespace {

TEST(ListenAddress, SurvivesARoundTripThroughText) {
  for (const char* text : {"127.0.0.1:7400", "localhost:0", "[::1]:65535", "0.0.0.0:1", "shop.example:9"}) {
    EXPECT_EQ(ListenAddress::Parse(text)->ToString(), text);
  }
}

TEST(ListenAddress, RefusesMalformedText) {
  for (const char* text :
       {"", ":", ":7400", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:1", "[]:1", "a b:1", "http://a:1"}) {
    EXPECT_EQ(ReasonOf(ListenAddress::Parse(text).status()), "MALFORMED_ADDRESS") << text;
  }
}

TEST(ListenAddress, RecognisesLoopback) {
  for (const char* text : {"127.0.0.1:0", "127.9.9.9:0", "localhost:0", "[::1]:0"}) {
    EXPECT_TRUE(ListenAddress::Parse(text)->loopback()) << text;
  }
  for (const char* text : {"0.0.0.0:0", "[::]:0", "10.0.0.1:0", "127.example:0"}) {
    EXPECT_FALSE(ListenAddress::Parse(text)->loopback()) << text;
  }
}

TEST(CheckCanListen, RequiresTlsOutsideLoopback) {
  const absl::Status status = CheckCanListen({"0.0.0.0", 7400}, "the server");
  EXPECT_EQ(ReasonOf(status), "TLS_REQUIRED");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("0.0.0.0:7400: TLS is required outside loopback"));
}

TEST(CheckCanListen, NamesAnAddressInUse) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const ListenAddress taken{"127.0.0.1", ntohs(address.sin_port)};
  const absl::Status status = CheckCanListen(taken, "the server");
  EXPECT_EQ(ReasonOf(status), "ADDRESS_IN_USE");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(taken.ToString() + ": the port is in use"));
  close(fd);
  EXPECT_TRUE(CheckCanListen(taken, "the server").ok());
}

}  // namespace
}  // namespace halles
