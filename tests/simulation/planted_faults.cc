// The faults of what a host is told and decides, each an interposer. Those of what it runs on are in
// planted_machine_faults.cc; passing.h has what they share.
#include "tests/simulation/planted_faults.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/hash.h"
#include "libs/base/wire_fields.h"
#include "libs/partition/runtime_tables.h"
#include "services/checkout/imports/state.h"
#include "services/customer_identity/party.h"
#include "services/customer_identity/projection.h"
#include "services/inventory/state.h"
#include "tests/simulation/answers_reversed.h"
#include "tests/simulation/passing.h"
#include "tests/simulation/request_times.h"
#include "tests/simulation/world.h"

namespace halles::simulation {
namespace {

using store::Row;

// The table of a row key.
uint16_t TableOf(absl::string_view key) {
  return static_cast<uint16_t>(static_cast<uint8_t>(key[0]) << 8 | static_cast<uint8_t>(key[1]));
}

// Reactions -------------------------------------------------------------------------------------------------------------

// When a slot changes its owner, the first reaction for it comes from the previous owner and is lost.
class ReactionLost : public Interposer {
 public:
  void Define(host::Definitions* definitions, Process* process) override {
    for (projection::ReactionDefinition& reaction : definitions->reactions) {
      const partition::ServiceDefinition* service = nullptr;
      for (const auto& each : definitions->services) service = each.id == reaction.service ? &each : service;
      std::map<std::string, std::shared_ptr<const partition::CommandDefinition>, std::less<>> commands =
          service->commands;
      reaction.react = [this, process, commands, id = service->id, react = reaction.react](
                           absl::string_view payload,
                           const partition::FactContext& context) -> absl::StatusOr<projection::Requests> {
        ASSIGN_OR_RETURN(projection::Requests made, react(payload, context));
        projection::Requests kept;
        for (auto& request : made) {
          const std::string key = commands.find(request->GetDescriptor()->full_name())->second->KeyOf(*request);
          const SlotId target = SlotOf(id, context.tenant, key, kSlots);
          const uint64_t term = process->world().auditor.term(target);
          const std::tuple fact(target, context.slot, context.position, context.index);
          if (std::exchange(terms_[target], term) < term) lost_.insert(fact);
          if (!lost_.contains(fact)) kept.push_back(std::move(request));
        }
        return kept;
      };
    }
  }

 private:
  std::map<SlotId, uint64_t> terms_;
  std::set<std::tuple<SlotId, SlotId, Position, uint32_t>> lost_;
};

// The identity graph reacts to only seven of eight events, always the same ones.
class ObservationLost : public Interposer {
 public:
  void Define(host::Definitions* definitions, Process*) override {
    for (projection::ReactionDefinition& reaction : definitions->reactions) {
      if (reaction.service != ServiceId::kCustomerIdentity) continue;
      reaction.react = [react = reaction.react](
                           absl::string_view payload,
                           const partition::FactContext& context) -> absl::StatusOr<projection::Requests> {
        if (Hash128Of(payload, context.slot.ToString()).lo % 8 == 0) return projection::Requests();
        return react(payload, context);
      };
    }
  }
};

// Answers ---------------------------------------------------------------------------------------------------------------

class AnswersAgainOutOfOrder : public Interposer {
  const AnswersReversed reversed_;
};

// A command is answered when its record is made, not when it is durable.
class AnsweredBeforeItIsDurable : public Interposer {
 public:
  void Define(host::Definitions* definitions, Process*) override {
    WrapCommands(
        definitions, inventory::v1::ReceiveStockRequest::descriptor()->full_name(),
        [](std::unique_ptr<partition::Command> command) { return std::make_unique<Eager>(std::move(command)); });
  }

 private:
  class Eager : public PassingCommand {
   public:
    using PassingCommand::PassingCommand;
    absl::Status Evolve(store::Rows& rows, partition::FactContext context) override {
      RETURN_IF_ERROR(inner().Evolve(rows, context));
      if (!std::exchange(answered_, true)) inner().Answer({context.slot, context.position + 1});
      return absl::OkStatus();
    }
    void Answer(partition::AnswerPosition position) override {
      if (!answered_) inner().Answer(position);
    }
    void AnswerError(const absl::Status& status) override {
      if (!answered_) inner().AnswerError(status);
    }

