// Tables and numbers for people: columns that fit the terminal, thousands separators, amounts with their decimals.
#ifndef HALLES_SERVICES_HALLESCTL_TABLE_H_
#define HALLES_SERVICES_HALLESCTL_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "halles/common/v1/common.pb.h"

namespace halles::hallesctl {

// The width of the terminal behind a file descriptor; COLUMNS overrides it; 80 when there is no terminal.
int TerminalWidth(int fd);

struct Column {
  std::string name;
  bool right = false;     // right-aligned, as numbers are
  bool flexible = false;  // cut when the table is too wide
  int dispensable = 0;    // left out when cutting is not enough, highest first; 0: stays
};

// Rows under a header, separated by two blanks. No line is wider than the given width: flexible columns are cut down to
// kCutWidthMin; then dispensable columns are left out; then the widest columns are cut. Cut text ends in "~".
class Table {
 public:
  static constexpr size_t kCutWidthMin = 12;

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Adds a row; missing cells are empty.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  std::string Render(int width) const;

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// At most `width` characters of the text; cut text ends in "~".
std::string Cut(absl::string_view text, int width);

// A number such as "1,469,307".
std::string Thousands(int64_t number);
// An amount such as "4,596,039.58" for 459603958 USD; an unknown currency has two decimals.
std::string AmountText(int64_t minor_units, absl::string_view currency);
// The same for JSON: "4596039.58".
std::string AmountDecimal(int64_t minor_units, absl::string_view currency);
std::string AmountText(const common::v1::Money& money);
// An exact decimal such as "2.550".
std::string DecimalText(const common::v1::Decimal& value);
// The word of a channel, such as "shop" for CHANNEL_SHOP; "" for CHANNEL_UNSPECIFIED.
std::string ChannelText(common::v1::Channel channel);
// The channel of a word; CHANNEL_UNSPECIFIED if there is none.
common::v1::Channel ParseChannel(absl::string_view text);
// All words for help texts: "shop, web, ...".
std::string ChannelList();
// A time such as "2017-01-01 11:53:26", in UTC.
std::string TimeText(int64_t unix_seconds);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_TABLE_H_
