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
constexpr uint8_t kMessagePrefixBytes = 5;       // whether it is compressed, and its length
constexpr uint64_t kReadAheadBytes = 64 * 1024;  // the window of a stream
// Clients measure their connection by a PING for each piece of an answer that they read (grpc-go does). So each frame of
// data that was sent makes up for one PING, and so many are kept.
constexpr uint64_t kAnsweredMax = 1024;
constexpr size_t kSpareMin = 64;  // entries that are kept for the next ones

template <typename T>
void ReleaseSpareOf(std::vector<T>* entries) {
  if (entries->capacity() > kSpareMin && entries->capacity() / 4 > entries->size()) {
    std::vector<T> less(entries->begin(), entries->end());
    entries->swap(less);
  }
}

}  // namespace

bool FrameHeads::Next(absl::string_view* bytes, FrameHead* head) {
  const size_t n = std::min(head_.size() - head_bytes_, bytes->size());
  std::copy_n(bytes->begin(), n, head_.begin() + static_cast<ptrdiff_t>(head_bytes_));
  head_bytes_ += n;
  bytes->remove_prefix(n);
  if (head_bytes_ < head_.size()) return false;
  head_bytes_ = 0;
  head->payload_bytes = uint32_t{head_[0]} << 16 | uint32_t{head_[1]} << 8 | head_[2];
  head->type = head_[3];
  head->flags = head_[4];
  head->stream =
      (uint32_t{head_[5]} << 24 | uint32_t{head_[6]} << 16 | uint32_t{head_[7]} << 8 | head_[8]) & 0x7fffffff;
  return true;
}

void FrameCounter::Add(absl::string_view bytes, MonotonicMicros now) {
  const size_t preface = std::min(preface_left_, bytes.size());
  preface_left_ -= preface;
  bytes.remove_prefix(preface);
  while (!bytes.empty()) {
    if (!in_frame_) {
      FrameHead head;
      if (!heads_.Next(&bytes, &head)) return;
      in_frame_ = true;
      BeginFrame(head, now);
    }
    const size_t n = std::min<size_t>(payload_left_, bytes.size());
    if (data_) TakeData(bytes.substr(0, n), now);
    payload_left_ -= static_cast<uint32_t>(n);
    bytes.remove_prefix(n);
    if (payload_left_ > 0) return;
    if (ends_) Finish(stream_);
    in_frame_ = false;
  }
}

void FrameCounter::ReleaseSpare() {
  ReleaseSpareOf(&unfinished_);
  ReleaseSpareOf(&open_);
}

// A call ends with the last frame of its answer. When the head of that frame was sent, its payload soon is.
void FrameCounter::AddSent(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(sent_payload_left_, bytes.size());
    sent_payload_left_ -= static_cast<uint32_t>(n);
    bytes.remove_prefix(n);
    FrameHead head;
    if (bytes.empty() || !sent_heads_.Next(&bytes, &head)) return;
    sent_payload_left_ = head.payload_bytes;
    if (head.type == kData) answered_ = std::min(answered_ + 1, kAnsweredMax);
    const bool ends = (head.flags & kEndStream) != 0 && (head.type == kData || head.type == kHeaders);
    if (!ends && head.type != kResetStream) continue;
    End(head.stream);
    Finish(head.stream);
  }
}

void FrameCounter::BeginFrame(const FrameHead& head, MonotonicMicros now) {
  payload_left_ = head.payload_bytes;
  stream_ = head.stream;
  data_ = false;
  ends_ = false;
  switch (head.type) {
    case kData:
      data_ = Keep();
      ends_ = (head.flags & kEndStream) != 0;
      break;
    case kHeaders:
      header_bytes_ = payload_left_;
      header_bytes_most_ = std::max(header_bytes_most_, header_bytes_);
      if (stream_ > newest_) {
        newest_ = stream_;
        ++opened_;
        unfinished_.push_back({stream_, 0, false, 0, 0, now});
        open_.push_back({stream_, 0});
      }
      Keep();
      ends_ = (head.flags & kEndStream) != 0;
      break;
    case kResetStream:
      ++resets_;
      ends_ = true;
      End(stream_);
      break;
    case kPing:
      if ((head.flags & kAck) != 0) break;
      if (answered_ == 0) {
        ++control_;
      } else {
        --answered_;
      }
      break;
    case kSettings:
      if ((head.flags & kAck) == 0) ++control_;
      break;
    case kPriority:
      ++control_;
      break;
    case kContinuation:
      ++control_;
      header_bytes_ += payload_left_;
      header_bytes_most_ = std::max(header_bytes_most_, header_bytes_);
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
      if (stream.waits) {
        stream.since = now;
        stream.waits = false;
        // A further message of a stream. gRPC keeps so much of those before it that nobody has read.
        const uint64_t kept = std::min(stream.bytes, kReadAheadBytes);
        unfinished_bytes_ -= stream.bytes - kept;
        stream.bytes = kept;
      }
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
  if (const auto open = FindOpen(stream); open != open_.end()) {
    open->bytes = found->bytes;
    open_bytes_ += found->bytes;
  }
  unfinished_.erase(found);
}

std::vector<FrameCounter::Open>::iterator FrameCounter::FindOpen(uint32_t stream) {
  const auto found = std::lower_bound(open_.begin(), open_.end(), stream,
                                      [](const Open& one, uint32_t number) { return one.stream < number; });
  return found != open_.end() && found->stream == stream ? found : open_.end();
}

void FrameCounter::End(uint32_t stream) {
  const auto found = FindOpen(stream);
  if (found == open_.end()) return;
  open_bytes_ -= found->bytes;
  open_.erase(found);
}

MonotonicMicros FrameCounter::oldest(bool waiting) const {
  MonotonicMicros oldest = kNoDeadline;
  for (const Unfinished& stream : unfinished_) {
    if (stream.waits == waiting) oldest = std::min(oldest, stream.since);
  }
  return oldest;
}

}  // namespace halles::rpc
