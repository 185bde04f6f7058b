// Wrappers of the interfaces that a host is given. They forward every call; a planted fault overrides the ones that it
// breaks.
#ifndef HALLES_TESTS_SIMULATION_PASSING_H_
#define HALLES_TESTS_SIMULATION_PASSING_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/scheduler.h"
#include "libs/base/status.h"
#include "libs/eventlog/log.h"
#include "libs/host/definitions.h"
#include "libs/partition/command.h"
#include "libs/partition/command_definition.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"
#include "libs/store/store_format.h"

namespace halles::simulation {

class PassingLog : public eventlog::EventLog {
 public:
  explicit PassingLog(eventlog::EventLog* inner) : inner_(*inner) {}
  const eventlog::LogIdentity& identity() const override { return inner_.identity(); }
  void Append(SlotId slot, std::string bytes, uint64_t tag, eventlog::ReportSink* sink) override {
    inner_.Append(slot, std::move(bytes), tag, sink);
  }
  void Abandon(SlotId slot, eventlog::ReportSink* sink) override { inner_.Abandon(slot, sink); }
  absl::StatusOr<Position> End(SlotId slot) override { return inner_.End(slot); }
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> NewReader(SlotId slot, Position from) override {
    return inner_.NewReader(slot, from);
  }
  std::unique_ptr<eventlog::Subscription> Follow(eventlog::FollowOptions options) override {
    return inner_.Follow(std::move(options));
  }

 private:
  eventlog::EventLog& inner_;
};

class PassingScheduler : public Scheduler {
 public:
  explicit PassingScheduler(Scheduler* inner) : inner_(*inner) {}
  std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority) override {
    return inner_.NewQueue(std::move(name), priority);
  }
  const Clock& clock() const override { return inner_.clock(); }

 protected:
  Scheduler& inner() const { return inner_; }

 private:
  Scheduler& inner_;
};

class PassingCommand : public partition::Command {
 public:
  explicit PassingCommand(std::unique_ptr<partition::Command> inner) : inner_(std::move(inner)) {
    envelope = inner_->envelope;
  }
  absl::StatusOr<bool> Decide(const store::RowReader& state, const partition::CommandContext& context) override {
    return inner_->Decide(state, context);
  }
  absl::Status Evolve(store::Rows& rows, partition::FactContext context) override {
    return inner_->Evolve(rows, context);
  }
  void Record(log::v1::Batch* batch) const override { inner_->Record(batch); }
  void Answer(partition::AnswerPosition position) override { inner_->Answer(position); }
  void AnswerRecorded(const std::string& response, partition::AnswerPosition position) override {
    inner_->AnswerRecorded(response, position);
  }
  void AnswerError(const absl::Status& status) override { inner_->AnswerError(status); }
  std::vector<partition::OutgoingCall> TakeCalls() override { return inner_->TakeCalls(); }
  bool AnswerIsFinal() const override { return inner_->AnswerIsFinal(); }
  void AppendAggregates(std::vector<absl::string_view>* aggregates) const override {
    inner_->AppendAggregates(aggregates);
  }

 protected:
  partition::Command& inner() const { return *inner_; }

 private:
  const std::unique_ptr<partition::Command> inner_;
};

using WrapCommand = std::function<std::unique_ptr<partition::Command>(std::unique_ptr<partition::Command>)>;

// A definition of a command that wraps every command it makes.
class WrappedDefinition : public partition::CommandDefinition {
 public:
  WrappedDefinition(std::shared_ptr<const partition::CommandDefinition> inner, WrapCommand wrap)
      : CommandDefinition(Prototype(inner->request_type()), Prototype(inner->response_type()), inner->aggregate_type()),
        inner_(std::move(inner)),
        wrap_(std::move(wrap)) {}
  absl::Status Prepare(const partition::Preparation& with, google::protobuf::Message* request) const override {
    return inner_->Prepare(with, request);
  }
  std::string KeyOf(const google::protobuf::Message& request) const override { return inner_->KeyOf(request); }
  std::unique_ptr<partition::Command> Make(google::protobuf::Message&& request, absl::string_view aggregate_key,
                                           absl::string_view request_key,
                                           partition::CommandReply reply) const override {
    return wrap_(inner_->Make(std::move(request), aggregate_key, request_key, std::move(reply)));
  }

 private:
  static const google::protobuf::Message& Prototype(const google::protobuf::Descriptor* type) {
    return *google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  }
  const std::shared_ptr<const partition::CommandDefinition> inner_;
  const WrapCommand wrap_;
};

// Wraps the commands of this request, whichever service has registered it.
inline void WrapCommands(host::Definitions* definitions, const std::string& request_name, const WrapCommand& wrap) {
  for (partition::ServiceDefinition& service : definitions->services) {
    const auto command = service.commands.find(request_name);
    if (command == service.commands.end()) continue;
    command->second = std::make_shared<WrappedDefinition>(command->second, wrap);
  }
}

