// Plans the sagas of orders, and interprets their outcomes.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_PLAN_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/common/v1/common.pb.h"
#include "halles/saga/v1/saga.pb.h"
#include "libs/base/unix_time.h"
#include "libs/saga/saga.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::order {

// Maximum size of a serialised plan: it is recorded with lines and prices, and the size of a record is limited.
inline constexpr size_t kPlanBytesMax = size_t{192} << 10;
// Maximum size of the event that confirms an order or completes an exchange. A record of 512 KiB then holds it with the
// outcome of the pivot; so it does the event that cancels the order, which repeats the fulfilments.
inline constexpr size_t kEndBytesMax = size_t{480} << 10;
// Why a saga turns back whose end would be larger.
inline constexpr absl::string_view kEndTooLarge =
    "stock would come from more locations than one record can hold: split it, or name fewer locations";
// Maximum number of problems that are named: one record holds them twice, for the order and for its cart.
inline constexpr size_t kProblemsMax = 100;
// Maximum number of lines per reservation; further lines are combined into one.
inline constexpr size_t kReserveLinesMax = 100;

using PricedLines = google::protobuf::RepeatedPtrField<v1::PricedLine>;

// The order or exchange that stock is held for.
struct Undertaking {
  std::string saga_id;   // "<order>/<attempt>" or "<order>/x<n>"; also the id of its holds
  UnixMicros start = 0;  // logical time of the decision
  std::string order_id;
  std::string document_id;  // document that gets the number
  std::string site_id;      // site whose series assigns the number
  v1::Delivery delivery;
  const common::v1::Identifier* customer = nullptr;   // null if unknown
  std::map<std::string, std::string> carts_of_holds;  // by hold of a merged line: the cart that owns it
};

// Calls within a process are sent once; between processes a call may be duplicated. A refused step is therefore
// cancelled too: a later copy of it must not succeed because stock has become available.
inline constexpr saga::Options kSagaOptions{saga::kGiveUpMicros, /*sends_may_double=*/true};

// Stage 0 holds stock, one step per SKU with all its lines decided together; stage 1, the pivot, assigns the number. If
// lines of one SKU have several holds from the cart, each hold is replaced in a step of its own, so that its units are
// available for its own lines and none is left over. Lines without a hold join the first step. nullopt if it has more
// steps or bytes than a saga may have.
std::optional<saga::v1::Plan> PlanOrder(const Undertaking& undertaking, const PricedLines& lines);

// Stage 0 of a saga that begins at `start` moves the units of a fulfilment, one step per SKU and hold. There is no
// pivot, because every move can be reversed.
std::optional<saga::v1::Plan> PlanReroute(absl::string_view saga_id, UnixMicros start, absl::string_view order_id,
                                          const v1::Fulfilment& fulfilment, absl::string_view to_location_id);

// The fulfilments of a saga of PlanOrder that has all its stock, numbered from `first`. They name the location that ships
// them and no other: an order may name 64, and has up to 64 fulfilments.
std::vector<v1::Fulfilment> FulfilmentsOf(const saga::v1::Saga& saga, const PricedLines& lines,
                                          const v1::Delivery& delivery, int first);

// The number that the pivot of a saga of PlanOrder assigned; 0 if there is none.
int64_t NumberOf(const saga::v1::Saga& saga);

// Why a saga of PlanOrder, or one of PlanReroute, failed: one problem per line that inventory refused or did not
// answer, at most kProblemsMax.
std::vector<v1::Problem> ProblemsOf(const saga::v1::Saga& saga, const PricedLines& lines);
std::vector<v1::Problem> RerouteProblemsOf(const saga::v1::Saga& saga, const v1::Fulfilment& fulfilment);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_PLAN_H_
