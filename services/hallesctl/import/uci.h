// The journal of a British giftware retailer (UCI "Online Retail"): one CSV file a day, one line an article of an invoice.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_UCI_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_UCI_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "halles/checkout/v1/record.pb.h"
#include "services/hallesctl/import/fields.h"
#include "services/hallesctl/import/source.h"

namespace halles::hallesctl {

// The kind of a line of this journal. `customer` is true if the line names a customer.
checkout::v1::LineKind UciLineKind(absl::string_view invoice, absl::string_view stock_code, const Decimal& quantity,
                                   const Decimal& unit_price, bool customer);

// Invoices whose number begins with C become returns without a reference to a sale; all others become orders. Lines
// keep the exact prices and the order of the journal; equal lines stay separate. The time is that of the invoice's
// first line. An invoice is complete at the end of the last file that mentions it, however its lines are scattered:
// opening the journal reads the invoice numbers of all files once. A damaged line is refused alone; the rest of its
// invoice is imported.
// Limits: the lines of the unfinished invoices of one file are in memory.
class UciSource : public Source {
 public:
  // A CSV file, or a folder: all its *.csv, by name.
  static absl::StatusOr<std::unique_ptr<UciSource>> Open(const std::string& path);

  absl::StatusOr<std::optional<SourceRecord>> Next() override;
  absl::string_view name() const override { return "uci"; }
  absl::string_view currency() const override { return "GBP"; }
  int price_decimals() const override { return 3; }
  std::string file_name(uint32_t file) const override { return files_[file]; }
  uint64_t bytes_total() const override { return bytes_total_; }
  // A file counts as done to the share of its records that were returned.
  uint64_t bytes_done() const override;

 private:
  // One line that could be read.
  struct Line {
    LineAt at;
    std::string stock_code;
    std::string description;
    Decimal quantity;
    Decimal unit_price;
    Decimal amount;
    bool names_customer = false;
  };
  struct Invoice {
    std::string number;
    int64_t time_s = 0;
    std::string customer;  // empty while no line names one
    std::vector<Line> lines;
    std::vector<LineRefusal> refusals;
  };

  UciSource() = default;
  absl::Status IndexInvoices();
  // Reads one file and moves the invoices that end in it to ready_.
  absl::Status ReadFile(uint32_t file);
  void AddLine(const CsvRecord& record, const Columns& columns, uint32_t file);
  static SourceRecord Finish(Invoice invoice);

  std::vector<std::string> files_;
  uint64_t bytes_total_ = 0;
  uint64_t bytes_before_ = 0;  // of the files before the current one
  uint64_t file_bytes_ = 0;    // of the current one
  uint32_t next_file_ = 0;
  std::unordered_map<std::string, uint32_t> last_file_;  // of each invoice; only looked up, never iterated
  std::vector<Invoice> open_;                            // in the order of their first lines
  std::unordered_map<std::string, size_t> open_index_;   // into open_
  std::deque<SourceRecord> ready_;                       // of the current file, not yet returned
  size_t ready_count_ = 0;                               // size of ready_ after the file was read
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_UCI_H_
