// A Bloom filter in memory that keeps questions for absent keys away from the disk.
#ifndef HALLES_LIBS_STORE_KEY_FILTER_H_
#define HALLES_LIBS_STORE_KEY_FILTER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"

namespace halles::store {

// Blocked: the bits of a key lie in one cache line. At 16 bits a key about one absent key in 500 looks present; beyond
// that the answers get vaguer, never wrong. Keys are never taken out.
// Thread safety: may be shared; relaxed atomics. A key that a thread added is present to the same thread at once.
class KeyFilter {
 public:
  // `bytes` is rounded up to a power of two of at least 64. Memory is touched as keys come.
  explicit KeyFilter(size_t bytes);

  void Add(absl::string_view space, absl::string_view key);
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

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_KEY_FILTER_H_
