// What may be recorded, and how what was sent becomes what is recorded: limits, checks, amounts.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_RECORD_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "services/checkout/checks.h"

namespace halles::checkout::imports {

// Of an order or return as it was sent. With the amounts that are added it stays far below the largest record of the log,
// so that the links of returns that waited for the order fit behind it (kAwaitedBytesMax in commands.h).
inline constexpr size_t kRecordBytesMax = size_t{224} << 10;

// What the door asks before anything is submitted, identifiers already hashed: INVALID_ARGUMENT that names the first field
// which breaks a rule, such as "order.lines[3].unit_price".
absl::Status Validate(const v1::ImportOrderRequest& request);
absl::Status Validate(const v1::ImportReturnRequest& request);

// The same rules in three steps, since Decide gives each a reason of its own. `field` is the path of the record.
enum class RecordUse { kOrder, kReturn };
absl::Status CheckNothingInClear(absl::string_view field, const v1::ImportRecord& record);
absl::Status CheckShape(const v1::ImportOrderRequest& request);
absl::Status CheckShape(const v1::ImportReturnRequest& request);
// Only amounts can be wrong after CheckShape: one that does not fit 64 bits, or that is not exact with 9 decimals.
absl::Status CheckAmounts(absl::string_view field, const v1::ImportRecord& record, RecordUse use);

// The record with its amounts, rounded by its policy, identifiers strongest first. `record` passed CheckShape; errors as
// CheckAmounts.
absl::StatusOr<v1::SaleRecord> BuildSale(absl::string_view field, const v1::ImportRecord& record);

// Tells the same content from another under one external id. Identifiers count by their hashes.
std::string ContentHash(const v1::SaleRecord& sale, const v1::ExternalRef* original);

// What came back by the lines of kind RETURN, one item per SKU, sorted by SKU. OUT_OF_RANGE when a sum is not exact.
absl::StatusOr<std::vector<v1::ReturnedItem>> ReturnedItems(const v1::SaleRecord& sale);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_RECORD_H_
