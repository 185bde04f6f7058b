// Distributes slots over queues, reports and growth of the log over slots, and requests over commands.
#include "libs/partition/runtime.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"

namespace halles::partition {
namespace {

// Interval at which Drain checks whether everything is answered.
constexpr absl::Duration kIdleLook = absl::Milliseconds(1);

absl::Status NotServed(SlotId slot) {
  return Failure(absl::StatusCode::kUnavailable, "NOT_OWNER", absl::StrCat(slot.ToString(), " is not served here"),
                 {{"slot", slot.ToString()}});
}

}  // namespace

// The slots of one queue: one task and one wake-up for all reports of a sync.
class Runtime::QueueSink : public eventlog::ReportSink {
 public:
  explicit QueueSink(TaskQueue* queue) : queue_(queue) {}

  // Slots are added before anything is appended for them.
  void Add(SlotRunner* runner) { runners_[runner->slot()] = runner; }
  const std::map<SlotId, SlotRunner*>& runners() const { return runners_; }

  void OnReports(absl::Span<const eventlog::AppendReport> reports) override {
    queue_->Post([this, batch = std::vector<eventlog::AppendReport>(reports.begin(), reports.end())] {
      for (const eventlog::AppendReport& report : batch) runners_.at(report.slot)->OnReport(report);
    });
  }

 private:
  TaskQueue* const queue_;
  std::map<SlotId, SlotRunner*> runners_;
};

// Sends calls to the slots of this runtime.
class Runtime::OwnCalls : public Calls {
 public:
  explicit OwnCalls(Runtime* runtime) : runtime_(runtime) {}
  void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) override {
    runtime_->Call(call, from, done);
  }
  void ExtendToken(SlotId target, TokenPositions sources, ExtendDone done) override {
    runtime_->ExtendToken(target, std::move(sources), done);
  }

 private:
  Runtime* const runtime_;
};

// Notifies the slots of changes of their logs.
class Runtime::Growth : public eventlog::LogListener {
 public:
  explicit Growth(Runtime* runtime) : runtime_(*runtime) {}
  void OnGrowth(absl::Span<const eventlog::SlotEnd> grown) override {
    for (const eventlog::SlotEnd& end : grown) runtime_.Find(end.slot)->OnGrown(end.end);
  }
  void OnReset(absl::Span<const SlotId> slots) override {
    for (const SlotId slot : slots) runtime_.Find(slot)->OnReset();
  }

 private:
  Runtime& runtime_;
};

Runtime::Runtime(RuntimeOptions options)
    : options_(std::move(options)), clock_(options_.scheduler->clock()), own_calls_(std::make_unique<OwnCalls>(this)) {}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Start(RuntimeOptions options) {
  std::unique_ptr<Runtime> runtime(new Runtime(std::move(options)));
  RETURN_IF_ERROR(runtime->Open());
  return runtime;
}

absl::Status Runtime::Open() {
  std::vector<const google::protobuf::Descriptor*> requests;
  for (const ServiceDefinition& service : options_.services) {
    for (const auto& [name, command] : service.commands) {
      commands_.emplace(command->request_type(), RegisteredCommand{service.id, command.get()});
      requests.push_back(command->request_type());
    }
  }
  known_fields_.emplace(requests);
  const size_t queues = static_cast<size_t>(std::max(1, options_.executors));
  for (size_t i = 0; i < queues; ++i) {
    queues_.push_back(options_.scheduler->NewQueue(absl::StrCat("slots-", i)));
    inboxes_.push_back(std::make_shared<TaskInbox>(queues_.back().get()));
    sinks_.push_back(std::make_unique<QueueSink>(queues_.back().get()));
    randoms_.push_back(std::make_unique<SeededRandom>(Hash64(absl::StrCat(options_.instance.Hex(), "/", i))));
  }
  ClockCheck::Options check;
  for (const ServiceDefinition& service : options_.services) check.slots += identity().slots.of(service.id);
  check.accept_jump = options_.accept_clock_jump;
  check.on_believed = [this] {
    for (auto& [slot, runner] : runners_) runner->OnClockBelieved();
  };
  check.on_refused = [this](const absl::Status& why) {
    for (auto& [slot, runner] : runners_) runner->OnClockRefused(why);
    if (options_.on_clock_refused) options_.on_clock_refused(why);
  };
  clock_check_.emplace(&clock_, std::move(check));
  std::vector<SlotId> slots;
  size_t next = 0;
  for (const ServiceDefinition& service : options_.services) {
    for (uint32_t slot = 0; slot < identity().slots.of(service.id); ++slot) {
      const size_t queue = next++ % queues;
      const SlotId id{service.id, static_cast<uint16_t>(slot)};
      SlotDependencies deps;
      deps.log = options_.log;
      deps.sink = sinks_[queue].get();
      deps.queue = queues_[queue].get();
      deps.inbox = inboxes_[queue];
      deps.scheduler = options_.scheduler;
      deps.store = options_.store;
      deps.service = &service;
      deps.clock = &clock_;
      deps.clock_check = &*clock_check_;
      deps.random = randoms_[queue].get();
      deps.counters = options_.counters;
      deps.calls = &calls();
      deps.submit = [this](const CommandDefinition& command, absl::string_view key, google::protobuf::Message&& request,
                           Command::Envelope envelope, CommandReply reply) {
        Submit(*Find(command.request_type()), key, std::move(request), std::move(envelope), std::move(reply));
      };
      deps.instance = options_.instance;
      deps.address = options_.address;
      deps.role = options_.role;
      deps.on_confirmed = options_.on_confirmed;
      if (options_.on_serving) {
        deps.on_serving = [this, id](bool serving) { options_.on_serving(id, serving); };
      }
      if (options_.on_stopped) {
        deps.on_stopped = [this, id](const ReactedTo& reacted) { options_.on_stopped(id, reacted); };
      }
      deps.on_settled = [this] {
        MutexLock lock(&mutex_);
        ++settled_;
      };
      auto runner = std::make_unique<SlotRunner>(id, std::move(deps));
      sinks_[queue]->Add(runner.get());
      runners_.emplace(id, std::move(runner));
      slots.push_back(id);
    }
  }
  for (auto& [slot, runner] : runners_) RETURN_IF_ERROR(runner->Open());
  // Growth after the first read must not be missed, and only an open slot can be notified.
  growth_ = std::make_unique<Growth>(this);
  subscription_ = options_.log->Follow({.slots = slots, .listener = growth_.get()});
  for (auto& [slot, runner] : runners_) runner->Start();
  return absl::OkStatus();
}

