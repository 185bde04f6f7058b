// Tests of the counts and sums of an import.
#include "services/hallesctl/import/summary.h"

#include "gtest/gtest.h"
#include "services/hallesctl/import/fields.h"

namespace halles::hallesctl {
namespace {

using namespace checkout::v1;  // NOLINT: the vocabulary of the tests

SourceRecord Record(bool is_return, const char* customer, std::initializer_list<ImportLine> lines) {
  SourceRecord record;
  if (is_return) {
    record.request.emplace<ImportReturnRequest>();
  } else {
    record.request.emplace<ImportOrderRequest>();
  }
  for (const ImportLine& line : lines) *record.mutable_record()->add_lines() = line;
  if (customer != nullptr) record.mutable_record()->add_identifiers()->set_value(customer);
  return record;
}

ImportLine Line(LineKind kind, const char* quantity, const char* price) {
  ImportLine line;
  line.set_kind(kind);
  *line.mutable_quantity() = *ToProto(*Decimal::Parse(quantity));
  *line.mutable_unit_price() = *ToProto(*Decimal::Parse(price));
  return line;
}

TEST(ImportSummary, CountsLinesByKindAndSumsThemExactly) {
  ImportSummary summary("GBP", 3);
  summary.AddImported(Record(false, "a", {Line(LINE_KIND_SALE, "3", "0.125"), Line(LINE_KIND_SERVICE, "1", "18.0")}));
  summary.AddImported(Record(true, "a", {Line(LINE_KIND_RETURN, "-1", "0.125")}));
  summary.AddImported(Record(false, nullptr, {Line(LINE_KIND_ADJUSTMENT, "-10", "0.0")}));
  summary.AddRefused(Record(false, "b", {Line(LINE_KIND_SALE, "2", "5")}), "EXTERNAL_ID_REUSED");
  summary.AddRefused(LineRefusal{.fault = LineFault::kBadTime, .amount = *Decimal::Parse("0.005")});
  summary.AddRefused(LineRefusal{.fault = LineFault::kWrongFieldCount});
  EXPECT_EQ(summary.ToJson(1.25),
            R"({"lines_read":7,"lines_imported":{"sale":1,"return":1,"adjustment":1,"service":1},)"
            R"("lines_refused":{"BAD_TIME":1,"EXTERNAL_ID_REUSED":1,"WRONG_FIELD_COUNT":1},)"
            R"("orders":2,"returns":1,"customers":1,"net":{"currency":"GBP","amount":"18.250"},)"
            R"("refused_net":{"currency":"GBP","amount":"10.005"},"refused_without_amount":1,"seconds":1.250})");
}

TEST(ImportSummary, IsZeroForAnEmptyJournal) {
  EXPECT_EQ(ImportSummary("USD", 2).ToJson(0),
            R"({"lines_read":0,"lines_imported":{"sale":0,"return":0,"adjustment":0,"service":0},"lines_refused":{},)"
            R"("orders":0,"returns":0,"customers":0,"net":{"currency":"USD","amount":"0.00"},)"
            R"("refused_net":{"currency":"USD","amount":"0.00"},"refused_without_amount":0,"seconds":0.000})");
}

}  // namespace
}  // namespace halles::hallesctl
