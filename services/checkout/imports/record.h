// Checks imported orders and returns, and converts them to records with amounts.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_RECORD_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_RECORD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "libs/base/money.h"
#include "services/checkout/checks.h"

namespace halles::checkout::imports {

// Maximum size of an order or return as it was sent, in bytes. With the added amounts, it stays far below the largest
// record of the log, so that its record has room for the links of waiting returns (kAwaitedBytesMax in commands.h).
inline constexpr size_t kRecordBytesMax = size_t{224} << 10;

// The check of the door before it submits; identifiers are already hashed. INVALID_ARGUMENT that names the first
// invalid field, such as "order.lines[3].unit_price".
absl::Status Validate(const v1::ImportOrderRequest& request);
absl::Status Validate(const v1::ImportReturnRequest& request);

// The same rules in three steps, because Decide gives each step a reason of its own. `field` is the path of the record.
enum class RecordUse { kOrder, kReturn };
absl::Status CheckNothingInClear(absl::string_view field, const v1::ImportRecord& record);
absl::Status CheckShape(const v1::ImportOrderRequest& request);
absl::Status CheckShape(const v1::ImportReturnRequest& request);
// After CheckShape, only an amount can be invalid: it may not fit into 64 bits, or not be exact with 9 decimal places.
absl::Status CheckAmounts(absl::string_view field, const v1::ImportRecord& record, RecordUse use);

// The record with its amounts, rounded by its policy, and with the strongest identifier first. `record` must have
// passed CheckShape. Same errors as CheckAmounts.
absl::StatusOr<v1::SaleRecord> BuildSale(absl::string_view field, const v1::ImportRecord& record);

// Hash of the content: tells a repeat from different content under one external id. Identifiers are included as hashes.
std::string ContentHash(const v1::SaleRecord& sale, const v1::ExternalRef* original);

// The quantity of each SKU that the customer kept: that of lines of kind SALE minus that of lines of kind RETURN in the
// same record, and at least 0.
std::map<std::string, Decimal> KeptBySku(const v1::SaleRecord& sale);

// The returned quantities of the lines of kind RETURN, one item per SKU, sorted by SKU. OUT_OF_RANGE if a sum is not
// exact.
absl::StatusOr<std::vector<v1::ReturnedItem>> ReturnedItems(const v1::SaleRecord& sale);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_RECORD_H_