Runtime::~Runtime() {
  subscription_.reset();
  for (const std::unique_ptr<TaskQueue>& queue : queues_) queue->Stop();
  // From here on nothing is appended. The log and pending calls may continue.
  for (const std::unique_ptr<QueueSink>& sink : sinks_) {
    for (const auto& [slot, runner] : sink->runners()) options_.log->Abandon(slot, sink.get());
  }
  for (const std::shared_ptr<TaskInbox>& inbox : inboxes_) inbox->Close();
}

SlotId Runtime::SlotFor(ServiceId service, absl::string_view tenant, absl::string_view aggregate_key) const {
  return SlotOf(service, tenant, aggregate_key, identity().slots.of(service));
}

SlotRunner* Runtime::Find(SlotId slot) const {
  const auto it = runners_.find(slot);
  return it == runners_.end() ? nullptr : it->second.get();
}

const RegisteredCommand* Runtime::Find(const google::protobuf::Descriptor* request_type) const {
  const auto found = commands_.find(request_type);
  return found == commands_.end() ? nullptr : &found->second;
}

void Runtime::Submit(const RegisteredCommand& registered, absl::string_view aggregate_key,
                     google::protobuf::Message&& request, Command::Envelope envelope, CommandReply reply) {
  std::unique_ptr<Command> command =
      registered.command->Make(std::move(request), aggregate_key, options_.request_key, std::move(reply));
  envelope.aggregate = std::move(command->envelope.aggregate);
  envelope.request_id = std::move(command->envelope.request_id);
  envelope.body_hash = command->envelope.body_hash;
  envelope.bytes = command->envelope.bytes;
  command->envelope = std::move(envelope);
  const SlotId slot = SlotFor(registered.service, command->envelope.tenant, aggregate_key);
  Submit(slot, std::move(command));
}

void Runtime::Submit(SlotId slot, std::unique_ptr<Command> command) {
  if (SlotRunner* runner = Find(slot)) {
    runner->Submit(std::move(command));
    return;
  }
  command->AnswerError(NotServed(slot));
}

void Runtime::Query(SlotId slot, Position min_position, MonotonicMicros deadline, SlotQuery query) {
  if (SlotRunner* runner = Find(slot)) {
    runner->Query(min_position, deadline, std::move(query));
    return;
  }
  query(NotServed(slot), 0);
}

void Runtime::Watch(SlotId slot, std::string aggregate_id, Position min_position, MonotonicMicros deadline,
                    SlotWatch watch) {
  if (SlotRunner* runner = Find(slot)) {
    runner->Watch(std::move(aggregate_id), min_position, deadline, std::move(watch));
    return;
  }
  watch(NotServed(slot), 0);
}

