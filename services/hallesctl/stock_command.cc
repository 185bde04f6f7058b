// stock: stock levels, the events behind them, and an operator's actions on them.
#include <functional>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/message_json.h"
#include "services/hallesctl/print_order.h"
#include "services/hallesctl/stock_sums.h"
#include "services/hallesctl/table.h"
#include "services/hallesctl/writes.h"

namespace halles::hallesctl {
namespace {

using inventory::v1::GetAvailabilityRequest;
using inventory::v1::GetAvailabilityResponse;
using inventory::v1::InventoryService;
using inventory::v1::StockLevel;
using inventory::v1::StockMovement;

constexpr int32_t kPageSize = 1000;
constexpr int64_t kUnitsMax = 1'000'000'000'000;
constexpr int64_t kSecondsMax = 400 * 24 * 3600;
constexpr absl::string_view kDone =
    "receive, count, adjust, backorder, reserve, extend, move, release, commit, ship, return, send and arrive";

// Prints an answer with one or two levels, or with a hold.
template <typename Response>
int Tell(const Session& session, const Response& response) {
  if (session.json) {
    JsonWriter json;
    WriteMessage(response, &json);
    session.out << json.text() << "\n";
    return kExitOk;
  }
  if constexpr (requires { response.level(); }) {
    session.out << LevelsText({response.level()}, session.out_width);
  } else if constexpr (requires { response.from_level(); }) {
    session.out << LevelsText({response.from_level(), response.to_level()}, session.out_width);
  } else {
    session.out << HoldText(response.hold(), session.out_width);
  }
  return kExitOk;
}

// Sends the request and prints the answer.
template <typename Request, typename Response>
absl::StatusOr<int> Do(const Session& session, const std::string& request_id,
                       grpc::Status (InventoryService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       Request request) {
  ASSIGN_OR_RETURN(const Response response,
                   Write(session, request_id, method, *session.client.inventory, std::move(request)));
  return Tell(session, response);
}

// Parses a word such as "dated_pickup" as an enum value; an error names the valid words.
template <typename Enum>
absl::StatusOr<Enum> ParseWord(absl::string_view flag, absl::string_view word) {
  const google::protobuf::EnumDescriptor* const words = google::protobuf::GetEnumDescriptor<Enum>();
  std::vector<std::string> valid;
  for (int i = 0; i < words->value_count(); ++i) {
    const std::string each = EnumWord(words->value(i));
    if (!each.empty() && each == word) return static_cast<Enum>(words->value(i)->number());
    if (!each.empty()) valid.push_back(each);
  }
  return UsageError(absl::StrCat("--", flag, " cannot be \"", word, "\": valid are ", absl::StrJoin(valid, ", ")));
}

struct ExplainedLevel {
  StockLevel level;
  std::vector<StockMovement> movements;
  StockSums sums;
};

}  // namespace

void StockCommand::Register(Options& options) {
  Settings& settings = options.Command("stock", "Shows stock, lists the events behind it, or changes it");
  settings.Argument("WHAT", absl::StrCat("SKU to show, or list, explain, hold; or one of ", kDone), &what);
  settings.Argument("SKU", "SKU of the action", &sku, false);
  settings.Text("location", "Location; for reserve the candidate locations, separated by commas", &location);
  settings.Text("prefix", "For list: only SKUs that start with this text", &prefix);
  settings.Text("token", "Consistency token that the answer must have reached", &token);
  settings.Text("request", "Request id; a command that is repeated with the same id is executed once", &request);
  settings.Number("units", "Units; for adjust a negative number removes units: --units=-3", &units, -kUnitsMax,
                  kUnitsMax);
  settings.Number("expected", "For count: recorded units when the count began; -1 if it is not to be checked",
                  &expected, -1, kUnitsMax);
  settings.Text("reason", "Of adjust: damaged, lost, found, returned_to_supplier, internal_use, correction", &reason);
  settings.Text("note", "For adjust: explanation, without personal data", &note);
  settings.Text("reference", "For receive: delivery note; for return: order and return", &reference);
  settings.Text("hold", "Id of the hold", &hold);
  settings.Text("to", "For send: the receiving location; for move: the candidate locations, separated by commas", &to);
  settings.Switch("split", "For reserve and move: the units may come from several locations", &split);
  settings.Text("purpose", "Of reserve: cart, checkout, dated_pickup, appointment, transfer, offline_allotment",
                &purpose);
  settings.Text("owner", "For reserve: kind and id of the owner, such as cart/c-42", &owner);
  settings.Number("expires-in", "For reserve and extend: seconds until the hold expires; 0 for never", &expires_in, 0,
                  kSecondsMax);
  settings.Text("order", "For commit: order that the hold becomes part of", &order);
  settings.Number("unusable", "For return: units that cannot be sold again", &unusable, 0, kUnitsMax);
  settings.Text("transfer", "For send and arrive: id of the transfer", &transfer);
  settings.Number("lost", "For arrive: units that were lost on the way", &lost, 0, kUnitsMax);
}

absl::StatusOr<int> StockCommand::Run(const Session& session) const {
  using Stub = InventoryService::Stub;
  const auto at = [this](auto message) {
    message.set_sku(sku);
    message.set_location_id(location);
    return message;
  };
  const auto of_hold = [this](auto message) {
    message.set_sku(sku);
    message.set_hold_id(hold);
    return message;
  };
  const std::map<std::string, std::function<absl::StatusOr<int>()>> commands = {
      {"show", [&] { return Show(session, sku); }},
      {"explain", [&] { return Explain(session); }},
      {"hold", [&] { return ShowHold(session); }},
      {"reserve", [&] { return Reserve(session); }},
      {"receive",
       [&] {
         auto message = at(inventory::v1::ReceiveStockRequest());
         message.set_units(units);
         message.set_reference(reference);
         return Do(session, request, &Stub::ReceiveStock, std::move(message));
       }},
      {"count",
       [&] {
         auto message = at(inventory::v1::CountStockRequest());
         message.set_counted_units(units);
         if (expected >= 0) message.set_expected_units(expected);
         return Do(session, request, &Stub::CountStock, std::move(message));
       }},
      {"adjust",
       [&]() -> absl::StatusOr<int> {
         auto message = at(inventory::v1::AdjustStockRequest());
         message.set_delta_units(units);
         message.set_note(note);
         ASSIGN_OR_RETURN(const auto why, ParseWord<inventory::v1::AdjustReason>("reason", reason));
         message.set_reason(why);
         return Do(session, request, &Stub::AdjustStock, std::move(message));
       }},
      {"backorder",
       [&] {
         auto message = at(inventory::v1::AllowBackorderRequest());
         message.set_units(units);
         return Do(session, request, &Stub::AllowBackorder, std::move(message));
       }},
      {"extend",
       [&] {
         auto message = of_hold(inventory::v1::ExtendHoldRequest());
         message.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) + expires_in);
         return Do(session, request, &Stub::ExtendHold, std::move(message));
       }},
      {"move",
       [&] {
         auto message = of_hold(inventory::v1::MoveHoldRequest());
         message.set_from_location_id(location);
         for (absl::string_view each : absl::StrSplit(to, ',', absl::SkipEmpty())) {
           message.add_candidate_location_ids(std::string(each));
         }
         message.set_split(split ? inventory::v1::SPLIT_POLICY_SPLIT : inventory::v1::SPLIT_POLICY_ONE_LOCATION);
         message.set_units(units);
         return Do(session, request, &Stub::MoveHold, std::move(message));
       }},
      {"release",
       [&] { return Do(session, request, &Stub::ReleaseHold, of_hold(inventory::v1::ReleaseHoldRequest())); }},
      {"commit",
       [&] {
         auto message = of_hold(inventory::v1::CommitHoldRequest());
         message.set_order_id(order);
         return Do(session, request, &Stub::CommitHold, std::move(message));
       }},
      {"ship", [&] { return Do(session, request, &Stub::ShipStock, of_hold(inventory::v1::ShipStockRequest())); }},
      {"return",
       [&] {
         auto message = at(inventory::v1::ReturnStockRequest());
         message.set_units(units);
         message.set_unusable_units(unusable);
         message.set_reference(reference);
         return Do(session, request, &Stub::ReturnStock, std::move(message));
       }},
      {"send",
       [&] {
         inventory::v1::SendTransferRequest message;
         message.set_sku(sku);
         message.set_transfer_id(transfer);
         message.set_from_location_id(location);
         message.set_to_location_id(to);
         message.set_units(units);
         message.set_hold_id(hold);
         return Do(session, request, &Stub::SendTransfer, std::move(message));
       }},
      {"arrive",
       [&] {
         inventory::v1::ReceiveTransferRequest message;
         message.set_sku(sku);
         message.set_transfer_id(transfer);
         message.set_units(units);
         message.set_lost_units(lost);
         return Do(session, request, &Stub::ReceiveTransfer, std::move(message));
       }},
  };
  if (what == "list") return List(session);
  const auto command = commands.find(what);
  if (command == commands.end()) {
    if (sku.empty()) return Show(session, what);
    return UsageError(absl::StrCat("stock cannot ", what, ": valid are show, list, explain, hold, ", kDone));
  }
  if (sku.empty()) return UsageError(absl::StrCat("the SKU is missing: stock ", what, " SKU"));
  return command->second();
}

