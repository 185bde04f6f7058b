// Tests of the bytes of a record: the worked example of FORMAT.md, round trips, and invalid bytes.
#include "libs/eventlog/record.h"

#include <fstream>
#include <random>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/eventlog/protocol_fixture.h"

namespace halles::eventlog {
namespace {

using test::Identity;
using test::Instance;
using test::kSlot;

// The record in FORMAT.md.
RecordHeader ExampleHeader() {
  RecordHeader header;
  header.kind = RecordKind::kSeal;
  header.final_seal = true;
  header.term = 3;
  header.instance = Instance('A');
  header.sequence = 258;
  header.logical_time = 1'700'000'000'000'000;
  header.minimum_level = 1;
  header.previous = GenesisChain(Identity(), kSlot);
  return header;
}

// The hex digits of the listing after `heading` in FORMAT.md. Each line has an offset, bytes, and two spaces before the
// explanation.
std::string Listing(absl::string_view heading) {
  std::ifstream file(HALLES_FORMAT_MD);
  std::string line;
  std::string hex;
  while (std::getline(file, line) && line != std::string(heading)) {
  }
  while (std::getline(file, line) && line != "```") {
  }
  while (std::getline(file, line) && line != "```") {
    std::istringstream words(line.substr(0, line.find("  ", 4)));
    std::string word;
    words >> word;
    while (words >> word) hex += word;
  }
  return hex;
}

TEST(Record, MatchesTheFormatDocument) {
  const std::string record = EncodeRecord(ExampleHeader(), "body");
  EXPECT_EQ(absl::BytesToHexString(record), Listing("### Example of a record"));
}

TEST(Record, ChainsAsInTheFormatDocument) {
  const std::string record = EncodeRecord(ExampleHeader(), "body");
  EXPECT_EQ(ChainAfter(GenesisChain(Identity(), kSlot), record).Hex(), Listing("### Example of a chain"));
}

TEST(Record, RoundTrips) {
  RecordHeader header = ExampleHeader();
  header.kind = RecordKind::kClaim;
  header.forced = true;
  header.final_seal = false;
  const std::string bytes = EncodeRecord(header, "any body");
  const ParsedRecord parsed = ParseRecord(bytes);
  ASSERT_EQ(parsed.outcome, ParseOutcome::kOk);
  EXPECT_EQ(parsed.header, header);
  EXPECT_EQ(parsed.body, "any body");
}

TEST(Record, IsTheSameWhenTheHeaderIsWrittenInPlace) {
  std::string buffer = test::Buffer("body");
  EncodeHeaderInPlace(ExampleHeader(), &buffer);
  EXPECT_EQ(buffer, EncodeRecord(ExampleHeader(), "body"));
}

TEST(Record, KeepsTheNumberOfAnUnknownKind) {
  RecordHeader header = ExampleHeader();
  header.kind = static_cast<RecordKind>(200);
  const std::string bytes = EncodeRecord(header, "");
  EXPECT_EQ(ParseRecord(bytes).outcome, ParseOutcome::kOk);
  EXPECT_EQ(KindName(ParseRecord(bytes).header.kind), "UNKNOWN");
}

TEST(ParseRecord, ReportsBytesWithoutOurHeaderAsForeign) {
  for (absl::string_view bytes : {"", "H", "HLR", "{\"json\": true}"}) {
    EXPECT_EQ(ParseRecord(bytes).outcome, ParseOutcome::kForeign) << bytes;
  }
}

TEST(ParseRecord, ReportsTruncatedRecordsAsForeignOrDamaged) {
  const std::string record = EncodeRecord(ExampleHeader(), "body");
  for (size_t length = 0; length < record.size(); ++length) {
    const ParseOutcome expected = length <= 3 ? ParseOutcome::kForeign : ParseOutcome::kDamaged;
    EXPECT_EQ(ParseRecord(absl::string_view(record).substr(0, length)).outcome, expected) << length;
  }
  EXPECT_EQ(ParseRecord(absl::StrCat(record, "x")).outcome, ParseOutcome::kDamaged);
}

TEST(ParseRecord, NamesAFormatOfALaterBuild) {
  std::string record = EncodeRecord(ExampleHeader(), "body");
  record[3] = kFormatVersion + 1;
  EXPECT_EQ(ParseRecord(record).outcome, ParseOutcome::kNewerFormat);
  record[3] = 0;
  EXPECT_EQ(ParseRecord(record).outcome, ParseOutcome::kDamaged);
}

TEST(ParseRecord, ReportsUnknownFlagsAndReservedBytesAsDamaged) {
  for (size_t at : {size_t{5}, size_t{6}, size_t{7}}) {
    std::string record = EncodeRecord(ExampleHeader(), "body");
    record[at] = static_cast<char>(record[at] | 0x40);
    EXPECT_EQ(ParseRecord(record).outcome, ParseOutcome::kDamaged) << at;
  }
}

TEST(ParseRecord, SurvivesArbitraryBytes) {
  std::mt19937_64 random(20240607);
  for (int round = 0; round < 200'000; ++round) {
    std::string bytes = round % 2 == 0 ? EncodeRecord(ExampleHeader(), "body") : std::string(random() % 200, '\0');
    const size_t changes = bytes.empty() ? 0 : 1 + random() % (round % 2 == 0 ? 4 : bytes.size());
    for (size_t i = 0; i < changes; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
    const ParsedRecord parsed = ParseRecord(bytes);
    if (parsed.outcome == ParseOutcome::kOk) {
      ASSERT_EQ(EncodeRecord(parsed.header, parsed.body), bytes);
    }
  }
}

TEST(GenesisChain, DiffersByInstallServiceSlotAndSlotCount) {
  const Hash256 chain = GenesisChain(Identity(), kSlot);
  LogIdentity fewer = Identity();
  fewer.slots = SlotCounts(32);
  EXPECT_NE(chain, GenesisChain(Identity(8), kSlot));
  EXPECT_NE(chain, GenesisChain(fewer, kSlot));
  EXPECT_NE(chain, GenesisChain(Identity(), SlotId{ServiceId::kLoyalty, 17}));
  EXPECT_NE(chain, GenesisChain(Identity(), SlotId{ServiceId::kCheckout, 18}));
}

}  // namespace
}  // namespace halles::eventlog
