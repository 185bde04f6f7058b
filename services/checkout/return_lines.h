// Returned goods of an order placed here or imported: lines, units and their value.
#ifndef HALLES_SERVICES_CHECKOUT_RETURN_LINES_H_
#define HALLES_SERVICES_CHECKOUT_RETURN_LINES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/checkout/v1/record.pb.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/unix_time.h"
#include "services/checkout/amounts.h"

namespace halles::checkout {

using ReturnedLines = google::protobuf::RepeatedPtrField<v1::ReturnedLine>;

// Limits on the returns of one order: their number, and their size in bytes. An answer shows all returns of an order,
// so further ones are refused once either limit is reached.
inline constexpr int32_t kReturnsMax = 1'000;
inline constexpr int64_t kReturnBytesMax = int64_t{2} << 20;
// A refusal names at most this many earlier returns.
inline constexpr size_t kReturnsNamedMax = 10;

// The check of the door before it submits: INVALID_ARGUMENT that names the first invalid field.
absl::Status Validate(const v1::ReturnLinesRequest& request);

// The part of a line that may still be returned.
struct Returnable {
  std::string sku;
  std::string description;
  std::optional<common::v1::Decimal> unit_price;
  SoldLine sold;
  Decimal left;        // units that may be returned; an imported line may have fractions
  bool waits = false;  // more of it will be handed over
};
using ReturnableLines = std::map<std::string, Returnable>;  // by the line's id

// Finds the ids of the returns that took back goods of this line.
using TakenBy = absl::FunctionRef<std::vector<std::string>(const v1::ReturnedLine&)>;

// The returnable part of each line, which `find` returns for one line. Fills in the SKUs of `lines`. LINE_UNKNOWN if
// `find` returns nullopt or a line states another SKU.
absl::StatusOr<ReturnableLines> FindLines(ReturnedLines* lines,
                                          absl::FunctionRef<std::optional<Returnable>(const v1::ReturnedLine&)> find);

// Whether one of `lines` is for the same line of the order as `line`.
bool TakesFrom(const ReturnedLines& lines, const v1::ReturnedLine& line);

// The refusal RETURN_EXISTS.
absl::Status ReturnExists(const std::string& return_id);

// NOT_HANDED_OVER if more units of a line are returned than the customer has, while the rest is still to be handed
// over.
absl::Status CheckHandedOver(const ReturnedLines& lines, const ReturnableLines& returnable);
// RETURN_EXCEEDS_BOUGHT if more units of a line are returned than are left; names the returns that took the others
// back.
absl::Status CheckLeft(const ReturnedLines& lines, const ReturnableLines& returnable, TakenBy taken_by);
// The refusal RETURN_EXCEEDS_BOUGHT: of `what`, a line or a SKU, only `left` units may be returned, not `asked`.
absl::Status ExceedsBought(const v1::ReturnedLine& line, const std::string& what, int64_t asked, const Decimal& left,
                           TakenBy taken_by);

// The refusal TOO_MANY_RETURNS of an order with this number and size of returns.
absl::Status TooManyReturns(const std::string& order_id, int64_t returns, int64_t return_bytes);
// TOO_MANY_RETURNS if the order has no room for another return. `counts` holds the number and size of its returns.
template <class Counts>
absl::Status CheckRoom(const std::string& order_id, const Counts& counts) {
  if (counts.returns() < kReturnsMax && counts.return_bytes() < kReturnBytesMax) return absl::OkStatus();
  return TooManyReturns(order_id, counts.returns(), counts.return_bytes());
}

// Adds a return to the counts; `returned` is the part of it that an answer shows.
template <class Counts, class Returned>
void CountReturn(const Returned& returned, Counts* counts) {
  counts->set_returns(counts->returns() + 1);
  counts->set_return_bytes(counts->return_bytes() + static_cast<int64_t>(returned.ByteSizeLong()));
}

// A return without its lines.
struct ReturnHead {
  OrderId order;
  std::string return_id;
  v1::Origin origin;
  std::string location_id;
  std::string currency_code;
  google::protobuf::RepeatedPtrField<common::v1::Identifier> identifiers;
};

// Id of the document of a return or exchange: "<order>/<return>".
std::string DocumentIdOf(const OrderId& order, absl::string_view return_id);

// The value of each line, in minor units. `returnable` contains every line.
std::vector<int64_t> ValuesOf(const ReturnedLines& lines, const ReturnableLines& returnable);

// The return to record, whose lines have these values. AMOUNT_OVERFLOW if they add up to more than 64 bits.
absl::StatusOr<v1::GoodsReturned> DocumentReturn(const ReturnHead& head, const ReturnedLines& lines,
                                                 const ReturnableLines& returnable, const std::vector<int64_t>& values,
                                                 UnixMicros now);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_RETURN_LINES_H_
