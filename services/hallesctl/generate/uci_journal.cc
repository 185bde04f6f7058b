// Generates the journal of a giftware retailer with every irregularity of the real one.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/civil_time.h"
#include "libs/base/check.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/hallesctl/generate/journals.h"

namespace halles::hallesctl {
namespace {

constexpr char kHeader[] = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
constexpr int64_t kInvoicesPerDay = 80;
constexpr int64_t kFirstInvoice = 536365;
constexpr int64_t kFirstCustomer = 12346;

// A line as it is written, before it becomes CSV.
struct Row {
  std::string invoice;
  std::string code;
  std::string description;
  int64_t quantity = 0;
  std::string price;
  int64_t customer = 0;  // 0: none
};

struct Service {
  const char* code;
  const char* description;
  const char* price;
};
constexpr Service kServices[] = {{"POST", "POSTAGE", "18.0"},
                                 {"DOT", "DOTCOM POSTAGE", "569.77"},
                                 {"C2", "CARRIAGE", "50.0"},
                                 {"M", "Manual", "1.255"},
                                 {"m", "Manual", "2.55"},
                                 {"S", "SAMPLES", "12.95"},
                                 {"AMAZONFEE", "AMAZON FEE", "13541.33"},
                                 {"BANK CHARGES", "Bank Charges", "15.0"},
                                 {"CRUK", "CRUK Commission", "1.6"},
                                 // in Latin-1, as spreadsheets export it
                                 {"gift_0001_40",
                                  "Dotcomgiftshop Gift Voucher \xA3"
                                  "40.00",
                                  "34.04"}};

constexpr const char* kGoods[] = {"WHITE HANGING HEART T-LIGHT HOLDER", "AIRLINE LOUNGE,METAL SIGN",
                                  "RECORD FRAME 7\" SINGLE SIZE ",      "TRAY, BREAKFAST IN BED",
                                  "PADS TO MATCH ALL CUSHIONS",         "BOXED GLASS ASHTRAY"};
constexpr const char* kCodes[] = {"85123A", "82567", "21506", "84596b", "PADS", "DCGS0003"};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  int64_t Below(int64_t bound) { return static_cast<int64_t>(random_.Uniform(static_cast<uint64_t>(bound))); }
  bool OneIn(int64_t n) { return Below(n) == 0; }

  // Adds a line to the file of the day of `time`.
  void Write(const Row& row, absl::CivilSecond time) {
    std::string description = row.description;
    if (description.find_first_of(",\"") != std::string::npos) {
      description = absl::StrCat("\"", absl::StrReplaceAll(description, {{"\"", "\"\""}}), "\"");
    }
    Text(absl::StrCat(row.invoice, ",", row.code, ",", description, ",", row.quantity, ",", Stamp(time), ",", row.price,
                      ",", row.customer == 0 ? "" : absl::StrCat(row.customer, ".0"), ",United Kingdom\n"),
         time);
    ++truth.lines;
  }
  void Text(const std::string& line, absl::CivilSecond time) {
    files[absl::FormatCivilTime(absl::CivilDay(time))] += line;
  }
  static std::string Stamp(absl::CivilSecond time) {
    return absl::StrCat(absl::FormatCivilTime(absl::CivilDay(time)),
                        absl::StrFormat(" %02d:%02d:%02d", time.hour(), time.minute(), time.second()));
  }
  void Count(const Row& row, int64_t* kind) {
    ++*kind;
    truth.net = Sum(truth.net, row.quantity, row.price);
    if (row.customer != 0) truth.customers.insert(row.customer);
  }
  static Decimal Sum(const Decimal& sum, int64_t quantity, const std::string& price) {
    const absl::StatusOr<Decimal> parsed = Decimal::Parse(price);
    HALLES_CHECK(parsed.ok(), "the generator writes decimal prices");
    return *sum.Add(*Decimal::FromInt(quantity).Mul(*parsed));
  }

