// Reads orders, and adds up totals.
#include "services/checkout/queries.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/base/page_token.h"
#include "libs/base/status.h"
#include "services/checkout/amounts.h"
#include "services/checkout/checks.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/queries.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/projection.h"

namespace halles::checkout {
namespace {

using common::v1::Channel;

// Fields that the request does not group by are empty.
struct GroupKey {
  std::string currency;
  Channel channel = common::v1::CHANNEL_UNSPECIFIED;
  SiteId site;
  uint32_t month = 0;
  auto Fields() const { return std::tie(currency, channel, site, month); }
  friend bool operator<(const GroupKey& a, const GroupKey& b) { return a.Fields() < b.Fields(); }
  friend bool operator==(const GroupKey& a, const GroupKey& b) { return a.Fields() == b.Fields(); }
};

struct Group {
  v1::Totals counts;  // without its amounts, which are in the sums below
  Int128 net = 0;
  Int128 returned = 0;
  Int128 discount_retailer = 0;
  Int128 discount_coupon = 0;
  Int128 discount_coupon_match = 0;
  Int128 discount_manual = 0;
  int64_t sites = 0;
};

void Accumulate(const rows::TotalsRow& row, Group* group) {
  v1::Totals& counts = group->counts;
  counts.set_orders(counts.orders() + row.orders());
  counts.set_returns(counts.returns() + row.returns());
  counts.set_lines(counts.lines() + row.lines());
  counts.set_sale_lines(counts.sale_lines() + row.sale_lines());
  counts.set_return_lines(counts.return_lines() + row.return_lines());
  counts.set_adjustment_lines(counts.adjustment_lines() + row.adjustment_lines());
  counts.set_service_lines(counts.service_lines() + row.service_lines());
  counts.set_zero_quantity_lines(counts.zero_quantity_lines() + row.zero_quantity_lines());
  counts.set_zero_value_lines(counts.zero_value_lines() + row.zero_value_lines());
  group->net += ValueOf(row.net());
  group->returned += ValueOf(row.returned());
  group->discount_retailer += ValueOf(row.discount_retailer());
  group->discount_coupon += ValueOf(row.discount_coupon());
  group->discount_coupon_match += ValueOf(row.discount_coupon_match());
  group->discount_manual += ValueOf(row.discount_manual());
}

absl::StatusOr<int64_t> Narrow(Int128 sum) {
  if (sum < std::numeric_limits<int64_t>::min() || sum > std::numeric_limits<int64_t>::max()) {
    return Failure(absl::StatusCode::kOutOfRange, "AMOUNT_OVERFLOW",
                   "a sum does not fit into 64 bits of minor units: group by more dimensions");
  }
  return static_cast<int64_t>(sum);
}

absl::StatusOr<v1::Totals> TotalsOf(const Group& group) {
  v1::Totals totals = group.counts;
  ASSIGN_OR_RETURN(const int64_t net, Narrow(group.net));
  ASSIGN_OR_RETURN(const int64_t returned, Narrow(group.returned));
  ASSIGN_OR_RETURN(const int64_t retailer, Narrow(group.discount_retailer));
  ASSIGN_OR_RETURN(const int64_t coupon, Narrow(group.discount_coupon));
  ASSIGN_OR_RETURN(const int64_t coupon_match, Narrow(group.discount_coupon_match));
  ASSIGN_OR_RETURN(const int64_t manual, Narrow(group.discount_manual));
  totals.set_net_minor_units(net);
  totals.set_returned_minor_units(returned);
  totals.set_discount_retailer_minor_units(retailer);
  totals.set_discount_coupon_minor_units(coupon);
  totals.set_discount_coupon_match_minor_units(coupon_match);
  totals.set_discount_manual_minor_units(manual);
  return totals;
}

// The request in terms of the view.
struct Question {
  bool by_channel = false;
  bool by_site = false;
  bool by_month = false;
  Channel channel = common::v1::CHANNEL_UNSPECIFIED;
  SiteId site;
  uint32_t month = 0;
  int page_size = kTotalsPageMax;
  std::string after;  // encoded key of the last group of the previous page

