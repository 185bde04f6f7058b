// order: one order as it is, whether it was imported or placed here, and the orders that need somebody.
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/message_json.h"
#include "services/hallesctl/print.h"
#include "services/hallesctl/print_order.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::GetOrderRequest;
using checkout::v1::OrderService;
using checkout::v1::WorkItem;

constexpr int32_t kPageSize = 1000;
constexpr absl::string_view kChanges =
    "place, cancel, return, exchange, prepare, ready, collect, ship, complete, delay, reroute";

}  // namespace

GetOrderRequest NameOrder(const std::string& text) {
  GetOrderRequest request;
  const size_t colon = text.find(':');
  if (colon != std::string::npos && colon > 0 && colon + 1 < text.size()) {
    request.mutable_external()->set_source(text.substr(0, colon));
    request.mutable_external()->set_external_id(text.substr(colon + 1));
  } else {
    request.set_order_id(text);
  }
  return request;
}

void OrderCommand::Register(Options& options) {
  Settings& settings =
      options.Command("order", "Shows one order with its returns, or what needs work; changes an order");
  settings.Argument(
      "WHAT", absl::StrCat("Order to show: its id, or SOURCE:ID as the source knows it; or work; or one of ", kChanges),
      &what);
  settings.Argument("ID", "Order that is changed; of place the cart", &id, false);
  settings.Text("token", "Consistency token that the answer must have reached", &token);
  settings.Text("request", "Request id: a repeated command is done once", &request);
  settings.Number("order-version", "Refuses unless the order has this version; 0: whichever", &version, 0, INT64_MAX);
  settings.Text("kind", "Of work: only late, stuck or contradictory", &kind);
  settings.Text("location", "Of return and exchange: location that receives the goods; of work: only this one",
                &location);
  settings.Text("fulfilment", "Fulfilment, such as f1; of cancel empty: the whole order", &fulfilment);
  settings.Text("to", "Of reroute: location that shall do it", &to);
  settings.Text("cause", "Of cancel and delay: why, never personal", &cause);
  settings.Text("tracking", "Of ship: parcel number", &tracking);
  settings.Text("promised", "Of delay: promised instead, such as 2026-12-24T18:00:00Z", &promised);
  settings.Text("channel", absl::StrCat("Of return, exchange and place: ", ChannelList()), &channel);
  settings.Text("site", "Of return, exchange and place: where, such as shop-a", &site);
  settings.Text("device", "Of return, exchange and place: till or kiosk", &device);
  settings.Text("return-id", "Of return: its id, unique within the order", &return_id);
  settings.Text("lines", "Of return and exchange: LINE:UNITS that come back, separated by commas", &lines);
  settings.Switch("unusable", "Of return and exchange: what comes back cannot be sold again", &unusable);
  settings.Text("reason", "Of return and exchange: why, never personal", &reason);
  settings.Text("exchange-id", "Of exchange: its id, unique within the order", &exchange_id);
  settings.Text("give", "Of exchange: LINE:SKU:UNITS:PRICE given instead, separated by commas", &give);
}

absl::StatusOr<int> OrderCommand::Run(const Session& session) const {
  if (what == "work") return Work(session);
  if (what == "show" && !id.empty()) return Show(session, id);
  if (id.empty()) return Show(session, what);
  if (std::optional<absl::StatusOr<int>> changed = Change(session); changed.has_value()) return *std::move(changed);
  return UsageError(absl::StrCat("order cannot ", what, ": valid are show, work, ", kChanges));
}

absl::StatusOr<int> OrderCommand::Show(const Session& session, const std::string& order) const {
  GetOrderRequest message = NameOrder(order);
  message.set_consistency_token(token);
  ASSIGN_OR_RETURN(const auto answer,
                   session.client.Call(&OrderService::Stub::GetOrder, *session.client.orders, message));
  if (session.json) {
    JsonWriter json;
    if (answer.has_imported()) {
      WriteImportedOrder(answer.imported(), &json);
    } else {
      WriteMessage(answer.placed(), &json);
    }
    session.out << json.text() << "\n";
  } else {
    session.out << (answer.has_imported() ? ImportedOrderText(answer.imported(), session.out_width)
                                          : OrderText(answer.placed(), session.out_width));
  }
  return kExitOk;
}

absl::StatusOr<int> OrderCommand::Work(const Session& session) const {
  checkout::v1::ListWorkQueueRequest message;
  for (const auto each :
       {checkout::v1::WORK_KIND_LATE, checkout::v1::WORK_KIND_STUCK, checkout::v1::WORK_KIND_CONTRADICTORY}) {
    if (kind == WordOf(each)) message.set_kind(each);
  }
  if (!kind.empty() && message.kind() == checkout::v1::WORK_KIND_UNSPECIFIED) {
    return UsageError(absl::StrCat("--kind cannot be \"", kind, "\": valid are late, stuck, contradictory"));
  }
  message.set_location_id(location);
  message.set_page_size(kPageSize);
  message.set_consistency_token(token);
  std::vector<WorkItem> items;
  std::string seen;
  do {
    ASSIGN_OR_RETURN(const auto page,
                     session.client.Call(&OrderService::Stub::ListWorkQueue, *session.client.orders, message));
    items.insert(items.end(), page.items().begin(), page.items().end());
    message.set_page_token(page.next_page_token());
    seen = page.consistency_token();
  } while (!message.page_token().empty());
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Key("items").BeginArray();
    for (const WorkItem& item : items) WriteMessage(item, &json);
    json.EndArray().Field("consistency_token", seen).EndObject();
    session.out << json.text() << "\n";
    return kExitOk;
  }
  Table table({{"since"},
               {"what"},
               {"order", false, true},
               {"fulfilment", false, false, 2},
               {"location", false, true},
               {"cause", false, true},
               {"event", false, false, 1}});
  for (const WorkItem& item : items) {
    table.Add({TimeText(item.since_time().seconds()), WordOf(item.kind()), item.order_id(), item.fulfilment_id(),
               item.location_id(), item.cause(), item.event()});
  }
  session.out << (items.empty() ? "nothing waits for anybody\n" : table.Render(session.out_width));
  return kExitOk;
}

}  // namespace halles::hallesctl
