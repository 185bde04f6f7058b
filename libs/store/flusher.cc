// The steps of a flush: freeze, write, written, release, end.
#include "libs/store/flusher.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/store/fold_writer.h"

namespace halles::store {
namespace {

constexpr absl::Duration kRetryMin = absl::Seconds(1);
constexpr int kRetryDoublingsMax = 5;
constexpr absl::string_view kHurried = "the flush goes on on the other queue";

absl::Status AlreadyOpen(const RowSpace& space) {
  return Failure(absl::StatusCode::kFailedPrecondition, "ALREADY_OPEN",
                 absl::StrCat("the rows of ", space.ToString(), " are open already"));
}

}  // namespace

// Holds tasks for the threads that wait for a flush. Nothing runs without such a thread.
class Flusher::CallerQueue : public TaskQueue {
 public:
  void Post(Task task) override {
    MutexLock lock(&mutex_);
    if (!stopped_) tasks_.push_back(std::move(task));
  }
  void PostAfter(absl::Duration, Task) override {
    HALLES_CHECK(false, "a flusher without a scheduler waits for a time");
  }
  void Stop() override {
    MutexLock lock(&mutex_);
    stopped_ = true;
    tasks_.clear();
  }

  // Runs tasks until `done`, which one of them sets. Only one caller at a time runs them, so that they run in order.
  void RunUntil(const bool& done) {
    MutexLock caller(&callers_);
    while (!done) {
      Task task;
      {
        MutexLock lock(&mutex_);
        mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !tasks_.empty(); });
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

 private:
  Mutex callers_;
  Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

struct Flusher::Link {
  Mutex mutex;
  Flusher* flusher ABSL_GUARDED_BY(mutex) = nullptr;  // null after its destruction
};

// Continues a flush when functions posted to other threads have run. Each holds a share; when the last is destroyed,
// with a function that has run or was dropped, the flush continues.
class Flusher::Gathering {
 public:
  Gathering(std::shared_ptr<Link> link, Step next) : link_(std::move(link)), next_(next) {}
  ~Gathering() {
    MutexLock lock(&link_->mutex);
    if (link_->flusher != nullptr) link_->flusher->Continue(next_);
  }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  void Deliver(const FoldId& fold, Unit unit) {
    MutexLock lock(&link_->mutex);
    if (link_->flusher != nullptr) link_->flusher->Deliver(fold, std::move(unit));
  }

 private:
  const std::shared_ptr<Link> link_;
  const Step next_;
};

Flusher::Flusher(Database* database, const StoreOptions& options)
    : database_(database),
      options_(options),
      meter_({options.flush_bytes, options.flush_log_bytes, 2 * options.flush_bytes}),
      link_(std::make_shared<Link>()) {
  {
    MutexLock lock(&link_->mutex);
    link_->flusher = this;
  }
  if (options_.scheduler == nullptr) {
    auto callers = std::make_unique<CallerQueue>();
    callers_ = callers.get();
    background_ = std::move(callers);
    return;
  }
  background_ = options_.scheduler->NewQueue("halles-flush", QueuePriority::kBackground);
  urgent_ = options_.scheduler->NewQueue("halles-flush-up", QueuePriority::kNormal);
  meter_.OnNotice([this](DirtyMeter::Notice notice) { OnNotice(notice); });
}

Flusher::~Flusher() {
  {
    MutexLock lock(&link_->mutex);
    link_->flusher = nullptr;
  }
  std::vector<Waiter> waiters;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    waiters.swap(waiting_);
    std::move(watching_.begin(), watching_.end(), std::back_inserter(waiters));
    watching_.clear();
  }
  background_->Stop();
  if (urgent_ != nullptr) urgent_->Stop();
  for (Waiter& waiter : waiters) {
    waiter.done(
        Failure(absl::StatusCode::kUnavailable, "STORE_CLOSED", "the state store was closed before it was flushed"));
  }
}

absl::StatusOr<Flusher::Units> Flusher::Reserve(std::shared_ptr<OpenSpace> open) {
  MutexLock lock(&mutex_);
  const RowSpace space = open->space;
  if (!open_.emplace(space, std::move(open)).second) return AlreadyOpen(space);
  Units frozen;
  for (const auto& [fold, unit] : frozen_) {
    if (RowSpace::Of(fold) == space) frozen.emplace(fold, unit);
  }
  return frozen;
}

void Flusher::Unregister(const RowSpace& space) {
  MutexLock lock(&mutex_);
  open_.erase(space);
}

std::shared_ptr<OpenSpace> Flusher::Find(const RowSpace& space) const {
  MutexLock lock(&mutex_);
  const auto open = open_.find(space);
  return open == open_.end() ? nullptr : open->second;
}

absl::Status Flusher::ForgetFrozen(const RowSpace& space) {
  MutexLock lock(&mutex_);
  for (auto it = frozen_.begin(); it != frozen_.end();) {
    if (RowSpace::Of(it->first) != space) {
      ++it;
    } else if (writing_) {
      return Failure(absl::StatusCode::kUnavailable, "FLUSH_UNDER_WAY",
                     absl::StrCat("rows of ", space.ToString(), " are being written; try again"));
    } else {
      it = frozen_.erase(it);
    }
  }
  return absl::OkStatus();
}

void Flusher::OnDamage(const RowSpace& space) {
  {
    MutexLock lock(&mutex_);
    if (!damaged_.insert(space).second) return;
    untold_.insert(space);
    ++damages_;
  }
  if (options_.on_damaged) options_.on_damaged(space);
  TellDamage();
}

bool Flusher::damaged(const RowSpace& space) const {
  MutexLock lock(&mutex_);
  return damaged_.count(space) > 0;
}

void Flusher::Mended(const RowSpace& space) {
  MutexLock lock(&mutex_);
  damaged_.erase(space);
  untold_.erase(space);
}

void Flusher::TellDamage() {
  MutexLock lock(&mutex_);
  // Whoever found it may hold locks that an owner waits for.
  if (!stopping_ && !untold_.empty()) background_->Post([this] { TellOwners(); });
}

void Flusher::TellOwners() {
  std::vector<std::shared_ptr<OpenSpace>> owners;
  {
    MutexLock lock(&mutex_);
    for (const RowSpace& space : untold_) {
      if (const auto open = open_.find(space); open != open_.end()) owners.push_back(open->second);
    }
  }
  for (const std::shared_ptr<OpenSpace>& open : owners) {
    MutexLock posting(&open->posting);
    {
      MutexLock lock(&open->mutex);
      if (open->slot == nullptr && open->view == nullptr) continue;
    }
    {
      MutexLock lock(&mutex_);
      if (untold_.erase(open->space) == 0) continue;
    }
    if (open->on_damaged) open->on_damaged();
  }
}

void Flusher::FlushAsync(Done done) {
  MutexLock lock(&mutex_);
  waiting_.push_back(Waiter{std::move(done)});
  Begin();
}

absl::Status Flusher::FlushAndWait() {
  Mutex mutex;
  bool done = false;
  absl::Status result;
  FlushAsync([&](absl::Status status) {
    MutexLock lock(&mutex);
    result = std::move(status);
    done = true;
  });
  if (callers_ != nullptr) {
    callers_->RunUntil(done);
  } else {
    MutexLock lock(&mutex);
    mutex.Await([&done] { return done; });
  }
  MutexLock lock(&mutex);
  return result;
}

void Flusher::OnNotice(DirtyMeter::Notice notice) {
  MutexLock lock(&mutex_);
  if (stopping_) return;
  switch (notice) {
    case DirtyMeter::Notice::kDirty:
      dirty_since_ = options_.scheduler->Now();
      ArmAge();
      return;
    case DirtyMeter::Notice::kEnough:
    case DirtyMeter::Notice::kMany:
      if (failures_ > 0) return;
      if (under_way_) {
        Hurry();
      } else {
        Begin();
      }
      return;
  }
}

void Flusher::Hurry() {
  if (hurried_.exchange(true, std::memory_order_relaxed)) return;
  // The step that the background queue has not reached.
  if (next_step_ != nullptr) urgent_->Post([this] { RunStep(/*in_background=*/false); });
}

void Flusher::ArmAge() {
  if (stopping_ || std::exchange(age_timer_, true)) return;
  const absl::Duration left = absl::Microseconds(dirty_since_ - options_.scheduler->Now()) + options_.flush_age;
  background_->PostAfter(left, [this] { OnAge(); });
}

void Flusher::OnAge() {
  MutexLock lock(&mutex_);
  age_timer_ = false;
  if (stopping_ || failures_ > 0 || !meter_.any_dirty()) return;
  // The rows for which the timer was set may be flushed by now, and others have become dirty later.
  if (absl::Microseconds(options_.scheduler->Now() - dirty_since_) < options_.flush_age) {
    ArmAge();
  } else {
    Begin();
  }
}

void Flusher::OnRetry() {
  MutexLock lock(&mutex_);
  retry_timer_ = false;
  if (!stopping_ && failures_ > 0) Begin();
}

void Flusher::Begin() {
  if (std::exchange(under_way_, true)) return;
  hurried_.store(meter_.many(), std::memory_order_relaxed);
  Schedule(&Flusher::Freeze);
}

void Flusher::Continue(Step step) {
  MutexLock lock(&mutex_);
  Schedule(step);
}

void Flusher::Schedule(Step step) {
  if (stopping_) return;
  next_step_ = step;
  const bool urgent = urgent_ != nullptr && hurried_.load(std::memory_order_relaxed);
  (urgent ? urgent_ : background_)->Post([this, urgent] { RunStep(!urgent); });
}

void Flusher::RunStep(bool in_background) {
  Step step;
  {
    MutexLock lock(&mutex_);
    step = std::exchange(next_step_, nullptr);
    if (step == nullptr || stopping_) return;
  }
  in_background_ = in_background;
  (this->*step)();
}

absl::Status Flusher::At(FlushStep step) const {
  return options_.on_flush_step ? options_.on_flush_step(step) : absl::OkStatus();
}

bool Flusher::MayFreeze(const FoldId& fold) {
  MutexLock lock(&mutex_);
  if (damaged_.count(RowSpace::Of(fold)) > 0) return false;
  if (frozen_.count(fold) == 0) return true;
  left_out_ = true;
  return false;
}

void Flusher::Deliver(const FoldId& fold, Unit unit) {
  MutexLock lock(&mutex_);
  frozen_.emplace(fold, std::move(unit));
}

void Flusher::Freeze() {
  meter_.BeginFlush();
  std::vector<std::shared_ptr<OpenSpace>> spaces;
  {
    MutexLock lock(&mutex_);
    // Rows left frozen by an earlier flush hide newer rows of the same fold: those take a second flush.
    for (Waiter& waiter : waiting_) {
      waiter.flushes = frozen_.empty() ? 1 : 2;
      watching_.push_back(std::move(waiter));
    }
    waiting_.clear();
    left_out_ = false;
    for (const auto& [space, open] : open_) spaces.push_back(open);
  }
  const auto gathering = std::make_shared<Gathering>(link_, &Flusher::Write);
  for (const std::shared_ptr<OpenSpace>& open : spaces) {
    MutexLock posting(&open->posting);
    bool post = false;
    {
      // Held until the rows are delivered, so that a view that is closed and reopened finds them.
      MutexLock lock(&open->mutex);
      if (open->view != nullptr) {
        ViewRows& view = *open->view;
        view.ForEachDirty([&](SlotId source) {
          const FoldId fold = FoldId::View(open->space.service, open->space.view, source);
          if (MayFreeze(fold)) Deliver(fold, Unit{open, view.Freeze(source)});
        });
      }
      post = open->slot != nullptr && open->slot->dirty();
    }
    if (!post) continue;
    const FoldId fold = FoldId::State(SlotId{open->space.service, open->space.slot});
    if (!MayFreeze(fold)) continue;
    open->post([open, gathering, fold] {
      SlotRows* rows = nullptr;
      {
        MutexLock lock(&open->mutex);
        rows = open->slot;
      }
      if (rows != nullptr) gathering->Deliver(fold, Unit{open, rows->Freeze(open->cursor())});
    });
  }
}

void Flusher::Write() {
  bool nothing = false;
  {
    MutexLock lock(&mutex_);
    stored_ = frozen_;
    std::erase_if(stored_, [this](const auto& unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return damaged_.count(RowSpace::Of(unit.first)) > 0;
    });
    damages_before_write_ = damages_;
    nothing = stored_.empty();
    writing_ = !nothing;
  }
  if (nothing) {
    End(absl::OkStatus(), false);
    return;
  }
  const auto done = [link = link_](absl::Status status) {
    MutexLock lock(&link->mutex);
    if (link->flusher != nullptr) link->flusher->OnWritten(std::move(status));
  };
  if (const absl::Status frozen = At(FlushStep::kFrozen); !frozen.ok()) {
    done(frozen);
    return;
  }
  database_->WriteAsync([this](DatabaseDraft& draft) { return Fill(draft); },
                        [this] {
                          for (const auto& [fold, unit] : stored_)
                            unit.rows->tried.store(true, std::memory_order_relaxed);
                          return At(FlushStep::kFileWritten);
                        },
                        done);
}

absl::Status Flusher::Fill(DatabaseDraft& draft) {
  FoldWriter writer(database_, &draft, [this] { return GoOn(); });
  for (auto it = stored_.begin(); it != stored_.end();) {
    const RowSpace space = RowSpace::Of(it->first);
    std::vector<FoldWriter::Fold> folds;
    for (; it != stored_.end() && RowSpace::Of(it->first) == space; ++it) {
      folds.push_back({it->first, it->second.open->fold_version, it->second.rows.get()});
    }
    RETURN_IF_ERROR(writer.WriteSpace(space, folds));
  }
  rows_written_ = writer.rows();
  return absl::OkStatus();
}

absl::Status Flusher::GoOn() const {
  if (!in_background_ || !hurried_.load(std::memory_order_relaxed)) return absl::OkStatus();
  return absl::AbortedError(kHurried);
}

void Flusher::OnWritten(absl::Status status) {
  MutexLock lock(&mutex_);
  write_status_ = std::move(status);
  Schedule(&Flusher::Written);
}

void Flusher::Written() {
  absl::Status status;
  {
    MutexLock lock(&mutex_);
    status = std::exchange(write_status_, absl::OkStatus());
    const bool hurried = absl::IsAborted(status) && status.message() == kHurried;
    if (hurried || (!status.ok() && damages_ != damages_before_write_)) {
      writing_ = false;
      stored_.clear();
      Schedule(&Flusher::Write);
      return;
    }
  }
  if (status.ok()) status = At(FlushStep::kIngested);
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    health_ = status;
    ++(status.ok() ? flushes_done_ : flushes_failed_);
    if (status.ok()) {
      rows_flushed_ += rows_written_;
      for (const auto& [fold, unit] : stored_) {
        unit.rows->stored.store(true, std::memory_order_release);
        frozen_.erase(fold);
      }
    }
  }
  if (status.ok()) {
    Release();
    return;
  }
  stored_.clear();
  End(status, true);
}

void Flusher::Release() {
  std::vector<std::shared_ptr<OpenSpace>> spaces;
  {
    MutexLock lock(&mutex_);
    for (const auto& [fold, unit] : stored_) {
      const auto open = open_.find(RowSpace::Of(fold));
      if (open != open_.end() && (spaces.empty() || spaces.back() != open->second)) spaces.push_back(open->second);
    }
  }
  const auto gathering = std::make_shared<Gathering>(link_, &Flusher::Released);
  for (const std::shared_ptr<OpenSpace>& open : spaces) {
    MutexLock posting(&open->posting);
    bool post = false;
    {
      MutexLock lock(&open->mutex);
      if (open->view != nullptr) open->view->ReleaseStored();
      post = open->slot != nullptr;
    }
    if (!post) continue;
    open->post([open, gathering] {
      SlotRows* rows = nullptr;
      {
        MutexLock lock(&open->mutex);
        rows = open->slot;
      }
      if (rows != nullptr) rows->ReleaseStored();
    });
  }
}

void Flusher::Released() {
  // Usually the last owner of the rows, so that no other thread frees them.
  stored_.clear();
  End(At(FlushStep::kReleased), true);
}

void Flusher::End(const absl::Status& status, bool worked) {
  std::vector<Waiter> told;
  {
    MutexLock lock(&mutex_);
    under_way_ = false;
    failures_ = status.ok() ? 0 : failures_ + 1;
    for (Waiter& waiter : std::exchange(watching_, {})) {
      if (status.ok() && --waiter.flushes > 0) {
        watching_.push_back(std::move(waiter));
      } else {
        told.push_back(std::move(waiter));
      }
    }
    const bool by_itself = urgent_ != nullptr && !stopping_;
    const bool due = by_itself && status.ok() && worked && (left_out_ || meter_.enough());
    if (due || !waiting_.empty() || !watching_.empty()) {
      Begin();
    } else if (by_itself && status.ok() && meter_.any_dirty()) {
      ArmAge();
    }
    if (by_itself && !status.ok() && !std::exchange(retry_timer_, true)) {
      background_->PostAfter(kRetryMin * (1 << std::min(failures_ - 1, kRetryDoublingsMax)), [this] { OnRetry(); });
    }
  }
  for (Waiter& waiter : told) waiter.done(status);
}

absl::Status Flusher::health() const {
  MutexLock lock(&mutex_);
  return health_;
}

void Flusher::AddStats(StoreStats* stats) const {
  stats->dirty_bytes = meter_.bytes();
  MutexLock lock(&mutex_);
  stats->flushes = flushes_done_;
  stats->failed_flushes = flushes_failed_;
  stats->rows_flushed = rows_flushed_;
  stats->damages = damages_;
}

}  // namespace halles::store
