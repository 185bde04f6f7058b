// Plans the sagas of orders: what is asked of stock, what came back, and what it means for the order.
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
#include "libs/saga/saga.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::order {

// Of a plan, serialised: it is recorded with lines and prices, and the log takes no larger record.
inline constexpr size_t kPlanBytesMax = size_t{192} << 10;
// A reservation takes this many lines; those beyond it are asked for as one.
inline constexpr size_t kReserveLinesMax = 100;

using PricedLines = google::protobuf::RepeatedPtrField<v1::PricedLine>;

// What stock is to be held for.
struct Undertaking {
  std::string saga_id;  // and the id of its holds: "<order>/<attempt>", "<order>/x<n>"
  std::string order_id;
  std::string document_id;  // that gets the number
  std::string site_id;      // whose number it gets
  v1::Delivery delivery;
  const common::v1::Identifier* customer = nullptr;   // null: nobody
  std::map<std::string, std::string> carts_of_holds;  // of lines that came from another cart: whose hold it is
};

// Calls within a process are sent once; between processes a copy may be made. A refused step is therefore undone too: a
// copy of it that comes later must not find stock that was not there before.
inline constexpr saga::Options kSagaOptions{saga::kGiveUpMicros, /*sends_may_double=*/true};

// Stage 0 holds stock, one step per SKU with all its lines judged together; stage 1, the pivot, gives the number. Where
// lines of one SKU brought several holds along from the cart, each hold is replaced by a step of its own: its units are
// free for its own lines, and none is left behind. Lines that brought none go with the first.
// Nullopt when it has more steps or bytes than a saga may have.
std::optional<saga::v1::Plan> PlanOrder(const Undertaking& undertaking, const PricedLines& lines);

// Stage 0 moves the units of a fulfilment, one step per SKU and hold; there is no pivot: all of them can be taken back.
std::optional<saga::v1::Plan> PlanReroute(absl::string_view saga_id, absl::string_view order_id,
                                          const v1::Fulfilment& fulfilment, absl::string_view to_location_id);

// What each location does, of a saga of PlanOrder that completed. Fulfilments are numbered from `first`.
std::vector<v1::Fulfilment> FulfilmentsOf(const saga::v1::Saga& saga, const PricedLines& lines,
                                          const v1::Delivery& delivery, int first);

// The number that the pivot of such a saga gave; 0 when it has none.
int64_t NumberOf(const saga::v1::Saga& saga);

// Why such a saga, or one of PlanReroute, turned back: a problem per line that stock refused, or that it did not answer
// for.
std::vector<v1::Problem> ProblemsOf(const saga::v1::Saga& saga, const PricedLines& lines);
std::vector<v1::Problem> RerouteProblemsOf(const saga::v1::Saga& saga, const v1::Fulfilment& fulfilment);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_PLAN_H_
