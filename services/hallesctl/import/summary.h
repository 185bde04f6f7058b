// The result of an import: lines counted by kind and outcome, and the exact sum of their values.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_SUMMARY_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_SUMMARY_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "services/hallesctl/import/source.h"
#include "services/hallesctl/json.h"

namespace halles::hallesctl {

// Sums are exact and not rounded; returns are negative.
class ImportSummary {
 public:
  // Amounts are of this currency and printed with at least so many decimals.
  ImportSummary(absl::string_view currency, int decimals);
  explicit ImportSummary(const Source& source) : ImportSummary(source.currency(), source.price_decimals()) {}

  // Adds an order or return that was recorded.
  void AddImported(const SourceRecord& record);
  // Adds all lines of an order or return that was refused as a whole.
  void AddRefused(const SourceRecord& record, absl::string_view reason);
  // Adds a line that did not become part of an order or return.
  void AddRefused(const LineRefusal& refusal);

  int64_t lines_refused() const { return lines_refused_; }
  int64_t lines_read() const { return lines_refused_ + sales_ + returned_ + adjustments_ + services_; }
  int64_t records() const { return orders_ + returns_; }

  // The fields of a JSON object; `seconds` is how long it took.
  void WriteFields(double seconds, JsonWriter* json) const;
  std::string ToJson(double seconds) const;
  // A summary for people, in a few lines.
  std::string ToText() const;

 private:
  std::string Amount(const Decimal& sum) const;
  static void AddTo(Decimal* sum, const Decimal& amount);

  std::string currency_;
  int decimals_;
  int64_t sales_ = 0;
  int64_t returned_ = 0;
  int64_t adjustments_ = 0;
  int64_t services_ = 0;
  int64_t lines_refused_ = 0;
  int64_t refused_without_amount_ = 0;
  std::map<std::string, int64_t> refused_by_reason_;
  int64_t orders_ = 0;
  int64_t returns_ = 0;
  std::unordered_set<std::string> customers_;  // counted, never iterated
  Decimal net_;
  Decimal refused_net_;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_SUMMARY_H_
