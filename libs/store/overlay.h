// Rows in memory above rows on disk: the state of a slot with what is in flight, and views that queries share.
#ifndef HALLES_LIBS_STORE_OVERLAY_H_
#define HALLES_LIBS_STORE_OVERLAY_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/shared_mutex.h"
#include "libs/base/slot.h"
#include "libs/store/fold.h"
#include "libs/store/key_filter.h"
#include "libs/store/layer.h"
#include "libs/store/rows.h"

namespace halles::store {

// The rows of one slot's state, as its executor works on them:
//
//   in flight   decided and appended, not confirmed; Decide and Evolve see these above everything else
//   confirmed   in the log for good, not on disk yet; what queries see
//   frozen      confirmed rows on their way to disk; never changed, read by the flusher meanwhile
//   base        what was flushed
//
// A command:   Decide(in_flight()); Rows& rows = BeginRecord(expected position); Evolve(rows); append, or AbandonRecord().
// Its report:  ConfirmOldest(position). After a loss: DropInFlight(how many before it keep).
// Replay:      Rows& rows = BeginApply(position); Evolve(rows), or AbandonRecord() when that fails.
// Thread safety: one thread at a time, the one that `post` of Store::OpenSlot runs functions on; dirty() from any.
// Lifetime: the store and `base` outlive it. Destroying it forgets what was not flushed; the log has it.
class SlotRows {
 public:
  // Store::OpenSlot makes them. `on_close` is called by the destructor. `filter` holds back questions to the base.
  SlotRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, SpaceFilter filter, std::optional<FoldMeta> opened_at,
           std::function<void()> on_close);
  ~SlotRows();
  SlotRows(const SlotRows&) = delete;
  SlotRows& operator=(const SlotRows&) = delete;

  // What Decide reads.
  const RowReader& in_flight() const { return in_flight_view_; }
  // What queries read.
  const RowReader& confirmed() const { return confirmed_view_; }

  // Begins the next record; its events are evolved into the rows returned, which read what is in flight. Valid until the
  // next call of any method that is not const.
  Rows& BeginRecord(Position expected);

  // Begins a record that is confirmed already. Nothing may be in flight.
  Rows& BeginApply(Position position);

  // Takes back the writes of the record that was begun last. Must directly follow its evolving.
  void AbandonRecord();

  // The oldest record in flight is in the log at `position`: its rows become visible to queries.
  void ConfirmOldest(Position position);

  // Forgets the records in flight but for the oldest `keep`.
  void DropInFlight(size_t keep = 0);

  size_t records_in_flight() const { return records_.size(); }

  // The cursor moved without a row: it is worth a flush.
  void NoteAdvance() { dirty_.store(true, std::memory_order_relaxed); }

  // The cursor that the rows were flushed with, when the store had any: where reading the slot goes on.
  const std::optional<FoldMeta>& opened_at() const { return opened_at_; }

  // Reads answer anew after a failure; `status()` of both views is OK again.
  void ResetStatus();

  // For the flusher -------------------------------------------------------------------------------------------------

  // Whether there is anything that a flush would write. Relaxed: a late answer delays a flush by one round.
  bool dirty() const { return dirty_.load(std::memory_order_relaxed); }

  // Moves the confirmed rows, which belong to `cursor`, aside for the flusher. Rows frozen before must be released.
  std::shared_ptr<const FrozenRows> Freeze(SlotId slot, FoldCursor cursor);

  // The frozen rows are in the base now.
  void ReleaseFrozen();

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

  enum class Mode { kIdle, kRecord, kApply };  // what AbandonRecord takes back

  void Write(absl::string_view key, std::string value, bool deleted);

  const std::unique_ptr<BaseRows> base_;
  DirtyMeter* const meter_;
  const SpaceFilter filter_;
  const std::optional<FoldMeta> opened_at_;
  const std::function<void()> on_close_;
  std::atomic<bool> dirty_{false};

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
  std::optional<Layer> confirmed_;                 // never empty but while it is exchanged
  std::shared_ptr<const FrozenRows> frozen_;
};

