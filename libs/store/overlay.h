// Rows in memory above rows on disk: the state of a slot with its records in flight, and views that queries share.
#ifndef HALLES_LIBS_STORE_OVERLAY_H_
#define HALLES_LIBS_STORE_OVERLAY_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/base/mutex.h"
#include "libs/base/shared_mutex.h"
#include "libs/base/slot.h"
#include "libs/base/unix_time.h"
#include "libs/store/fold.h"
#include "libs/store/key_filter.h"
#include "libs/store/layer.h"
#include "libs/store/rows.h"

namespace halles::store {

// The rows of one slot's state, as its executor works on them:
//
//   in flight   decided and appended, not confirmed; Decide and Evolve read these above everything else
//   confirmed   permanently in the log, not on disk yet; visible to queries
//   frozen      confirmed rows that are being written to disk; never changed, read by the flusher
//   base        the flushed rows
//
// A command:   Decide(in_flight()); Rows& rows = BeginRecord(expected position); Evolve(rows); append, or AbandonRecord().
// Its report:  ConfirmOldest(position). After a loss: DropInFlight(number of older records to keep).
// Replay:      Rows& rows = BeginApply(position); Evolve(rows), or AbandonRecord() when that fails.
// Thread safety: one thread at a time, the one on which `post` of Store::OpenSlot runs functions; dirty() from any.
// Lifetime: the store and `base` outlive it. Unflushed rows are lost when it is destroyed; they are folded from the log
// again.
class SlotRows {
 public:
  // Store::OpenSlot makes them. The destructor calls `on_close`. `filter` avoids reads of the base; it has all keys above
  // it, and those of the base if it is complete.
  SlotRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, SpaceFilter filter, FoldStart start,
           std::function<void()> on_close);
  ~SlotRows();
  SlotRows(const SlotRows&) = delete;
  SlotRows& operator=(const SlotRows&) = delete;

  // The rows that Decide reads.
  const RowReader& in_flight() const { return in_flight_view_; }
  // The rows that queries read.
  const RowReader& confirmed() const { return confirmed_view_; }

  // Begins the next record; its events are evolved into the returned rows, which read the rows in flight. Valid until
  // the next call of any method that is not const.
  Rows& BeginRecord(Position expected);

  // Begins a record that is confirmed already. No record may be in flight.
  Rows& BeginApply(Position position);

  // Reverts the writes of the last record. Call it directly after the failed evolving.
  void AbandonRecord();

  // The oldest record in flight is confirmed at `position`: its rows become visible to queries.
  void ConfirmOldest(Position position);

  // Drops all records in flight except the oldest `keep`.
  void DropInFlight(size_t keep = 0);

  size_t records_in_flight() const { return records_.size(); }

  // The cursor moved without a row, so there is something to flush.
  void NoteAdvance() { dirty_.Set(); }

  // The cursor that the rows were opened with, where reading the slot resumes; absent if nothing was stored. It may be
  // ahead of Store::LoadMeta, because a flush may be running.
  const std::optional<FoldCursor>& opened_at() const { return opened_at_; }

  // Clears a read failure: `status()` of both views is OK again.
  void ResetStatus();

  // Rows opened above stored ones know only the keys that came since; lookups of absent keys then ask the base. Adds up to
  // so many stored keys to the filter; true once it has all. An error of a read is returned; call again then, too.
  absl::StatusOr<bool> FillFilter(size_t keys_max);
  // The logical time of the slot: keys that were over by then are not looked up any more.
  void ForgetFiltered(UnixMicros before) { filter_.Forget(before); }

  // For the flusher -------------------------------------------------------------------------------------------------

  // Whether there is something to flush. Relaxed: a stale value delays a flush by one round.
  bool dirty() const { return dirty_.get(); }

  // Moves the confirmed rows, which belong to `cursor`, aside for the flusher. The rows frozen before must be stored.
  std::shared_ptr<const FrozenRows> Freeze(FoldCursor cursor);

  // Forgets the frozen rows if they are stored.
  void ReleaseStored();

  // For the store --------------------------------------------------------------------------------------------------

  // Forgets all rows, and begins anew above `base`.
  void Reset(std::unique_ptr<BaseRows> base);

 private:
  struct Record {
    Position position = 0;
    std::vector<LayerRow::Ptr> writes;
  };

