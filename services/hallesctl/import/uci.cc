// Reads the UCI journal: classifies lines, groups them by invoice over files.
#include "services/hallesctl/import/uci.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/status.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::ImportLine;
using checkout::v1::ImportRecord;
using checkout::v1::LineKind;

constexpr absl::string_view kSite = "uci-online";
constexpr absl::string_view kIssuer = "uci";

enum Column { kInvoiceNo, kStockCode, kDescription, kQuantity, kInvoiceDate, kUnitPrice, kCustomerId, kColumns };
constexpr std::array<absl::string_view, kColumns> kColumnNames = {"InvoiceNo",   "StockCode", "Description", "Quantity",
                                                                  "InvoiceDate", "UnitPrice", "CustomerID"};

// Postage, carriage, manual entries, discounts, samples, fees, charity commission: no goods.
constexpr absl::string_view kServiceCodes[] = {"POST", "DOT", "C2", "M", "D", "S", "AMAZONFEE", "BANK CHARGES", "CRUK"};
constexpr absl::string_view kVoucherPrefix = "GIFT_0001_";
// Bad debt, written off or recovered.
constexpr absl::string_view kBadDebtCode = "B";

bool IsServiceCode(absl::string_view stock_code) {
  const std::string code = absl::AsciiStrToUpper(stock_code);
  return std::find(std::begin(kServiceCodes), std::end(kServiceCodes), code) != std::end(kServiceCodes) ||
         absl::StartsWith(code, kVoucherPrefix);
}

bool IsReturn(absl::string_view invoice) { return absl::StartsWithIgnoreCase(invoice, "C"); }

// The number in "17850.0" or "17850"; nullopt when the text is no number.
std::optional<std::string> ParseCustomer(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  const size_t point = text.find('.');
  absl::string_view number = text.substr(0, point);
  if (point != absl::string_view::npos) {
    const absl::string_view fraction = text.substr(point + 1);
    if (fraction.empty() || fraction.find_first_not_of('0') != absl::string_view::npos) return std::nullopt;
  }
  const bool is_number = !number.empty() && number.find_first_not_of("0123456789") == absl::string_view::npos;
  if (!is_number || number.size() > 18) return std::nullopt;
  return std::string(number);
}

}  // namespace

LineKind UciLineKind(absl::string_view invoice, absl::string_view stock_code, const Decimal& quantity,
                     const Decimal& unit_price, bool customer) {
  if (absl::StartsWithIgnoreCase(invoice, "A") || absl::EqualsIgnoreCase(stock_code, kBadDebtCode)) {
    return checkout::v1::LINE_KIND_ADJUSTMENT;
  }
  if (IsServiceCode(stock_code)) return checkout::v1::LINE_KIND_SERVICE;
  if (unit_price.negative()) return checkout::v1::LINE_KIND_ADJUSTMENT;
  if (IsReturn(invoice)) {
    const bool came_back = quantity.negative() || quantity.zero();
    return came_back ? checkout::v1::LINE_KIND_RETURN : checkout::v1::LINE_KIND_ADJUSTMENT;
  }
  if (quantity.negative()) return checkout::v1::LINE_KIND_ADJUSTMENT;
  if (unit_price.zero() && !customer) return checkout::v1::LINE_KIND_ADJUSTMENT;
  return checkout::v1::LINE_KIND_SALE;
}

absl::StatusOr<std::unique_ptr<UciSource>> UciSource::Open(const std::string& path) {
  namespace fs = std::filesystem;
  std::unique_ptr<UciSource> source(new UciSource());
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() == ".csv") source->files_.push_back(it->path().string());
    }
    std::sort(source->files_.begin(), source->files_.end());
  } else if (fs::exists(path, error)) {
    source->files_.push_back(path);
  }
  if (source->files_.empty()) {
    return Failure(absl::StatusCode::kNotFound, "NO_JOURNAL",
                   absl::StrCat("there is no CSV file at ", path, "; give a folder of daily files or one file"));
  }
  for (const std::string& file : source->files_) {
    const std::uintmax_t size = fs::file_size(file, error);
    if (!error) source->bytes_total_ += size;
  }
  RETURN_IF_ERROR(source->IndexInvoices());
  return source;
}

