// order: the actions of an operator on an order that was placed here.
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/message_json.h"
#include "services/hallesctl/print_order.h"
#include "services/hallesctl/table.h"
#include "services/hallesctl/writes.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::OrderProblems;
using checkout::v1::OrderService;
using checkout::v1::ReturnedLine;

constexpr absl::string_view kProblemsUrl = "type.googleapis.com/halles.checkout.v1.OrderProblems";
constexpr uint32_t kScaleMax = 9;

// Sends the request. Prints the order if the answer holds it, otherwise its version. Problems go to `err`.
template <typename Request, typename Response>
absl::StatusOr<int> Do(const Session& session, const std::string& request_id,
                       grpc::Status (OrderService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       Request request) {
  absl::StatusOr<Response> response = Write(session, request_id, method, *session.client.orders, std::move(request));
  if (!response.ok()) {
    const absl::optional<absl::Cord> payload = response.status().GetPayload(kProblemsUrl);
    if (OrderProblems why; payload.has_value() && why.ParseFromString(std::string(*payload))) {
      session.err << ProblemsText(why.problems(), session.err_width > 0 ? session.err_width : session.out_width);
    }
    return response.status();
  }
  if (session.json) {
    JsonWriter json;
    WriteMessage(*response, &json);
    session.out << json.text() << "\n";
    return kExitOk;
  }
  if constexpr (requires { response->order(); }) {
    if (!response->has_order()) {
      session.out << "Nothing changed: the fulfilment is there already.\n";
      return kExitOk;
    }
    session.out << OrderText(response->order(), session.out_width);
  } else {
    if constexpr (requires { response->net(); }) session.out << "Net        " << AmountText(response->net()) << "\n";
    session.out << "Version    " << response->version() << "\n";
  }
  return kExitOk;
}

// Parses a price such as "129.00".
absl::StatusOr<common::v1::Decimal> ParsePrice(absl::string_view text) {
  common::v1::Decimal price;
  const size_t point = text.find('.');
  const absl::string_view behind = point == absl::string_view::npos ? "" : text.substr(point + 1);
  int64_t unscaled;
  if (behind.size() > kScaleMax || !absl::SimpleAtoi(absl::StrCat(text.substr(0, point), behind), &unscaled)) {
    return UsageError(absl::StrCat("\"", text, "\" is no price; valid is 129.00"));
  }
  price.set_unscaled(unscaled);
  price.set_scale(static_cast<uint32_t>(behind.size()));
  return price;
}

}  // namespace

absl::StatusOr<checkout::v1::Origin> OrderCommand::ToOrigin() const {
  checkout::v1::Origin origin;
  origin.set_channel(ParseChannel(channel));
  if (origin.channel() == common::v1::CHANNEL_UNSPECIFIED) {
    return UsageError(absl::StrCat("--channel cannot be \"", channel, "\": valid are ", ChannelList()));
  }
  origin.set_site_id(site);
  origin.set_device_id(device);
  return origin;
}

