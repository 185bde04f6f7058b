// A table of sockets, and the functions of the C library that gRPC reads and closes them with.
#include "libs/rpc/connections.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>
#include <vector>

#include "libs/rpc/frame_counter.h"
#include "libs/telemetry/log.h"

namespace halles::rpc {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

// Each cause is told in the log at most this often; the metric counts all.
constexpr int64_t kSayEveryMicros = 10'000'000;
constexpr int64_t kShortAgeMicros = 1'000'000;
constexpr int64_t kCrowdedMicros = 5'000'000;
constexpr int64_t kNewMicros = 10'000'000;
// So many bytes of one read are counted before the limits are looked at: some 450 frames at most. A read may hold a hundred
// thousand, and counting what is far beyond every limit takes time that grows with the square of their number.
constexpr size_t kCountedBytes = 4096;

// The first `bytes` of what a message points at, piece by piece.
class Pieces {
 public:
  Pieces(const msghdr& message, size_t bytes) : message_(message), left_(bytes) {}

  bool Next(absl::string_view* piece) {
    if (left_ == 0 || at_ == message_.msg_iovlen) return false;
    const iovec& part = message_.msg_iov[at_++];
    *piece = absl::string_view(static_cast<const char*>(part.iov_base), std::min(left_, part.iov_len));
    left_ -= piece->size();
    return true;
  }

 private:
  const msghdr& message_;
  size_t at_ = 0;
  size_t left_;
};

// By number; release-acquire: who finds a socket sees it complete. Nothing is made when the program starts: close is called
// before that.
constinit std::array<std::atomic<void*>, Connections::kSocketsMax> table{};

}  // namespace

absl::string_view CloseCauseName(CloseCause cause) {
  switch (cause) {
    case CloseCause::kResets:
      return "resets";
    case CloseCause::kControl:
      return "control_frames";
    case CloseCause::kStreams:
      return "streams";
    case CloseCause::kHeaders:
      return "headers";
    case CloseCause::kSlowRequest:
      return "slow_request";
    case CloseCause::kUnfinished:
      return "unfinished_requests";
    case CloseCause::kOpenCalls:
      return "open_calls";
    case CloseCause::kMemory:
      return "memory";
  }
  return "unknown";
}

