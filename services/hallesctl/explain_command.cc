// explain: the events behind a value, and whether they still add up to it.
#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/explained.h"
#include "services/hallesctl/print.h"
#include "services/hallesctl/progress.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using admin::v1::AdminService;
using admin::v1::ExplainEventRequest;
using admin::v1::ExplainEventResponse;
using checkout::v1::OrderService;
using customer_identity::v1::Amount;
using customer_identity::v1::CustomerIdentityService;
using customer_identity::v1::CustomerView;
using customer_identity::v1::GetCustomerViewRequest;

absl::StatusOr<ExplainEventResponse> Fetch(const Session& session, const std::string& event) {
  ExplainEventRequest request;
  request.set_event(event);
  return session.client.Call(&AdminService::Stub::ExplainEvent, *session.client.admin, request);
}

// Fetches events by their references, each once.
class Events {
 public:
  Events(const Session& session, Progress& progress, int64_t total)
      : session_(session), progress_(progress), total_(total) {}

  absl::StatusOr<EventValue> Get(const std::string& event) {
    const auto known = known_.find(event);
    if (known != known_.end()) return known->second;
    ASSIGN_OR_RETURN(const ExplainEventResponse answer, Fetch(session_, event));
    ASSIGN_OR_RETURN(EventValue value, ValueOfEvent(answer.event_json()));
    known_[event] = value;
    progress_.Update(known_.size(), static_cast<uint64_t>(total_), known_.size());
    return value;
  }

 private:
  const Session& session_;
  Progress& progress_;
  const int64_t total_;
  std::map<std::string, EventValue> known_;
};

// An amount of a view, and the sum of its events.
struct Explained {
  std::string of;
  Amount amount;
  int64_t recomputed = 0;
  bool agrees = false;
  std::vector<EventValue> values;  // one for each of amount.events, in the same order
};

absl::StatusOr<Explained> Explain(const std::string& of, const Amount& amount, Events& events) {
  Explained explained{.of = of, .amount = amount};
  bool same_currency = true;
  for (const std::string& event : amount.events()) {
    ASSIGN_OR_RETURN(EventValue value, events.Get(event));
    same_currency = same_currency && value.net.currency_code() == amount.money().currency_code();
    explained.recomputed += value.net.minor_units();
    explained.values.push_back(std::move(value));
  }
  explained.agrees = same_currency && explained.recomputed == amount.money().minor_units() &&
                     amount.events_size() == amount.event_count();
  return explained;
}

}  // namespace

void ExplainCommand::Register(Options& options) {
  Settings& settings = options.Command("explain", "Shows the events behind a value and whether they add up to it");
  settings.Argument("WHAT", "An event (checkout/17@4711#0), \"order\" or \"customer\"", &what);
  settings.Argument("ID", "For order: its id, or SOURCE:ID", &id, /*required=*/false);
  settings.Text("token", "Consistency token that the answer must have reached", &token);
  who.Register(settings);
}

absl::StatusOr<int> ExplainCommand::Run(const Session& session) const {
  if (what != "order" && !id.empty()) return UsageError(absl::StrCat("the argument \"", id, "\" is not expected"));
  if (what == "customer") return ExplainCustomer(session);
  if (what == "order") return ExplainOrder(session);
  if (!absl::StrContains(what, '@')) {
    return UsageError(absl::StrCat("\"", what, "\" cannot be explained: give an event such as checkout/17@4711#0, ",
                                   "\"order ID\", or \"customer\" with a flag that names one"));
  }
  return ExplainEvent(session, what);
}

absl::StatusOr<int> ExplainCommand::ExplainEvent(const Session& session, const std::string& event) const {
  ASSIGN_OR_RETURN(const ExplainEventResponse answer, Fetch(session, event));
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Field("event", event).Key("header");
    WriteHeader(answer.header(), &json);
    json.Field("verdict", answer.verdict()).Field("request_id", answer.request_id());
    json.Key("body").Raw(answer.event_json()).EndObject();
    session.out << json.text() << "\n";
    return kExitOk;
  }
  const log::v1::RecordHeader& header = answer.header();
  session.out << "Event      " << event << "\nRecord     "
              << EnumWord(log::v1::RecordKind_Name(header.kind()), "RECORD_KIND_") << " of term " << header.term()
              << ", sequence " << header.sequence() << ", " << answer.verdict() << "\nLogical    "
              << TimeText(header.logical_time_us() / 1'000'000) << "\nRequest    " << answer.request_id() << "\n\n"
              << IndentJson(answer.event_json()) << "\n";
  return kExitOk;
}

