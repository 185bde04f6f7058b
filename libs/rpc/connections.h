// The connections of a gRPC server: what their callers have begun and not finished, and which of them are closed for it.
#ifndef HALLES_LIBS_RPC_CONNECTIONS_H_
#define HALLES_LIBS_RPC_CONNECTIONS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/machine/resident.h"
#include "libs/rpc/frame_counter.h"

struct msghdr;

namespace halles::rpc {

// Why this side closed a connection.
enum class CloseCause {
  kResets,       // resets more requests than a client does that gives up now and then
  kControl,      // sends more frames that belong to no request than any client does
  kStreams,      // has more calls open than it was allowed
  kHeaders,      // sends headers far beyond their limit
  kSlowRequest,  // does not come to the end of a request
  kUnfinished,   // has the most of the unfinished requests when all callers together have too many
  kOpenCalls,    // has the most of the open calls, or of their bytes, when all callers together have too many
  kMemory,       // has many unfinished requests while the process is short of memory
};
inline constexpr size_t kCloseCauses = 8;
absl::string_view CloseCauseName(CloseCause cause);

struct ConnectionLimits {
  // Resets and control frames of one connection: so many at once, and so many a second.
  int64_t frames_burst = 1'100;  // a client may give up all its calls at once
  int64_t frames_per_second = 100;
  // The same of all connections; when they exceed it, each has only `frames_burst_crowded` at once.
  int64_t frames_all_burst = 5'000;
  int64_t frames_all_per_second = 500;
  int64_t frames_burst_crowded = 200;
  // Open calls of one connection, as gRPC tells the client. It holds the client to that only once he has acknowledged it,
  // so this side does; at twice as many, since what was sent is counted a moment after the client may have read it.
  size_t streams_max = 1'024;
  // A block of headers, as it comes: twice what gRPC refuses, which reads it and takes it apart before that.
  uint64_t header_bytes_max = 32 * 1024;
  // From the first byte of a message to its last, and between two messages of a stream.
  absl::Duration request_timeout = absl::Seconds(20);
  absl::Duration idle_timeout = absl::Minutes(10);
  // Of all connections: gRPC keeps some 13 KiB for each request beside its bytes. Beyond these, whoever has most goes.
  // Beyond twice as much, what gRPC has yet to clean up included, so does everybody who has `unfinished_crowded` and sends.
  size_t unfinished_max = 4'096;
  uint64_t unfinished_bytes_max = 64 * 1024 * 1024;
  size_t unfinished_crowded = 4;
  // For some seconds after that, nobody may have more than this: the requests of a client that sends whole ones come to an
  // end in the same moment as they begin. So gRPC does not make calls only to take them down again.
  size_t unfinished_fair = 16;
  // Open calls of all connections, complete or not: each takes some 13 to 25 KiB until its answer is sent. Beyond this, the
  // connection with the most calls is closed. Beyond a quarter more, so is each that sends and has its part of another
  // quarter, which all connections share alike, or `unfinished_crowded` of them if that is more.
  size_t open_max = 8'192;
  // While and for some seconds after there are too many, of all or of one, this is all that a connection may have that was
  // opened since; and of those that were opened shortly before, the ones with more go first.
  size_t open_fair = 16;
  // The bytes of their requests, from when they are complete. Beyond it, whoever has most goes.
  uint64_t open_bytes_max = 128 * 1024 * 1024;
  // Beyond this the process is short of memory: whoever has `unfinished_short` requests that are older than a second goes.
  uint64_t memory_bytes_max = 320 * 1024 * 1024;
  size_t unfinished_short = 16;
  std::function<uint64_t()> memory_bytes = ResidentBytes;  // tests say otherwise
};

// gRPC 1.51 bounds neither the requests that a caller resets nor those that he does not finish, nor the calls of a caller
// who never acknowledges its limit, and tells nobody of them. So this class looks at what gRPC receives and sends: it stands
// before the functions recvmsg and sendmsg of the C library, for the sockets of the server only, and counts the frames that
// pass. A caller beyond a limit loses his connection: gRPC reads an error.
// Thread safety: any thread.
// Lifetime: the clock outlives it; it outlives the gRPC server.
// Limits: sockets below kSocketsMax.
class Connections {
 public:
  static constexpr int kSocketsMax = 65'536;

