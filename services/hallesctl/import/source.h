// The interface of a journal: records to import, with file and line number of each line.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_SOURCE_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_SOURCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/base/money.h"

namespace halles::hallesctl {

// The place of a line in a journal.
struct LineAt {
  uint32_t file = 0;  // index, see Source::file_name
  int64_t line = 0;   // from 1
};

// Why a line cannot become part of a record. FaultName gives the printed names.
enum class LineFault {
  kWrongFieldCount,
  kUnterminatedQuote,
  kStrayQuote,
  kLineTooLong,
  kBadExternalId,
  kBadSku,
  kBadDescription,
  kBadQuantity,
  kBadPrice,
  kBadAmount,
  kBadDiscount,
  kBadTime,
  kBadSite,
  kBadCustomer,
  kCustomerDiffers,  // differs from the customer of the lines before it in the same record
};

// "WRONG_FIELD_COUNT" and so on.
absl::string_view FaultName(LineFault fault);

// A line that is not imported.
struct LineRefusal {
  LineAt at;
  LineFault fault = LineFault::kWrongFieldCount;
  std::string message;            // what was wrong
  std::optional<Decimal> amount;  // value of the line, if it can be read
};

// One order or return of the journal, or only refused lines. The request has no request_id yet.
struct SourceRecord {
  std::variant<std::monostate, checkout::v1::ImportOrderRequest, checkout::v1::ImportReturnRequest> request;
  std::vector<LineAt> lines;  // lines[i] is the place of the i-th line of the record
  std::vector<LineRefusal> refusals;

  // The order or return; null when there is none.
  const checkout::v1::ImportRecord* record() const;
  checkout::v1::ImportRecord* mutable_record();
};

// A journal, read once from its beginning to its end.
// Every line belongs to a record or to a refusal; blank lines and headers do not count as lines.
// Thread safety: one thread at a time.
class Source {
 public:
  virtual ~Source() = default;

  // The next record in the order of the journal; nullopt at its end. An error ends the journal: the file cannot be
  // read, or it is a journal of another kind.
  virtual absl::StatusOr<std::optional<SourceRecord>> Next() = 0;

  // The name of the source in ids, such as "uci".
  virtual absl::string_view name() const = 0;
  // ISO 4217 code of all amounts.
  virtual absl::string_view currency() const = 0;
  // The number of decimals that prices may have; sums are printed with at least as many.
  virtual int price_decimals() const = 0;
  virtual std::string file_name(uint32_t file) const = 0;
  virtual uint64_t bytes_total() const = 0;
  virtual uint64_t bytes_done() const = 0;
};

// Opens a journal of the kind `source` at `path`, a file or a folder. INVALID_ARGUMENT that names the known kinds;
// NOT_FOUND when there is no journal at the path.
absl::StatusOr<std::unique_ptr<Source>> OpenSource(absl::string_view source, const std::string& path);

// The kinds, for help texts.
inline constexpr absl::string_view kSourceNames[] = {"uci", "complete-journey"};

// The id of the request that imports a record, such as "uci/order/536365"; an external id of more than 64 bytes is
// replaced by its hash. It never changes, so a repeated import is recognised.
std::string RequestIdOf(const checkout::v1::ExternalRef& external, bool is_return);

// The value of a line of a record: its exact amount, or quantity times price.
absl::StatusOr<Decimal> ExactAmountOf(const checkout::v1::ImportLine& line);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_SOURCE_H_