  class View : public RowReader {
   public:
    View(const SlotRows* owner, bool in_flight) : owner_(owner), in_flight_(in_flight) {}
    std::optional<Row> Get(absl::string_view key) const override;
    void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override;
    absl::Status status() const override { return status_; }
    void Fail(absl::Status status) const override { status_.Update(std::move(status)); }
    void ResetStatus() { status_ = absl::OkStatus(); }

   private:
    const SlotRows* const owner_;
    const bool in_flight_;
    mutable absl::Status status_;
  };

  class Writer : public Rows {
   public:
    explicit Writer(SlotRows* owner) : owner_(owner) {}
    std::optional<Row> Get(absl::string_view key) const override { return owner_->in_flight_view_.Get(key); }
    void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override {
      owner_->in_flight_view_.Scan(prefix, start, visit);
    }
    absl::Status status() const override { return owner_->in_flight_view_.status(); }
    void Fail(absl::Status status) const override { owner_->in_flight_view_.Fail(std::move(status)); }
    void Put(absl::string_view key, std::string value) override { owner_->Write(key, std::move(value), false); }
    void Delete(absl::string_view key) override { owner_->Write(key, std::string(), true); }

   private:
    SlotRows* const owner_;
  };

  enum class Mode { kIdle, kRecord, kApply };  // for AbandonRecord

  void Write(absl::string_view key, std::string value, bool deleted);
  // Confirmed and frozen rows; the second is null while nothing is frozen.
  std::array<const Layer*, 2> Layers() const;

  std::unique_ptr<BaseRows> base_;
  DirtyMeter* const meter_;
  SpaceFilter filter_;
  std::vector<std::string> unfilled_;  // prefixes whose stored keys are not all in the filter
  std::string filled_to_;              // of the last of them: where the others begin
  std::optional<FoldCursor> opened_at_;
  const std::function<void()> on_close_;
  DirtyFlag dirty_;

  View in_flight_view_;
  View confirmed_view_;
  Writer writer_;
  Mode mode_ = Mode::kIdle;
  Position apply_position_ = 0;
  uint64_t records_begun_ = 0;

  InFlightIndex in_flight_;     // key -> the newest write in flight, owned by its record
  std::deque<Record> records_;  // oldest first
  std::vector<InFlightUndo> in_flight_undo_;
  std::vector<std::vector<LayerRow::Ptr>> spare_;  // emptied write lists, kept for their memory
  std::shared_ptr<Layer> confirmed_;               // never null
  std::shared_ptr<const FrozenRows> frozen_;
};

// The rows of one view, folded from many source slots and read by many queries. Each source has its own rows, lock and
// cursor: folding one source waits only for queries, neither for another source nor for a flush.
//
// A row belongs to the source that wrote it; no other source may write or delete it. A flush that finds such a write
// fails with FOREIGN_ROW (INTERNAL).
// Thread safety: all methods may be called from any thread.
// Lifetime: the store and `base` outlive it. Unflushed rows are lost when it is destroyed; they are folded from the log
// again.
class ViewRows {
 private:
  struct Source;