  std::map<std::string, std::string> files;
  UciTruth truth;

 private:
  SeededRandom random_;
};

}  // namespace

std::string UciTruth::ToJson() const {
  const auto amount = [](const Decimal& sum) { return sum.Add(*Decimal::FromUnscaled(0, 3))->ToString(); };
  JsonWriter json;
  json.BeginObject().Field("lines_read", lines).Key("lines_imported").BeginObject();
  json.Field("sale", sale).Field("return", returned).Field("adjustment", adjustment).Field("service", service);
  json.EndObject().Key("lines_refused").BeginObject();
  for (const auto& [reason, count] : refused) json.Field(reason, count);
  json.EndObject().Field("orders", orders).Field("returns", returns).Field("customers", customers.size());
  json.Key("net").BeginObject().Field("currency", "GBP").Field("amount", amount(net)).EndObject();
  json.Key("refused_net").BeginObject().Field("currency", "GBP").Field("amount", amount(refused_net)).EndObject();
  return json.EndObject().text();
}

absl::StatusOr<UciTruth> GenerateUciJournal(uint64_t seed, int64_t invoices, int64_t faults, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(path, error);
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".csv") continue;
    return Failure(absl::StatusCode::kAlreadyExists, "FOLDER_NOT_EMPTY",
                   absl::StrCat(path, " holds CSV files already"));
  }
  if (error) {
    return Failure(absl::StatusCode::kPermissionDenied, "FILE_NOT_WRITABLE",
                   absl::StrCat("cannot use ", path, ": ", error.message()));
  }

  Generator g(seed);
  UciTruth& truth = g.truth;
  struct Sale {
    absl::CivilSecond time;
    std::vector<Row> rows;
  };
  Sale reversed;  // the last sale, if it is to be reversed as a whole
  for (int64_t i = 0; i < invoices; ++i) {
    const std::string number = absl::StrCat(kFirstInvoice + i);
    absl::CivilSecond time = absl::CivilSecond(2010, 12, 1, 8, 0, 0) + (i / kInvoicesPerDay) * 86400 +
                             (i % kInvoicesPerDay) * 480 + g.Below(240);
    const int64_t customer = g.OneIn(5) ? 0 : kFirstCustomer + g.Below(std::max<int64_t>(1, invoices / 3));
    switch (i % 20) {
      case 7: {  // a return without its sale, or the whole reversal of the sale before it
        const bool whole = !reversed.rows.empty();
        std::vector<Row> rows = reversed.rows;
        if (whole) time = reversed.time + 180;
        if (!whole) rows.push_back({"", kCodes[g.Below(6)], kGoods[g.Below(6)], 1 + g.Below(12), "1.65", customer});
        for (Row& row : rows) {
          row.invoice = "C" + number;
          row.quantity = -row.quantity;
          g.Write(row, time);
          g.Count(row, row.code == "POST" ? &truth.service : &truth.returned);
        }
        ++truth.returns;
        reversed.rows.clear();
        continue;
      }
      case 11: {  // a discount or a fee that is refunded
        const Row row{"C" + number, g.OneIn(2) ? "D" : "AMAZONFEE", "Discount", -1, "27.50", customer};
        g.Write(row, time);
        g.Count(row, &truth.service);
        ++truth.returns;
        continue;
      }
      case 13: {  // stock that was lost or found: no customer, no price
        const Row row{
            number, kCodes[g.Below(6)], g.OneIn(2) ? "" : "damages?", g.OneIn(3) ? 56 : -1 - g.Below(40), "0.0", 0};
        g.Write(row, time);
        g.Count(row, &truth.adjustment);
        ++truth.orders;
        continue;
      }
      case 17: {  // bad debt
        if (i % 60 != 17) break;
        const Row row{"A" + number, "B", "Adjust bad debt", 1, g.OneIn(2) ? "-11062.06" : "11062.06", 0};
        g.Write(row, time);
        g.Count(row, &truth.adjustment);
        ++truth.orders;
        continue;
      }
      default:
        break;
    }
    // A sale. Some continue after midnight: one line is in the next day's file, with lines of other invoices between.
    const bool over_midnight = i % 20 == 3;
    const bool scattered = i % 20 == 5;
    const int64_t lines = 1 + std::min(g.Below(40), g.Below(40));
    std::vector<Row> rows;
    for (int64_t line = 0; line < lines; ++line) {
      const int64_t good = g.Below(6);
      const int64_t cents = 21 + std::min(g.Below(2000), g.Below(2000));
      std::string price = g.OneIn(3) ? absl::StrFormat("%d.%d", cents / 100, cents / 10 % 10)
                                     : absl::StrFormat("%d.%02d", cents / 100, cents % 100);
      if (g.OneIn(12)) price = absl::StrFormat("%d.%02d%d", cents / 100, cents % 100, 1 + g.Below(9));
      if (customer != 0 && g.OneIn(200)) price = "0.0";  // an article given away
      rows.push_back({number, kCodes[good], kGoods[good], 1 + g.Below(48), price, customer});
    }
    if (g.OneIn(6)) rows.push_back(rows.back());  // exact duplicate
    const size_t goods = rows.size();
    if (i % 20 == 6) {
      rows.push_back({number, "POST", "POSTAGE", 1, "18.0", customer});
    } else if (g.OneIn(4)) {
      const Service& service = kServices[static_cast<size_t>(i) % std::size(kServices)];
      rows.push_back({number, service.code, service.description, 1, service.price, customer});
    }
    for (size_t line = 0; line < rows.size(); ++line) {
      const bool late = over_midnight && line + 1 == rows.size() && line > 0;
      g.Write(rows[line], late ? time + 86400 : time);
      g.Count(rows[line], line < goods ? &truth.sale : &truth.service);
      if (scattered && line == 0) {  // a line of another invoice in between
        const Row between{"S" + number, "71053", "WHITE METAL LANTERN", 6, "3.39", 0};
        g.Write(between, time);
        g.Count(between, &truth.sale);
        ++truth.orders;
      }
    }
    ++truth.orders;
    reversed = {};
    if (i % 20 == 6) reversed = {time, rows};
  }

  // Unreadable lines, of each kind in turn. If the value is readable, it counts as refused.
  for (int64_t i = 0; i < faults; ++i) {
    const absl::CivilSecond time = absl::CivilSecond(2010, 12, 1, 23, 0, 0) + g.Below(60);
    const std::string stamp = Generator::Stamp(time);
    ++truth.lines;
    switch (i % 4) {
      case 0:
        g.Text(absl::StrCat("599999,85123A,HEART,6,", stamp, ",2.55\n"), time);
        ++truth.refused["WRONG_FIELD_COUNT"];
        break;
      case 1:
        g.Text(absl::StrCat("599999,85123A,HEART,six,", stamp, ",2.55,,United Kingdom\n"), time);
        ++truth.refused["BAD_QUANTITY"];
        break;
      case 2:
        g.Text("599999,85123A,HEART,6,yesterday,2.555,,United Kingdom\n", time);
        ++truth.refused["BAD_TIME"];
        truth.refused_net = Generator::Sum(truth.refused_net, 6, "2.555");
        break;
      default:
        g.Text(absl::StrCat("599999,85123A,HEART,6,", stamp, ",cheap,,United Kingdom\n"), time);
        ++truth.refused["BAD_PRICE"];
    }
  }

  for (const auto& [day, text] : g.files) {
    std::ofstream out(absl::StrCat(path, "/", day, ".csv"), std::ios::trunc | std::ios::binary);
    out << kHeader << text;
    out.close();
    if (!out)
      return Failure(absl::StatusCode::kDataLoss, "FILE_NOT_WRITABLE", absl::StrCat("cannot write into ", path));
  }
  return truth;
}

}  // namespace halles::hallesctl
