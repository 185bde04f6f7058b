// Tests of the bytes of segments and sidecars: the worked example of FORMAT.md, and the effect of changing any byte.
#include "libs/eventlog/frame.h"

#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "libs/eventlog/identity_file.h"
#include "libs/eventlog/segment_index.h"

namespace halles::eventlog {
namespace {

constexpr SlotId kSlot{ServiceId::kCheckout, 17};
constexpr FrameHeader kExample{FrameKind::kRecord, kSlot, 4711, {1, 64}};

InstallId ExampleInstall() { return *InstallId::FromHex("07070707070707070707070707070707"); }

TEST(Frame, DetectsAnyChangedByte) {
  std::string bytes;
  AppendFrame({2, 128}, kExample, "twelve bytes", &bytes);
  ASSERT_EQ(bytes.size(), FrameBytes(12));
  const auto frame = ParseFrame({2, 128}, bytes);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->payload, "twelve bytes");
  EXPECT_EQ(frame->header.slot, kSlot);
  EXPECT_EQ(frame->header.position, 4711u);
  EXPECT_EQ(frame->header.durable_end, (LogAddress{1, 64}));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(ParseFrame({2, 128}, damaged).has_value()) << "bit " << bit;
  }
}

TEST(Frame, IsInvalidAtAnotherAddress) {
  std::string bytes;
  AppendFrame({2, 128}, kExample, "payload", &bytes);
  EXPECT_FALSE(ParseFrame({2, 136}, bytes).has_value());
  EXPECT_FALSE(ParseFrame({3, 128}, bytes).has_value());
}

TEST(Frame, IsInvalidWhenTruncated) {
  std::string bytes;
  AppendFrame({1, 64}, kExample, "payload", &bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseFrame({1, 64}, absl::string_view(bytes).substr(0, size)).has_value());
  }
  EXPECT_TRUE(ParseFrame({1, 64}, bytes + "what follows").has_value());
}

TEST(SegmentHeader, IsRefusedWhenAnyBitDiffers) {
  const std::string bytes = EncodeSegmentHeader({.install = ExampleInstall(), .number = 3, .bytes = 4096});
  ASSERT_EQ(bytes.size(), kSegmentHeaderBytes);
  const auto header = ParseSegmentHeader(bytes);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->number, 3u);
  EXPECT_EQ(header->bytes, 4096u);
  EXPECT_EQ(header->install, ExampleInstall());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(ParseSegmentHeader(damaged).has_value()) << "bit " << bit;
  }
}

// The fenced block after `heading` in FORMAT.md.
std::vector<std::string> Block(absl::string_view heading) {
  std::ifstream file(HALLES_FORMAT_MD);
  std::string line;
  std::vector<std::string> lines;
  while (std::getline(file, line) && line != std::string(heading)) {
  }
  while (std::getline(file, line) && line != "```") {
  }
  while (std::getline(file, line) && line != "```") lines.push_back(line);
  return lines;
}

// The hex digits of a listing. Each line has an offset, bytes, and two spaces before the explanation.
std::string Listing(absl::string_view heading) {
  std::string hex;
  for (const std::string& line : Block(heading)) {
    std::istringstream words(line.substr(0, line.find("  ", 5)));
    std::string word;
    words >> word;
    while (words >> word) hex += word;
  }
  return hex;
}

TEST(EmbeddedFormat, MatchesTheDocument) {
  std::string segment = EncodeSegmentHeader({.install = ExampleInstall(), .number = 1, .bytes = 4194304});
  AppendFrame({1, 64}, {FrameKind::kRecord, kSlot, 4711, {1, 64}}, "body", &segment);
  AppendFrame({1, 96}, {.kind = FrameKind::kMark, .slot = {}, .durable_end = {1, 96}}, "", &segment);
  EXPECT_EQ(absl::BytesToHexString(segment), Listing("### Example of a segment"));

  auto refs = std::make_shared<FrameRefs>(FrameRefs{{64, 4}});
  EXPECT_EQ(absl::BytesToHexString(EncodeSidecar(ExampleInstall(), 1, 128, {{kSlot, 4711, refs}})),
            Listing("### Example of a sidecar"));

  std::string identity;
  for (const std::string& line : Block("### Example of an IDENTITY")) identity += line + "\n";
  SlotCounts slots(8);
  slots.Set(ServiceId::kCheckout, 16);
  EXPECT_EQ(EncodeIdentity({.install = ExampleInstall(), .slots = slots}), identity);
}

}  // namespace
}  // namespace halles::eventlog
