// Follows the HTTP/2 frames that a caller sends, and counts what gRPC has to keep for them.
#ifndef HALLES_LIBS_RPC_FRAME_COUNTER_H_
#define HALLES_LIBS_RPC_FRAME_COUNTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/base/scheduler.h"

namespace halles::rpc {

// The head of a frame.
struct FrameHead {
  uint32_t payload_bytes = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
};

// Finds the heads of the frames in bytes that come in any pieces.
class FrameHeads {
 public:
  // Takes bytes off `bytes` until a head is complete. False when they end before that.
  bool Next(absl::string_view* bytes, FrameHead* head);

 private:
  std::array<uint8_t, 9> head_{};
  size_t head_bytes_ = 0;
};

// The server's side of one connection (RFC 9113), from its first byte. A value: no I/O, and bytes that are no HTTP/2 do no
// harm, since gRPC refuses them.
// Thread safety: one thread at a time.
// Limits: keeps 32 bytes for each request that is not complete and 16 for each call that is open. It bounds neither: its
// user closes the connection and then drops the counter.
class FrameCounter {
 public:
  // Takes the next bytes that were received. `now` is when.
  void Add(absl::string_view bytes, MonotonicMicros now);
  // Takes the next bytes that were sent.
  void AddSent(absl::string_view bytes);

  // Gives back the memory of requests and calls that came to their end.
  void ReleaseSpare();

  // Calls that neither side has ended: those whose request is not complete, or whose answer the system has not taken.
  size_t open() const { return open_.size(); }
  // The bytes of their headers and messages, of complete requests.
  uint64_t open_bytes() const { return open_bytes_; }
  // Requests whose end has not come.
  size_t unfinished() const { return unfinished_.size(); }
  // The bytes of their headers and messages; of a stream, those of the message under way and at most 64 KiB before it.
  uint64_t unfinished_bytes() const { return unfinished_bytes_; }
  // When the first byte of the oldest request or message came that is not complete; kNoDeadline when all are. `waiting`:
  // when the oldest of the requests began to wait that are between two messages.
  MonotonicMicros oldest(bool waiting) const;
  // The bytes of the longest header block so far, as they came: HEADERS and the CONTINUATION behind it.
  uint64_t header_bytes_most() const { return header_bytes_most_; }
  // Streams that were begun and reset so far.
  uint64_t opened() const { return opened_; }
  uint64_t resets() const { return resets_; }
  // Frames that gRPC must answer or keep, and that belong to no request: SETTINGS, PRIORITY, CONTINUATION, and each PING
  // for which no data was sent.
  uint64_t control() const { return control_; }

 private:
  struct Unfinished {
    uint32_t stream;
    uint8_t prefix_bytes;   // of the five before a message that have come
    bool waits;             // between two messages
    uint32_t message_left;  // bytes of the message that have not come; its length while the prefix comes
    uint64_t bytes;         // of headers and messages
    MonotonicMicros since;  // first byte of the request or message, or end of the last message
  };

  struct Open {
    uint32_t stream;
    uint64_t bytes;  // of its request, when that is complete
  };

  void BeginFrame(const FrameHead& head, MonotonicMicros now);
  bool Keep();
  void TakeData(absl::string_view bytes, MonotonicMicros now);
  std::vector<Unfinished>::iterator Find(uint32_t stream);
  std::vector<Open>::iterator FindOpen(uint32_t stream);
  // The request is complete, or nobody waits for its end.
  void Finish(uint32_t stream);
  void End(uint32_t stream);

  // Received.
  size_t preface_left_ = 24;
  FrameHeads heads_;
  bool in_frame_ = false;
  uint32_t payload_left_ = 0;
  uint32_t stream_ = 0;  // of the frame whose payload comes
  bool data_ = false;    // it is DATA of a request that is not complete
  bool ends_ = false;    // it is the last of its request
  uint32_t newest_ = 0;
  uint64_t opened_ = 0;
  uint64_t resets_ = 0;
  uint64_t control_ = 0;
  uint64_t header_bytes_ = 0;  // of the block that came last
  uint64_t header_bytes_most_ = 0;
  uint64_t unfinished_bytes_ = 0;
  std::vector<Unfinished> unfinished_;  // in the order of their numbers
  uint64_t open_bytes_ = 0;
  std::vector<Open> open_;  // in the order of their numbers
  // Sent.
  FrameHeads sent_heads_;
  uint32_t sent_payload_left_ = 0;
  uint64_t answered_ = 0;  // frames of data that no PING was counted against
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_FRAME_COUNTER_H_