// The rows of one view, folded from many source slots and read by many queries.
// Thread safety: all methods may be called from any thread; folding is exclusive, queries share.
// Lifetime: the store and `base` outlive it.
class ViewRows {
 public:
  // `cursors`: of the sources folded so far, as they were flushed.
  // Store::OpenView makes them. `on_close` is called by the destructor.
  ViewRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, const std::map<SlotId, FoldCursor>& cursors,
           std::function<void()> on_close);
  ~ViewRows();
  ViewRows(const ViewRows&) = delete;
  ViewRows& operator=(const ViewRows&) = delete;

  // Exclusive use of the view for a run of records. Queries see all of a batch or nothing.
  //
  //   ViewRows::Batch batch(&view);
  //   for (...) { if (!Project(batch.BeginRecord(source, position), ...).ok()) batch.AbandonRecord(); ... }
  //   batch.SetCursor(source, cursor);
  //
  // A source whose rows were written must be given its cursor before the batch ends.
  class ABSL_SCOPED_LOCKABLE Batch {
   public:
    explicit Batch(ViewRows* view) ABSL_EXCLUSIVE_LOCK_FUNCTION(view->mutex_);
    ~Batch() ABSL_UNLOCK_FUNCTION();
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    // The rows for the events of one record. Valid until the next call or the end of the batch. `source` may write only
    // rows of its own, whose keys hold it.
    Rows& BeginRecord(SlotId source, Position position);
    // Takes back the writes of the record that was begun last.
    void AbandonRecord();
    // The fold of `source` has come this far.
    void SetCursor(SlotId source, FoldCursor cursor);
    // As last set, here or in an earlier batch; empty when the source was never folded.
    FoldCursor cursor(SlotId source) const;
    absl::Status status() const { return writer_.status(); }

   private:
    class Writer : public Rows {
     public:
      explicit Writer(ViewRows* view) : view_(view) {}
      std::optional<Row> Get(absl::string_view key) const override;
      void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override;
      absl::Status status() const override { return status_; }
      void Fail(absl::Status status) const override { status_.Update(std::move(status)); }
      void Put(absl::string_view key, std::string value) override { Write(key, std::move(value), false); }
      void Delete(absl::string_view key) override { Write(key, std::string(), true); }
      void Write(absl::string_view key, std::string value, bool deleted);

      ViewRows* const view_;
      SlotId source_;
      Position position_ = 0;
      mutable absl::Status status_;
    };

    ViewRows* const view_;
    Writer writer_;
    std::set<SlotId> uncovered_;  // sources written here whose cursor was not set since
  };

  // Shared use of the view: everything read through one Query is of one moment.
  // Thread safety: one thread at a time; many queries at once. Keep it short: folding waits.
  class ABSL_SCOPED_LOCKABLE Query : public RowReader {
   public:
    explicit Query(const ViewRows* view) ABSL_SHARED_LOCK_FUNCTION(view->mutex_);
    ~Query() override ABSL_UNLOCK_FUNCTION();
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    std::optional<Row> Get(absl::string_view key) const override;
    void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override;
    absl::Status status() const override { return status_; }
    void Fail(absl::Status status) const override { status_.Update(std::move(status)); }
    // First position of the source that the rows do not hold yet.
    Position next(SlotId source) const;
    FoldCursor cursor(SlotId source) const;

   private:
    const ViewRows* const view_;
    mutable absl::Status status_;
  };

  FoldCursor cursor(SlotId source) const;
  std::map<SlotId, FoldCursor> cursors() const;

  // For the flusher -------------------------------------------------------------------------------------------------

  bool dirty() const { return dirty_.load(std::memory_order_relaxed); }
  // Moves all rows, and the cursors set since the last time, aside for the flusher; null when there are none.
  std::shared_ptr<const FrozenRows> Freeze();
  void ReleaseFrozen();

 private:
  struct SourceCursor {
    FoldCursor cursor;
    bool dirty = false;
  };

  std::optional<Row> Find(absl::string_view key, absl::Status* failure) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Walk(absl::string_view prefix, absl::string_view start, RowReader::Visit visit, absl::Status* failure) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  FoldCursor CursorOf(SlotId source) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<BaseRows> base_;
  DirtyMeter* const meter_;
  const std::function<void()> on_close_;
  std::atomic<bool> dirty_{false};

  mutable SharedMutex mutex_;
  std::optional<Layer> rows_ ABSL_GUARDED_BY(mutex_);  // never empty but while it is exchanged
  std::shared_ptr<const FrozenRows> frozen_ ABSL_GUARDED_BY(mutex_);
  std::map<SlotId, SourceCursor> cursors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_OVERLAY_H_
