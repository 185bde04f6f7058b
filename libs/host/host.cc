// Starts the parts in order, and stops them in reverse order.
#include "libs/host/host.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"

namespace halles::host {
namespace {

constexpr absl::Duration kSettlePart = absl::Milliseconds(50);
constexpr absl::Duration kSwapDrain = absl::Seconds(10);
constexpr absl::Duration kSwapSettle = absl::Seconds(60);
constexpr absl::Duration kReopenPause = absl::Seconds(1);

absl::Status Starting() {
  return Failure(absl::StatusCode::kUnavailable, "STARTING", "the process is starting and opens its data; try again");
}

// A value that is set on another thread.
template <typename T>
class Awaited {
 public:
  void Set(T value) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    value_ = std::move(value);
    done_ = true;
  }
  T Await() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return done_; });
    return std::move(value_);
  }

 private:
  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  T value_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace

Serving::~Serving() {
  if (pool != nullptr) pool->Stop();
  runtime.reset();
  pool.reset();
  store.reset();
}

Host::Host(HostOptions options)
    : options_(std::move(options)), instance_(InstanceId::Random(*options_.random)), queries_(options_.scheduler) {
  counters_.observe_command = options_.observe_command;
  for (const partition::ServiceDefinition& service : options_.definitions.services) {
    for (const auto& [name, command] : service.commands) {
      commands_.emplace(command->request_type(), partition::RegisteredCommand{service.id, command.get()});
    }
  }
}

std::unique_ptr<Host> Host::Make(HostOptions options) { return std::unique_ptr<Host>(new Host(std::move(options))); }

absl::StatusOr<std::unique_ptr<Host>> Host::Open(HostOptions options) {
  HostData data = static_cast<const HostData&>(options);
  std::unique_ptr<Host> host = Make(std::move(options));
  RETURN_IF_ERROR(host->Start(std::move(data)));
  return host;
}

absl::Status Host::Start(HostData data) {
  static_cast<HostData&>(options_) = std::move(data);
  tokens_.emplace(install(), options_.request_key);
  RETURN_IF_ERROR(Serve());
  OpenGate();
  return absl::OkStatus();
}

absl::Status Host::CheckOpened() {
  MutexLock lock(&gate_mutex_);
  return opened_ ? absl::OkStatus() : Starting();
}

Host::~Host() {
  CloseGate();
  queries_.Stop();
  serving_.reset();
}

absl::Status Host::Serve() {
  auto serving = std::make_unique<Serving>();
  ASSIGN_OR_RETURN(serving->store, options_.open_store());
  projection::FollowerPoolOptions pool;
  pool.log = options_.log;
  pool.store = serving->store.get();
  pool.scheduler = options_.scheduler;
  pool.shards = options_.executors;
  pool.seed = options_.random->Next64();
  pool.views = options_.definitions.views;
  pool.reactions = options_.definitions.reactions;
  pool.touched = options_.touched;
  ASSIGN_OR_RETURN(serving->pool, projection::FollowerPool::Open(std::move(pool)));
  partition::RuntimeOptions runtime;
  runtime.log = options_.log;
  runtime.store = serving->store.get();
  runtime.scheduler = options_.scheduler;
  runtime.instance = instance_;
  runtime.address = options_.address;
  runtime.executors = options_.executors;
  runtime.services = options_.definitions.services;
  runtime.role = options_.role;
  runtime.counters = &counters_;
  runtime.request_key = options_.request_key;
  runtime.calls = options_.calls;
  runtime.accept_clock_jump = options_.accept_clock_jump;
  runtime.on_clock_refused = options_.on_clock_refused;
  runtime.on_confirmed = [pool = serving->pool.get()](partition::ConfirmedRecord record) {
    pool->Offer(std::move(record));
  };
  runtime.on_serving = [pool = serving->pool.get()](SlotId slot, bool owned) { pool->OnServing(slot, owned); };
  runtime.on_stopped = [pool = serving->pool.get()](SlotId slot, const partition::ReactedTo& reacted) {
    pool->OnStopped(slot, reacted);
  };
  runtime.extend_token = [pool = serving->pool.get(), scheduler = options_.scheduler](
                             SlotId target, const TokenPositions& sources, const partition::ExtendDone& done) {
    pool->AnswerExtension(target, sources, scheduler->Now() + absl::ToInt64Microseconds(partition::kExtendPatience),
                          done);
  };
  ASSIGN_OR_RETURN(serving->runtime, partition::Runtime::Start(std::move(runtime)));
  // Views have not moved yet, and slots hardly.
  std::map<SlotId, Position> opened_at = FoldedOf(*serving);
  serving->pool->Start(serving->runtime.get());
  serving_ = std::move(serving);
  opened_at_ = std::move(opened_at);
  return absl::OkStatus();
}

