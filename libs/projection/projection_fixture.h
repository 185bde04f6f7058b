// What the tests of views and reactions are written with: counters, a view of their sums, and counters that copy them.
#ifndef HALLES_LIBS_PROJECTION_PROJECTION_FIXTURE_H_
#define HALLES_LIBS_PROJECTION_PROJECTION_FIXTURE_H_

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/partition/runtime_fixture.h"
#include "libs/projection/definitions.h"
#include "libs/store/table.h"

namespace halles::projection {

using partition::Add;
using partition::kFirstSlot;
using partition::kOtherSlot;
using partition::kPatience;
using partition::ReplyPtr;
using partition::counter::AddRequest;
using partition::counter::AddResponse;
using partition::counter::CounterEvent;
using partition::counter::CounterRow;

inline constexpr ServiceId kSource = ServiceId::kInventory;  // what is counted
inline constexpr ServiceId kTarget = ServiceId::kLoyalty;    // what reacts, and owns the view
inline constexpr uint8_t kSumsView = 1;

// Sums of a counter, one row for each slot it is read from.
struct SumKey {
  std::string counter;
  SlotId source;
  static constexpr std::array kFieldNames = {"counter", "source"};
  auto Fields() const { return std::tie(counter, source); }
  auto Fields() { return std::tie(counter, source); }
};
inline constexpr store::Table<SumKey, CounterRow> kSums(1, "sums");

inline absl::Status ProjectSum(store::Rows& view, const CounterEvent& event, const partition::FactContext& context) {
  CounterRow row = kSums.Get(view, {event.counter(), context.slot}).value_or(CounterRow());
  row.set_value(row.value() + event.amount());
  row.set_additions(row.additions() + 1);
  kSums.Put(view, {event.counter(), context.slot}, row);
  return absl::OkStatus();
}

// Writes first and fails then, as a projection may.
inline absl::Status ProjectStrictly(store::Rows& view, const CounterEvent& event,
                                    const partition::FactContext& context) {
  RETURN_IF_ERROR(ProjectSum(view, event, context));
  if (event.amount() == partition::counter::kUnlucky) return absl::DataLossError("an unlucky number");
  return absl::OkStatus();
}

inline void TopicsOf(const CounterEvent& event, std::vector<std::string>* topics) {
  topics->push_back(event.counter());
}

inline ViewDefinition Sums(absl::Status (*project)(store::Rows&, const CounterEvent&,
                                                   const partition::FactContext&) = &ProjectSum,
                           uint32_t fold_version = 1) {
  ViewDefinition view{kTarget, kSumsView, "sums", fold_version, {}};
  view.sources = {ProjectionOf<CounterEvent>(kSource, 1, project, &TopicsOf)};
  return view;
}

inline AddRequest Copy(const std::string& counter, int64_t amount) {
  AddRequest request;
  request.set_counter(counter);
  request.set_amount(amount);
  return request;
}

// Each addition is copied to the counter "all".
inline std::vector<AddRequest> ReactOnce(const CounterEvent& event, const partition::FactContext&) {
  return {Copy("all", event.amount())};
}
// Each addition is copied to two counters, wherever they live, and once more to the first.
inline std::vector<AddRequest> ReactThrice(const CounterEvent& event, const partition::FactContext&) {
  return {Copy("left", event.amount()), Copy("right", event.amount()), Copy("left", event.amount())};
}

inline ReactionDefinition Reacts(std::vector<AddRequest> (*react)(const CounterEvent&, const partition::FactContext&),
                                 const std::string& single_target = "") {
  return ReactionOf<CounterEvent, AddRequest, AddResponse, CounterEvent>(
      "copies", kTarget, kSource, 1, react, [](const AddRequest& request) { return request.counter(); },
      &partition::counter::Decide, partition::counter::kCounter, single_target);
}

// One definition of the two: a copy to "left" and one to "right", each from its own reaction.
inline ReactionDefinition ReactsInTwoWays() {
  const auto to_left = +[](const CounterEvent& event, const partition::FactContext&) {
    return std::vector<AddRequest>{Copy("left", event.amount())};
  };
  const auto to_right = +[](const CounterEvent& event, const partition::FactContext&) {
    return std::vector<AddRequest>{Copy("right", event.amount()), Copy("right", event.amount())};
  };
  return MergeReactions("both", {Reacts(to_left), Reacts(to_right)});
}

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_PROJECTION_FIXTURE_H_