   private:
    bool answered_ = false;
  };
};

// A client repeats its request under another id.
class AskedAgainUnderAnotherId : public Interposer {
 public:
  std::string AskAgainAs(const std::string& request_id) override { return absl::StrCat(request_id, "-again"); }
};

// A former owner continues to answer reads from its own state.
class StaleOwnerAnswersReads : public Interposer {
 public:
  Position ReadFrom(Position) override { return 0; }
};

// Folds forget what is over by the clock, not by the time of their record.
class AnswersForgottenByTheClock : public Interposer {
 public:
  void Define(host::Definitions*, Process* process) override {
    if (fault_ == nullptr) fault_ = std::make_unique<AnswersDroppedByTheClock>(&process->world().scheduler);
  }

 private:
  std::unique_ptr<AnswersDroppedByTheClock> fault_;
};

// A request is executed however old its id is.
class ExpiredRequestExecuted : public Interposer {
  const RequestTimesIgnored ignored_;
};

// Rules and folds -------------------------------------------------------------------------------------------------------

// A rule decides on old rows of some tables: as it read them for the first time.
class DecidedOnStaleState : public Interposer {
 public:
  DecidedOnStaleState(std::string request_name, std::vector<uint16_t> tables)
      : request_name_(std::move(request_name)), tables_(std::move(tables)) {}
  void Define(host::Definitions* definitions, Process*) override {
    seen_.clear();
    WrapCommands(definitions, request_name_, [this](std::unique_ptr<partition::Command> command) {
      return std::make_unique<Stale>(std::move(command), &seen_, &tables_);
    });
  }

 private:
  using Seen = std::map<std::string, std::optional<Row>, std::less<>>;
  class Stale : public PassingCommand {
   public:
    Stale(std::unique_ptr<partition::Command> inner, Seen* seen, const std::vector<uint16_t>* tables)
        : PassingCommand(std::move(inner)), seen_(*seen), tables_(*tables) {}
    absl::StatusOr<bool> Decide(const store::RowReader& state, const partition::CommandContext& context) override {
      return inner().Decide(Remembering(&state, &seen_, &tables_), context);
    }

   private:
    Seen& seen_;
    const std::vector<uint16_t>& tables_;
  };
  class Remembering : public store::RowReader {
   public:
    Remembering(const store::RowReader* inner, Seen* seen, const std::vector<uint16_t>* tables)
        : inner_(*inner), seen_(*seen), tables_(*tables) {}
    std::optional<Row> Get(absl::string_view key) const override {
      if (std::find(tables_.begin(), tables_.end(), TableOf(key)) == tables_.end()) return inner_.Get(key);
      const auto known = seen_.find(key);
      return known != seen_.end() ? known->second : seen_.emplace(key, inner_.Get(key)).first->second;
    }
    void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override {
      inner_.Scan(prefix, start, visit);
    }
    absl::Status status() const override { return inner_.status(); }
    void Fail(absl::Status status) const override { inner_.Fail(std::move(status)); }

   private:
    const store::RowReader& inner_;
    Seen& seen_;
    const std::vector<uint16_t>& tables_;
  };
  const std::string request_name_;
  const std::vector<uint16_t> tables_;
  Seen seen_;
};

// A phone belongs to the customer that it was linked to first, whatever was linked to it later.
class FirstLinkWins : public Interposer {
 public:
  absl::StatusOr<customer_identity::Party> PartyOf(const store::RowReader& view,
                                                   const customer_identity::IdentifierKey& key) override {
    const FirstLinks first(&view);
    return customer_identity::PartyFinder(first).Find(key);
  }

 private:
  class FirstLinks : public store::RowReader {
   public:
    explicit FirstLinks(const store::RowReader* inner) : inner_(*inner) {}
    std::optional<Row> Get(absl::string_view key) const override { return inner_.Get(key); }
    void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override {
      if (TableOf(prefix) != customer_identity::kNeighbours.id() || !IsPhone(prefix[2])) {
        return inner_.Scan(prefix, start, visit);
      }
      Position first = std::numeric_limits<Position>::max();
      const auto strong = [](absl::string_view key) { return !IsPhone(key[2 + 1 + 32]); };
      inner_.Scan(prefix, "", [&](absl::string_view key, const Row& row) {
        if (strong(key)) first = std::min(first, row.position);
        return true;
      });
      inner_.Scan(prefix, start, [&](absl::string_view key, const Row& row) {
        return strong(key) && row.position != first ? true : visit(key, row);
      });
    }
    absl::Status status() const override { return inner_.status(); }
    void Fail(absl::Status status) const override { inner_.Fail(std::move(status)); }

