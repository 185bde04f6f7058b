// Tests of decisions: Given events, When a command, Then events or a refusal.
#ifndef HALLES_LIBS_TESTING_GIVEN_WHEN_THEN_H_
#define HALLES_LIBS_TESTING_GIVEN_WHEN_THEN_H_

#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/domain.h"
#include "libs/store/memory_rows.h"
#include "libs/store/table.h"

namespace halles::testing {

namespace internal {

template <class Event>
std::string TextOf(const Event& event) {
  return event.DebugString();
}
template <class... Events>
std::string TextOf(const std::variant<Events...>& event) {
  return std::visit([](const auto& one) { return one.DebugString(); }, event);
}

// Converts the event to the event type of the domain under test.
template <class To, class From>
To EventAs(From event) {
  return To(std::move(event));
}
template <class To, class... From>
To EventAs(std::variant<From...> event) {
  return std::visit([](auto& one) { return To(std::move(one)); }, event);
}

template <class Event, class Response, class From>
absl::StatusOr<partition::Decision<Response, Event>> DecisionAs(
    absl::StatusOr<partition::Decision<Response, From>> from) {
  RETURN_IF_ERROR(from.status());
  partition::Decision<Response, Event> to;
  to.response = std::move(from->response);
  to.calls = std::move(from->calls);
  to.answer_is_final = from->answer_is_final;
  for (partition::Fact<From>& fact : from->facts) {
    to.facts.push_back({std::move(fact.aggregate_id), EventAs<Event>(std::move(fact.event)), fact.effective_time});
  }
  return to;
}

}  // namespace internal

// The outcome of a command.
template <class Response, class Event>
class Outcome {
 public:
  template <class From>
  explicit Outcome(absl::StatusOr<partition::Decision<Response, From>> decision)
      : decision_(internal::DecisionAs<Event>(std::move(decision))) {}

  // Exactly these events, in this order.
  const Outcome& ThenEvents(const std::vector<Event>& expected) const {
    EXPECT_TRUE(decision_.ok()) << decision_.status();
    if (!decision_.ok()) return *this;
    EXPECT_EQ(decision_->facts.size(), expected.size());
    for (size_t i = 0; i < decision_->facts.size(); ++i) {
      const std::string wanted = i < expected.size() ? internal::TextOf(expected[i]) : "nothing";
      EXPECT_EQ(internal::TextOf(decision_->facts[i].event), wanted) << "event " << i;
    }
    return *this;
  }

  // An answer without events.
  const Outcome& ThenNothing() const { return ThenEvents({}); }

  template <class Reason>
  const Outcome& ThenRejected(Reason reason) const {
    const std::string name =
        google::protobuf::GetEnumDescriptor<Reason>()->FindValueByNumber(static_cast<int>(reason))->name();
    EXPECT_EQ(decision_.status().code(), absl::StatusCode::kFailedPrecondition) << decision_.status();
    EXPECT_EQ("REJECT_REASON_" + ReasonOf(decision_.status()), name) << decision_.status();
    return *this;
  }

  // The value of this key in the metadata of the refusal.
  std::string Metadata(absl::string_view key) const { return MetadataOf(decision_.status(), key); }

  const absl::Status& status() const { return decision_.status(); }
  const Response& response() const { return decision_->response; }
  const std::vector<partition::Fact<Event>>& facts() const { return decision_->facts; }
  // The event at this index, of a decision that may hold events of several aggregates.
  template <class One>
  const One& FactAt(size_t index) const {
    return std::get<One>(decision_->facts.at(index).event);
  }
  const std::vector<partition::OutgoingCall>& calls() const { return decision_->calls; }
  bool answer_is_final() const { return decision_->answer_is_final; }

 private:
  absl::StatusOr<partition::Decision<Response, Event>> decision_;
};

// The state of one slot after some events, each recorded on its own from position 0 on. `Domain` has
//   using Event = ...;  // or a std::variant of the events of several aggregates
//   static absl::Status Evolve(store::Rows&, const Event&, const partition::FactContext&);
//   static auto Decide(const store::RowReader&, const Command&, const partition::CommandContext&);  // for each command
template <class Domain>
class Given {
 public:
  using Event = typename Domain::Event;

  explicit Given(SlotId slot, const std::vector<Event>& events = {}) : slot_(slot) {
    for (const Event& event : events) {
      const absl::Status status = TryEvolve({partition::Fact<Event>{"", event}});
      EXPECT_TRUE(status.ok()) << status << "\n" << internal::TextOf(event);
    }
  }

  // Decides, and checks that the events of the decision can be evolved. The state does not change.
  template <class Command>
  auto When(const Command& command) const {
    auto outcome = Decided(command);
    if (outcome.status().ok() && !outcome.facts().empty()) {
      Given copy = *this;
      const absl::Status status = copy.TryEvolve(outcome.facts());
      EXPECT_TRUE(status.ok()) << "decided what cannot be evolved: " << status;
    }
    return outcome;
  }

  // Decides, and records the events as one record if there are any. The command must not be refused.
  template <class Command>
  auto Record(const Command& command) {
    auto outcome = Decided(command);
    EXPECT_TRUE(outcome.status().ok()) << outcome.status();
    if (outcome.status().ok() && !outcome.facts().empty()) {
      const absl::Status status = TryEvolve(outcome.facts());
      EXPECT_TRUE(status.ok()) << status;
    }
    return outcome;
  }

  // Evolves the events of one record at the next position.
  absl::Status TryEvolve(const std::vector<partition::Fact<Event>>& facts) {
    rows_.set_position(next_);
    partition::FactContext context;
    context.slot = slot_;
    context.position = next_++;
    context.logical_time = now_;
    for (const partition::Fact<Event>& fact : facts) {
      context.aggregate_id = fact.aggregate_id;
      context.effective_time = fact.effective_time.value_or(now_);
      RETURN_IF_ERROR(Domain::Evolve(rows_, fact.event, context));
      ++context.index;
    }
    return rows_.status();
  }

  // Advances logical time.
  void Wait(int64_t micros) { now_ += micros; }

  const store::MemoryRows& rows() const { return rows_; }
  UnixMicros now() const { return now_; }
  SlotId slot() const { return slot_; }
  Position next_position() const { return next_; }

 private:
  template <class Command>
  auto Decided(const Command& command) const {
    partition::CommandContext context;
    context.request_id = "request";
    context.now = now_;
    auto decision = Domain::Decide(rows_, command, context);
    EXPECT_TRUE(rows_.status().ok()) << rows_.status();
    using Decision = std::decay_t<decltype(*decision)>;
    return Outcome<decltype(Decision::response), Event>(std::move(decision));
  }

  SlotId slot_;
  store::MemoryRows rows_;
  Position next_ = 0;
  UnixMicros now_ = 1'700'000'000'000'000;
};

}  // namespace halles::testing

#endif  // HALLES_LIBS_TESTING_GIVEN_WHEN_THEN_H_