void Runtime::Call(const OutgoingCall& call, const Command::Envelope& from, const CallDone& done) {
  const auto service = std::find_if(options_.services.begin(), options_.services.end(),
                                    [&](const ServiceDefinition& each) { return each.id == call.service; });
  const CommandDefinition* command = service == options_.services.end() ? nullptr : service->FindCommand(call.method);
  if (command == nullptr) {
    telemetry::Log(telemetry::LogLevel::kError, "partition", "a call that no service takes",
                   {{"service", ServiceName(call.service)}, {"method", call.method}});
    done(Failure(absl::StatusCode::kUnimplemented, "NOT_CALLABLE",
                 absl::StrCat(ServiceName(call.service), " takes no ", call.method)),
         {});
    return;
  }
  std::unique_ptr<google::protobuf::Message> request = command->NewRequest();
  absl::Status known = request->ParseFromArray(call.request.data(), static_cast<int>(call.request.size()))
                           ? known_fields_->CheckCall(*request)
                           : absl::InvalidArgumentError(absl::StrCat("no ", call.method));
  if (!known.ok()) {
    done(std::move(known), {});
    return;
  }
  Command::Envelope envelope;
  envelope.tenant = from.tenant;
  envelope.actor = from.actor;
  envelope.traceparent = from.traceparent;
  envelope.deadline = options_.scheduler->Now() + absl::ToInt64Microseconds(kCallDeadline);
  envelope.internal = true;
  Submit({call.service, command}, call.aggregate_key, std::move(*request), std::move(envelope),
         [done](const absl::StatusOr<google::protobuf::Message*>& response, AnswerPosition position) {
           if (response.ok()) {
             done((*response)->SerializeAsString(), position);
           } else {
             done(response.status(), position);
           }
         });
}

void Runtime::ExtendToken(SlotId target, TokenPositions sources, const ExtendDone& done) {
  if (Find(target) == nullptr || !options_.extend_token) {
    done(NotServed(target));
    return;
  }
  options_.extend_token(target, std::move(sources), done);
}

void Runtime::TakeOver(SlotId slot) {
  SlotRunner* runner = Find(slot);
  if (runner != nullptr) runner->TakeOver();
}

Position Runtime::confirmed(SlotId slot) const {
  const SlotRunner* runner = Find(slot);
  return runner == nullptr ? 0 : runner->confirmed();
}

absl::Status Runtime::why_stopped(SlotId slot) const {
  const SlotRunner* runner = Find(slot);
  return runner == nullptr ? absl::OkStatus() : runner->why_stopped();
}

bool Runtime::serving(SlotId slot) const {
  const SlotRunner* runner = Find(slot);
  return runner != nullptr && runner->serving();
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

void Runtime::RunOnAll(std::function<void(SlotRunner&)> function, std::function<void()> then) {
  struct All {
    std::function<void(SlotRunner&)> function;
    std::function<void()> then;
    std::atomic<size_t> left;
  };
  auto all = std::make_shared<All>();
  all->function = std::move(function);
  all->then = std::move(then);
  all->left.store(queues_.size());
  for (size_t i = 0; i < queues_.size(); ++i) {
    queues_[i]->Post([this, i, all] {
      for (const auto& [slot, runner] : sinks_[i]->runners()) all->function(*runner);
      if (all->left.fetch_sub(1) == 1) all->then();
    });
  }
}

void Runtime::States(std::function<void(std::vector<SlotState>)> done) {
  struct Gathered {
    Mutex mutex;
    std::vector<SlotState> states ABSL_GUARDED_BY(mutex);
  };
  auto gathered = std::make_shared<Gathered>();
  RunOnAll(
      [gathered](SlotRunner& runner) {
        SlotState state = runner.State();
        MutexLock lock(&gathered->mutex);
        gathered->states.push_back(std::move(state));
      },
      [gathered, done = std::move(done)] {
        std::vector<SlotState> states;
        {
          MutexLock lock(&gathered->mutex);
          states.swap(gathered->states);
        }
        std::sort(states.begin(), states.end(), [](const SlotState& a, const SlotState& b) { return a.slot < b.slot; });
        done(std::move(states));
      });
}

void Runtime::Drain(MonotonicMicros deadline, std::function<void()> done) {
  RunOnAll([](SlotRunner& runner) { runner.StopIntake(); },
           [this, deadline, done = std::move(done)]() mutable { AwaitIdle(deadline, std::move(done)); });
}

void Runtime::AwaitIdle(MonotonicMicros deadline, std::function<void()> done) {
  const bool busy =
      std::any_of(runners_.begin(), runners_.end(), [](const auto& entry) { return entry.second->load() > 0; });
  if (busy && options_.scheduler->Now() < deadline) {
    queues_.front()->PostAfter(
        kIdleLook, [this, deadline, done = std::move(done)]() mutable { AwaitIdle(deadline, std::move(done)); });
    return;
  }
  RunOnAll([](SlotRunner& runner) { runner.AbandonAll(); }, std::move(done));
}

}  // namespace halles::partition
