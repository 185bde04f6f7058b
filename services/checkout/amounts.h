// Amounts of orders, of their lines and of parts of lines.
#ifndef HALLES_SERVICES_CHECKOUT_AMOUNTS_H_
#define HALLES_SERVICES_CHECKOUT_AMOUNTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/unix_time.h"

namespace halles::checkout {

// The source of documents that halles itself creates.
inline constexpr absl::string_view kHere = "halles";

common::v1::Money MoneyOf(absl::string_view currency_code, int64_t minor_units);

// Units times price, rounded half up, in minor units. AMOUNT_OVERFLOW if it does not fit into 64 bits.
absl::StatusOr<int64_t> AmountOf(int64_t units, const common::v1::Decimal& unit_price, absl::string_view currency_code);

// The snapshot of `lines`, whose amounts are set, with its total and hash. AMOUNT_OVERFLOW if the total does not fit
// into 64 bits.
absl::StatusOr<v1::PriceSnapshot> SnapshotOf(google::protobuf::RepeatedPtrField<v1::PricedLine> lines,
                                             absl::string_view currency_code);

// The data from which the value of a part of a line is computed.
struct SoldLine {
  int64_t amount = 0;  // of the whole line, in minor units
  int64_t all = 0;     // its quantity, unscaled
  uint32_t scale = 0;
  int64_t gone = 0;  // units that were cancelled or returned before
};

// The value of `units` units of a line, after `gone` units were cancelled or returned. `all` is the quantity of the
// line, unscaled, with `scale` decimal places. Each value is the difference of two rounded sums, so the parts of a line
// add up exactly to its amount. `gone` and `units` together are at most the quantity.
int64_t PartOf(int64_t amount, int64_t all, uint32_t scale, int64_t gone, int64_t units);

// A document without lines; its net is 0.
v1::SaleRecord DocumentOf(absl::string_view document_id, const v1::Origin& origin, absl::string_view currency_code,
                          const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers,
                          UnixMicros now);

// Adds the lines of a snapshot as sold to a document made by DocumentOf. AMOUNT_OVERFLOW if its net does not fit into
// 64 bits.
absl::Status AddSold(const v1::PriceSnapshot& snapshot, v1::SaleRecord* document);

// Adds a line that takes back `units` with value `amount`, both positive, as AddSold does; `kind` gives the reason.
absl::Status AddTakenOff(v1::LineKind kind, absl::string_view sku, absl::string_view description,
                         const common::v1::Decimal* unit_price, int64_t units, int64_t amount,
                         v1::SaleRecord* document);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_AMOUNTS_H_
