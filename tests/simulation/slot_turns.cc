// Wraps the queues, commands and folds of a host, so that they report when they work and on which slot.
#include "tests/simulation/slot_turns.h"

#include "absl/strings/str_cat.h"
#include "tests/simulation/passing.h"
#include "tests/simulation/world.h"

namespace halles::simulation {

class SlotTurns::WatchedQueue : public TaskQueue {
 public:
  WatchedQueue(std::unique_ptr<TaskQueue> inner, std::string name, SlotTurns* turns)
      : inner_(std::move(inner)), name_(std::move(name)), turns_(*turns) {}
  void Post(Task task) override { inner_->Post(Watched(std::move(task))); }
  void PostAfter(absl::Duration delay, Task task) override { inner_->PostAfter(delay, Watched(std::move(task))); }
  void Stop() override { inner_->Stop(); }

 private:
  Task Watched(Task task) {
    return [this, task = std::move(task)]() mutable {
      if (std::exchange(busy_, true)) {
        turns_.findings_.Add("I10", absl::StrCat(turns_.who_, ": a task of ", name_, " begins within another one"));
      }
      task();
      busy_ = false;
    };
  }

  const std::unique_ptr<TaskQueue> inner_;
  const std::string name_;
  SlotTurns& turns_;
  bool busy_ = false;
};

class SlotTurns::WatchedMachine : public PassingScheduler {
 public:
  WatchedMachine(Scheduler* inner, SlotTurns* turns) : PassingScheduler(inner), turns_(*turns) {}
  std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority) override {
    return std::make_unique<WatchedQueue>(PassingScheduler::NewQueue(name, priority), name, &turns_);
  }

 private:
  SlotTurns& turns_;
};

class SlotTurns::WatchedCommand : public PassingCommand {
 public:
  WatchedCommand(std::unique_ptr<partition::Command> inner, SlotId slot, SlotTurns* turns)
      : PassingCommand(std::move(inner)), slot_(slot), turns_(*turns) {}
  absl::StatusOr<bool> Decide(const store::RowReader& state, const partition::CommandContext& context) override {
    turns_.Work(slot_);
    return inner().Decide(state, context);
  }
  absl::Status Evolve(store::Rows& rows, partition::FactContext context) override {
    turns_.Work(slot_);
    return inner().Evolve(rows, context);
  }
  void Answer(partition::AnswerPosition position) override {
    turns_.Work(slot_);
    inner().Answer(position);
  }
  void AnswerRecorded(const std::string& response, partition::AnswerPosition position) override {
    turns_.Work(slot_);
    inner().AnswerRecorded(response, position);
  }

 private:
  const SlotId slot_;
  SlotTurns& turns_;
};

std::unique_ptr<Scheduler> SlotTurns::Watch(Scheduler* machine) {
  return std::make_unique<WatchedMachine>(machine, this);
}

void SlotTurns::Watch(host::Definitions* definitions) {
  for (partition::ServiceDefinition& service : definitions->services) {
    for (auto& [name, command] : service.commands) {
      command = std::make_shared<WrappedDefinition>(
          command, [this, id = service.id](std::unique_ptr<partition::Command> made) {
            const SlotId slot = SlotOf(id, "", made->envelope.aggregate.key, kSlots);
            return std::make_unique<WatchedCommand>(std::move(made), slot, this);
          });
    }
    for (partition::AggregateDefinition& aggregate : service.aggregates) {
      aggregate.evolve = [this, evolve = std::move(aggregate.evolve)](store::Rows& rows, absl::string_view payload,
                                                                      const partition::FactContext& context) {
        Work(context.slot);
        return evolve(rows, payload, context);
      };
    }
  }
}

void SlotTurns::Work(SlotId slot) {
  const TaskQueue* const queue = scheduler_.running();
  const auto [known, first] = queues_.try_emplace(slot, queue);
  if (queue == nullptr) {
    findings_.Add("I10", absl::StrCat(who_, ": work on ", slot.ToString(), " outside of any task"));
  } else if (known->second != queue) {
    findings_.Add("I10", absl::StrCat(who_, ": tasks of two queues work on ", slot.ToString()));
  }
}

}  // namespace halles::simulation