absl::Status UciSource::IndexInvoices() {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    ASSIGN_OR_RETURN(const std::unique_ptr<CsvReader> reader, CsvReader::OpenFile(files_[file]));
    CsvRecord record;
    ASSIGN_OR_RETURN(const bool has_header, reader->Next(&record));
    if (!has_header) continue;
    ASSIGN_OR_RETURN(const Columns columns, Columns::FromHeader(record, kColumnNames, files_[file]));
    for (;;) {
      ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
      if (!more) break;
      if (FaultOf(record, columns, file).has_value()) continue;
      last_file_[ToUtf8(columns.Get(record, kInvoiceNo))] = file;
    }
  }
  return absl::OkStatus();
}

absl::Status UciSource::ReadFile(uint32_t file) {
  ASSIGN_OR_RETURN(const std::unique_ptr<CsvReader> reader, CsvReader::OpenFile(files_[file]));
  CsvRecord record;
  ASSIGN_OR_RETURN(const bool has_header, reader->Next(&record));
  if (has_header) {
    ASSIGN_OR_RETURN(const Columns columns, Columns::FromHeader(record, kColumnNames, files_[file]));
    for (;;) {
      ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
      if (!more) break;
      AddLine(record, columns, file);
    }
  }
  bytes_before_ += file_bytes_;
  file_bytes_ = reader->offset();
  std::vector<Invoice> unfinished;
  open_index_.clear();
  for (Invoice& invoice : open_) {
    const auto last = last_file_.find(invoice.number);
    if (last != last_file_.end() && last->second > file) {
      open_index_[invoice.number] = unfinished.size();
      unfinished.push_back(std::move(invoice));
    } else {
      ready_.push_back(Finish(std::move(invoice)));
    }
  }
  open_ = std::move(unfinished);
  ready_count_ = ready_.size();
  return absl::OkStatus();
}

void UciSource::AddLine(const CsvRecord& record, const Columns& columns, uint32_t file) {
  LineRefusal refusal{.at = {file, record.line}};
  const auto refuse = [&](LineFault fault, std::string message) {
    refusal.fault = fault;
    refusal.message = std::move(message);
    SourceRecord refused;
    refused.refusals.push_back(std::move(refusal));
    ready_.push_back(std::move(refused));
  };
  if (const auto fault = FaultOf(record, columns, file); fault.has_value()) return refuse(fault->fault, fault->message);

  const absl::string_view quantity_text = columns.Get(record, kQuantity);
  const absl::string_view price_text = columns.Get(record, kUnitPrice);
  const std::optional<Decimal> quantity = ParseWireDecimal(quantity_text);
  const std::optional<Decimal> price = ParseWireDecimal(price_text);
  if (quantity.has_value() && price.has_value()) {
    const absl::StatusOr<Decimal> amount = quantity->Mul(*price);
    if (amount.ok()) refusal.amount = *amount;
  }
  const std::string number = ToUtf8(columns.Get(record, kInvoiceNo));
  if (!IsWord(number, kExternalIdCharactersMax)) {
    return refuse(LineFault::kBadExternalId, "InvoiceNo has not 1 to 128 characters");
  }
  Line line{.at = {file, record.line},
            .stock_code = ToUtf8(columns.Get(record, kStockCode)),
            .description = ToUtf8(columns.Get(record, kDescription))};
  if (!IsWord(line.stock_code, kSkuCharactersMax)) {
    return refuse(LineFault::kBadSku, "StockCode has not 1 to 64 characters");
  }
  if (!line.description.empty() && !IsWord(line.description, kDescriptionCharactersMax)) {
    return refuse(LineFault::kBadDescription, "Description has more than 120 characters");
  }
  if (!quantity.has_value()) {
    return refuse(LineFault::kBadQuantity, absl::StrCat("Quantity is \"", ToUtf8(quantity_text), "\""));
  }
  if (!price.has_value())
    return refuse(LineFault::kBadPrice, absl::StrCat("UnitPrice is \"", ToUtf8(price_text), "\""));
  if (!refusal.amount.has_value() || !ToProto(*refusal.amount).has_value()) {
    return refuse(LineFault::kBadAmount, absl::StrCat("Quantity times UnitPrice is too large or too fine: ",
                                                      quantity->ToString(), " x ", price->ToString()));
  }
  const absl::string_view time_text = columns.Get(record, kInvoiceDate);
  const std::optional<int64_t> time_s = ParseTime(time_text);
  if (!time_s.has_value()) {
    return refuse(LineFault::kBadTime, absl::StrCat("InvoiceDate is \"", ToUtf8(time_text), "\""));
  }
  const absl::string_view customer_text = absl::StripAsciiWhitespace(columns.Get(record, kCustomerId));
  std::string customer;
  if (!customer_text.empty()) {
    std::optional<std::string> parsed = ParseCustomer(customer_text);
    if (!parsed.has_value()) return refuse(LineFault::kBadCustomer, "CustomerID is no number");
    customer = *std::move(parsed);
  }
  const auto [found, is_new] = open_index_.try_emplace(number, open_.size());
  if (is_new) open_.push_back({.number = number, .time_s = *time_s});
  Invoice& invoice = open_[found->second];
  if (!customer.empty() && !invoice.customer.empty() && customer != invoice.customer) {
    refusal.fault = LineFault::kCustomerDiffers;
    refusal.message = absl::StrCat("invoice ", number, " has lines of another customer before this one");
    invoice.refusals.push_back(std::move(refusal));
    return;
  }
  if (invoice.customer.empty()) invoice.customer = customer;
  line.quantity = *quantity;
  line.unit_price = *price;
  line.amount = *refusal.amount;
  line.names_customer = !customer.empty();
  invoice.lines.push_back(std::move(line));
}