void Connections::Bucket::Fill(int64_t burst, int64_t per_second, MonotonicMicros now) {
  const int64_t micros = std::min<int64_t>(now - at, 3'600'000'000);
  const int64_t more = micros * per_second / 1'000'000;
  if (more > 0 || at == 0) {
    level = at == 0 ? burst : std::min(burst, level + more);
    at = now;
  }
}

Connections::Connections(ConnectionLimits limits, const Clock& clock) : limits_(std::move(limits)), clock_(clock) {}

Connections::~Connections() {
  MutexLock lock(&mutex_);
  for (const int fd : sockets_) {
    Socket* const socket = Find(fd);
    MutexLock socket_lock(&socket->mutex);
    if (socket->owner == this) socket->owner = nullptr;
  }
}

Connections::Socket* Connections::Find(int fd) {
  if (fd < 0 || fd >= kSocketsMax) return nullptr;
  return static_cast<Socket*>(table[static_cast<size_t>(fd)].load(std::memory_order_acquire));
}

bool Connections::Add(int fd) {
  if (fd < 0 || fd >= kSocketsMax) return false;
  MutexLock lock(&mutex_);
  Socket* socket = Find(fd);
  if (socket == nullptr) {
    auto* const made = new Socket;
    void* none = nullptr;
    // Another server of the process may have made it just now.
    if (table[static_cast<size_t>(fd)].compare_exchange_strong(none, made, std::memory_order_acq_rel)) {
      socket = made;
    } else {
      delete made;
      socket = static_cast<Socket*>(none);
    }
  }
  const MonotonicMicros now = clock_.MonotonicMicros();
  {
    MutexLock socket_lock(&socket->mutex);
    socket->owner = this;
    socket->ended = false;
    socket->frames = FrameCounter();
    socket->counted = 0;
    socket->opened = now;
    socket->requests = 0;
    socket->bytes = 0;
    socket->calls = 0;
    socket->allowed = Bucket();
    socket->allowed.Fill(limits_.frames_burst, limits_.frames_per_second, now);
  }
  sockets_.insert(fd);
  open_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Connections::Received(int fd, const msghdr& message, size_t bytes) {
  Socket* const socket = Find(fd);
  if (socket == nullptr) return true;
  MutexLock lock(&socket->mutex);
  if (socket->owner == nullptr) return true;
  if (socket->ended) return false;
  const MonotonicMicros now = socket->owner->clock_.MonotonicMicros();
  absl::string_view piece;
  for (Pieces pieces(message, bytes); pieces.Next(&piece);) {
    for (; !piece.empty(); piece.remove_prefix(std::min(piece.size(), kCountedBytes))) {
      socket->frames.Add(piece.substr(0, kCountedBytes), now);
      socket->owner->Hold(*socket);
      if (!socket->owner->IsWithin(*socket, now)) return false;
    }
  }
  return true;
}

void Connections::Sent(int fd, const msghdr& message, size_t bytes) {
  Socket* const socket = Find(fd);
  if (socket == nullptr) return;
  MutexLock lock(&socket->mutex);
  if (socket->owner == nullptr || socket->ended) return;
  absl::string_view piece;
  for (Pieces pieces(message, bytes); pieces.Next(&piece);) socket->frames.AddSent(piece);
  socket->owner->Hold(*socket);
}

void Connections::Hold(Socket& socket) {
  Hold(socket, static_cast<int64_t>(socket.frames.unfinished()), static_cast<int64_t>(socket.frames.unfinished_bytes()),
       static_cast<int64_t>(socket.frames.open()));
}

void Connections::Hold(Socket& socket, int64_t requests, int64_t bytes, int64_t calls) {
  const auto hold = [](std::atomic<int64_t>& all, int64_t& own, int64_t now) {
    if (now != own) all.fetch_add(now - std::exchange(own, now), std::memory_order_relaxed);
  };
  hold(held_requests_, socket.requests, requests);
  hold(held_bytes_, socket.bytes, bytes);
  hold(held_calls_, socket.calls, calls);
}

void Connections::Closed(int fd) {
  Socket* const socket = Find(fd);
  if (socket == nullptr) return;
  MutexLock lock(&socket->mutex);
  if (socket->owner == nullptr) return;
  socket->owner->open_.fetch_sub(1, std::memory_order_relaxed);
  socket->owner->Hold(*socket, 0, 0, 0);
  socket->owner = nullptr;
  socket->frames = FrameCounter();  // the number may stay unused for long
}

bool Connections::IsWithin(Socket& socket, MonotonicMicros now) {
  CloseCause cause = CloseCause::kStreams;
  bool within = socket.frames.open() <= 2 * limits_.streams_max;
  const uint64_t frames = socket.frames.resets() + socket.frames.control();
  if (within && frames > socket.counted) {
    const auto more = static_cast<int64_t>(frames - socket.counted);
    socket.counted = frames;
    bool crowded = false;
    {
      MutexLock lock(&all_mutex_);
      all_.Fill(limits_.frames_all_burst, limits_.frames_all_per_second, now);
      all_.level = std::max<int64_t>(all_.level - more, 0);
      crowded = all_.level == 0;
    }
    socket.allowed.Fill(limits_.frames_burst, limits_.frames_per_second, now);
    socket.allowed.level -= more;
    within = socket.allowed.level >= (crowded ? limits_.frames_burst - limits_.frames_burst_crowded : 0);
    cause = socket.frames.resets() > socket.frames.control() ? CloseCause::kResets : CloseCause::kControl;
  }
  if (within && socket.frames.header_bytes_most() > limits_.header_bytes_max) {
    within = false;
    cause = CloseCause::kHeaders;
  }
  if (within && socket.frames.unfinished() > limits_.unfinished_fair &&
      now < crowded_until_.load(std::memory_order_relaxed)) {
    within = false;
    cause = CloseCause::kUnfinished;
  }
  if (within && socket.frames.unfinished() >= limits_.unfinished_crowded &&
      (held_requests_.load(std::memory_order_relaxed) > static_cast<int64_t>(2 * limits_.unfinished_max) ||
       held_bytes_.load(std::memory_order_relaxed) > static_cast<int64_t>(2 * limits_.unfinished_bytes_max))) {
    within = false;
    cause = CloseCause::kUnfinished;
  }
  if (within && socket.frames.open() > limits_.open_fair &&
      now < calls_crowded_until_.load(std::memory_order_relaxed) &&
      socket.opened >= calls_crowded_since_.load(std::memory_order_relaxed)) {
    within = false;
    cause = CloseCause::kOpenCalls;
  }
  const size_t part = std::max(limits_.unfinished_crowded, limits_.open_max / 4 / std::max<size_t>(1, open()));
  if (within && socket.frames.open() >= part &&
      held_calls_.load(std::memory_order_relaxed) > static_cast<int64_t>(limits_.open_max + limits_.open_max / 4)) {
    within = false;
    cause = CloseCause::kOpenCalls;
  }
  if (within) return true;
  if (cause == CloseCause::kStreams) CrowdOfCalls(now);
  socket.ended = true;
  Count(cause);
  return false;
}

void Connections::CrowdOfCalls(MonotonicMicros now) {
  if (now >= calls_crowded_until_.load(std::memory_order_relaxed)) {
    calls_crowded_since_.store(now, std::memory_order_relaxed);
  }
  calls_crowded_until_.store(now + kCrowdedMicros, std::memory_order_relaxed);
}

void Connections::Count(CloseCause cause) {
  closed_[static_cast<size_t>(cause)].fetch_add(1, std::memory_order_relaxed);
  const MonotonicMicros now = clock_.MonotonicMicros();
  {
    MutexLock lock(&all_mutex_);
    MonotonicMicros& said = said_[static_cast<size_t>(cause)];
    if (said != 0 && now - said < kSayEveryMicros) return;
    said = now;
  }
  Log(LogLevel::kWarning, "rpc", "closed a connection for what its caller did not finish",
      {{"cause", CloseCauseName(cause)}, {"closed_total", closed(cause)}, {"open", open()}});
}

void Connections::Watch() {
  const MonotonicMicros now = clock_.MonotonicMicros();
  const MonotonicMicros slow = now - absl::ToInt64Microseconds(limits_.request_timeout);
  const MonotonicMicros idle = now - absl::ToInt64Microseconds(limits_.idle_timeout);
  const bool is_short = limits_.memory_bytes() > limits_.memory_bytes_max;
  Amounts by_requests, by_bytes, by_calls, by_call_bytes;
  MutexLock lock(&mutex_);
  for (auto it = sockets_.begin(); it != sockets_.end();) {
    Socket& socket = *Find(*it);
    MutexLock socket_lock(&socket.mutex);
    if (socket.owner != this) {
      it = sockets_.erase(it);
      continue;
    }
    if (!socket.ended && socket.frames.unfinished() > 0) {
      const MonotonicMicros oldest = socket.frames.oldest(false);
      if (oldest < slow || socket.frames.oldest(true) < idle) {
        End(*it, socket, CloseCause::kSlowRequest);
      } else if (is_short && socket.frames.unfinished() >= limits_.unfinished_short && oldest < now - kShortAgeMicros) {
        End(*it, socket, CloseCause::kMemory);
      } else {
        by_requests.push_back({false, socket.frames.unfinished(), *it});
        by_bytes.push_back({false, socket.frames.unfinished_bytes(), *it});
      }
    }
    if (!socket.ended && socket.frames.open() > 0) {
      const bool is_new = socket.opened > now - kNewMicros && socket.frames.open() > limits_.open_fair;
      by_calls.push_back({is_new, socket.frames.open(), *it});
      by_call_bytes.push_back({false, socket.frames.open_bytes(), *it});
    }
    socket.frames.ReleaseSpare();
    ++it;
  }
  if (EndMost(std::move(by_requests), limits_.unfinished_max, CloseCause::kUnfinished)) {
    crowded_until_.store(now + kCrowdedMicros, std::memory_order_relaxed);
  }
  EndMost(std::move(by_bytes), limits_.unfinished_bytes_max, CloseCause::kUnfinished);
  if (EndMost(std::move(by_calls), limits_.open_max, CloseCause::kOpenCalls)) CrowdOfCalls(now);
  EndMost(std::move(by_call_bytes), limits_.open_bytes_max, CloseCause::kOpenCalls);
}

bool Connections::EndMost(Amounts most, uint64_t max, CloseCause cause) {
  uint64_t total = 0;
  for (const Amount& one : most) total += one.amount;
  if (total <= max) return false;
  std::sort(most.begin(), most.end(), [](const Amount& a, const Amount& b) {
    return std::tie(a.goes_first, a.amount, a.fd) < std::tie(b.goes_first, b.amount, b.fd);
  });
  for (; total > max && !most.empty(); most.pop_back()) {
    const auto [goes_first, amount, fd] = most.back();
    Socket& socket = *Find(fd);
    MutexLock socket_lock(&socket.mutex);
    total -= amount;
    if (socket.owner == this && !socket.ended) End(fd, socket, cause);
  }
  return true;
}

// With the mutex of the socket, so that its number is not given to another file meanwhile.
void Connections::End(int fd, Socket& socket, CloseCause cause) {
  socket.ended = true;
  Count(cause);
  shutdown(fd, SHUT_RDWR);  // gRPC reads the end
}

void Connections::ShutDown() {
  MutexLock lock(&mutex_);
  for (const int fd : sockets_) {
    Socket& socket = *Find(fd);
    MutexLock socket_lock(&socket.mutex);
    if (socket.owner == this) shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace halles::rpc

// These stand before the functions of the C library, for all that is linked dynamically too. What they do not know goes
// straight to the system, as there.
extern "C" {

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  const ssize_t n = syscall(SYS_recvmsg, fd, message, flags);
  if (n > 0 && (flags & MSG_PEEK) == 0 && !halles::rpc::Connections::Received(fd, *message, static_cast<size_t>(n))) {
    errno = ECONNRESET;
    return -1;
  }
  return n;
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const ssize_t n = syscall(SYS_sendmsg, fd, message, flags);
  if (n > 0) halles::rpc::Connections::Sent(fd, *message, static_cast<size_t>(n));
  return n;
}

int close(int fd) {
  halles::rpc::Connections::Closed(fd);
  return static_cast<int>(syscall(SYS_close, fd));
}

}  // extern "C"
