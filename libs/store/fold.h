// Identities of folds, their cursors and their digests.
#ifndef HALLES_LIBS_STORE_FOLD_H_
#define HALLES_LIBS_STORE_FOLD_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "libs/base/hash.h"
#include "libs/base/slot.h"
#include "libs/store/table.h"

namespace halles::store {

// A fold reads one slot and writes rows: the state of that slot, or that slot's part of a view.
struct FoldId {
  enum class Kind : uint8_t { kState = 1, kView = 2 };

  Kind kind = Kind::kState;
  ServiceId service = ServiceId::kCheckout;  // the owner of the state or the view
  uint8_t view = 0;                          // the number of the view within the service
  SlotId source;                             // the slot that is read; for a state, the slot itself

  static FoldId State(SlotId slot) { return FoldId{Kind::kState, slot.service, 0, slot}; }
  static FoldId View(ServiceId service, uint8_t view, SlotId source) {
    return FoldId{Kind::kView, service, view, source};
  }

  friend bool operator==(const FoldId&, const FoldId&) = default;
  friend auto operator<=>(const FoldId&, const FoldId&) = default;

  // "checkout/17" for a state, "customer_identity view 1 of checkout/17" for a view.
  std::string ToString() const;
};

// The progress of a fold: `next` is the first position that it has not read; `bytes` is the cursor of the log, opaque
// here.
struct FoldCursor {
  std::string bytes;
  Position next = 0;

  friend bool operator==(const FoldCursor&, const FoldCursor&) = default;
};

// A digest of a set of rows that does not depend on the order of writing: the sum of their hashes modulo 2^128. No hash
// includes positions or the prefix of the fold.
class Digest {
 public:
  Digest() = default;
  explicit Digest(Hash128 sum) : sum_(sum) {}

  void AddRow(absl::string_view key, absl::string_view value) { *this += Digest(Hash128Of(key, value)); }
  void RemoveRow(absl::string_view key, absl::string_view value) { *this -= Digest(Hash128Of(key, value)); }
  Digest& operator+=(const Digest& other);
  Digest& operator-=(const Digest& other);

  const Hash128& sum() const { return sum_; }
  std::string Hex() const { return sum_.Hex(); }

  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  Hash128 sum_;
};

// The metadata of a fold, stored in the same atomic write as its rows.
struct FoldMeta {
  FoldCursor cursor;
  Digest digest;         // of the fold's rows at exactly this cursor
  uint32_t version = 0;  // of the code that folded

  friend bool operator==(const FoldMeta&, const FoldMeta&) = default;
};

// Rows that are stored together: the state of a slot, or a view with the rows of all its sources.
struct RowSpace {
  FoldId::Kind kind = FoldId::Kind::kState;
  ServiceId service = ServiceId::kCheckout;
  uint8_t view = 0;
  uint16_t slot = 0;

  static RowSpace State(SlotId slot) { return RowSpace{FoldId::Kind::kState, slot.service, 0, slot.slot}; }
  static RowSpace View(ServiceId service, uint8_t view) { return RowSpace{FoldId::Kind::kView, service, view, 0}; }
  static RowSpace Of(const FoldId& fold) {
    return fold.kind == FoldId::Kind::kState ? State(fold.source) : View(fold.service, fold.view);
  }

  friend bool operator==(const RowSpace&, const RowSpace&) = default;
  friend auto operator<=>(const RowSpace&, const RowSpace&) = default;

  // "checkout/17" or "customer_identity view 1".
  std::string ToString() const;
};

// The schemas of all states and views of a process: names any row of the store.
// Thread safety: immutable once built.
class SchemaBook {
 public:
  SchemaBook& AddState(ServiceId service, Schema schema);
  SchemaBook& AddView(ServiceId service, uint8_t view, std::string name, Schema schema);

  // "checkout/17"; "customer_identity customers".
  std::string Name(const RowSpace& space) const;
  // "checkout/17"; "customer_identity customers of checkout/17".
  std::string Name(const FoldId& fold) const;

  // "checkout orders"; "customer_identity customers purchases".
  std::string TableName(const RowSpace& space, absl::string_view key) const;

  // "checkout/17 orders order=cj:123"; "customer_identity customers purchases source=checkout/3 ...".
  std::string Describe(const RowSpace& space, absl::string_view key) const;

 private:
  struct Entry {
    std::string name;
    Schema schema;
  };
  std::map<RowSpace, Entry> entries_;  // states are under slot 0
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_FOLD_H_