absl::StatusOr<int> StockCommand::Show(const Session& session, const std::string& shown) const {
  GetAvailabilityRequest message;
  message.set_sku(shown);
  if (!location.empty()) message.add_location_ids(location);
  message.set_read_mode(token.empty() ? inventory::v1::READ_MODE_LINEARIZABLE : inventory::v1::READ_MODE_TOKEN);
  message.set_consistency_token(token);
  ASSIGN_OR_RETURN(const GetAvailabilityResponse answer,
                   session.client.Call(&InventoryService::Stub::GetAvailability, *session.client.inventory, message));
  if (session.json) {
    JsonWriter json;
    WriteMessage(answer, &json);
    session.out << json.text() << "\n";
    return kExitOk;
  }
  session.out << "SKU        " << answer.sku() << "\nAvailable  " << Thousands(answer.available_units())
              << "\nAs of      " << answer.as_of() << "\n";
  if (!answer.levels().empty()) {
    session.out << "\n" << LevelsText({answer.levels().begin(), answer.levels().end()}, session.out_width);
  }
  return kExitOk;
}

absl::StatusOr<int> StockCommand::List(const Session& session) const {
  inventory::v1::ListStockRequest message;
  message.set_location_id(location);
  message.set_sku_prefix(prefix);
  message.set_page_size(kPageSize);
  message.set_consistency_token(token);
  inventory::v1::ListStockResponse all;
  do {
    ASSIGN_OR_RETURN(auto page,
                     session.client.Call(&InventoryService::Stub::ListStock, *session.client.inventory, message));
    all.mutable_entries()->MergeFrom(page.entries());
    all.set_consistency_token(page.consistency_token());
    message.set_page_token(page.next_page_token());
  } while (!message.page_token().empty());
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Key("entries").BeginArray();
    for (const auto& entry : all.entries()) WriteMessage(entry, &json);
    json.EndArray().Field("consistency_token", all.consistency_token()).EndObject();
    session.out << json.text() << "\n";
    return kExitOk;
  }
  Table table({{"sku", false, true},
               {"location", false, true},
               {"on hand", true},
               {"held", true},
               {"committed", true, false, 1},
               {"in transit", true, false, 3},
               {"available", true},
               {"broken", true, false, 2},
               {"shrinkage", true, false, 4}});
  for (const auto& entry : all.entries()) {
    const StockLevel& level = entry.level();
    table.Add({entry.sku(), level.location_id(), Thousands(level.on_hand_units()), Thousands(level.held_units()),
               Thousands(level.committed_units()), Thousands(level.in_transit_units()),
               Thousands(level.available_units()), Thousands(entry.promises_broken()),
               Thousands(entry.shrinkage_units())});
  }
  session.out << table.Render(session.out_width);
  return kExitOk;
}