absl::StatusOr<int> ExplainCommand::ExplainOrder(const Session& session) const {
  checkout::v1::GetOrderRequest request = NameOrder(id);
  request.set_consistency_token(token);
  ASSIGN_OR_RETURN(const auto answer,
                   session.client.Call(&OrderService::Stub::GetOrder, *session.client.orders, request));
  if (!answer.has_imported()) {
    return UsageError(absl::StrCat("\"", id, "\" was placed here: only imported orders are explained, or an EVENT"));
  }
  const checkout::v1::ImportedOrder& order = answer.imported();
  Progress progress(session.err, session.err_width, session.clock, "explaining", "events");
  Events events(session, progress, 1 + order.returns_size());
  Amount amount;
  *amount.mutable_money() = order.sale().net();
  amount.set_event_count(1);
  amount.add_events(order.event());
  std::vector<Explained> all(1);
  ASSIGN_OR_RETURN(all[0], Explain("order", amount, events));
  int64_t lines = 0;
  for (const checkout::v1::RecordedLine& line : order.sale().lines()) lines += line.amount().minor_units();
  bool agrees = all[0].agrees && lines == order.sale().net().minor_units();
  for (const checkout::v1::ImportedOrderReturn& taken : order.returns()) {
    const bool here = taken.has_here();
    *amount.mutable_money() = here ? taken.here().sale().net() : taken.elsewhere().net();
    amount.set_events(0, taken.event());
    const std::string& name = here ? taken.here().return_id() : taken.elsewhere().external().external_id();
    ASSIGN_OR_RETURN(Explained explained, Explain(name, amount, events));
    agrees = agrees && explained.agrees;
    all.push_back(std::move(explained));
  }
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Field("order_id", order.order_id()).Field("lines_minor_units", lines).Key("events").BeginArray();
    for (const Explained& explained : all) {
      json.BeginObject().Field("event", explained.amount.events(0)).Field("type", explained.values[0].type);
      json.Key("net");
      WriteMoney(explained.amount.money(), &json);
      json.Field("recomputed_minor_units", explained.recomputed).Field("agrees", explained.agrees).EndObject();
    }
    json.EndArray().Field("agrees", agrees).EndObject();
    session.out << json.text() << "\n";
  } else {
    Table table({{"event"}, {"type", false, true}, {"net", true}, {"in the event", true}, {"agrees"}});
    for (const Explained& explained : all) {
      const std::string& currency = explained.amount.money().currency_code();
      table.Add({explained.amount.events(0), explained.values[0].type, AmountText(explained.amount.money()),
                 AmountText(explained.recomputed, currency), explained.agrees ? "yes" : "NO"});
    }
    session.out << table.Render(session.out_width) << "\n"
                << Thousands(order.sale().lines_size()) << " lines add up to "
                << AmountText(lines, order.sale().net().currency_code()) << ": "
                << (agrees ? "agrees" : "DOES NOT AGREE") << "\n";
  }
  return agrees ? kExitOk : kExitFailed;
}

absl::StatusOr<int> ExplainCommand::ExplainCustomer(const Session& session) const {
  GetCustomerViewRequest request;
  ASSIGN_OR_RETURN(*request.mutable_customer(), who.ToName());
  request.set_include_events(true);
  request.set_consistency_token(token);
  ASSIGN_OR_RETURN(const auto answer, session.client.Call(&CustomerIdentityService::Stub::GetCustomerView,
                                                          *session.client.customers, request));
  const CustomerView& view = answer.view();
  Progress progress(session.err, session.err_width, session.clock, "explaining", "events");
  Events events(session, progress, view.orders() + view.returns());
  std::vector<Explained> all;
  for (const Amount& amount : view.net()) {
    ASSIGN_OR_RETURN(Explained explained, Explain("net", amount, events));
    all.push_back(std::move(explained));
  }
  for (const customer_identity::v1::PlaceSummary& place : view.places()) {
    for (const Amount& amount : place.net()) {
      const std::string of = absl::StrCat(ChannelText(place.channel()), " ", place.site_id());
      ASSIGN_OR_RETURN(Explained explained, Explain(of, amount, events));
      all.push_back(std::move(explained));
    }
  }
  bool agrees = true;
  for (const Explained& explained : all) agrees = agrees && explained.agrees;
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Field("party_id", view.party_id()).Key("amounts").BeginArray();
    for (const Explained& explained : all) {
      json.BeginObject().Field("of", explained.of).Key("stated");
      WriteMoney(explained.amount.money(), &json);
      json.Field("event_count", explained.amount.event_count());
      json.Field("recomputed_minor_units", explained.recomputed).Field("agrees", explained.agrees);
      json.Key("events").BeginArray();
      for (int i = 0; i < explained.amount.events_size(); ++i) {
        json.BeginObject().Field("event", explained.amount.events(i)).Field("type", explained.values[i].type);
        json.Field("external_id", explained.values[i].external_id).Key("net");
        WriteMoney(explained.values[i].net, &json);
        json.EndObject();
      }
      json.EndArray().EndObject();
    }
    json.EndArray().Field("agrees", agrees).EndObject();
    session.out << json.text() << "\n";
    return agrees ? kExitOk : kExitFailed;
  }
  session.out << "Party " << view.party_id() << "\n\n";
  if (!view.net().empty()) {
    Table list({{"event"}, {"type", false, true}, {"external id", false, true}, {"net", true}});
    for (const Explained& explained : all) {
      if (explained.of != "net") continue;
      for (int i = 0; i < explained.amount.events_size(); ++i) {
        list.Add({explained.amount.events(i), explained.values[i].type, explained.values[i].external_id,
                  AmountText(explained.values[i].net)});
      }
    }
    session.out << list.Render(session.out_width) << "\n";
  }
  Table sums({{"amount", false, true}, {"events", true}, {"stated", true}, {"events add up to", true}, {"agrees"}});
  for (const Explained& explained : all) {
    const std::string& currency = explained.amount.money().currency_code();
    sums.Add({explained.of, Thousands(explained.amount.event_count()), AmountText(explained.amount.money()),
              AmountText(explained.recomputed, currency), explained.agrees ? "yes" : "NO"});
  }
  session.out << sums.Render(session.out_width) << "\n"
              << (agrees ? "Every amount agrees with its events.\n" : "AN AMOUNT DOES NOT AGREE with its events.\n");
  return agrees ? kExitOk : kExitFailed;
}

}  // namespace halles::hallesctl
