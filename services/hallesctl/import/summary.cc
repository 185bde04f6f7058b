// Counts and sums of an import, and their texts.
#include "services/hallesctl/import/summary.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {

ImportSummary::ImportSummary(absl::string_view currency, int decimals) : currency_(currency), decimals_(decimals) {}

void ImportSummary::AddTo(Decimal* sum, const Decimal& amount) {
  const absl::StatusOr<Decimal> total = sum->Add(amount);
  HALLES_CHECK(total.ok(), "a sum of amounts of 64 bits has more than 36 digits");
  *sum = *total;
}

void ImportSummary::AddImported(const SourceRecord& record) {
  const bool is_return = std::holds_alternative<checkout::v1::ImportReturnRequest>(record.request);
  ++(is_return ? returns_ : orders_);
  for (const auto& identifier : record.record()->identifiers()) {
    customers_.insert(absl::StrCat(identifier.type(), "/", identifier.issuer(), "/", identifier.value()));
  }
  for (const checkout::v1::ImportLine& line : record.record()->lines()) {
    switch (line.kind()) {
      case checkout::v1::LINE_KIND_RETURN:
        ++returned_;
        break;
      case checkout::v1::LINE_KIND_ADJUSTMENT:
        ++adjustments_;
        break;
      case checkout::v1::LINE_KIND_SERVICE:
        ++services_;
        break;
      default:
        ++sales_;
    }
    if (const absl::StatusOr<Decimal> amount = ExactAmountOf(line); amount.ok()) AddTo(&net_, *amount);
  }
}

void ImportSummary::AddRefused(const SourceRecord& record, absl::string_view reason) {
  for (const checkout::v1::ImportLine& line : record.record()->lines()) {
    ++lines_refused_;
    ++refused_by_reason_[std::string(reason)];
    if (const absl::StatusOr<Decimal> amount = ExactAmountOf(line); amount.ok()) {
      AddTo(&refused_net_, *amount);
    } else {
      ++refused_without_amount_;
    }
  }
}

void ImportSummary::AddRefused(const LineRefusal& refusal) {
  ++lines_refused_;
  ++refused_by_reason_[std::string(FaultName(refusal.fault))];
  if (refusal.amount.has_value()) {
    AddTo(&refused_net_, *refusal.amount);
  } else {
    ++refused_without_amount_;
  }
}

std::string ImportSummary::Amount(const Decimal& sum) const {
  const absl::StatusOr<Decimal> scaled = sum.Add(*Decimal::FromUnscaled(0, decimals_));
  return scaled.ok() ? scaled->ToString() : sum.ToString();
}

void ImportSummary::WriteFields(double seconds, JsonWriter* json) const {
  json->Field("lines_read", lines_read());
  json->Key("lines_imported").BeginObject();
  json->Field("sale", sales_).Field("return", returned_).Field("adjustment", adjustments_).Field("service", services_);
  json->EndObject();
  json->Key("lines_refused").BeginObject();
  for (const auto& [reason, count] : refused_by_reason_) json->Field(reason, count);
  json->EndObject();
  json->Field("orders", orders_).Field("returns", returns_).Field("customers", customers_.size());
  json->Key("net").BeginObject().Field("currency", currency_).Field("amount", Amount(net_)).EndObject();
  json->Key("refused_net").BeginObject().Field("currency", currency_).Field("amount", Amount(refused_net_)).EndObject();
  json->Field("refused_without_amount", refused_without_amount_).Field("seconds", seconds);
}

std::string ImportSummary::ToJson(double seconds) const {
  JsonWriter json;
  json.BeginObject();
  WriteFields(seconds, &json);
  return json.EndObject().text();
}

std::string ImportSummary::ToText() const {
  Table table({{"what"}, {"count", true}});
  table.Add({"lines read", Thousands(lines_read())});
  table.Add({"  sale", Thousands(sales_)});
  table.Add({"  return", Thousands(returned_)});
  table.Add({"  adjustment", Thousands(adjustments_)});
  table.Add({"  service", Thousands(services_)});
  for (const auto& [reason, count] : refused_by_reason_)
    table.Add({absl::StrCat("  refused: ", reason), Thousands(count)});
  table.Add({"orders", Thousands(orders_)});
  table.Add({"returns", Thousands(returns_)});
  table.Add({"customers", Thousands(static_cast<int64_t>(customers_.size()))});
  table.Add({"net", absl::StrCat(Amount(net_), " ", currency_)});
  if (lines_refused_ > 0) table.Add({"refused net", absl::StrCat(Amount(refused_net_), " ", currency_)});
  return table.Render(1000);
}

}  // namespace halles::hallesctl
