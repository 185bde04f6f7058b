// The frames of RFC 9113, and the messages of gRPC in them, as far as counting needs them.
#include "libs/rpc/frame_counter.h"

#include <algorithm>
#include <cstddef>

namespace halles::rpc {
namespace {

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kResetStream = 3,
  kSettings = 4,
  kPing = 6,
  kContinuation = 9,
};
constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kAck = 0x1;
constexpr uint8_t kMessagePrefixBytes = 5;  // whether it is compressed, and its length

}  // namespace

void FrameCounter::Add(absl::string_view bytes, MonotonicMicros now) {
  const size_t preface = std::min(preface_left_, bytes.size());
  preface_left_ -= preface;
  bytes.remove_prefix(preface);
  while (!bytes.empty()) {
    if (head_bytes_ < head_.size()) {
      const size_t n = std::min(head_.size() - head_bytes_, bytes.size());
      std::copy_n(bytes.begin(), n, head_.begin() + static_cast<ptrdiff_t>(head_bytes_));
      head_bytes_ += n;
      bytes.remove_prefix(n);
      if (head_bytes_ < head_.size()) return;
      BeginFrame(now);
    }
    const size_t n = std::min<size_t>(payload_left_, bytes.size());
    if (data_) TakeData(bytes.substr(0, n), now);
    payload_left_ -= static_cast<uint32_t>(n);
    bytes.remove_prefix(n);
    if (payload_left_ > 0) return;
    if (ends_) Finish(stream_);
    head_bytes_ = 0;
  }
}

void FrameCounter::BeginFrame(MonotonicMicros now) {
  const uint8_t type = head_[3];
  const uint8_t flags = head_[4];
  payload_left_ = uint32_t{head_[0]} << 16 | uint32_t{head_[1]} << 8 | head_[2];
  stream_ = (uint32_t{head_[5]} << 24 | uint32_t{head_[6]} << 16 | uint32_t{head_[7]} << 8 | head_[8]) & 0x7fffffff;
  data_ = false;
  ends_ = false;
  switch (type) {
    case kData:
      data_ = Keep();
      ends_ = (flags & kEndStream) != 0;
      break;
    case kHeaders:
      if (stream_ > newest_) {
        newest_ = stream_;
        ++opened_;
        unfinished_.push_back({stream_, 0, false, 0, 0, now});
      }
      Keep();
      ends_ = (flags & kEndStream) != 0;
      break;
    case kResetStream:
      ++resets_;
      ends_ = true;
      break;
    case kSettings:
    case kPing:
      if ((flags & kAck) == 0) ++control_;
      break;
    case kPriority:
      ++control_;
      break;
    case kContinuation:
      ++control_;
      Keep();
      break;
    default:
      break;
  }
}

// Counts the payload for its request. False when that is complete or was never begun.
bool FrameCounter::Keep() {
  const auto found = Find(stream_);
  if (found == unfinished_.end()) return false;
  found->bytes += payload_left_;
  unfinished_bytes_ += payload_left_;
  return true;
}

// Padding, which no client of gRPC sends, is taken for a part of a message; the end of the request sets that right.
void FrameCounter::TakeData(absl::string_view bytes, MonotonicMicros now) {
  const auto found = Find(stream_);
  if (found == unfinished_.end()) return;
  Unfinished& stream = *found;
  while (!bytes.empty()) {
    if (stream.prefix_bytes < kMessagePrefixBytes) {
      if (stream.waits) stream.since = now;
      stream.waits = false;
      const auto byte = static_cast<uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (stream.prefix_bytes++ > 0) stream.message_left = stream.message_left << 8 | byte;
    } else {
      const size_t n = std::min<size_t>(stream.message_left, bytes.size());
      stream.message_left -= static_cast<uint32_t>(n);
      bytes.remove_prefix(n);
    }
    if (stream.prefix_bytes == kMessagePrefixBytes && stream.message_left == 0) {
      stream.prefix_bytes = 0;
      stream.waits = true;
      stream.since = now;
    }
  }
}

std::vector<FrameCounter::Unfinished>::iterator FrameCounter::Find(uint32_t stream) {
  const auto found = std::lower_bound(unfinished_.begin(), unfinished_.end(), stream,
                                      [](const Unfinished& one, uint32_t number) { return one.stream < number; });
  return found != unfinished_.end() && found->stream == stream ? found : unfinished_.end();
}

void FrameCounter::Finish(uint32_t stream) {
  const auto found = Find(stream);
  if (found == unfinished_.end()) return;
  unfinished_bytes_ -= found->bytes;
  unfinished_.erase(found);
}

MonotonicMicros FrameCounter::oldest(bool waiting) const {
  MonotonicMicros oldest = kNoDeadline;
  for (const Unfinished& stream : unfinished_) {
    if (stream.waits == waiting) oldest = std::min(oldest, stream.since);
  }
  return oldest;
}

}  // namespace halles::rpc