std::map<SlotId, Position> Host::FoldedOf(const Serving& serving) const {
  std::map<SlotId, std::pair<Position, Position>> sums;  // with the number of folds
  const auto add = [&sums](SlotId slot, Position position) {
    auto& [sum, folds] = sums[slot];
    sum += position;
    ++folds;
  };
  for (const partition::ServiceDefinition& service : options_.definitions.services) {
    for (uint32_t slot = 0; slot < options_.log->identity().slots.of(service.id); ++slot) {
      const SlotId id{service.id, static_cast<uint16_t>(slot)};
      add(id, serving.runtime->confirmed(id));
    }
  }
  for (const auto& view : serving.pool->views()) {
    for (const auto& [slot, position] : view->positions()) add(slot, position);
  }
  std::map<SlotId, Position> folded;
  for (const auto& [slot, sum] : sums) folded[slot] = sum.first / sum.second;
  return folded;
}

CatchUp Host::catch_up() {
  CatchUp catch_up;
  With([this, &catch_up](Serving& serving) {
    for (const auto& [slot, folded] : FoldedOf(serving)) {
      const auto opened = opened_at_.find(slot);
      // A log that cannot be read just now is told without these records.
      const absl::StatusOr<Position> end = options_.log->End(slot);
      if (opened == opened_at_.end() || !end.ok()) continue;
      const Position from = opened->second;
      const Position to = std::max(from, *end);
      catch_up.records_total += to - from;
      catch_up.records_done += std::clamp(folded, from, to) - from;
    }
  }).IgnoreError();
  return catch_up;
}

absl::Status Host::With(absl::FunctionRef<void(Serving&)> use) {
  {
    MutexLock lock(&gate_mutex_);
    if (closed_) {
      if (!opened_) return Starting();
      return Failure(absl::StatusCode::kUnavailable, "NOT_SERVING",
                     "rebuilt state is being put in place, or the process is ending; try again");
    }
    ++users_;
  }
  use(*serving_);
  MutexLock lock(&gate_mutex_);
  --users_;
  return absl::OkStatus();
}

void Host::CloseGate() {
  MutexLock lock(&gate_mutex_);
  closed_ = true;
  gate_mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return users_ == 0; });
}

void Host::OpenGate() {
  MutexLock lock(&gate_mutex_);
  closed_ = false;
  opened_ = true;
}

bool Host::settled() {
  bool settled = false;
  return With([&settled](Serving& serving) { settled = serving.runtime->settled(); }).ok() && settled;
}

bool Host::AwaitSettled(absl::Duration timeout) {
  const MonotonicMicros deadline = options_.scheduler->Now() + absl::ToInt64Microseconds(timeout);
  bool settled = false;
  while (!settled) {
    const absl::Duration left = absl::Microseconds(deadline - options_.scheduler->Now());
    if (left <= absl::ZeroDuration()) return false;
    // In small parts: whoever closes the gate waits for this.
    const absl::Status open = With(
        [&settled, left](Serving& serving) { settled = serving.runtime->AwaitSettled(std::min(left, kSettlePart)); });
    if (open.ok()) continue;
    MutexLock lock(&gate_mutex_);
    gate_mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !closed_; }, left);
  }
  return true;
}

const partition::RegisteredCommand* Host::FindCommand(const google::protobuf::Descriptor* request_type) const {
  const auto found = commands_.find(request_type);
  return found == commands_.end() ? nullptr : &found->second;
}