absl::StatusOr<int> StockCommand::Explain(const Session& session) const {
  GetAvailabilityRequest where;
  where.set_sku(sku);
  if (!location.empty()) where.add_location_ids(location);
  where.set_read_mode(inventory::v1::READ_MODE_LINEARIZABLE);
  where.set_consistency_token(token);
  ASSIGN_OR_RETURN(const GetAvailabilityResponse now,
                   session.client.Call(&InventoryService::Stub::GetAvailability, *session.client.inventory, where));
  std::vector<ExplainedLevel> all;
  bool agrees = true;
  for (const StockLevel& level : now.levels()) {
    ExplainedLevel explained;
    inventory::v1::ExplainStockRequest message;
    message.set_sku(sku);
    message.set_location_id(level.location_id());
    message.set_page_size(kPageSize);
    message.set_consistency_token(now.consistency_token());
    do {
      ASSIGN_OR_RETURN(const auto page,
                       session.client.Call(&InventoryService::Stub::ExplainStock, *session.client.inventory, message));
      for (const StockMovement& movement : page.movements()) {
        explained.movements.push_back(movement);
        explained.sums.Add(movement);
      }
      explained.level = page.level();
      message.set_page_token(page.next_page_token());
    } while (!message.page_token().empty());
    agrees = agrees && explained.sums.Agrees(explained.level);
    all.push_back(std::move(explained));
  }
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Field("sku", sku).Key("locations").BeginArray();
    for (const ExplainedLevel& explained : all) {
      json.BeginObject().Field("location_id", explained.level.location_id()).Key("movements").BeginArray();
      for (const StockMovement& movement : explained.movements) WriteMessage(movement, &json);
      json.EndArray().Key("level");
      WriteMessage(explained.level, &json);
      json.Field("agrees", explained.sums.Agrees(explained.level)).EndObject();
    }
    json.EndArray().Field("agrees", agrees).Field("consistency_token", now.consistency_token()).EndObject();
    session.out << json.text() << "\n";
    return agrees ? kExitOk : kExitFailed;
  }
  const auto delta = [](int64_t change) -> std::string {
    return change == 0 ? "" : absl::StrCat(change > 0 ? "+" : "", Thousands(change));
  };
  for (const ExplainedLevel& explained : all) {
    Table table({{"time", false, false, 3},
                 {"what"},
                 {"on hand", true},
                 {"held", true},
                 {"committed", true},
                 {"in transit", true, false, 4},
                 {"available", true},
                 {"for", false, true, 2},
                 {"event", false, false, 1}});
    StockSums sums;
    for (const StockMovement& movement : explained.movements) {
      sums.Add(movement);
      table.Add({TimeText(movement.event_time().seconds()), movement.kind(), delta(movement.on_hand_delta()),
                 delta(movement.held_delta()), delta(movement.committed_delta()), delta(movement.in_transit_delta()),
                 Thousands(sums.available()), movement.reference(), movement.event_ref()});
    }
    table.Add({"", "together", Thousands(sums.on_hand), Thousands(sums.held), Thousands(sums.committed),
               Thousands(sums.in_transit), Thousands(sums.available())});
    session.out << sku << " in " << explained.level.location_id() << "\n"
                << table.Render(session.out_width) << Thousands(static_cast<int64_t>(explained.movements.size()))
                << " events add up to " << Thousands(sums.available()) << " available, "
                << Thousands(explained.level.available_units())
                << " shown: " << (sums.Agrees(explained.level) ? "agrees" : "DOES NOT AGREE") << "\n";
    if (&explained != &all.back()) session.out << "\n";
  }
  if (all.empty()) session.out << "no event names " << sku << " yet\n";
  return agrees ? kExitOk : kExitFailed;
}

