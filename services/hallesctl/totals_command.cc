// totals: sums over the sales that checkout has recorded.
#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/print.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::CheckoutService;
using checkout::v1::GetTotalsRequest;
using checkout::v1::GetTotalsResponse;
using checkout::v1::TotalsRow;

}  // namespace

void TotalsCommand::Register(Options& options) {
  Settings& settings = options.Command("totals", "Shows totals of orders and returns");
  settings.Text("by", "Groups by these, separated by commas: channel, site, month", &by);
  settings.Text("channel", absl::StrCat("Only this channel: ", ChannelList()), &channel);
  settings.Text("site", "Only this site, such as store-330", &site);
  settings.Text("month", "Only this month, such as 2017-01", &month);
  settings.Text("token", "Consistency token that the answer must have reached", &token);
}

absl::StatusOr<int> TotalsCommand::Run(const Session& session) const {
  GetTotalsRequest request;
  std::vector<Column> columns;
  for (absl::string_view name : absl::StrSplit(by, ',', absl::SkipWhitespace())) {
    if (name == "channel") {
      request.add_group_by(checkout::v1::TOTALS_DIMENSION_CHANNEL);
    } else if (name == "site") {
      request.add_group_by(checkout::v1::TOTALS_DIMENSION_SITE);
    } else if (name == "month") {
      request.add_group_by(checkout::v1::TOTALS_DIMENSION_MONTH);
    } else {
      return UsageError(absl::StrCat("--by cannot be \"", name, "\": valid are channel, site, month"));
    }
  }
  if (!channel.empty()) {
    request.set_channel(ParseChannel(channel));
    if (request.channel() == common::v1::CHANNEL_UNSPECIFIED) {
      return UsageError(absl::StrCat("--channel cannot be \"", channel, "\": valid are ", ChannelList()));
    }
  }
  request.set_site_id(site);
  request.set_month(month);
  request.set_consistency_token(token);
  std::vector<TotalsRow> rows;
  std::string seen;
  do {
    ASSIGN_OR_RETURN(const GetTotalsResponse page,
                     session.client.Call(&CheckoutService::Stub::GetTotals, *session.client.checkout, request));
    rows.insert(rows.end(), page.rows().begin(), page.rows().end());
    request.set_page_token(page.next_page_token());
    seen = page.consistency_token();
  } while (!request.page_token().empty());

  if (session.json) {
    JsonWriter json;
    json.BeginObject().Key("rows").BeginArray();
    for (const TotalsRow& row : rows) WriteTotalsRow(row, &json);
    json.EndArray().Field("consistency_token", seen).EndObject();
    session.out << json.text() << "\n";
    return kExitOk;
  }
  const auto split_by = [&](absl::string_view name) { return absl::StrContains(by, name); };
  columns.push_back({"cur"});
  if (split_by("channel")) columns.push_back({"channel"});
  if (split_by("site")) columns.push_back({"site", false, true});
  if (split_by("month")) columns.push_back({"month"});
  columns.push_back({"sites", true, false, 2});
  columns.push_back({"orders", true});
  columns.push_back({"returns", true, false, 1});
  columns.push_back({"lines", true});
  columns.push_back({"net", true});
  columns.push_back({"returned", true, false, 3});
  columns.push_back({"discounts", true, false, 4});
  Table table(columns);
  for (const TotalsRow& row : rows) {
    const checkout::v1::Totals& totals = row.totals();
    const int64_t discounts = totals.discount_retailer_minor_units() + totals.discount_coupon_minor_units() +
                              totals.discount_coupon_match_minor_units() + totals.discount_manual_minor_units();
    std::vector<std::string> cells = {row.currency_code()};
    if (split_by("channel")) cells.push_back(ChannelText(row.channel()));
    if (split_by("site")) cells.push_back(row.site_id());
    if (split_by("month")) cells.push_back(row.month());
    for (int64_t count : {row.sites(), totals.orders(), totals.returns(), totals.lines()}) {
      cells.push_back(Thousands(count));
    }
    for (int64_t amount : {totals.net_minor_units(), totals.returned_minor_units(), discounts}) {
      cells.push_back(AmountText(amount, row.currency_code()));
    }
    table.Add(std::move(cells));
  }
  session.out << table.Render(session.out_width);
  return kExitOk;
}

}  // namespace halles::hallesctl