class PassingDatabase : public store::Database {
 public:
  // The inner database reports damage.
  explicit PassingDatabase(std::unique_ptr<store::Database> inner) : Database(nullptr), inner_(std::move(inner)) {}
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override { return inner_->Get(key); }
  std::unique_ptr<store::DatabaseCursor> Seek(absl::string_view prefix) const override { return inner_->Seek(prefix); }
  std::unique_ptr<store::DatabaseSnapshot> TakeSnapshot() const override { return inner_->TakeSnapshot(); }
  std::unique_ptr<store::BaseRows> Rows(const store::RowSpace& space) const override { return inner_->Rows(space); }
  std::vector<store::RowSpace> Spaces() const override { return inner_->Spaces(); }
  absl::Status DropSpace(const store::RowSpace& space) override { return inner_->DropSpace(space); }
  absl::Status Write(Fill fill, BeforeIngest before_ingest) override { return inner_->Write(fill, before_ingest); }
  void WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) override {
    inner_->WriteAsync(fill, before_ingest, std::move(done));
  }
  store::DatabaseSize size() const override { return inner_->size(); }

 protected:
  store::Database& inner() const { return *inner_; }

 private:
  const std::unique_ptr<store::Database> inner_;
};

// A home that wraps every database that it opens.
class PassingHome : public store::DatabaseHome {
 public:
  using Wrap = std::function<std::unique_ptr<store::Database>(std::unique_ptr<store::Database>, Scheduler*)>;
  PassingHome(std::shared_ptr<store::DatabaseHome> inner, Wrap wrap)
      : inner_(std::move(inner)), wrap_(std::move(wrap)) {}
  std::string GenerationPath(uint64_t generation) const override { return inner_->GenerationPath(generation); }
  absl::StatusOr<std::optional<uint64_t>> Current() const override { return inner_->Current(); }
  absl::Status SetCurrent(uint64_t generation) override { return inner_->SetCurrent(generation); }
  absl::StatusOr<std::vector<uint64_t>> Generations() const override { return inner_->Generations(); }
  void Delete(uint64_t generation) override { inner_->Delete(generation); }
  absl::StatusOr<std::unique_ptr<store::Database>> OpenGeneration(uint64_t generation,
                                                                  const store::DatabaseOptions& options,
                                                                  bool create) override {
    ASSIGN_OR_RETURN(std::unique_ptr<store::Database> database, inner_->OpenGeneration(generation, options, create));
    return wrap_(std::move(database), options.scheduler);
  }

 private:
  const std::shared_ptr<store::DatabaseHome> inner_;
  const Wrap wrap_;
};

// Collects the writes of a flush, to write them in one or in two parts.
class NotedDraft : public store::DatabaseDraft {
 public:
  explicit NotedDraft(store::Database* database) : database_(*database) {}
  absl::Status Put(absl::string_view key, absl::string_view value) override {
    rows_.emplace(std::pair(store::SpaceOfKey(key), key), value);
    return absl::OkStatus();
  }
  absl::Status Delete(absl::string_view key) override {
    rows_.emplace(std::pair(store::SpaceOfKey(key), key), std::nullopt);
    return absl::OkStatus();
  }
  absl::Status ReadStored(absl::Span<const std::string> keys, VisitStored visit) override {
    for (size_t i = 0; i < keys.size(); ++i) {
      ASSIGN_OR_RETURN(const std::optional<std::string> value, database_.Get(keys[i]));
      RETURN_IF_ERROR(visit(i, value));
    }
    return absl::OkStatus();
  }

  absl::Status WriteAll() {
    return Write([](const std::string&) { return true; });
  }
  // Writes the metas with cursors and digests, whose keys begin with 3 (libs/store/store.h), or all other rows.
  absl::Status WritePart(bool cursors) {
    return Write([cursors](const std::string& key) { return (key.front() == 3) == cursors; });
  }

 private:
  absl::Status Write(const std::function<bool(const std::string& key)>& wanted) {
    return database_.Write(
        [&](store::DatabaseDraft& draft) -> absl::Status {
          for (const auto& [of_space, value] : rows_) {
            const std::string& key = of_space.second;
            if (!wanted(key)) continue;
            RETURN_IF_ERROR(value.has_value() ? draft.Put(key, *value) : draft.Delete(key));
          }
          return absl::OkStatus();
        },
        [] { return absl::OkStatus(); });
  }

  store::Database& database_;
  // By space and key.
  std::map<std::pair<std::optional<store::RowSpace>, std::string>, std::optional<std::string>> rows_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_PASSING_H_
