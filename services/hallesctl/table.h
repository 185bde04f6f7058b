// Tables and numbers for people: columns that fit the terminal, thousands separators, amounts with their decimals.
#ifndef HALLES_SERVICES_HALLESCTL_TABLE_H_
#define HALLES_SERVICES_HALLESCTL_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "halles/common/v1/common.pb.h"

namespace halles::hallesctl {

// Columns of the terminal behind a file descriptor; 80 when it is none, or what COLUMNS says.
int TerminalWidth(int fd);

struct Column {
  std::string name;
  bool right = false;     // numbers stand to the right
  bool flexible = false;  // is cut when the table is too wide
  int dispensable = 0;    // is left out when that is not enough, the highest first; 0: stays
};

// Rows under a header, two blanks apart. No line is wider than the width given: flexible columns are cut, down to
// kCutWidthMin; then dispensable ones are left out; then whatever is widest is cut. What is cut ends in "~".
class Table {
 public:
  static constexpr size_t kCutWidthMin = 12;

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Missing cells are empty.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  std::string Render(int width) const;

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// At most `width` characters of the text, with "~" for what is cut.
std::string Cut(absl::string_view text, int width);

// "1,469,307".
std::string Thousands(int64_t number);
// "4,596,039.58" for 459603958 USD; a currency that is not known has two decimals.
std::string AmountText(int64_t minor_units, absl::string_view currency);
// "4596039.58", for JSON.
std::string AmountDecimal(int64_t minor_units, absl::string_view currency);
std::string AmountText(const common::v1::Money& money);
// "2.550".
std::string DecimalText(const common::v1::Decimal& value);
// "shop" for CHANNEL_SHOP; "" for none.
std::string ChannelText(common::v1::Channel channel);
// The reverse; CHANNEL_UNSPECIFIED if it is no channel.
common::v1::Channel ParseChannel(absl::string_view text);
// "shop, web, ...", for help texts.
std::string ChannelList();
// "2017-01-01 11:53:26" in UTC.
std::string TimeText(int64_t unix_seconds);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_TABLE_H_