bool Host::caught_up() {
  bool all = false;
  return With([&all](Serving& serving) { all = serving.runtime->settled() && serving.pool->caught_up(); }).ok() && all;
}

std::vector<partition::SlotState> Host::SlotStates() {
  const auto states = std::make_shared<Awaited<std::vector<partition::SlotState>>>();
  const absl::Status open = With([&states](Serving& serving) {
    serving.runtime->States([states](std::vector<partition::SlotState> found) { states->Set(std::move(found)); });
  });
  return open.ok() ? states->Await() : std::vector<partition::SlotState>();
}

absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> Host::Metas() {
  const auto flushed = std::make_shared<Awaited<absl::Status>>();
  RETURN_IF_ERROR(With([&flushed](Serving& serving) {
    serving.store->FlushAsync([flushed](absl::Status status) { flushed->Set(std::move(status)); });
  }));
  // The stored rows are consistent whether or not this flush failed; the store's health reports a failure.
  flushed->Await().IgnoreError();
  absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> metas;
  RETURN_IF_ERROR(With([&metas](Serving& serving) { metas = serving.store->LoadMetas(); }));
  return metas;
}

absl::StatusOr<Proof> Host::Verify(const projection::ReplayObserver& observer) { return Prove(observer, false); }
absl::StatusOr<Proof> Host::Rebuild(const projection::ReplayObserver& observer) { return Prove(observer, true); }

absl::Status Host::BeginProof() {
  MutexLock lock(&proof_mutex_);
  if (proving_) return Overloaded("PROOF_RUNNING", "a verify or rebuild runs already", absl::Seconds(5));
  proving_ = true;
  return absl::OkStatus();
}

void Host::EndProof() {
  MutexLock lock(&proof_mutex_);
  proving_ = false;
}

absl::StatusOr<Proof> Host::Prove(const projection::ReplayObserver& observer, bool swap_in) {
  RETURN_IF_ERROR(BeginProof());
  const auto end = absl::MakeCleanup([this] { EndProof(); });
  store::Store* store = nullptr;
  RETURN_IF_ERROR(With([&](Serving& serving) { store = serving.store.get(); }));
  RETURN_IF_ERROR(CheckNotEnding());
  RETURN_IF_ERROR(store->FlushNow());
  ASSIGN_OR_RETURN(std::unique_ptr<store::Snapshot> stored, store->TakeSnapshot());
  projection::ReplayTargets targets;
  for (const auto& [fold, meta] : stored->folds()) targets[fold] = meta.cursor.next;

  ASSIGN_OR_RETURN(std::unique_ptr<store::Store> beside, store->OpenBeside(store->options()));
  ASSIGN_OR_RETURN(const projection::ReplayResult replayed,
                   projection::Replay(options_.log, options_.definitions.services, options_.definitions.views, targets,
                                      beside.get(), [&](const projection::ReplayProgress& progress) -> absl::Status {
                                        RETURN_IF_ERROR(CheckNotEnding());
                                        return observer ? observer(progress) : absl::OkStatus();
                                      }));
  ASSIGN_OR_RETURN(std::unique_ptr<store::Snapshot> rebuilt, beside->TakeSnapshot());
  Proof proof;
  proof.events = replayed.events;
  proof.digests = targets.size();
  ASSIGN_OR_RETURN(proof.comparison, store::CompareSnapshots(*stored, *rebuilt, options_.definitions.schemas,
                                                             [&](absl::string_view difference) {
                                                               if (proof.differences.size() < kDifferencesMax)
                                                                 proof.differences.emplace_back(difference);
                                                             }));
  if (swap_in) RETURN_IF_ERROR(SwapIn(std::move(stored), std::move(rebuilt), std::move(beside)));
  return proof;
}

absl::Status Host::CheckNotEnding() {
  MutexLock lock(&proof_mutex_);
  return ending_ ? absl::CancelledError("the process is ending") : absl::OkStatus();
}

absl::Status Host::BeginSwap() {
  MutexLock lock(&proof_mutex_);
  if (ending_) return absl::CancelledError("the process is ending");
  swapping_ = true;
  return absl::OkStatus();
}