SourceRecord UciSource::Finish(Invoice invoice) {
  SourceRecord result;
  result.refusals = std::move(invoice.refusals);
  if (IsReturn(invoice.number)) {
    result.request.emplace<checkout::v1::ImportReturnRequest>();
  } else {
    result.request.emplace<checkout::v1::ImportOrderRequest>();
  }
  ImportRecord& record = *result.mutable_record();
  record.mutable_external()->set_source(std::string(kIssuer));
  record.mutable_external()->set_external_id(invoice.number);
  record.mutable_recorded_time()->set_seconds(invoice.time_s);
  record.set_channel(common::v1::CHANNEL_WEB);
  record.set_site_id(std::string(kSite));
  record.set_currency_code("GBP");
  if (!invoice.customer.empty()) {
    common::v1::Identifier& identifier = *record.add_identifiers();
    identifier.set_type(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
    identifier.set_issuer(std::string(kIssuer));
    identifier.set_value(invoice.customer);
  }
  for (Line& line : invoice.lines) {
    ImportLine& out = *record.add_lines();
    out.set_kind(
        UciLineKind(invoice.number, line.stock_code, line.quantity, line.unit_price, !invoice.customer.empty()));
    out.set_sku(std::move(line.stock_code));
    out.set_description(std::move(line.description));
    *out.mutable_quantity() = *ToProto(line.quantity);
    *out.mutable_unit_price() = *ToProto(line.unit_price);
    result.lines.push_back(line.at);
  }
  return result;
}

uint64_t UciSource::bytes_done() const {
  const size_t given = ready_count_ - ready_.size();
  return bytes_before_ + (ready_count_ == 0 ? file_bytes_ : file_bytes_ * given / ready_count_);
}

absl::StatusOr<std::optional<SourceRecord>> UciSource::Next() {
  while (ready_.empty()) {
    if (next_file_ == files_.size()) return std::nullopt;
    RETURN_IF_ERROR(ReadFile(next_file_++));
  }
  std::optional<SourceRecord> record = std::move(ready_.front());
  ready_.pop_front();
  return record;
}

}  // namespace halles::hallesctl
