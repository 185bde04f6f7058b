// Changes stored rows directly, for tests that must detect it.
#ifndef HALLES_LIBS_STORE_ALTER_ROWS_H_
#define HALLES_LIBS_STORE_ALTER_ROWS_H_

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "libs/store/store_format.h"
#include "rocksdb/db.h"

namespace halles::store {

// Calls `alter` with each row of the space in the closed store in `state_dir`: the key without the space's prefix, and the
// value without position and source. Those for which it returns true are written back as it left them. Returns how many.
inline int AlterRows(const std::string& state_dir, const RowSpace& space,
                     absl::FunctionRef<bool(absl::string_view key, std::string* value)> alter) {
  std::string generation;
  std::ifstream(state_dir + "/CURRENT") >> generation;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(rocksdb::Options(), absl::StrCat(state_dir, "/", generation), &opened);
  EXPECT_TRUE(status.ok()) << status.ToString();
  if (!status.ok()) return 0;
  const std::unique_ptr<rocksdb::DB> db(opened);
  const std::string prefix = SpacePrefix(space);
  std::vector<std::pair<std::string, std::string>> altered;
  {
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions()));
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      absl::string_view rest(it->value().data(), it->value().size());
      RowHeader header;
      EXPECT_TRUE(TakeRowHeader(space.kind, &rest, &header));
      std::string value(rest);
      const std::string key = it->key().ToString();
      if (!alter(absl::string_view(key).substr(prefix.size()), &value)) continue;
      altered.emplace_back(key, it->value().ToString().substr(0, it->value().size() - rest.size()) + value);
    }
  }
  for (const auto& [key, value] : altered) {
    EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), key, value).ok());
  }
  EXPECT_TRUE(db->Flush(rocksdb::FlushOptions()).ok());
  return static_cast<int>(altered.size());
}

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ALTER_ROWS_H_