std::optional<absl::StatusOr<int>> OrderCommand::Change(const Session& session) const {
  using Stub = OrderService::Stub;
  const auto of_order = [this](auto message) {
    message.set_order_id(id);
    if (version > 0) message.set_expected_version(version);
    return message;
  };
  const auto of_fulfilment = [&](auto message) {
    message.set_fulfilment_id(fulfilment);
    return of_order(std::move(message));
  };
  const std::map<std::string, std::function<absl::StatusOr<int>()>> commands = {
      {"return", [&] { return Return(session); }},
      {"exchange", [&] { return Exchange(session); }},
      {"place",
       [&]() -> absl::StatusOr<int> {
         checkout::v1::PlaceOrderRequest message;
         message.set_cart_id(id);
         if (version > 0) message.set_expected_version(version);
         if (!site.empty()) {
           ASSIGN_OR_RETURN(*message.mutable_origin(), ToOrigin());
         }
         return Do(session, request, &Stub::PlaceOrder, std::move(message));
       }},
      {"cancel",
       [&] {
         if (fulfilment.empty()) {
           auto message = of_order(checkout::v1::CancelOrderRequest());
           message.set_cause(cause);
           return Do(session, request, &Stub::CancelOrder, std::move(message));
         }
         auto message = of_fulfilment(checkout::v1::CancelFulfilmentRequest());
         message.set_cause(cause);
         return Do(session, request, &Stub::CancelFulfilment, std::move(message));
       }},
      {"prepare",
       [&] {
         return Do(session, request, &Stub::PrepareFulfilment, of_fulfilment(checkout::v1::PrepareFulfilmentRequest()));
       }},
      {"ready",
       [&] {
         return Do(session, request, &Stub::ReadyFulfilment, of_fulfilment(checkout::v1::ReadyFulfilmentRequest()));
       }},
      {"collect",
       [&] {
         return Do(session, request, &Stub::CollectFulfilment, of_fulfilment(checkout::v1::CollectFulfilmentRequest()));
       }},
      {"ship",
       [&] {
         auto message = of_fulfilment(checkout::v1::ShipFulfilmentRequest());
         message.set_tracking_reference(tracking);
         return Do(session, request, &Stub::ShipFulfilment, std::move(message));
       }},
      {"complete",
       [&] {
         return Do(session, request, &Stub::CompleteFulfilment,
                   of_fulfilment(checkout::v1::CompleteFulfilmentRequest()));
       }},
      {"delay",
       [&]() -> absl::StatusOr<int> {
         auto message = of_fulfilment(checkout::v1::DelayFulfilmentRequest());
         message.set_cause(cause);
         if (!promised.empty()) {
           absl::Time time;
           if (std::string wrong; !absl::ParseTime(absl::RFC3339_full, promised, &time, &wrong)) {
             return UsageError(absl::StrCat("--promised is no time: ", wrong, "; valid is 2026-12-24T18:00:00Z"));
           }
           message.mutable_promised_time()->set_seconds(absl::ToUnixSeconds(time));
         }
         return Do(session, request, &Stub::DelayFulfilment, std::move(message));
       }},
      {"reroute",
       [&] {
         auto message = of_fulfilment(checkout::v1::RerouteFulfilmentRequest());
         message.set_to_location_id(to);
         return Do(session, request, &Stub::RerouteFulfilment, std::move(message));
       }},
  };
  const auto command = commands.find(what);
  if (command == commands.end()) return std::nullopt;
  return command->second();
}

namespace {

// Parses returned lines such as "2:1,3:2".
template <typename Lines>
absl::Status ParseReturned(const std::string& text, bool unusable, const std::string& reason, Lines* lines) {
  for (absl::string_view each : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(each, ':');
    int64_t units;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &units)) {
      return UsageError(absl::StrCat("\"", each, "\" is no LINE:UNITS, such as 2:1"));
    }
    ReturnedLine* const line = lines->Add();
    line->set_line_id(parts[0]);
    line->set_units(units);
    line->set_disposition(unusable ? checkout::v1::DISPOSITION_UNUSABLE : checkout::v1::DISPOSITION_RESTOCK);
    line->set_reason(reason);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> OrderCommand::Return(const Session& session) const {
  checkout::v1::ReturnLinesRequest message;
  message.set_order_id(id);
  if (version > 0) message.set_expected_version(version);
  message.set_return_id(return_id);
  ASSIGN_OR_RETURN(*message.mutable_origin(), ToOrigin());
  message.set_location_id(location);
  RETURN_IF_ERROR(ParseReturned(lines, unusable, reason, message.mutable_lines()));
  return Do(session, request, &OrderService::Stub::ReturnLines, std::move(message));
}

absl::StatusOr<int> OrderCommand::Exchange(const Session& session) const {
  checkout::v1::ExchangeLinesRequest message;
  message.set_order_id(id);
  if (version > 0) message.set_expected_version(version);
  message.set_exchange_id(exchange_id);
  ASSIGN_OR_RETURN(*message.mutable_origin(), ToOrigin());
  message.set_location_id(location);
  RETURN_IF_ERROR(ParseReturned(lines, unusable, reason, message.mutable_returned_lines()));
  for (absl::string_view each : absl::StrSplit(give, ',', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(each, ':');
    checkout::v1::ExchangeLine* const line = message.add_new_lines();
    int64_t units;
    if (parts.size() != 4 || !absl::SimpleAtoi(parts[2], &units)) {
      return UsageError(absl::StrCat("\"", each, "\" is no LINE:SKU:UNITS:PRICE, such as 9:boots-43:1:129.00"));
    }
    line->set_line_id(parts[0]);
    line->set_sku(parts[1]);
    line->set_units(units);
    ASSIGN_OR_RETURN(*line->mutable_unit_price(), ParsePrice(parts[3]));
  }
  // The customer takes the new goods along at the location that receives the old ones.
  message.mutable_delivery()->mutable_carry_out()->set_location_id(location);
  return Do(session, request, &OrderService::Stub::ExchangeLines, std::move(message));
}

}  // namespace halles::hallesctl
