// order: shows an order, imported or placed here, and the orders that need somebody's attention.
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
  Settings& settings = options.Command(
      "order", "Shows one order with its returns, lists orders that need attention, or changes an order");
  settings.Argument("WHAT", absl::StrCat("Order to show, by its id or SOURCE:ID; or work; or one of ", kChanges),
                    &what);
  settings.Argument("ID", "Order to change; for place the cart", &id, false);
  settings.Text("token", "Consistency token that the answer must have reached", &token);
  settings.Text("request", "Request id; a command that is repeated with the same id is executed once", &request);
  settings.Number("order-version", "Version that the order must have; 0 for any", &version, 0, INT64_MAX);
  settings.Text("kind", "For work: only late, stuck or contradictory", &kind);
  settings.Text("location", "Of return and exchange: location that receives the goods; of work: only this one",
                &location);
  settings.Text("fulfilment", "Fulfilment, such as f1; for cancel empty for the whole order", &fulfilment);
  settings.Text("to", "For reroute: the new location", &to);
  settings.Text("cause", "For cancel and delay: the cause, without personal data", &cause);
  settings.Text("tracking", "For ship: the parcel number", &tracking);
  settings.Text("promised", "For delay: the new promised time, such as 2026-12-24T18:00:00Z", &promised);
  settings.Text("channel", absl::StrCat("For return, exchange and place: ", ChannelList()), &channel);
  settings.Text("site", "For return, exchange and place: the site, such as shop-a", &site);
  settings.Text("device", "For return, exchange and place: the till or kiosk", &device);
  settings.Text("return-id", "For return: its id, unique within the order", &return_id);
  settings.Text("lines", "For return and exchange: returned LINE:UNITS, separated by commas", &lines);
  settings.Switch("unusable", "For return and exchange: the returned goods cannot be sold again", &unusable);
  settings.Text("reason", "For return and exchange: the reason, without personal data", &reason);
  settings.Text("exchange-id", "For exchange: its id, unique within the order", &exchange_id);
  settings.Text("give", "For exchange: new lines as LINE:SKU:UNITS:PRICE, separated by commas", &give);
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
  session.out << (items.empty() ? "no order needs attention\n" : table.Render(session.out_width));
  return kExitOk;
}

}  // namespace halles::hallesctl
