// HTTP/2 as bytes, for tests of what no client of gRPC would send. Included by tests only.
#ifndef HALLES_LIBS_RPC_TEST_FRAMES_H_
#define HALLES_LIBS_RPC_TEST_FRAMES_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "libs/machine/address.h"
#include "libs/rpc/frame_counter.h"

namespace halles::rpc {

inline constexpr uint8_t kEndStreamFlag = 1;

// A frame of RFC 9113.
inline std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload = "") {
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

// What a client begins with.
inline std::string Preface() { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0); }
inline std::string Data(uint32_t stream, const std::string& bytes, uint8_t flags = 0) {
  return Frame(0, flags, stream, bytes);
}
inline std::string Reset(uint32_t stream) { return Frame(3, 0, stream, std::string("\0\0\0\x08", 4)); }

// The headers of a call, none of them in the table of HPACK.
inline std::string CallHeaders(uint32_t stream, const std::string& path = "/halles.rpc.test.TestService/Get",
                               uint8_t flags = 0) {
  std::string block;
  const std::pair<std::string, std::string> headers[] = {{":method", "POST"},
                                                         {":scheme", "http"},
                                                         {":path", path},
                                                         {":authority", "x"},
                                                         {"content-type", "application/grpc"},
                                                         {"te", "trailers"}};
  for (const auto& [name, value] : headers) {
    block.push_back('\0');
    block.push_back(static_cast<char>(name.size()));
    block += name;
    block.push_back(static_cast<char>(value.size()));
    block += value;
  }
  return Frame(1, 4 | flags, stream, block);
}

// A message of gRPC, below 256 bytes.
inline std::string Message(const std::string& bytes) {
  return std::string("\0\0\0\0", 4) + static_cast<char>(bytes.size()) + bytes;
}

inline OwnedFd Socket() { return OwnedFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Connects to a port of this machine.
inline void ConnectTo(uint16_t port, const OwnedFd& fd) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
}
inline OwnedFd ConnectTo(uint16_t port) {
  OwnedFd fd = Socket();
  ConnectTo(port, fd);
  return fd;
}

// False when the other side has closed the connection.
inline bool Send(const OwnedFd& fd, const std::string& bytes) {
  return send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// Reads until so many calls have been answered. The connection must be open until then.
inline void AwaitEnds(const OwnedFd& fd, int calls) {
  while (calls > 0) {
    std::string bytes(9, '\0');
    ASSERT_EQ(recv(fd.get(), bytes.data(), bytes.size(), MSG_WAITALL), 9);
    absl::string_view rest = bytes;
    FrameHead head;
    ASSERT_TRUE(FrameHeads().Next(&rest, &head));
    std::string payload(head.payload_bytes, '\0');
    ASSERT_EQ(recv(fd.get(), payload.data(), payload.size(), MSG_WAITALL), static_cast<ssize_t>(payload.size()));
    if (head.type == 1 && (head.flags & kEndStreamFlag) != 0) --calls;
  }
}

// Reads until the other side closes the connection.
inline void AwaitClosed(const OwnedFd& fd) {
  char buffer[4096];
  while (recv(fd.get(), buffer, sizeof buffer, 0) > 0) {
  }
}

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_TEST_FRAMES_H_
