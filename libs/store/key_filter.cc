// A blocked Bloom filter.
#include "libs/store/key_filter.h"

#include <cstdlib>
#include <new>

#include "libs/base/hash.h"

namespace halles::store {

void KeyFilter::Free::operator()(std::atomic<uint64_t>* words) const { std::free(words); }

KeyFilter::KeyFilter(size_t bytes) {
  size_t rounded = kWordsPerBlock * sizeof(uint64_t);
  while (rounded < bytes) rounded *= 2;
  block_mask_ = rounded / (kWordsPerBlock * sizeof(uint64_t)) - 1;
  // calloc returns pages that cost nothing until they are written.
  static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));
  void* words = std::calloc(rounded, 1);
  if (words == nullptr) throw std::bad_alloc();
  words_.reset(static_cast<std::atomic<uint64_t>*>(words));
}

bool KeyFilter::Add(absl::string_view space, absl::string_view key) {
  const Hash128 hash = Hash128Of(space, key);
  std::atomic<uint64_t>* const block = &words_[(hash.hi & block_mask_) * kWordsPerBlock];
  uint64_t bits = hash.lo;
  bool added = false;
  for (int i = 0; i < kProbes; ++i, bits >>= 9) {
    std::atomic<uint64_t>& word = block[bits & 7];
    const uint64_t bit = uint64_t{1} << (bits >> 3 & 63);
    if ((word.load(std::memory_order_relaxed) & bit) != 0) continue;
    word.fetch_or(bit, std::memory_order_relaxed);
    added = true;
  }
  keys_.fetch_add(1, std::memory_order_relaxed);
  return added;
}

bool KeyFilter::MayContain(absl::string_view space, absl::string_view key) const {
  const Hash128 hash = Hash128Of(space, key);
  const std::atomic<uint64_t>* const block = &words_[(hash.hi & block_mask_) * kWordsPerBlock];
  uint64_t bits = hash.lo;
  for (int i = 0; i < kProbes; ++i, bits >>= 9) {
    if ((block[bits & 7].load(std::memory_order_relaxed) & uint64_t{1} << (bits >> 3 & 63)) == 0) return false;
  }
  return true;
}

}  // namespace halles::store