 public:
  // Store::OpenView makes them. `sources`: all that the view is folded from. The destructor calls `on_close`.
  ViewRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, const std::map<SlotId, FoldStart>& sources,
           std::function<void()> on_close);
  ~ViewRows();
  ViewRows(const ViewRows&) = delete;
  ViewRows& operator=(const ViewRows&) = delete;

  // Folds a run of records of one source. A batch becomes visible to queries as a whole, when it has ended.
  //
  //   ViewRows::Batch batch(&view, source);
  //   for (...) { if (!Project(batch.BeginRecord(position), ...).ok()) batch.AbandonRecord(); ... }
  //   batch.SetCursor(cursor);
  //
  // If rows were written, the cursor must be set before the batch ends. A batch waits for another one of its source.
  // Thread safety: one thread at a time.
  class Batch {
   public:
    // `source` is one of those that the view was opened with.
    Batch(ViewRows* view, SlotId source);
    ~Batch();
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    // The rows for the events of one record. Valid until the next call or the end of the batch.
    Rows& BeginRecord(Position position);
    // Reverts the writes of the last record.
    void AbandonRecord();
    // Sets the cursor of the fold.
    void SetCursor(FoldCursor cursor);
    // As last set, here or in an earlier batch; empty if the source was never folded.
    FoldCursor cursor() const { return cursor_; }
    // OK, or the first failed read of this batch.
    absl::Status status() const { return writer_.status(); }

   private:
    class Writer : public Rows {
     public:
      explicit Writer(Batch* batch) : batch_(batch) {}
      std::optional<Row> Get(absl::string_view key) const override;
      void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override;
      absl::Status status() const override { return status_; }
      void Fail(absl::Status status) const override { status_.Update(std::move(status)); }
      void Put(absl::string_view key, std::string value) override { Write(key, std::move(value), false); }
      void Delete(absl::string_view key) override { Write(key, std::string(), true); }

     private:
      void Write(absl::string_view key, std::string value, bool deleted);
      // The newest first.
      absl::Span<const Layer* const> Layers() const;

      Batch* const batch_;
      mutable absl::Status status_;
    };

    ViewRows* const view_;
    Source& source_;
    // Rows of earlier batches as they were at the beginning. Only a batch changes them, so reading them needs no lock;
    // a flush that stores them meanwhile changes nothing.
    std::shared_ptr<const Layer> earlier_;
    std::shared_ptr<const FrozenRows> frozen_;
    Layer written_;  // by this batch
    std::array<const Layer*, 3> layers_;
    Writer writer_;
    Position position_ = 0;
    FoldCursor cursor_;
    bool cursor_set_ = false;
    bool uncovered_ = false;  // a record was begun after the cursor was set
  };

  // A read of the view. It pins each source once: all its reads of a source are from one position.
  // Thread safety: one thread at a time; many queries at once. Keep it short, because ending batches wait for it.
  class Query : public RowReader {
   public:
    explicit Query(const ViewRows* view);
    ~Query() override;
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    std::optional<Row> Get(absl::string_view key) const override;
    void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override;
    // OK, or the first failed read of this query.
    absl::Status status() const override { return status_; }
    void Fail(absl::Status status) const override { status_.Update(std::move(status)); }
    // First position of the source that the rows do not include yet.
    Position next(SlotId source) const;
    FoldCursor cursor(SlotId source) const;

   private:
    using Layers = absl::InlinedVector<const Layer*, 4>;
    // The sources that may have the key, or keys with this prefix of KeySketch::kPrefixBytes.
    Layers LayersWith(absl::string_view bytes) const;

    const ViewRows* const view_;
    std::vector<const Layer*> layers_;  // those that have rows; of each source the newer first
    mutable absl::Status status_;
  };

  // Empty if the source was never folded, or does not belong to the view.
  FoldCursor cursor(SlotId source) const;
  // The sources that were folded.
  std::map<SlotId, FoldCursor> cursors() const;

  // For the flusher -------------------------------------------------------------------------------------------------

  // Visits the sources that have something to flush, without a lock.
  void ForEachDirty(absl::FunctionRef<void(SlotId source)> visit) const;
  // Moves the source's rows aside with its cursor. The rows frozen before must be stored.
  std::shared_ptr<const FrozenRows> Freeze(SlotId source);
  // Drops the frozen rows that are stored.
  void ReleaseStored();

  // For the store --------------------------------------------------------------------------------------------------

  // Forgets all rows and cursors, and begins anew above `base`. Waits for batches and queries, so not from within one.
  void Reset(std::unique_ptr<BaseRows> base);

 private:
  // Lock order: `folding`, then `mutex`; of several sources, in their order.
  struct Source {
    Source(DirtyMeter* meter, FoldStart start)
        : dirty(meter),
          rows(std::make_shared<Layer>(meter, /*with_sketch=*/true)),
          frozen(std::move(start.frozen)),
          cursor(std::move(start.cursor).value_or(FoldCursor())) {}

    DirtyFlag dirty;  // set and cleared under `mutex`
    Mutex folding;    // held by a batch; only its holder writes rows
    mutable SharedMutex mutex;
    std::shared_ptr<Layer> rows ABSL_GUARDED_BY(mutex);  // never null
    std::shared_ptr<const FrozenRows> frozen ABSL_GUARDED_BY(mutex);
    FoldCursor cursor ABSL_GUARDED_BY(mutex);
  };

  // Null if it is no source of the view.
  const Source* FindSource(SlotId source) const;
  Source& SourceAt(SlotId source);

  std::unique_ptr<BaseRows> base_;  // read while a lock of any source is held, replaced while all are
  DirtyMeter* const meter_;
  const std::function<void()> on_close_;
  std::map<SlotId, Source> sources_;  // the set of them is immutable
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_OVERLAY_H_
