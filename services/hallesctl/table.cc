// Tables and numbers for people.
#include "services/hallesctl/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "libs/base/money.h"

namespace halles::hallesctl {
namespace {

constexpr int kWidthDefault = 80;
constexpr size_t kColumnWidthMin = 4;
constexpr size_t kGap = 2;
constexpr absl::string_view kChannelPrefix = "CHANNEL_";

bool BeginsCharacter(char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }

size_t Characters(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

}  // namespace

std::string Cut(absl::string_view text, int width) {
  if (Characters(text) <= static_cast<size_t>(width)) return std::string(text);
  size_t bytes = 0;
  for (int count = 0; bytes < text.size(); ++bytes) {
    if (BeginsCharacter(text[bytes]) && ++count == width) break;
  }
  return absl::StrCat(text.substr(0, bytes), "~");
}

int TerminalWidth(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  int columns;
  const char* const variable = std::getenv("COLUMNS");
  if (variable != nullptr && absl::SimpleAtoi(variable, &columns) && columns > 0) return columns;
  return kWidthDefault;
}

std::string Table::Render(int width) const {
  const auto cell = [](const std::vector<std::string>& row, size_t i) -> absl::string_view {
    return i < row.size() ? absl::string_view(row[i]) : absl::string_view();
  };
  std::vector<size_t> widths(columns_.size());
  std::vector<size_t> shown(columns_.size());  // indices
  for (size_t i = 0; i < columns_.size(); ++i) {
    shown[i] = i;
    widths[i] = Characters(columns_[i].name);
    for (const auto& row : rows_) widths[i] = std::max(widths[i], Characters(cell(row, i)));
  }
  const auto excess = [&] {
    size_t total = kGap * (shown.size() - 1);
    for (size_t i : shown) total += widths[i];
    return total > static_cast<size_t>(width) ? total - static_cast<size_t>(width) : 0;
  };
  // Cuts the widest column that may be cut, repeatedly, until the table fits or all columns are at `least`.
  const auto cut_columns = [&](bool flexible_only, size_t least) {
    for (size_t left = excess(); left > 0; --left) {
      size_t* widest = nullptr;
      for (size_t i : shown) {
        if ((flexible_only && !columns_[i].flexible) || widths[i] <= least) continue;
        if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
      }
      if (widest == nullptr) return;
      --*widest;
    }
  };
  const std::vector<size_t> uncut = widths;
  for (bool leave_out = true; leave_out;) {
    widths = uncut;
    cut_columns(/*flexible_only=*/true, kCutWidthMin);
    const auto first = std::max_element(shown.begin(), shown.end(), [this](size_t a, size_t b) {
      return columns_[a].dispensable < columns_[b].dispensable;
    });
    leave_out = excess() > 0 && columns_[*first].dispensable > 0;
    if (leave_out) shown.erase(first);
  }
  cut_columns(/*flexible_only=*/true, kColumnWidthMin);
  cut_columns(/*flexible_only=*/false, kColumnWidthMin);

  std::string out;
  const auto add_line = [&](const std::vector<std::string>& row) {
    std::string text;
    for (size_t i : shown) {
      const std::string content = Cut(cell(row, i), static_cast<int>(widths[i]));
      const std::string blanks(widths[i] - Characters(content), ' ');
      absl::StrAppend(&text, i == shown.front() ? "" : "  ", columns_[i].right ? blanks : "", content,
                      columns_[i].right ? "" : blanks);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(Cut(text, width)), "\n");
  };
  std::vector<std::string> header;
  for (const Column& column : columns_) header.push_back(absl::AsciiStrToUpper(column.name));
  add_line(header);
  for (const auto& row : rows_) add_line(row);
  return out;
}

std::string Thousands(int64_t number) {
  std::string digits = absl::StrCat(number < 0 ? -static_cast<uint64_t>(number) : static_cast<uint64_t>(number));
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return number < 0 ? absl::StrCat("-", digits) : digits;
}

std::string AmountDecimal(int64_t minor_units, absl::string_view currency) {
  const absl::StatusOr<Currency> parsed = Currency::Parse(currency);
  const int exponent = parsed.ok() ? parsed->exponent() : 2;
  const absl::StatusOr<Decimal> decimal = Decimal::FromUnscaled(minor_units, exponent);
  return decimal.ok() ? decimal->ToString() : "";
}

std::string AmountText(int64_t minor_units, absl::string_view currency) {
  std::string text = AmountDecimal(minor_units, currency);
  const size_t sign = minor_units < 0 ? 1 : 0;
  size_t at = std::min(text.find('.'), text.size());
  while (at > sign + 3) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string AmountText(const common::v1::Money& money) {
  return absl::StrCat(AmountText(money.minor_units(), money.currency_code()), " ", money.currency_code());
}

std::string DecimalText(const common::v1::Decimal& value) {
  const absl::StatusOr<Decimal> decimal = Decimal::FromUnscaled(value.unscaled(), static_cast<int>(value.scale()));
  return decimal.ok() ? decimal->ToString() : "?";
}

std::string ChannelText(common::v1::Channel channel) {
  if (channel == common::v1::CHANNEL_UNSPECIFIED) return "";
  const std::string& name = common::v1::Channel_Name(channel);
  return name.empty() ? absl::StrCat("channel ", static_cast<int>(channel))
                      : absl::AsciiStrToLower(absl::StripPrefix(name, kChannelPrefix));
}

common::v1::Channel ParseChannel(absl::string_view text) {
  common::v1::Channel channel = common::v1::CHANNEL_UNSPECIFIED;
  common::v1::Channel_Parse(absl::StrCat(kChannelPrefix, absl::AsciiStrToUpper(text)), &channel);
  return channel;
}

std::string ChannelList() {
  std::vector<std::string> names;
  for (int i = 1; i < common::v1::Channel_ARRAYSIZE; ++i) {
    if (common::v1::Channel_IsValid(i)) names.push_back(ChannelText(static_cast<common::v1::Channel>(i)));
  }
  return absl::StrJoin(names, ", ");
}

std::string TimeText(int64_t unix_seconds) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(unix_seconds), absl::UTCTimeZone());
}

}  // namespace halles::hallesctl