  bool needs_sites() const { return by_site || !site.empty(); }
  bool WantsMonth(uint32_t m) const { return month == 0 || m == month; }
  GroupKey GroupOf(const std::string& currency, Channel in_channel, const SiteId& in_site, uint32_t in_month) const {
    GroupKey key{currency};
    if (by_channel) key.channel = in_channel;
    if (by_site) key.site = in_site;
    if (by_month) key.month = in_month;
    return key;
  }
};

std::string Encode(const GroupKey& key) {
  std::string bytes;
  store::AppendKey(key, &bytes);
  return bytes;
}

absl::StatusOr<uint32_t> ParseMonth(const std::string& text) {
  uint32_t year = 0;
  uint32_t month = 0;
  const bool digits =
      text.size() == 7 && text[4] == '-' && absl::ascii_isdigit(text[0]) && absl::ascii_isdigit(text[5]);
  if (!digits || !absl::SimpleAtoi(text.substr(0, 4), &year) || !absl::SimpleAtoi(text.substr(5), &month) ||
      month < 1 || month > 12) {
    return InvalidField("month", "must be a month such as 2017-01");
  }
  return year * 100 + month;
}

absl::StatusOr<Question> Understand(const v1::GetTotalsRequest& request) {
  Question question;
  for (int i = 0; i < request.group_by_size(); ++i) {
    bool* wanted = nullptr;
    switch (request.group_by(i)) {
      case v1::TOTALS_DIMENSION_CHANNEL:
        wanted = &question.by_channel;
        break;
      case v1::TOTALS_DIMENSION_SITE:
        wanted = &question.by_site;
        break;
      case v1::TOTALS_DIMENSION_MONTH:
        wanted = &question.by_month;
        break;
      case v1::TOTALS_DIMENSION_UNSPECIFIED:
      case v1::TotalsDimension_INT_MIN_SENTINEL_DO_NOT_USE_:
      case v1::TotalsDimension_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    if (wanted == nullptr || *wanted) {
      return InvalidField(absl::StrCat("group_by[", i, "]"), "must be CHANNEL, SITE or MONTH, each once");
    }
    *wanted = true;
  }
  question.channel = request.channel();
  question.site = SiteId::FromString(request.site_id());
  if (!request.month().empty()) {
    ASSIGN_OR_RETURN(question.month, ParseMonth(request.month()));
  }
  if (request.page_size() > 0) question.page_size = std::min(request.page_size(), kTotalsPageMax);
  return question;
}

// The fields of the request that must be the same for every page.
std::string Fingerprint(const v1::GetTotalsRequest& request) {
  v1::GetTotalsRequest same = request;
  same.clear_page_size();
  same.clear_page_token();
  same.clear_consistency_token();
  return absl::StrCat("totals ", store::SerializeRow(same));
}

// Visits each pair of currency and channel in the view that matches the question, by seeking from one pair to the next.
template <class Visit>
void ForEachCurrencyAndChannel(const store::RowReader& view, const Question& question, const Visit& visit) {
  MonthKey next;
  for (bool found = true; found;) {
    found = false;
    kTotalsByMonth.ForEachFrom(view, next, [&](const MonthKey& key, const rows::TotalsRow&, Position) {
      next = MonthKey{key.currency, key.channel};
      found = true;
      return false;
    });
    if (!found) return;
    if (question.channel == common::v1::CHANNEL_UNSPECIFIED || question.channel == next.channel) {
      visit(next.currency, next.channel);
    }
    next.channel = static_cast<Channel>(next.channel + 1);
  }
}

using Groups = std::map<GroupKey, Group>;

// Finds the group of a row. Remembers the last one, because rows are ordered and the next row is mostly of the same
// group.
class Grouping {
 public:
  explicit Grouping(Groups* groups) : groups_(groups) {}
  Group& At(GroupKey key) {
    if (last_ == nullptr || !(last_->first == key)) last_ = &*groups_->try_emplace(std::move(key)).first;
    return last_->second;
  }

 private:
  Groups* groups_;
  Groups::value_type* last_ = nullptr;
};

// Builds all groups from the rows by site.
Groups GroupBySite(const store::RowReader& view, const Question& question) {
  Groups groups;
  Grouping grouping(&groups);
  const auto add = [&](const TotalsKey& key, const rows::TotalsRow& row, Position) {
    if (!question.WantsMonth(key.month)) return true;
    Group& group = grouping.At(question.GroupOf(key.currency, key.channel, key.site, key.month));
    group.sites = 1;  // the request groups or filters by site
    Accumulate(row, &group);
    return true;
  };
  ForEachCurrencyAndChannel(view, question, [&](const std::string& currency, Channel channel) {
    if (question.site.empty()) {
      kTotals.ForEach(view, add, currency, channel);
    } else {
      kTotals.ForEach(view, add, currency, channel, question.site);
    }
  });
  return groups;
}

// Builds all groups from the rows by month, and counts sites from their own table.
Groups GroupByMonth(const store::RowReader& view, const Question& question) {
  Groups groups;
  std::map<GroupKey, std::set<std::string>> sites;
  ForEachCurrencyAndChannel(view, question, [&](const std::string& currency, Channel channel) {
    Grouping grouping(&groups);
    kTotalsByMonth.ForEach(
        view,
        [&](const MonthKey& key, const rows::TotalsRow& row, Position) {
          if (question.WantsMonth(key.month)) {
            Accumulate(row, &grouping.At(question.GroupOf(currency, channel, SiteId(), key.month)));
          }
          return true;
        },
        currency, channel);

    std::set<GroupKey> seen_in;  // groups of the current site
    SiteId site;
    const auto finish = [&] {
      for (const GroupKey& key : seen_in) sites[key].insert(site.ToString());
      seen_in.clear();
    };
    kSites.ForEach(
        view,
        [&](const SiteKey& key, const rows::SiteRow& row, Position) {
          if (key.site != site) finish();
          site = key.site;
          for (const uint32_t month : row.months()) {
            if (question.WantsMonth(month)) seen_in.insert(question.GroupOf(currency, channel, SiteId(), month));
          }
          return true;
        },
        currency, channel);
    finish();
  });
  for (const auto& [key, names] : sites) groups[key].sites = static_cast<int64_t>(names.size());
  return groups;
}

}  // namespace

absl::StatusOr<OrderId> NameOfOrder(absl::string_view tenant, const v1::GetOrderRequest& request) {
  switch (request.name_case()) {
    case v1::GetOrderRequest::kOrderId:
      return OrderId::FromString(request.order_id());
    case v1::GetOrderRequest::kExternal:
      if (request.external().source() == kHere) return OrderId::FromString(request.external().external_id());
      return imports::OrderIdOf(tenant, request.external());
    case v1::GetOrderRequest::NAME_NOT_SET:
      break;
  }
  return InvalidField("order_id", "or external must name the order");
}

absl::StatusOr<v1::GetOrderResponse> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order) {
  v1::GetOrderResponse found;
  std::optional<v1::ImportedOrder> imported = imports::FindOrder(state, slot, order);
  if (imported.has_value()) {
    *found.mutable_imported() = *std::move(imported);
  } else {
    ASSIGN_OR_RETURN(*found.mutable_placed(), order::FindOrder(state, slot, order));
  }
  return found;
}

absl::StatusOr<v1::GetTotalsResponse> QueryTotals(const store::RowReader& view, const v1::GetTotalsRequest& request) {
  ASSIGN_OR_RETURN(Question question, Understand(request));
  ASSIGN_OR_RETURN(question.after, DecodePageToken(Fingerprint(request), request.page_token()));
  const Groups groups = question.needs_sites() ? GroupBySite(view, question) : GroupByMonth(view, question);
  RETURN_IF_ERROR(view.status());

  v1::GetTotalsResponse response;
  std::string last;
  for (const auto& [key, group] : groups) {
    std::string encoded = Encode(key);
    if (!question.after.empty() && encoded <= question.after) continue;
    if (response.rows_size() == question.page_size) {
      response.set_next_page_token(EncodePageToken(Fingerprint(request), last));
      break;
    }
    v1::TotalsRow& row = *response.add_rows();
    row.set_currency_code(key.currency);
    row.set_channel(key.channel);
    row.set_site_id(key.site.ToString());
    if (key.month != 0) row.set_month(absl::StrFormat("%04d-%02d", key.month / 100, key.month % 100));
    row.set_sites(group.sites);
    ASSIGN_OR_RETURN(*row.mutable_totals(), TotalsOf(group));
    last = std::move(encoded);
  }
  return response;
}

}  // namespace halles::checkout
