// A Bloom filter in memory that avoids disk reads for absent keys.
#ifndef HALLES_LIBS_STORE_KEY_FILTER_H_
#define HALLES_LIBS_STORE_KEY_FILTER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace halles::store {

// Blocked: the bits of a key lie in one cache line. At 16 bits a key about one absent key in 500 looks present; with
// more keys there are more false positives, but never a false negative. Keys are never removed.
// Thread safety: may be shared; relaxed atomics. A key that a thread added is visible to the same thread at once.
class KeyFilter {
 public:
  // `bytes` is rounded up to a power of two of at least 64. Memory is touched as keys are added.
  explicit KeyFilter(size_t bytes);

  // True if the key was certainly not there before.
  bool Add(absl::string_view space, absl::string_view key);
  // False only if the key was never added.
  bool MayContain(absl::string_view space, absl::string_view key) const;

  uint64_t keys() const { return keys_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kWordsPerBlock = 8;
  static constexpr int kProbes = 6;

  struct Free {
    void operator()(std::atomic<uint64_t>* words) const;
  };

  uint64_t block_mask_;
  std::unique_ptr<std::atomic<uint64_t>[], Free> words_;
  std::atomic<uint64_t> keys_{0};
};

// The part of a filter that covers some tables of one space of rows.
// Thread safety: immutable.
class SpaceFilter {
 public:
  // An empty filter that excludes no key.
  SpaceFilter() = default;
  // `space` is the prefix of the space's keys in the store; `tables` are the prefixes whose keys are added, all of
  // them.
  SpaceFilter(KeyFilter* filter, std::string space, std::vector<std::string> tables)
      : filter_(filter), space_(std::move(space)), tables_(std::move(tables)) {}

  // True if the key is of a covered table and was certainly not there before.
  bool Add(absl::string_view key) const { return Covers(key) && filter_->Add(space_, key); }
  bool MayContain(absl::string_view key) const { return !Covers(key) || filter_->MayContain(space_, key); }

  const std::vector<std::string>& tables() const { return tables_; }

 private:
  bool Covers(absl::string_view key) const {
    for (const std::string& table : tables_) {
      if (absl::StartsWith(key, table)) return true;
    }
    return false;
  }

  KeyFilter* filter_ = nullptr;
  std::string space_;
  std::vector<std::string> tables_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_KEY_FILTER_H_
