// Tests of counting what a caller began, with frames as RFC 9113 has them.
#include "libs/rpc/frame_counter.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/rpc/test_frames.h"

namespace halles::rpc {
namespace {

constexpr uint8_t kEnds = kEndStreamFlag;

std::string Headers(uint32_t stream, uint8_t flags = 0) { return Frame(1, 4 | flags, stream, "some headers"); }

TEST(FrameCounter, SeesARequestComplete) {
  FrameCounter counter;
  counter.Add(Preface() + Headers(1), 5);
  EXPECT_EQ(counter.unfinished(), 1u);
  EXPECT_EQ(counter.unfinished_bytes(), 12u);
  EXPECT_EQ(counter.oldest(false), 5);
  counter.Add(Data(1, Message("abc"), kEnds), 6);
  EXPECT_EQ(counter.unfinished(), 0u);
  EXPECT_EQ(counter.unfinished_bytes(), 0u);
  EXPECT_EQ(counter.oldest(false), kNoDeadline);
  counter.Add(Headers(3, kEnds), 7);
  EXPECT_EQ(counter.unfinished(), 0u);
  EXPECT_EQ(counter.opened(), 2u);
  EXPECT_EQ(counter.resets(), 0u);
}

TEST(FrameCounter, CountsWhatIsResetAndWhatIsLeft) {
  FrameCounter counter;
  counter.Add(Preface() + Headers(1) + Headers(3) + Data(1, "half") + Headers(5) + Reset(3), 1);
  EXPECT_EQ(counter.unfinished(), 2u);
  EXPECT_EQ(counter.unfinished_bytes(), 28u);
  EXPECT_EQ(counter.resets(), 1u);
  counter.Add(Reset(1) + Reset(5) + Reset(5), 1);
  EXPECT_EQ(counter.unfinished(), 0u);
  EXPECT_EQ(counter.resets(), 4u);
  EXPECT_EQ(counter.opened(), 3u);
}

TEST(FrameCounter, CountsFramesOfNoRequest) {
  FrameCounter counter;
  counter.Add(Preface() + Frame(6, 0, 0, "12345678") + Frame(6, 1, 0, "12345678") + Frame(4, 1, 0) +
                  Frame(2, 0, 3, "12345") + Headers(1) + Frame(9, 4, 1, "more") + Frame(8, 0, 0, "1234"),
              1);
  EXPECT_EQ(counter.control(), 4u);  // the settings behind the preface, a ping, a priority, a continuation
}

TEST(FrameCounter, CountsAPingOnlyIfNoDataWasSentForIt) {
  FrameCounter counter;
  const std::string ping = Frame(6, 0, 0, "12345678");
  counter.Add(Preface() + ping, 1);
  const uint64_t before = counter.control();
  counter.AddSent(Headers(1) + Data(1, Message("an answer")) + Headers(1, kEnds) + Data(3, Message("another")));
  counter.Add(ping + ping, 1);
  EXPECT_EQ(counter.control(), before);
  counter.Add(ping, 1);
  EXPECT_EQ(counter.control(), before + 1);
  for (int i = 0; i < 10'000; ++i) counter.AddSent(Data(5, "x"));
  for (int i = 0; i < 2'000; ++i) counter.Add(ping, 1);
  EXPECT_EQ(counter.control(), before + 1 + 2'000 - 1'024) << "not more than that is made up for at once";
}

TEST(FrameCounter, AddsUpABlockOfHeaders) {
  FrameCounter counter;
  counter.Add(Preface() + Headers(1) + Frame(9, 0, 1, "more") + Frame(9, 4, 1, "end"), 1);
  EXPECT_EQ(counter.header_bytes_most(), 12u + 4 + 3);
  counter.Add(Headers(3), 1);
  EXPECT_EQ(counter.header_bytes_most(), 19u);
}

TEST(FrameCounter, SaysSinceWhenAMessageComes) {
  FrameCounter counter;
  counter.Add(Preface() + Headers(1) + Data(1, Message("one")), 10);
  EXPECT_EQ(counter.oldest(false), kNoDeadline) << "between two messages";
  EXPECT_EQ(counter.oldest(true), 10);
  counter.Add(Data(1, Message("two").substr(0, 3)), 20);
  EXPECT_EQ(counter.oldest(false), 20);
  counter.Add(Data(1, Message("two").substr(3, 3)), 30);
  EXPECT_EQ(counter.oldest(false), 20);
  counter.Add(Data(1, Message("two").substr(6) + Message("")), 40);
  EXPECT_EQ(counter.oldest(false), kNoDeadline);
  EXPECT_EQ(counter.oldest(true), 40);
  counter.Add(Headers(3), 50);
  EXPECT_EQ(counter.oldest(false), 50);
  counter.Add(Data(1, "", kEnds), 60);
  EXPECT_EQ(counter.oldest(true), kNoDeadline);
}

TEST(FrameCounter, SeesACallOpenUntilItsAnswerIsSent) {
  FrameCounter counter;
  counter.Add(Preface() + Headers(1, kEnds) + Headers(3) + Data(3, Message("abc"), kEnds) + Headers(5), 1);
  EXPECT_EQ(counter.open(), 3u);
  EXPECT_EQ(counter.open_bytes(), 12u + 12 + 8) << "of those that are complete";
  counter.AddSent(Frame(4, 0, 0) + Headers(1) + Data(1, Message("an answer")));
  EXPECT_EQ(counter.open(), 3u) << "trailers are still to come";
  counter.AddSent(Headers(1, kEnds));
  EXPECT_EQ(counter.open(), 2u);
  EXPECT_EQ(counter.open_bytes(), 12u + 8);
  counter.Add(Reset(3) + Reset(1), 2);
  EXPECT_EQ(counter.open(), 1u);
  EXPECT_EQ(counter.open_bytes(), 0u);
}

TEST(FrameCounter, SeesARequestEndThatIsAnsweredEarly) {
  FrameCounter counter;
  counter.Add(Preface() + Headers(1) + Data(1, "half") + Headers(3), 1);
  counter.AddSent(Headers(1, kEnds) + Reset(1) + Reset(3));
  EXPECT_EQ(counter.open(), 0u);
  EXPECT_EQ(counter.unfinished(), 0u);
  EXPECT_EQ(counter.unfinished_bytes(), 0u);
  counter.Add(Data(1, "more", kEnds) + Data(3, "", kEnds), 2);
  EXPECT_EQ(counter.open(), 0u);
  EXPECT_EQ(counter.open_bytes(), 0u);
}

TEST(FrameCounter, CountsOnAfterItHasReleasedMemory) {
  FrameCounter counter;
  counter.Add(Preface(), 1);
  for (uint32_t stream = 1; stream < 2'001; stream += 2) counter.Add(Headers(stream), 1);
  for (uint32_t stream = 1; stream < 1'991; stream += 2) counter.Add(Reset(stream), 1);
  counter.ReleaseSpare();
  EXPECT_EQ(counter.open(), 5u);
  EXPECT_EQ(counter.unfinished_bytes(), 5u * 12);
  counter.Add(Reset(1'991) + Headers(2'001), 1);
  EXPECT_EQ(counter.open(), 5u);
}

TEST(FrameCounter, TakesSentBytesInAnyPieces) {
  std::string received = Preface(), sent = Frame(4, 0, 0);
  for (uint32_t stream = 1; stream < 40; stream += 2) {
    absl::StrAppend(&received, Headers(stream, kEnds));
    absl::StrAppend(&sent, Headers(stream), Data(stream, std::string(stream, 'x')));
    if (stream % 3 == 0) absl::StrAppend(&sent, Headers(stream, kEnds));
    if (stream % 5 == 0) absl::StrAppend(&sent, Reset(stream));
  }
  for (size_t piece = 1; piece < 30; ++piece) {
    FrameCounter counter;
    counter.Add(received, 1);
    for (size_t at = 0; at < sent.size(); at += piece) counter.AddSent(absl::string_view(sent).substr(at, piece));
    EXPECT_EQ(counter.open(), 10u) << piece;  // 7 of the 20 are multiples of 3, and 4 of 5; 15 is both
  }
}

TEST(FrameCounter, TakesBytesInAnyPieces) {
  std::string bytes = Preface();
  for (uint32_t stream = 1; stream < 40; stream += 2) {
    absl::StrAppend(&bytes, Headers(stream),
                    Data(stream, Message(std::string(stream, 'x')), stream % 3 == 0 ? kEnds : 0));
    if (stream % 5 == 0) absl::StrAppend(&bytes, Reset(stream), Frame(6, 0, 0, "12345678"));
  }
  FrameCounter whole;
  whole.Add(bytes, 1);
  EXPECT_EQ(whole.opened(), 20u);
  for (size_t piece = 1; piece < 30; ++piece) {
    FrameCounter counter;
    for (size_t at = 0; at < bytes.size(); at += piece) counter.Add(absl::string_view(bytes).substr(at, piece), 1);
    EXPECT_EQ(counter.unfinished(), whole.unfinished()) << piece;
    EXPECT_EQ(counter.opened(), whole.opened()) << piece;
    EXPECT_EQ(counter.resets(), whole.resets()) << piece;
    EXPECT_EQ(counter.control(), whole.control()) << piece;
    EXPECT_EQ(counter.oldest(true), whole.oldest(true)) << piece;
    EXPECT_EQ(counter.oldest(false), whole.oldest(false)) << piece;
  }
}

TEST(FrameCounter, ForgetsTheMessagesOfALongStream) {
  FrameCounter counter;
  counter.Add(absl::StrCat(Preface(), Headers(1)), 1);
  const std::string short_message = std::string("\0\0\0\x27\x10", 5) + std::string(10'000, 'x');
  for (int i = 0; i < 1000; ++i) counter.Add(Data(1, short_message), 1);
  EXPECT_EQ(counter.unfinished(), 1u);
  EXPECT_GT(counter.unfinished_bytes(), 10'000u);
  EXPECT_LT(counter.unfinished_bytes(), 80'000u);
  // Not those of one message.
  counter.Add(Data(1, std::string("\0\0\x01\x86\xa0", 5)), 1);
  for (int i = 0; i < 10; ++i) counter.Add(Data(1, std::string(10'000, 'x'), i == 9 ? kEnds : 0), 1);
  EXPECT_EQ(counter.unfinished_bytes(), 0u);
  EXPECT_GT(counter.open_bytes(), 100'000u);
}

TEST(FrameCounter, TakesBytesThatAreNoFrames) {
  FrameCounter counter;
  FrameCounter sent;
  uint32_t random = 1;
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) {
    random = random * 1664525 + 1013904223;
    bytes.push_back(static_cast<char>(random >> 24));
  }
  counter.Add(bytes, 1);
  EXPECT_LE(counter.unfinished(), counter.opened());
  EXPECT_LE(counter.open(), counter.opened());
  sent.AddSent(bytes);
  EXPECT_EQ(sent.open(), 0u);
}

}  // namespace
}  // namespace halles::rpc
