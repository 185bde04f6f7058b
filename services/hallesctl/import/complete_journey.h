// The journal of a grocer's year ("Complete Journey"): one CSV file, one line an article of a basket, written by
// scripts/fetch-complete-journey.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_COMPLETE_JOURNEY_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_COMPLETE_JOURNEY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "services/hallesctl/import/fields.h"
#include "services/hallesctl/import/source.h"

namespace halles::hallesctl {

// Consecutive lines of one basket become one order of one household in one store. The exact amount is what the shop
// received: discounts are already deducted, and recorded by kind. All lines are sales, even those of quantity or value
// zero. A basket that appears again later becomes a second record with the same external id, which checkout refuses. A
// damaged line is refused alone; the rest of its basket is imported.
class CompleteJourneySource : public Source {
 public:
  // The file, or a folder that holds transactions.csv.
  static absl::StatusOr<std::unique_ptr<CompleteJourneySource>> Open(const std::string& path);

  absl::StatusOr<std::optional<SourceRecord>> Next() override;
  absl::string_view name() const override { return "complete-journey"; }
  absl::string_view currency() const override { return "USD"; }
  int price_decimals() const override { return 2; }
  std::string file_name(uint32_t) const override { return file_; }
  uint64_t bytes_total() const override { return bytes_total_; }
  uint64_t bytes_done() const override { return reader_->offset(); }

 private:
  CompleteJourneySource() = default;
  // Adds the line to the basket, or returns a refusal: it cannot be read, or belongs to another household, store or
  // time.
  std::optional<LineRefusal> AddLine(const CsvRecord& line, SourceRecord* basket);

  std::string file_;
  uint64_t bytes_total_ = 0;
  std::unique_ptr<CsvReader> reader_;
  Columns columns_;
  CsvRecord line_;  // the first line of the next basket, read ahead
  bool has_line_ = false;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_COMPLETE_JOURNEY_H_
