// Tests of the CSV reader.
#include "services/hallesctl/import/csv.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

using ::testing::ElementsAre;

struct Read {
  int64_t line;
  CsvFault fault;
  std::vector<std::string> fields;
};

std::vector<Read> ReadAll(CsvReader& reader) {
  std::vector<Read> all;
  CsvRecord record;
  while (reader.Next(&record).value()) {
    all.push_back({record.line, record.fault, {record.fields.begin(), record.fields.end()}});
  }
  return all;
}

std::vector<Read> ReadAll(std::string text) { return ReadAll(*CsvReader::FromString(std::move(text))); }

TEST(Csv, ReadsPlainLines) {
  const auto all = ReadAll("a,b\nc,,d\n");
  ASSERT_EQ(all.size(), 2);
  EXPECT_THAT(all[0].fields, ElementsAre("a", "b"));
  EXPECT_THAT(all[1].fields, ElementsAre("c", "", "d"));
  EXPECT_EQ(all[1].line, 2);
}

TEST(Csv, RemovesCarriageReturnsOnlyAtTheEndOfALine) {
  const auto all = ReadAll("a\rb,\"c\"\r\nd,e\r\n");
  ASSERT_EQ(all.size(), 2);
  EXPECT_THAT(all[0].fields, ElementsAre("a\rb", "c"));
  EXPECT_THAT(all[1].fields, ElementsAre("d", "e"));
}

TEST(Csv, ReadsTheLastLineWithoutAnEnd) { EXPECT_THAT(ReadAll("a\nb").back().fields, ElementsAre("b")); }

TEST(Csv, SkipsBlankLinesAndTheByteOrderMarkButCountsLines) {
  const auto all = ReadAll(
      "\xEF\xBB\xBF"
      "a\n\r\n\nb\n");
  ASSERT_EQ(all.size(), 2);
  EXPECT_THAT(all[0].fields, ElementsAre("a"));
  EXPECT_EQ(all[1].line, 4);
}

TEST(Csv, RemovesQuotes) {
  const auto all = ReadAll("\"TRAY, BIG\",\"7\"\" RECORD\",\"\",\"two\nlines\"\nnext\n");
  ASSERT_EQ(all.size(), 2);
  EXPECT_THAT(all[0].fields, ElementsAre("TRAY, BIG", "7\" RECORD", "", "two\nlines"));
  EXPECT_EQ(all[1].line, 3);
}

TEST(Csv, KeepsAQuoteInAnUnquotedField) {
  EXPECT_THAT(ReadAll("7\" RECORD,x\n")[0].fields, ElementsAre("7\" RECORD", "x"));
}

TEST(Csv, LosesOneLineToAQuoteThatNeverCloses) {
  std::string text = "ok,1\nbad,\"open\n";
  for (int i = 0; i < 100; ++i) absl::StrAppend(&text, "row,", i, "\n");
  const auto all = ReadAll(text);
  ASSERT_EQ(all.size(), 102);
  EXPECT_EQ(all[1].fault, CsvFault::kUnterminatedQuote);
  EXPECT_EQ(all[1].line, 2);
  EXPECT_THAT(all[2].fields, ElementsAre("row", "0"));
  EXPECT_EQ(all[101].line, 102);
}

TEST(Csv, LosesOneLineToTextAfterAClosingQuote) {
  const auto all = ReadAll("\"a\"b,c\nd,e\n");
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].fault, CsvFault::kStrayQuote);
  EXPECT_THAT(all[1].fields, ElementsAre("d", "e"));
}

TEST(Csv, LosesOneLineToARecordBeyondTheLimit) {
  const auto all = ReadAll(std::string(CsvReader::kRecordBytesMax + 1, 'x') + "\nd,e\n");
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].fault, CsvFault::kTooLong);
  EXPECT_THAT(all[1].fields, ElementsAre("d", "e"));
}

TEST(Csv, ReadsRecordsAcrossBufferEdges) {
  const std::string path = absl::StrCat(::testing::TempDir(), "csv_test_", getpid(), ".csv");
  {
    std::ofstream out(path);
    for (int i = 0; i < 60000; ++i) out << i << ",\"a \"\"quoted\"\", field " << i << "\",plain\r\n";
  }
  auto reader = CsvReader::OpenFile(path).value();
  const auto all = ReadAll(*reader);
  ASSERT_EQ(all.size(), 60000);
  for (int i = 0; i < 60000; ++i) {
    ASSERT_EQ(all[i].line, i + 1);
    ASSERT_THAT(all[i].fields, ElementsAre(absl::StrCat(i), absl::StrCat("a \"quoted\", field ", i), "plain"));
  }
  std::remove(path.c_str());
}

TEST(Csv, NamesAFileThatItCannotOpen) {
  const auto reader = CsvReader::OpenFile("/nonexistent/x.csv");
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(reader.status().message()), ::testing::HasSubstr("/nonexistent/x.csv"));
}

}  // namespace
}  // namespace halles::hallesctl
