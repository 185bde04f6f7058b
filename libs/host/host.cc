// Opens the parts in order, and takes them down in the reverse.
#include "libs/host/host.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/projection/source_reader.h"
#include "libs/telemetry/log.h"

namespace halles::host {
namespace {

constexpr int kQueryThreads = 2;
constexpr absl::Duration kOpenTimeout = absl::InfiniteDuration();
constexpr absl::Duration kSwapDrain = absl::Seconds(10);

// Reasons for which the state is moved aside and made again from the log.
bool IsRebuildable(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "FOREIGN_STORE" || reason == "STORE_DAMAGED";
}

// Reactions of one service to one source share the cursor in the slots that take them: two definitions would hide each
// other's reactions.
absl::Status CheckReactions(const Definitions& definitions) {
  std::map<std::pair<ServiceId, ServiceId>, std::string> names;
  for (const projection::ReactionDefinition& reaction : definitions.reactions) {
    const auto [other, first] = names.emplace(std::pair(reaction.service, reaction.source), reaction.name);
    if (first) continue;
    return Failure(
        absl::StatusCode::kInvalidArgument, "REACTIONS_NOT_MERGED",
        absl::StrCat(other->second, " and ", reaction.name, " are reactions of ", ServiceName(reaction.service), " to ",
                     ServiceName(reaction.source), "; make them one with MergeReactions"));
  }
  return absl::OkStatus();
}

}  // namespace

projection::ViewFollower& Stack::View(ServiceId service, uint8_t view) const {
  for (const std::unique_ptr<projection::ViewFollower>& follower : views) {
    if (follower->definition().service == service && follower->definition().view == view) return *follower;
  }
  CheckFailed(__FILE__, __LINE__, "a view that no service defines");
}

projection::Reactor* Stack::ReactorOf(ServiceId service, ServiceId source) const {
  for (const std::unique_ptr<projection::Reactor>& reactor : reactors) {
    if (reactor->definition().service == service && reactor->definition().source == source) return reactor.get();
  }
  return nullptr;
}

Stack::~Stack() {
  for (const std::unique_ptr<projection::Reactor>& reactor : reactors) reactor->Stop();
  views.clear();
  runtime.reset();
  reactors.clear();
  store.reset();
}

absl::StatusOr<std::unique_ptr<Host>> Host::Open(HostOptions options) {
  RETURN_IF_ERROR(CheckReactions(options.definitions));
  std::unique_ptr<Host> host(new Host(std::move(options)));
  host->counters_.observe_command = host->options_.observe_command;
  host->instance_ = InstanceId::Random(*host->options_.random);
  for (int i = 0; i < kQueryThreads; ++i) {
    host->query_threads_.push_back(std::make_unique<partition::Executor>(absl::StrCat("queries-", i), [] {}));
  }
  RETURN_IF_ERROR(host->OpenLogAndKeys());
  RETURN_IF_ERROR(host->OpenStack());
  return host;
}

Host::~Host() {
  CloseGate();
  for (const std::unique_ptr<partition::Executor>& thread : query_threads_) thread->Stop();
  stack_.reset();
}

absl::Status Host::OpenLogAndKeys() {
  std::error_code error;
  std::filesystem::create_directories(options_.data_dir, error);
  if (error) {
    return Failure(absl::StatusCode::kUnavailable, "DATA_DIR_UNUSABLE",
                   absl::StrCat("cannot create ", options_.data_dir, ": ", error.message(),
                                "; name a directory that can be written with --data-dir"),
                   {{"path", options_.data_dir}});
  }
  eventlog::EmbeddedLogOptions log_options;
  log_options.directory = options_.data_dir + "/log";
  log_options.slots_per_service = options_.slots_per_service;
  if (options_.observe_commit) {
    log_options.on_commit = [observe = options_.observe_commit](const eventlog::CommitStats& stats) {
      observe(absl::Microseconds(stats.micros), stats.records);
    };
  }
  ASSIGN_OR_RETURN(std::unique_ptr<eventlog::EmbeddedLog> log, eventlog::EmbeddedLog::Open(std::move(log_options)));
  log_health_ = [embedded = log.get()] { return embedded->health(); };
  log_ = std::move(log);

  bool empty = true;
  for (const partition::ServiceDefinition& service : options_.definitions.services) {
    for (uint32_t slot = 0; slot < log_->identity().slots_per_service && empty; ++slot) {
      ASSIGN_OR_RETURN(const Position end, log_->End({service.id, static_cast<uint16_t>(slot)}));
      empty = end == 0;
    }
  }
  ASSIGN_OR_RETURN(key_ring_, KeyRing::Open(options_.data_dir + "/keys", install(), empty, *options_.random));
  for (const auto& [id, key] : key_ring_.keys(kIdentifierKey)) RETURN_IF_ERROR(identifier_keys_.Add(id, key));
  return absl::OkStatus();
}

// Every cursor of the store must stand on a record that is still what it was.
absl::Status Host::CheckLineage(const store::Store& store) {
  ASSIGN_OR_RETURN(const auto metas, store.LoadMetas());
  for (const auto& [fold, meta] : metas) {
    ASSIGN_OR_RETURN(const eventlog::Cursor cursor, eventlog::DecodeCursor(meta.cursor.bytes));
    RETURN_IF_ERROR(WithContext(projection::CheckLineageOf(log_.get(), fold.source, cursor), fold.ToString()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<store::Store>> Host::OpenStore() {
  const std::string dir = options_.data_dir + "/state";
  for (int attempt = 0; attempt < 2; ++attempt) {
    absl::StatusOr<std::unique_ptr<store::Store>> store = store::Store::Open(dir, install(), {});
    absl::Status why = store.status();
    if (store.ok()) {
      why = CheckLineage(**store);
      if (why.ok()) return store;
      store->reset();
    } else if (!IsRebuildable(why)) {
      return why;
    }
    ASSIGN_OR_RETURN(const std::string moved, store::Store::Quarantine(dir));
    telemetry::Log(telemetry::LogLevel::kError, "host", "the state does not belong to the log; moved aside, rebuilding",
                   {{"why", std::string(why.message())}, {"reason", ReasonOf(why)}, {"moved_to", moved}});
  }
  return Failure(absl::StatusCode::kInternal, "STATE_UNUSABLE", absl::StrCat(dir, " cannot be made anew"));
}

absl::Status Host::OpenStack() {
  auto stack = std::make_unique<Stack>();
  ASSIGN_OR_RETURN(stack->store, OpenStore());
  partition::RuntimeOptions runtime;
  runtime.log = log_.get();
  runtime.store = stack->store.get();
  runtime.clock = options_.clock;
  runtime.instance = instance_;
  runtime.address = options_.address;
  runtime.executors = options_.executors;
  runtime.services = options_.definitions.services;
  runtime.counters = &counters_;
  runtime.request_key = request_key();
  ASSIGN_OR_RETURN(stack->runtime, partition::Runtime::Start(std::move(runtime)));
  for (const projection::ViewDefinition& view : options_.definitions.views) {
    projection::ViewFollower::TouchListener touched;
    if (options_.touched) {
      touched = [this, name = view.FullName()](const std::vector<std::string>& topics) {
        options_.touched(name, topics);
      };
    }
    ASSIGN_OR_RETURN(stack->views.emplace_back(), projection::ViewFollower::Start(view, log_.get(), stack->store.get(),
                                                                                  std::move(touched), &stack->share));
  }
  stack->runtime->AwaitSettled(kOpenTimeout);
  for (const projection::ReactionDefinition& reaction : options_.definitions.reactions) {
    ASSIGN_OR_RETURN(stack->reactors.emplace_back(),
                     projection::Reactor::Start(reaction, log_.get(), stack->runtime.get(),
                                                projection::kReactionProgressEvery, &stack->share));
  }
  stack_ = std::move(stack);
  closed_.store(false);
  return absl::OkStatus();
}

absl::Status Host::With(absl::FunctionRef<void(Stack&)> use) {
  users_.fetch_add(1);
  if (closed_.load()) {
    users_.fetch_sub(1);
    return Failure(absl::StatusCode::kUnavailable, "NOT_SERVING",
                   "rebuilt state is being put in place, or the process is ending; try again");
  }
  use(*stack_);
  users_.fetch_sub(1);
  return absl::OkStatus();
}

void Host::CloseGate() {
  closed_.store(true);
  // Those inside only submit and leave.
  while (users_.load() > 0) std::this_thread::yield();
}

void Host::PostQuery(std::function<void()> task) {
  query_threads_[next_query_thread_.fetch_add(1, std::memory_order_relaxed) % query_threads_.size()]->Post(
      std::move(task));
}

bool Host::caught_up() {
  bool all = true;
  const absl::Status served = With([&](Stack& stack) {
    const auto behind = [&](SlotId slot, Position reached) {
      const absl::StatusOr<Position> end = log_->End(slot);
      return !end.ok() || reached < *end;
    };
    for (const auto& view : stack.views) {
      for (const auto& [slot, reached] : view->positions()) all = all && !behind(slot, reached);
    }
    for (const auto& reactor : stack.reactors) {
      for (const auto& [slot, reached] : reactor->positions()) all = all && !behind(slot, reached);
    }
  });
  return served.ok() && all;
}

absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> Host::Metas() {
  absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> metas;
  RETURN_IF_ERROR(With([&](Stack& stack) {
    stack.store->FlushNow().IgnoreError();  // what is stored stands by itself; the store's health tells of the failure
    metas = stack.store->LoadMetas();
  }));
  return metas;
}

absl::StatusOr<Proof> Host::Verify(const projection::ReplayObserver& observer) { return Prove(observer, false); }
absl::StatusOr<Proof> Host::Rebuild(const projection::ReplayObserver& observer) { return Prove(observer, true); }

absl::StatusOr<Proof> Host::Prove(const projection::ReplayObserver& observer, bool swap_in) {
  {
    MutexLock lock(&proof_mutex_);
    if (proving_) return Overloaded("PROOF_RUNNING", "a verify or rebuild runs already", absl::Seconds(5));
    proving_ = true;
  }
  struct Release {
    Host* host;
    ~Release() {
      MutexLock lock(&host->proof_mutex_);
      host->proving_ = false;
    }
  } release{this};
  store::Store* store = nullptr;
  RETURN_IF_ERROR(With([&](Stack& stack) { store = stack.store.get(); }));
  RETURN_IF_ERROR(store->FlushNow());
  ASSIGN_OR_RETURN(std::unique_ptr<store::Snapshot> stored, store->TakeSnapshot());
  projection::ReplayTargets targets;
  for (const auto& [fold, meta] : stored->folds()) targets[fold] = meta.cursor.next;

  ASSIGN_OR_RETURN(std::unique_ptr<store::Store> beside, store->OpenBeside({}));
  ASSIGN_OR_RETURN(const projection::ReplayResult replayed,
                   projection::Replay(log_.get(), options_.definitions.services, options_.definitions.views, targets,
                                      beside.get(), observer));
  ASSIGN_OR_RETURN(std::unique_ptr<store::Snapshot> rebuilt, beside->TakeSnapshot());
  Proof proof;
  proof.events = replayed.events;
  proof.digests = targets.size();
  ASSIGN_OR_RETURN(proof.comparison, store::CompareSnapshots(*stored, *rebuilt, options_.definitions.schemas,
                                                             [&](absl::string_view difference) {
                                                               if (proof.differences.size() < kDifferencesMax)
                                                                 proof.differences.emplace_back(difference);
                                                             }));
  if (!swap_in) return proof;
  RETURN_IF_ERROR(beside->SwapIn());
  // From here on the rebuilt rows are what the next start opens; so start.
  rebuilt.reset();
  beside.reset();
  CloseGate();
  for (const std::unique_ptr<projection::Reactor>& reactor : stack_->reactors) reactor->Stop();
  stack_->runtime->Drain(kSwapDrain);
  stored.reset();
  stack_.reset();
  if (const absl::Status opened = OpenStack(); !opened.ok()) {
    // Nothing serves and nothing will: the next start recovers from the log.
    telemetry::Log(telemetry::LogLevel::kError, "host", "cannot serve from the rebuilt state; ending the process",
                   {{"why", opened}});
    std::abort();
  }
  return proof;
}

void Host::Drain(absl::Duration timeout) {
  const absl::Status served = With([&](Stack&) {});
  if (!served.ok()) return;
  // Reactors first: they submit by themselves.
  for (const std::unique_ptr<projection::Reactor>& reactor : stack_->reactors) reactor->Stop();
  stack_->runtime->Drain(timeout);
  if (const absl::Status flushed = stack_->store->FlushNow(); !flushed.ok()) {
    telemetry::Log(telemetry::LogLevel::kWarning, "host", "the last flush failed; the next start reads more of the log",
                   {{"why", std::string(flushed.message())}});
  }
}

}  // namespace halles::host
