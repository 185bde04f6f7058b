// Writes the frozen rows and the metas of spaces into a draft, with the digests of their folds.
#ifndef HALLES_LIBS_STORE_FOLD_WRITER_H_
#define HALLES_LIBS_STORE_FOLD_WRITER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"
#include "libs/store/layer.h"

namespace halles::store {

// Used for one draft.
class FoldWriter {
 public:
  // `go_on` is asked now and then; an error ends the writing with it.
  FoldWriter(const Database* database, DatabaseDraft* draft, std::function<absl::Status()> go_on)
      : database_(database), draft_(draft), go_on_(std::move(go_on)) {}

  struct Fold {
    FoldId id;
    uint32_t version = 0;
    const FrozenRows* frozen = nullptr;
  };

  // The folds are of this space, in order; once for each space. FOREIGN_ROW (INTERNAL) when one of them writes a row that
  // belongs to another.
  absl::Status WriteSpace(const RowSpace& space, absl::Span<const Fold> folds);

  uint64_t rows() const { return rows_; }

 private:
  // The old rows are read in batches of this size.
  static constexpr size_t kBatchRows = 256;

  struct Change {
    const LayerRow* row = nullptr;
    const FoldId* fold = nullptr;
    FoldMeta* meta = nullptr;
    bool first = false;  // no flush has tried to write the row before
  };

  absl::Status WriteRows(const RowSpace& space, absl::Span<const Fold> folds, std::map<FoldId, FoldMeta>* metas);
  absl::Status WriteBatch(const RowSpace& space, bool fresh, const std::vector<Change>& batch);
  // `before` is the stored value of the key, header included.
  absl::Status WriteChange(const RowSpace& space, const std::string& key, const Change& change,
                           std::optional<absl::string_view> before);

  const Database* const database_;
  DatabaseDraft* const draft_;
  const std::function<absl::Status()> go_on_;
  uint64_t rows_ = 0;
  // Used by WriteBatch, kept for their memory.
  std::vector<std::string> keys_;
  std::vector<size_t> looked_for_;  // indexes in the batch, of `keys_`
  std::string fresh_key_;
  std::string stored_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_FOLD_WRITER_H_
