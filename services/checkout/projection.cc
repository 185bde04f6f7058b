// Adds orders and returns to the totals of their channel, site and month.
#include "services/checkout/projection.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "halles/checkout/v1/import_events.visit.h"
#include "halles/checkout/v1/order_events.visit.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"

namespace halles::checkout {
namespace {

uint32_t MonthOf(const google::protobuf::Timestamp& time) {
  const absl::CivilMonth month = absl::ToCivilMonth(TimeOf(time), absl::UTCTimeZone());
  return static_cast<uint32_t>(month.year() * 100 + month.month());
}

rows::Sum* DiscountSum(v1::DiscountKind kind, rows::TotalsRow* row) {
  switch (kind) {
    case v1::DISCOUNT_KIND_RETAILER:
      return row->mutable_discount_retailer();
    case v1::DISCOUNT_KIND_COUPON:
      return row->mutable_discount_coupon();
    case v1::DISCOUNT_KIND_COUPON_MATCH:
      return row->mutable_discount_coupon_match();
    case v1::DISCOUNT_KIND_MANUAL:
      return row->mutable_discount_manual();
    case v1::DISCOUNT_KIND_UNSPECIFIED:
    case v1::DiscountKind_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::DiscountKind_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return nullptr;
}

void CountKind(v1::LineKind kind, rows::TotalsRow* row) {
  switch (kind) {
    case v1::LINE_KIND_SALE:
      row->set_sale_lines(row->sale_lines() + 1);
      break;
    case v1::LINE_KIND_RETURN:
      row->set_return_lines(row->return_lines() + 1);
      break;
    case v1::LINE_KIND_ADJUSTMENT:
      row->set_adjustment_lines(row->adjustment_lines() + 1);
      break;
    case v1::LINE_KIND_SERVICE:
      row->set_service_lines(row->service_lines() + 1);
      break;
    case v1::LINE_KIND_UNSPECIFIED:
    case v1::LineKind_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::LineKind_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
}

// How a record is counted. A correction reverses amounts or is part of an exchange; it counts as neither order nor
// return.
enum class Counts { kOrder, kReturn, kCorrection };

// The totals of one record.
rows::TotalsRow TotalsOf(const v1::SaleRecord& sale, Counts counts) {
  rows::TotalsRow totals;
  if (counts == Counts::kReturn) totals.set_returns(1);
  if (counts == Counts::kOrder) totals.set_orders(1);
  totals.set_lines(sale.lines_size());
  for (const v1::RecordedLine& line : sale.lines()) {
    CountKind(line.kind(), &totals);
    if (line.quantity().unscaled() == 0) totals.set_zero_quantity_lines(totals.zero_quantity_lines() + 1);
    if (line.exact_amount().unscaled() == 0) totals.set_zero_value_lines(totals.zero_value_lines() + 1);
    AddTo(line.amount().minor_units(), totals.mutable_net());
    if (line.kind() == v1::LINE_KIND_RETURN) AddTo(line.amount().minor_units(), totals.mutable_returned());
    for (const v1::Discount& discount : line.discounts()) {
      rows::Sum* sum = DiscountSum(discount.kind(), &totals);
      if (sum != nullptr) AddTo(discount.amount().minor_units(), sum);
    }
  }
  return totals;
}

// Adds `from` if it is present, so that an absent sum stays absent.
void AddSum(bool present, const rows::Sum& from, rows::Sum* (rows::TotalsRow::*to)(), rows::TotalsRow* row) {
  if (present) AddTo(ValueOf(from), (row->*to)());
}

void Accumulate(const rows::TotalsRow& added, rows::TotalsRow* row) {
  using Row = rows::TotalsRow;
  row->set_orders(row->orders() + added.orders());
  row->set_returns(row->returns() + added.returns());
  row->set_lines(row->lines() + added.lines());
  row->set_sale_lines(row->sale_lines() + added.sale_lines());
  row->set_return_lines(row->return_lines() + added.return_lines());
  row->set_adjustment_lines(row->adjustment_lines() + added.adjustment_lines());
  row->set_service_lines(row->service_lines() + added.service_lines());
  row->set_zero_quantity_lines(row->zero_quantity_lines() + added.zero_quantity_lines());
  row->set_zero_value_lines(row->zero_value_lines() + added.zero_value_lines());
  AddSum(added.has_net(), added.net(), &Row::mutable_net, row);
  AddSum(added.has_returned(), added.returned(), &Row::mutable_returned, row);
  AddSum(added.has_discount_retailer(), added.discount_retailer(), &Row::mutable_discount_retailer, row);
  AddSum(added.has_discount_coupon(), added.discount_coupon(), &Row::mutable_discount_coupon, row);
  AddSum(added.has_discount_coupon_match(), added.discount_coupon_match(), &Row::mutable_discount_coupon_match, row);
  AddSum(added.has_discount_manual(), added.discount_manual(), &Row::mutable_discount_manual, row);
}

// Adds `totals` to the row; true if the row is new.
template <class Table, class Key>
bool Add(store::Rows& view, const Table& table, const Key& key, const rows::TotalsRow& totals) {
  std::optional<rows::TotalsRow> row = table.Get(view, key);
  const bool is_new = !row.has_value();
  if (is_new) {
    table.Put(view, key, totals);
  } else {
    Accumulate(totals, &*row);
    table.Put(view, key, *row);
  }
  return is_new;
}

void ProjectSale(store::Rows& view, const v1::SaleRecord& sale, Counts counts, const partition::FactContext& context) {
  const uint32_t month = MonthOf(sale.recorded_time());
  const SiteId site = SiteId::FromString(sale.site_id());
  const rows::TotalsRow totals = TotalsOf(sale, counts);
  Add(view, kTotalsByMonth, MonthKey{sale.currency_code(), sale.channel(), month, context.slot}, totals);
  const TotalsKey key{sale.currency_code(), sale.channel(), site, month, context.slot};
  if (!Add(view, kTotals, key, totals)) return;
  const SiteKey site_key{sale.currency_code(), sale.channel(), site, context.slot};
  rows::SiteRow row = kSites.Get(view, site_key).value_or(rows::SiteRow());
  row.add_months(month);
  std::sort(row.mutable_months()->begin(), row.mutable_months()->end());
  kSites.Put(view, site_key, row);
}

// Events that move no money. An imported return is counted when it is imported, not when it is linked to its order.
using MovesNoMoney =
    PassesOver<v1::ReturnAwaited, v1::ReturnLinked, v1::CheckoutStarted, saga::v1::SagaAdvanced, v1::OrderRejected,
               v1::FulfilmentAdvanced, v1::FulfilmentHandedOver, v1::FulfilmentDelayed, v1::RerouteStarted,
               v1::FulfilmentRerouted, v1::RerouteRefused, v1::ExchangeStarted, v1::ExchangeRejected>;

struct Projector : MovesNoMoney {
  using MovesNoMoney::operator();

  absl::Status operator()(const v1::OrderImported& imported) const { return Add(imported.sale(), Counts::kOrder); }
  absl::Status operator()(const v1::ReturnImported& imported) const { return Add(imported.sale(), Counts::kReturn); }
  absl::Status operator()(const v1::OrderConfirmed& confirmed) const { return Add(confirmed.sale(), Counts::kOrder); }
  absl::Status operator()(const v1::GoodsReturned& returned) const { return Add(returned.sale(), Counts::kReturn); }
  absl::Status operator()(const v1::OrderCancelled& cancelled) const {
    return Add(cancelled.reversal(), Counts::kCorrection);
  }
  absl::Status operator()(const v1::FulfilmentEnded& ended) const { return Add(ended.reversal(), Counts::kCorrection); }
  absl::Status operator()(const v1::ExchangeCommitted& exchange) const {
    RETURN_IF_ERROR(Add(exchange.returned().sale(), Counts::kCorrection));
    return Add(exchange.sale(), Counts::kCorrection);
  }
  absl::Status operator()(NoEvent) const {
    const EventRef ref{context.slot, context.position, context.index};
    return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_PROJECTED",
                   absl::StrCat(ref.ToString(), " cannot be projected: this version does not know the event"),
                   {{"event", ref.ToString()}});
  }

  absl::Status Add(const v1::SaleRecord& sale, Counts counts) const {
    ProjectSale(view, sale, counts, context);
    return absl::OkStatus();
  }

  store::Rows& view;
  const partition::FactContext& context;
};

}  // namespace

absl::Status Project(store::Rows& view, const v1::OrderEvent& event, const partition::FactContext& context) {
  return Visit(event, Projector{{}, view, context});
}

absl::Status Project(store::Rows& view, const v1::ImportEvent& event, const partition::FactContext& context) {
  return Visit(event, Projector{{}, view, context});
}

absl::Span<const int> TotalsOrderFields() { return kHandledFields<v1::OrderEvent, Projector>; }
absl::Span<const int> TotalsImportFields() { return kHandledFields<v1::ImportEvent, Projector>; }

Int128 ValueOf(const rows::Sum& sum) { return (static_cast<Int128>(sum.high()) << 64) + sum.low(); }

void AddTo(Int128 amount, rows::Sum* sum) {
  const Int128 total = ValueOf(*sum) + amount;
  sum->set_high(static_cast<int64_t>(total >> 64));
  sum->set_low(static_cast<uint64_t>(total));
}

}  // namespace halles::checkout
