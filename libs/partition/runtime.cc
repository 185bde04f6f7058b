// Distributes slots over executors, and reports of the log over slots.
#include "libs/partition/runtime.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"

namespace halles::partition {

// Takes the reports for all slots of one executor: one lock and one wake-up for all of a sync.
class Runtime::ExecutorSink : public eventlog::ReportSink {
 public:
  // Slots are added before the executor runs anything.
  void Add(SlotRunner* runner) { runners_[runner->slot()] = runner; }
  void SetExecutor(Executor* executor) { executor_ = executor; }

  void OnReports(absl::Span<const eventlog::AppendReport> reports) override {
    executor_->Post([this, batch = std::vector<eventlog::AppendReport>(reports.begin(), reports.end())] {
      for (const eventlog::AppendReport& report : batch) runners_.at(report.slot)->OnReport(report);
    });
  }

  void Tick() {
    for (auto& [slot, runner] : runners_) runner->Tick();
  }

 private:
  std::map<SlotId, SlotRunner*> runners_;
  Executor* executor_ = nullptr;
};

// Sends calls to the slots of this runtime.
class Runtime::OwnCalls : public CallSink {
 public:
  explicit OwnCalls(Runtime* runtime) : runtime_(runtime) {}
  void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) override {
    runtime_->Call(call, from, done);
  }
  void Submit(ServiceId service, absl::string_view aggregate_key, std::unique_ptr<Command> command) override {
    const SlotId slot = runtime_->SlotFor(service, command->envelope.tenant, aggregate_key);
    runtime_->Submit(slot, std::move(command));
  }

 private:
  Runtime* const runtime_;
};

Runtime::Runtime(RuntimeOptions options)
    : options_(std::move(options)), clock_(*options_.clock), own_calls_(std::make_unique<OwnCalls>(this)) {}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Start(RuntimeOptions options) {
  std::unique_ptr<Runtime> runtime(new Runtime(std::move(options)));
  const int threads = std::max(1, runtime->options_.executors);
  std::vector<std::shared_ptr<std::atomic<bool>>> started;
  for (int i = 0; i < threads; ++i) {
    runtime->sinks_.push_back(std::make_unique<ExecutorSink>());
    ExecutorSink* sink = runtime->sinks_.back().get();
    // Ticks begin when all slots of the executor are open.
    started.push_back(std::make_shared<std::atomic<bool>>(false));
    runtime->executors_.push_back(std::make_unique<Executor>(absl::StrCat("slots-", i), [sink, open = started.back()] {
      if (open->load(std::memory_order_acquire)) sink->Tick();
    }));
    sink->SetExecutor(runtime->executors_.back().get());
  }
  size_t next = 0;
  for (const ServiceDefinition& service : runtime->options_.services) {
    for (uint32_t slot = 0; slot < runtime->identity().slots_per_service; ++slot) {
      const size_t executor = next++ % static_cast<size_t>(threads);
      SlotDependencies deps;
      deps.log = runtime->options_.log;
      deps.sink = runtime->sinks_[executor].get();
      deps.executor = runtime->executors_[executor].get();
      deps.store = runtime->options_.store;
      deps.service = &service;
      deps.clock = &runtime->clock_;
      deps.counters = runtime->options_.counters;
      deps.calls = runtime->options_.calls != nullptr ? runtime->options_.calls : runtime->own_calls_.get();
      deps.instance = runtime->options_.instance;
      deps.address = runtime->options_.address;
      deps.on_settled = [runtime = runtime.get()] {
        MutexLock lock(&runtime->mutex_);
        ++runtime->settled_;
      };
      const SlotId id{service.id, static_cast<uint16_t>(slot)};
      auto runner = std::make_unique<SlotRunner>(id, std::move(deps));
      runtime->sinks_[executor]->Add(runner.get());
      runtime->runners_.emplace(id, std::move(runner));
    }
  }
  for (auto& [slot, runner] : runtime->runners_) RETURN_IF_ERROR(runner->Open());
  for (const auto& open : started) open->store(true, std::memory_order_release);
  return runtime;
}

Runtime::~Runtime() {
  for (const std::unique_ptr<Executor>& executor : executors_) executor->Stop();
}

SlotId Runtime::SlotFor(ServiceId service, absl::string_view tenant, absl::string_view aggregate_key) const {
  return SlotOf(service, tenant, aggregate_key, identity().slots_per_service);
}

SlotRunner* Runtime::Find(SlotId slot) const {
  const auto it = runners_.find(slot);
  return it == runners_.end() ? nullptr : it->second.get();
}

