// Serialises rows, and prints keys.
#include "libs/store/table.h"

#include <climits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "libs/base/check.h"
#include "libs/base/status.h"

namespace halles::store {

std::string SerializeRow(const google::protobuf::MessageLite& message) {
  std::string bytes;
  bytes.resize(message.ByteSizeLong());
  google::protobuf::io::ArrayOutputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
  return bytes;
}

bool ParseRow(absl::string_view bytes, google::protobuf::MessageLite* message) {
  return bytes.size() <= INT_MAX && message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool ParseRow(absl::string_view bytes, std::string* value) {
  value->assign(bytes.data(), bytes.size());
  return true;
}

absl::Status UnreadableRow(absl::string_view table, absl::string_view what) {
  return Failure(absl::StatusCode::kDataLoss, "UNREADABLE_ROW",
                 absl::StrCat("a row of ", table, " cannot be read: ", what),
                 {{"table", std::string(table)}, {"key", std::string(what)}});
}

void Schema::AddEntry(uint16_t id, const char* name, Printer print) {
  const bool added = tables_.emplace(id, Entry{name, print}).second;
  HALLES_CHECK(added, "two tables of one schema have the same id");
}

std::string Schema::Describe(absl::string_view key) const {
  absl::string_view fields = key;
  uint16_t id;
  if (!TakeField(&fields, &id)) return absl::StrCat("key ", PrintBytes(key));
  const auto it = tables_.find(id);
  if (it == tables_.end()) return absl::StrCat(TableName(key), " ", PrintBytes(fields));
  return absl::StrCat(it->second.name, " ", it->second.print(fields).value_or(PrintBytes(fields)));
}

std::string Schema::TableName(absl::string_view key) const {
  uint16_t id;
  if (!TakeField(&key, &id)) return "no table";
  const auto it = tables_.find(id);
  return it == tables_.end() ? absl::StrCat("table ", id) : it->second.name;
}

}  // namespace halles::store