absl::StatusOr<int> StockCommand::ShowHold(const Session& session) const {
  inventory::v1::GetHoldRequest message;
  message.set_sku(sku);
  message.set_hold_id(hold);
  message.set_consistency_token(token);
  ASSIGN_OR_RETURN(const auto answer,
                   session.client.Call(&InventoryService::Stub::GetHold, *session.client.inventory, message));
  return Tell(session, answer);
}

absl::StatusOr<int> StockCommand::Reserve(const Session& session) const {
  inventory::v1::ReserveStockRequest message;
  message.set_sku(sku);
  message.set_hold_id(hold);
  message.add_lines()->set_units(units);
  for (absl::string_view each : absl::StrSplit(location, ',', absl::SkipEmpty())) {
    message.add_candidate_location_ids(std::string(each));
  }
  message.set_split(split ? inventory::v1::SPLIT_POLICY_SPLIT : inventory::v1::SPLIT_POLICY_ONE_LOCATION);
  ASSIGN_OR_RETURN(const auto what_for, ParseWord<inventory::v1::HoldPurpose>("purpose", purpose));
  message.set_purpose(what_for);
  message.mutable_owner()->set_ref(owner);
  if (expires_in > 0) message.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) + expires_in);
  return Do(session, request, &InventoryService::Stub::ReserveStock, std::move(message));
}

}  // namespace halles::hallesctl