void Runtime::Submit(SlotId slot, std::unique_ptr<Command> command) {
  if (SlotRunner* runner = Find(slot)) {
    runner->Submit(std::move(command));
    return;
  }
  command->AnswerError(Failure(absl::StatusCode::kUnavailable, "NOT_OWNER",
                               absl::StrCat(slot.ToString(), " is not served here"), {{"slot", slot.ToString()}}));
}

void Runtime::Query(SlotId slot, Position min_position, absl::Time deadline, SlotQuery query) {
  if (SlotRunner* runner = Find(slot)) {
    runner->Query(min_position, deadline, std::move(query));
    return;
  }
  query(Failure(absl::StatusCode::kUnavailable, "NOT_OWNER", absl::StrCat(slot.ToString(), " is not served here")), 0);
}

void Runtime::Watch(SlotId slot, std::string aggregate_id, Position min_position, absl::Time deadline,
                    SlotWatch watch) {
  if (SlotRunner* runner = Find(slot)) {
    runner->Watch(std::move(aggregate_id), min_position, deadline, std::move(watch));
    return;
  }
  watch(Failure(absl::StatusCode::kUnavailable, "NOT_OWNER", absl::StrCat(slot.ToString(), " is not served here")), 0);
}

void Runtime::Call(const OutgoingCall& call, const Command::Envelope& from, const CallDone& done) {
  const auto service = std::find_if(options_.services.begin(), options_.services.end(),
                                    [&](const ServiceDefinition& each) { return each.id == call.service; });
  const Callable* callable = nullptr;
  if (service != options_.services.end()) {
    const auto found = service->callables.find(call.method);
    if (found != service->callables.end()) callable = &found->second;
  }
  if (callable == nullptr) {
    telemetry::Log(telemetry::LogLevel::kError, "partition", "a call that no service takes",
                   {{"service", ServiceName(call.service)}, {"method", call.method}});
    done(Failure(absl::StatusCode::kUnimplemented, "NOT_CALLABLE",
                 absl::StrCat(ServiceName(call.service), " takes no ", call.method)));
    return;
  }
  absl::StatusOr<std::unique_ptr<Command>> command = (*callable)(call.request, options_.request_key, done);
  if (!command.ok()) {
    done(command.status());
    return;
  }
  Command::Envelope& envelope = (*command)->envelope;
  envelope.tenant = from.tenant;
  envelope.actor = from.actor;
  envelope.traceparent = from.traceparent;
  envelope.deadline = absl::Now() + kCallDeadline;
  envelope.internal = true;
  Submit(SlotFor(call.service, envelope.tenant, call.aggregate_key), *std::move(command));
}

Position Runtime::confirmed(SlotId slot) const {
  const SlotRunner* runner = Find(slot);
  return runner == nullptr ? 0 : runner->confirmed();
}

bool Runtime::settled() const {
  MutexLock lock(&mutex_);
  return settled_ == runners_.size();
}

bool Runtime::AwaitSettled(absl::Duration timeout) {
  MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return settled_ == runners_.size(); },
                                 timeout);
}

void Runtime::RunOnAll(const std::function<void(SlotRunner&)>& function) {
  Mutex mutex;
  size_t left = executors_.size();
  for (size_t i = 0; i < executors_.size(); ++i) {
    executors_[i]->Post([&, i] {
      size_t index = 0;
      // The same distribution as in Start: by service in the order given, then by slot.
      for (const ServiceDefinition& service : options_.services) {
        for (uint32_t slot = 0; slot < identity().slots_per_service; ++slot) {
          if (index++ % executors_.size() != i) continue;
          function(*runners_.at({service.id, static_cast<uint16_t>(slot)}));
        }
      }
      MutexLock lock(&mutex);
      --left;
    });
  }
  MutexLock lock(&mutex);
  mutex.Await([&left] { return left == 0; });
}

std::vector<SlotState> Runtime::States() {
  std::vector<SlotState> states;
  Mutex mutex;
  RunOnAll([&](SlotRunner& runner) {
    SlotState state = runner.State();
    MutexLock lock(&mutex);
    states.push_back(std::move(state));
  });
  std::sort(states.begin(), states.end(), [](const SlotState& a, const SlotState& b) { return a.slot < b.slot; });
  return states;
}

void Runtime::Drain(absl::Duration timeout) {
  RunOnAll([](SlotRunner& runner) { runner.StopIntake(); });
  const absl::Time deadline = absl::Now() + timeout;
  const auto busy = [this] {
    return std::any_of(runners_.begin(), runners_.end(), [](const auto& entry) { return entry.second->load() > 0; });
  };
  while (busy() && absl::Now() < deadline) {
    RunOnAll([](SlotRunner&) {});  // waits for the executors: what they have at hand is answered first
    MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout([] { return false; }, absl::Milliseconds(1));  // then for the log
  }
  RunOnAll([](SlotRunner& runner) { runner.AbandonAll(); });
}

}  // namespace halles::partition
