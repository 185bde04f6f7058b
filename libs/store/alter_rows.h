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
#include "libs/base/status.h"
#include "libs/store/database.h"
#include "libs/store/rocks_database.h"
#include "libs/store/store_format.h"

namespace halles::store {

// Calls `alter` with each row of the space in the closed store in `state_dir`: the key without the prefix of the space,
// and the value without position and source. Writes back each row for which it returns true. Returns how many.
inline int AlterRows(const std::string& state_dir, const RowSpace& space,
                     absl::FunctionRef<bool(absl::string_view key, std::string* value)> alter) {
  std::string generation;
  std::ifstream(state_dir + "/CURRENT") >> generation;
  const auto database = RocksDatabase::Open(absl::StrCat(state_dir, "/", generation), {}, RocksDatabase::Mode::kOpen);
  EXPECT_TRUE(database.ok()) << database.status();
  if (!database.ok()) return 0;
  const std::string prefix = SpacePrefix(space);
  std::vector<std::pair<std::string, std::string>> altered;
  {
    const std::unique_ptr<DatabaseCursor> cursor = (*database)->Seek(prefix);
    for (; cursor->Valid(); cursor->Next()) {
      absl::string_view rest = cursor->value();
      RowHeader header;
      EXPECT_TRUE(TakeRowHeader(space.kind, &rest, &header));
      std::string value(rest);
      const std::string key(cursor->key());
      if (!alter(absl::string_view(key).substr(prefix.size()), &value)) continue;
      altered.emplace_back(key, absl::StrCat(cursor->value().substr(0, cursor->value().size() - rest.size()), value));
    }
    EXPECT_TRUE(cursor->status().ok()) << cursor->status();
  }
  if (altered.empty()) return 0;
  const auto fill = [&altered](DatabaseDraft& draft) -> absl::Status {
    for (const auto& [key, value] : altered) RETURN_IF_ERROR(draft.Put(key, value));
    return absl::OkStatus();
  };
  const absl::Status written = (*database)->Write(fill, [] { return absl::OkStatus(); });
  EXPECT_TRUE(written.ok()) << written;
  return static_cast<int>(altered.size());
}

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ALTER_ROWS_H_