void Host::EndSwap() {
  MutexLock lock(&proof_mutex_);
  swapping_ = false;
}

void Host::CloseParts() {
  CloseGate();
  serving_->pool->Stop();
  DrainRuntime(kSwapDrain);
}

void Host::OpenGateWhenSettled() {
  const MonotonicMicros until = options_.scheduler->Now() + absl::ToInt64Microseconds(kSwapSettle);
  // A drain that waits for this does not wait for the slots.
  while (!serving_->runtime->AwaitSettled(kSettlePart) && CheckNotEnding().ok() && options_.scheduler->Now() < until) {
  }
  OpenGate();
}

absl::Status Host::SwapIn(std::unique_ptr<store::Snapshot> stored, std::unique_ptr<store::Snapshot> rebuilt,
                          std::unique_ptr<store::Store> beside) {
  RETURN_IF_ERROR(BeginSwap());
  const auto swapped = absl::MakeCleanup([this] { EndSwap(); });
  RETURN_IF_ERROR(beside->SwapIn());
  // From here on the next start opens the rebuilt rows, so serve them too.
  rebuilt.reset();
  beside.reset();
  CloseParts();
  stored.reset();
  serving_.reset();
  if (const absl::Status opened = Serve(); !opened.ok()) {
    // Nothing serves, and nothing will: the next start recovers from the log.
    telemetry::Log(telemetry::LogLevel::kError, "host", "cannot serve from the rebuilt state; ending the process",
                   {{"why", opened}});
    std::abort();
  }
  OpenGateWhenSettled();
  return absl::OkStatus();
}

absl::Status Host::MendState() {
  const store::Store* store = nullptr;
  const auto find_read_only = [this, &store] {
    return With([&store](Serving& serving) { store = serving.store->read_only() ? serving.store.get() : nullptr; });
  };
  RETURN_IF_ERROR(find_read_only());
  if (store == nullptr) return absl::OkStatus();
  // From here on nobody replaces it.
  RETURN_IF_ERROR(BeginProof());
  const auto ended = absl::MakeCleanup([this] { EndProof(); });
  RETURN_IF_ERROR(find_read_only());
  if (store == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(store->CheckRoom());
  RETURN_IF_ERROR(BeginSwap());
  const auto swapped = absl::MakeCleanup([this] { EndSwap(); });
  telemetry::Log(telemetry::LogLevel::kInfo, "host", "there is space again: the state is opened to be written");
  CloseParts();
  serving_.reset();
  absl::Status opened = Serve();
  for (; !opened.ok() && CheckNotEnding().ok(); opened = Serve()) {
    telemetry::Log(telemetry::LogLevel::kError, "host", "the state cannot be opened again; it is tried again",
                   {{"why", opened}, {"reason", ReasonOf(opened)}});
    MutexLock lock(&proof_mutex_);
    proof_mutex_.AwaitWithTimeout([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(proof_mutex_) { return ending_; },
                                  kReopenPause);
  }
  if (opened.ok()) OpenGateWhenSettled();
  return opened;
}

void Host::DrainRuntime(absl::Duration timeout) {
  const auto drained = std::make_shared<Awaited<bool>>();
  serving_->runtime->Drain(options_.scheduler->Now() + absl::ToInt64Microseconds(timeout),
                           [drained] { drained->Set(true); });
  drained->Await();
}

void Host::Drain(absl::Duration timeout) {
  {
    MutexLock lock(&proof_mutex_);
    ending_ = true;
    proof_mutex_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(proof_mutex_) { return !swapping_; });
  }
  if (serving_ == nullptr) return;
  // Reactions first, because they submit by themselves.
  serving_->pool->Stop();
  DrainRuntime(timeout);
  if (const absl::Status flushed = serving_->store->FlushNow(); !flushed.ok()) {
    telemetry::Log(telemetry::LogLevel::kWarning, "host", "the last flush failed; the next start reads more of the log",
                   {{"why", std::string(flushed.message())}});
  }
}

}  // namespace halles::host