  Connections(ConnectionLimits limits, const Clock& clock);
  // The sockets are looked at no more.
  ~Connections();

  // Looks at the socket from now until it is closed. False when its number is too high.
  bool Add(int fd);

  // Closes connections for what they did not finish; to be called some times a second.
  void Watch();

  // Ends all connections in both directions. What gRPC has written is still sent.
  void ShutDown();

  uint64_t open() const { return open_.load(std::memory_order_relaxed); }
  // Connections that were closed.
  uint64_t closed(CloseCause cause) const {
    return closed_[static_cast<size_t>(cause)].load(std::memory_order_relaxed);
  }

  // For the functions of the C library. False when the connection was closed for what it sent.
  static bool Received(int fd, const msghdr& message, size_t bytes);
  static void Sent(int fd, const msghdr& message, size_t bytes);
  static void Closed(int fd);

 private:
  // Frames that may still come, as a bucket that fills with time.
  struct Bucket {
    int64_t level = 0;
    MonotonicMicros at = 0;
    void Fill(int64_t burst, int64_t per_second, MonotonicMicros now);
  };
  // Made for the first connection with its number and kept: whoever has found it may look at it at any time.
  struct Socket {
    Mutex mutex;
    Connections* owner ABSL_GUARDED_BY(mutex) = nullptr;  // null: closed
    bool ended ABSL_GUARDED_BY(mutex) = false;            // by this side, for a cause
    FrameCounter frames ABSL_GUARDED_BY(mutex);
    uint64_t counted ABSL_GUARDED_BY(mutex) = 0;  // of its resets and control frames, those that the bucket has seen
    Bucket allowed ABSL_GUARDED_BY(mutex);
    MonotonicMicros opened ABSL_GUARDED_BY(mutex) = 0;
    // Its part of held_requests_, held_bytes_ and held_calls_.
    int64_t requests ABSL_GUARDED_BY(mutex) = 0;
    int64_t bytes ABSL_GUARDED_BY(mutex) = 0;
    int64_t calls ABSL_GUARDED_BY(mutex) = 0;
  };

  static Socket* Find(int fd);
  // Brings the sums of all up to date with what the socket holds now.
  void Hold(Socket& socket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(socket.mutex);
  void Hold(Socket& socket, int64_t requests, int64_t bytes, int64_t calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(socket.mutex);
  bool IsWithin(Socket& socket, MonotonicMicros now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(socket.mutex);
  // Newcomers have few calls from now on.
  void CrowdOfCalls(MonotonicMicros now);
  void Count(CloseCause cause) ABSL_LOCKS_EXCLUDED(all_mutex_);
  void End(int fd, Socket& socket, CloseCause cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(socket.mutex);
  // How much of something a connection holds.
  struct Amount {
    bool goes_first;
    uint64_t amount;
    int fd;
  };
  using Amounts = std::vector<Amount>;
  // Ends those that go first, then those with most, until what is left is within `max`. Whether it had to.
  bool EndMost(Amounts most, uint64_t max, CloseCause cause);

  const ConnectionLimits limits_;
  const Clock& clock_;
  std::atomic<uint64_t> open_{0};  // relaxed, as all counters here
  std::array<std::atomic<uint64_t>, kCloseCauses> closed_{};
  // Unfinished requests, their bytes, and open calls, until gRPC has closed their sockets.
  std::atomic<int64_t> held_requests_{0};
  std::atomic<int64_t> held_bytes_{0};
  std::atomic<int64_t> held_calls_{0};
  // With unfinished requests, and with open calls.
  std::atomic<MonotonicMicros> crowded_until_{0};
  std::atomic<MonotonicMicros> calls_crowded_since_{0};
  std::atomic<MonotonicMicros> calls_crowded_until_{0};

  // Locked in this order: mutex_, the mutex of a socket, all_mutex_.
  Mutex mutex_;
  std::set<int> sockets_ ABSL_GUARDED_BY(mutex_);  // also some that were closed
  Mutex all_mutex_;
  Bucket all_ ABSL_GUARDED_BY(all_mutex_);
  std::array<MonotonicMicros, kCloseCauses> said_ ABSL_GUARDED_BY(all_mutex_){};  // in the log, when last
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_CONNECTIONS_H_