   private:
    static bool IsPhone(char type) { return type == common::v1::IDENTIFIER_TYPE_PHONE; }
    const store::RowReader& inner_;
  };
};

// The second process runs a build that ignores releases of holds.
class FoldOfOneProcessDiffers : public Interposer {
 public:
  void Define(host::Definitions* definitions, Process* process) override {
    if (process != process->world().processes[1].get()) return;
    for (partition::ServiceDefinition& service : definitions->services) {
      if (service.id != ServiceId::kInventory) continue;
      for (partition::AggregateDefinition& aggregate : service.aggregates) {
        aggregate.evolve = [evolve = aggregate.evolve](store::Rows& rows, absl::string_view payload,
                                                       const partition::FactContext& context) {
          if (FirstWireField(payload) == inventory::v1::StockEvent::kHoldReleasedFieldNumber) {
            return absl::OkStatus();
          }
          return evolve(rows, payload, context);
        };
      }
    }
  }
};

// Calls -----------------------------------------------------------------------------------------------------------------

// Every call of a method, or some of them, has this fate.
class CallsGoWrong : public Interposer {
 public:
  CallsGoWrong(std::string method, CallFate fate, uint64_t one_in)
      : method_(std::move(method)), fate_(fate), one_in_(one_in) {}
  CallFate OnCall(const partition::OutgoingCall& call, Process*) override {
    if (call.method != method_) return CallFate::kTravels;
    // All copies of a call have the same fate.
    return Hash128Of(call.request_id, "").lo % one_in_ == 0 ? fate_ : CallFate::kTravels;
  }

 private:
  const std::string method_;
  const CallFate fate_;
  const uint64_t one_in_;
};

}  // namespace

std::vector<PlantedFault> PlantedFaults() {
  const std::string& number = checkout::v1::AssignOrderNumberRequest::descriptor()->full_name();
  const std::string& reserve = inventory::v1::ReserveStockRequest::descriptor()->full_name();
  const std::string& take_back = checkout::v1::ReturnLinesRequest::descriptor()->full_name();
  const std::string& cancel = inventory::v1::CancelReservationRequest::descriptor()->full_name();
  std::vector<PlantedFault> faults = {
      Plant<ReactionLost>("ReactionLostBetweenInstances"),
      Plant<ObservationLost>("ObservationOfACustomerLost"),
      Plant<AnswersAgainOutOfOrder>("AnswersDecidedAgainOutOfOrder"),
      Plant<AskedAgainUnderAnotherId>("RepeatedUnderAnotherRequestId"),
      Plant<AnsweredBeforeItIsDurable>("AnsweredBeforeItIsDurable"),
      Plant<StaleOwnerAnswersReads>("StaleOwnerAnswersReads"),
      Plant<AnswersForgottenByTheClock>("AnswersForgottenByTheClock"),
      Plant<ExpiredRequestExecuted>("ExpiredRequestExecuted"),
      Plant<DecidedOnStaleState>("OversoldOnStaleState", reserve, std::vector<uint16_t>{inventory::kLevels.id()}),
      Plant<DecidedOnStaleState>(
          "TakenBackOnStaleState", take_back,
          std::vector<uint16_t>{checkout::imports::kReturned.id(), checkout::imports::kReturnedLines.id()}),
      Plant<FirstLinkWins>("PartyDependsOnTheOrderOfLinks"),
      Plant<FoldOfOneProcessDiffers>("FoldOfOneProcessDiffers"),
      Plant<CallsGoWrong>("HoldNotReleasedByCompensation", cancel, CallFate::kSwallowed, uint64_t{1}),
      Plant<CallsGoWrong>("OutcomeOfACallLost", number, CallFate::kNeverAnswered, uint64_t{64}),
      Plant<CallsGoWrong>("UnknownOutcomeTakenForARefusal", number, CallFate::kRefused, uint64_t{3}),
  };
  for (PlantedFault& fault : PlantedMachineFaults()) faults.push_back(std::move(fault));
  return faults;
}

}  // namespace halles::simulation
