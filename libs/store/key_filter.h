// Bloom filters in memory that avoid disk reads for absent keys.
#ifndef HALLES_LIBS_STORE_KEY_FILTER_H_
#define HALLES_LIBS_STORE_KEY_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/base/unix_time.h"

namespace halles::store {

// A Bloom filter that grows with its keys: when a part has a key for every 16 of its bits, one of four times its size
// is added. About one absent key in 200 looks present, however many keys there are; there is never a false negative.
// Keys are never removed.
// Thread safety: none.
// Limits: 2 to 8 bytes of memory a key, and 4 KiB.
class KeyFilter {
 public:
  static constexpr size_t kFirstBytes = 4096;

  // True if the key was certainly not there before.
  bool Add(absl::string_view key);
  // False only if the key was never added.
  bool MayContain(absl::string_view key) const;

  uint64_t keys() const { return keys_; }
  size_t bytes() const;

 private:
  // Blocked: the bits of a key lie in one cache line.
  struct alignas(64) Block {
    uint64_t words[8] = {};
  };
  struct Part {
    std::vector<Block> blocks;  // a power of two
    uint64_t room = 0;          // for keys
  };
  struct Bits;

  std::vector<Part> parts_;  // the last has room
  uint64_t keys_ = 0;
};

// A table whose absent keys are often looked up.
struct FilteredTable {
  uint16_t table = 0;
  // The first field of its keys is the UnixMicros from which on its rows are not looked up any more.
  bool by_time = false;
};

// The filters for the keys of some tables of one slot. It excludes keys once it was told that it has all of them.
// Thread safety: none.
class SpaceFilter {
 public:
  // Excludes no key, ever.
  SpaceFilter() = default;
  explicit SpaceFilter(const std::vector<FilteredTable>& tables);

  // True if the key is of a covered table and was certainly not there before.
  bool Add(absl::string_view key);
  bool MayContain(absl::string_view key) const;

  // Every key that is there was added.
  void SetComplete() { complete_ = true; }
  bool complete() const { return complete_; }

  // Keys of tables by time below it are not looked up any more; their memory is freed a day at a time.
  void Forget(UnixMicros before);

  // The prefixes of the covered keys.
  std::vector<std::string> prefixes() const;
  size_t bytes() const;

 private:
  struct Table {
    std::string prefix;
    bool by_time = false;
    std::map<int64_t, KeyFilter> periods;  // by day; one if the table is not by time
  };

  // The index of the key's table, and its period in that; tables_.size() if it is of no covered table.
  size_t Find(absl::string_view key, int64_t* period) const;

  std::vector<Table> tables_;
  bool complete_ = false;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_KEY_FILTER_H_
