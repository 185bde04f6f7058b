// Groups lines by SKU, plans one reservation per group, and distributes the reserved units over the lines.
#include "services/checkout/order/plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "libs/saga/saga.h"
#include "services/checkout/series.h"

namespace halles::checkout::order {
namespace {

namespace stock = inventory::v1;

constexpr absl::string_view kNumberStep = "number";

// The lines that one request reserves. `parts` are the lines of the request; each combines one or more lines of the
// order.
struct Group {
  std::string sku;
  std::string replaces;                 // hold of the cart that it replaces; empty if none
  std::vector<std::vector<int>> parts;  // indexes of lines
};

void AddLine(int index, Group* group) {
  if (group->parts.size() < kReserveLinesMax) {
    group->parts.push_back({index});
  } else {
    group->parts.back().push_back(index);
  }
}

// The groups in the order of their first lines. Equal lines always give equal groups.
std::vector<Group> GroupsOf(const PricedLines& lines) {
  std::vector<Group> groups;
  const auto find = [&](const std::string& sku, const std::string* hold) -> Group* {
    for (Group& group : groups) {
      if (group.sku == sku && (hold == nullptr || group.replaces == *hold)) return &group;
    }
    return nullptr;
  };
  // Groups with a hold come first, so that a line without a hold joins the first hold of its SKU.
  for (const v1::PricedLine& line : lines) {
    if (!line.hold_id().empty() && find(line.sku(), &line.hold_id()) == nullptr) {
      groups.push_back({line.sku(), line.hold_id(), {}});
    }
  }
  for (int i = 0; i < lines.size(); ++i) {
    Group* group = find(lines[i].sku(), lines[i].hold_id().empty() ? nullptr : &lines[i].hold_id());
    if (group == nullptr) group = &groups.emplace_back(Group{lines[i].sku(), "", {}});
    AddLine(i, group);
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.parts[0][0] < b.parts[0][0]; });
  return groups;
}

std::string StepName(size_t index) { return absl::StrCat("s", index); }

int64_t UnitsOf(const PricedLines& lines, const std::vector<int>& part) {
  int64_t units = 0;
  for (const int index : part) units += lines[index].units();
  return units;
}

// Adds the locations that may supply the goods, in order of preference.
void AddCandidates(const v1::Delivery& delivery, stock::ReserveStockRequest* request) {
  request->set_split(stock::SPLIT_POLICY_ONE_LOCATION);
  switch (delivery.kind_case()) {
    case v1::Delivery::kCarryOut:
      request->add_candidate_location_ids(delivery.carry_out().location_id());
      break;
    case v1::Delivery::kPickup:
      request->add_candidate_location_ids(delivery.pickup().location_id());
      break;
    case v1::Delivery::kShipment:
      *request->mutable_candidate_location_ids() = delivery.shipment().source_location_ids();
      request->set_split(stock::SPLIT_POLICY_SPLIT);
      break;
    case v1::Delivery::KIND_NOT_SET:
      break;
  }
}

template <class Do, class Cancel>
void AddStockStep(std::string name, const std::string& sku, const Do& request, const Cancel& cancel,
                  saga::v1::Plan* plan) {
  saga::v1::Step& step = *plan->add_steps();
  step.set_name(std::move(name));
  step.set_service(static_cast<uint32_t>(ServiceId::kInventory));
  step.set_aggregate_key(sku);
  step.set_method(Do::descriptor()->full_name());
  request.SerializeToString(step.mutable_request());
  step.set_cancel_method(Cancel::descriptor()->full_name());
  cancel.SerializeToString(step.mutable_cancel_request());
}

void AddReserveStep(const Undertaking& undertaking, const PricedLines& lines, const Group& group, std::string hold_id,
                    std::string name, saga::v1::Plan* plan) {
  stock::ReserveStockRequest request;
  request.set_request_id(saga::DoRequestId(undertaking.start, undertaking.saga_id, name));
  request.set_sku(group.sku);
  request.set_hold_id(hold_id);
  for (const std::vector<int>& part : group.parts) request.add_lines()->set_units(UnitsOf(lines, part));
  AddCandidates(undertaking.delivery, &request);
  request.set_purpose(stock::HOLD_PURPOSE_CHECKOUT);
  request.mutable_owner()->set_ref(absl::StrCat("order/", undertaking.order_id));
  if (undertaking.customer != nullptr) *request.mutable_owner()->mutable_customer() = *undertaking.customer;
  request.set_replaces_hold_id(group.replaces);
  const auto cart = undertaking.carts_of_holds.find(group.replaces);
  if (cart != undertaking.carts_of_holds.end()) request.set_replaces_owner_id(cart->second);

  stock::CancelReservationRequest cancel;
  cancel.set_request_id(saga::CancelRequestId(undertaking.start, undertaking.saga_id, name));
  cancel.set_sku(group.sku);
  cancel.set_hold_id(std::move(hold_id));
  cancel.set_cancelled_request_id(request.request_id());
  AddStockStep(std::move(name), group.sku, request, cancel, plan);
}

std::optional<saga::v1::Plan> Checked(saga::v1::Plan plan) {
  if (plan.steps_size() > saga::kStepsMax || plan.ByteSizeLong() > kPlanBytesMax) return std::nullopt;
  return plan;
}

// Distributes the units that inventory planned for one line of a request over the lines of the order that it combines.
class Spreader {
 public:
  Spreader(const stock::LinePlan& plan, std::string fallback) : plan_(plan), fallback_(std::move(fallback)) {}

  // Calls `give(location, units)` until all `units` are given.
  template <class Give>
  void Take(int64_t units, const Give& give) {
    while (units > 0) {
      if (left_ == 0 && next_ < plan_.allocations_size()) {
        left_ = plan_.allocations(next_).units();
        location_ = plan_.allocations(next_++).location_id();
        continue;
      }
      // Too few planned units would be a bug of inventory. The order is certain regardless, so the fallback supplies
      // the rest.
      const int64_t part = left_ > 0 ? std::min(left_, units) : units;
      give(left_ > 0 ? location_ : fallback_, part);
      left_ -= left_ > 0 ? part : 0;
      units -= part;
    }
  }

 private:
  const stock::LinePlan& plan_;
  std::string fallback_;
  std::string location_;
  int next_ = 0;
  int64_t left_ = 0;
};

v1::Problem ProblemOf(v1::ProblemKind kind, absl::string_view line_id, absl::string_view sku, int64_t asked_units,
                      absl::string_view message) {
  v1::Problem problem;
  problem.set_kind(kind);
  problem.set_line_id(std::string(line_id));
  problem.set_sku(std::string(sku));
  problem.set_asked_units(asked_units);
  problem.set_message(std::string(message));
  return problem;
}

int64_t NumberIn(const absl::Status& refusal, absl::string_view key) {
  int64_t number = 0;
  return absl::SimpleAtoi(MetadataOf(refusal, key), &number) ? number : 0;
}

std::string Describe(absl::string_view sku, int64_t asked, int64_t available) {
  return absl::StrCat("only ", available, " units of ", sku, " are available at the possible locations, not ", asked);
}

// Adds the problems of the lines of a group that inventory refused.
void AddRefused(const absl::Status& refusal, const Group& group, const PricedLines& lines,
                std::vector<v1::Problem>* problems) {
  const std::string reason = ReasonOf(refusal);
  if (reason == "INSUFFICIENT_STOCK") {
    std::vector<std::string> failing = absl::StrSplit(MetadataOf(refusal, "lines"), ',', absl::SkipEmpty());
    for (const std::string& text : failing) {
      uint32_t part = 0;
      if (!absl::SimpleAtoi(text, &part) || part >= group.parts.size()) continue;
      const int64_t available = NumberIn(refusal, absl::StrCat("line_", part, "_available_units"));
      for (const int index : group.parts[part]) {
        const v1::PricedLine& line = lines[index];
        problems->push_back(ProblemOf(v1::PROBLEM_KIND_INSUFFICIENT_STOCK, line.line_id(), line.sku(), line.units(),
                                      Describe(line.sku(), line.units(), available)));
        problems->back().set_available_units(available);
      }
    }
    if (!failing.empty()) return;
  }
  const bool hold = absl::StartsWith(reason, "HOLD_");
  const v1::ProblemKind kind = hold                             ? v1::PROBLEM_KIND_HOLD_LOST
                               : reason == "INSUFFICIENT_STOCK" ? v1::PROBLEM_KIND_INSUFFICIENT_STOCK
                               : reason == "RECORD_TOO_LARGE"   ? v1::PROBLEM_KIND_TOO_LARGE
                                                                : v1::PROBLEM_KIND_STOCK_UNREACHABLE;
  for (const std::vector<int>& part : group.parts) {
    for (const int index : part) {
      if (hold && lines[index].hold_id().empty()) continue;
      problems->push_back(
          ProblemOf(kind, lines[index].line_id(), lines[index].sku(), lines[index].units(), refusal.message()));
    }
  }
}

bool NeverAnswered(const saga::v1::SagaStep& step) {
  return step.sends() > 0 && step.response().empty() && step.refusal().empty();
}

constexpr absl::string_view kUnreachable = "inventory did not answer in time";

}  // namespace

std::optional<saga::v1::Plan> PlanOrder(const Undertaking& undertaking, const PricedLines& lines) {
  saga::v1::Plan plan;
  plan.set_saga_id(undertaking.saga_id);
  plan.set_start_us(undertaking.start);
  plan.set_reply_key(undertaking.order_id);
  const std::vector<Group> groups = GroupsOf(lines);
  std::map<std::string, int> holds_of_sku;
  for (size_t i = 0; i < groups.size(); ++i) {
    const int nth = ++holds_of_sku[groups[i].sku];
    std::string hold_id = nth == 1 ? undertaking.saga_id : absl::StrCat(undertaking.saga_id, "/", nth);
    AddReserveStep(undertaking, lines, groups[i], std::move(hold_id), StepName(i), &plan);
  }
  v1::AssignOrderNumberRequest number;
  number.set_request_id(saga::DoRequestId(undertaking.start, undertaking.saga_id, kNumberStep));
  number.set_site_id(undertaking.site_id);
  number.set_document_id(undertaking.document_id);
  saga::v1::Step& pivot = *plan.add_steps();
  pivot.set_name(std::string(kNumberStep));
  pivot.set_service(static_cast<uint32_t>(ServiceId::kCheckout));
  pivot.set_aggregate_key(SeriesOf(undertaking.site_id));
  pivot.set_method(v1::AssignOrderNumberRequest::descriptor()->full_name());
  number.SerializeToString(pivot.mutable_request());
  pivot.set_stage(1);
  pivot.set_pivot(true);
  return Checked(std::move(plan));
}

std::optional<saga::v1::Plan> PlanReroute(absl::string_view saga_id, UnixMicros start, absl::string_view order_id,
                                          const v1::Fulfilment& fulfilment, absl::string_view to_location_id) {
  saga::v1::Plan plan;
  plan.set_saga_id(std::string(saga_id));
  plan.set_start_us(start);
  plan.set_reply_key(std::string(order_id));
  std::vector<v1::FulfilmentLine> moved;  // one per SKU and hold
  for (const v1::FulfilmentLine& line : fulfilment.lines()) {
    const auto same = std::find_if(moved.begin(), moved.end(), [&](const v1::FulfilmentLine& other) {
      return other.sku() == line.sku() && other.hold_id() == line.hold_id();
    });
    if (same == moved.end()) {
      moved.push_back(line);
    } else {
      same->set_units(same->units() + line.units());
    }
  }
  for (size_t i = 0; i < moved.size(); ++i) {
    std::string name = StepName(i);
    stock::MoveHoldRequest request;
    request.set_request_id(saga::DoRequestId(start, saga_id, name));
    request.set_sku(moved[i].sku());
    request.set_hold_id(moved[i].hold_id());
    request.set_from_location_id(fulfilment.location_id());
    request.add_candidate_location_ids(std::string(to_location_id));
    request.set_split(stock::SPLIT_POLICY_ONE_LOCATION);
    request.set_units(moved[i].units());
    stock::MoveHoldRequest cancel;
    cancel.set_request_id(saga::CancelRequestId(start, saga_id, name));
    cancel.set_sku(moved[i].sku());
    cancel.set_hold_id(moved[i].hold_id());
    cancel.set_cancelled_request_id(request.request_id());
    AddStockStep(std::move(name), moved[i].sku(), request, cancel, &plan);
  }
  return Checked(std::move(plan));
}

std::vector<v1::Fulfilment> FulfilmentsOf(const saga::v1::Saga& saga, const PricedLines& lines,
                                          const v1::Delivery& delivery, int first) {
  std::vector<v1::Fulfilment> fulfilments;
  const auto at = [&](const std::string& location) -> v1::Fulfilment& {
    for (v1::Fulfilment& fulfilment : fulfilments) {
      if (fulfilment.location_id() == location) return fulfilment;
    }
    v1::Fulfilment& fulfilment = fulfilments.emplace_back();
    fulfilment.set_fulfilment_id(absl::StrCat("f", first + static_cast<int>(fulfilments.size()) - 1));
    fulfilment.set_location_id(location);
    *fulfilment.mutable_delivery() = delivery;
    if (delivery.has_shipment()) fulfilment.mutable_delivery()->mutable_shipment()->clear_source_location_ids();
    return fulfilment;
  };
  const std::vector<Group> groups = GroupsOf(lines);
  for (size_t i = 0; i < groups.size(); ++i) {
    const int step = saga::FindStep(saga, StepName(i));
    stock::ReserveStockRequest asked;
    stock::ReserveStockResponse given;
    if (step >= 0) {
      asked.ParseFromString(saga.plan().steps(step).request());
      given.ParseFromString(saga.steps(step).response());
    }
    const std::string fallback = asked.candidate_location_ids_size() > 0 ? asked.candidate_location_ids(0) : "";
    for (size_t part = 0; part < groups[i].parts.size(); ++part) {
      const stock::LinePlan plan = static_cast<int>(part) < given.line_plans_size()
                                       ? given.line_plans(static_cast<int>(part))
                                       : stock::LinePlan();
      Spreader spreader(plan, fallback);
      for (const int index : groups[i].parts[part]) {
        spreader.Take(lines[index].units(), [&](const std::string& location, int64_t units) {
          v1::FulfilmentLine& line = *at(location).add_lines();
          line.set_line_id(lines[index].line_id());
          line.set_sku(lines[index].sku());
          line.set_units(units);
          line.set_hold_id(asked.hold_id());
        });
      }
    }
  }
  return fulfilments;
}

int64_t NumberOf(const saga::v1::Saga& saga) {
  const int step = saga::FindStep(saga, kNumberStep);
  v1::AssignOrderNumberResponse response;
  if (step < 0 || !response.ParseFromString(saga.steps(step).response())) return 0;
  return response.number();
}

std::vector<v1::Problem> ProblemsOf(const saga::v1::Saga& saga, const PricedLines& lines) {
  std::vector<v1::Problem> problems;
  const std::vector<Group> groups = GroupsOf(lines);
  for (const bool refused : {true, false}) {
    if (!problems.empty()) break;
    for (size_t i = 0; i < groups.size(); ++i) {
      const int index = saga::FindStep(saga, StepName(i));
      if (index < 0) continue;
      const saga::v1::SagaStep& step = saga.steps(index);
      if (refused && !step.refusal().empty()) {
        AddRefused(saga::DecodeRefusal(step.refusal()), groups[i], lines, &problems);
      } else if (!refused && NeverAnswered(step)) {
        AddRefused(absl::UnavailableError(kUnreachable), groups[i], lines, &problems);
      }
    }
  }
  if (problems.size() > kProblemsMax) problems.resize(kProblemsMax);
  if (problems.empty()) {
    problems.push_back(
        ProblemOf(saga.cause() == kEndTooLarge ? v1::PROBLEM_KIND_TOO_LARGE : v1::PROBLEM_KIND_STOCK_UNREACHABLE, "",
                  "", 0, saga.cause()));
  }
  return problems;
}

std::vector<v1::Problem> RerouteProblemsOf(const saga::v1::Saga& saga, const v1::Fulfilment& fulfilment) {
  std::vector<v1::Problem> problems;
  const bool refused = std::any_of(saga.steps().begin(), saga.steps().end(),
                                   [](const saga::v1::SagaStep& step) { return !step.refusal().empty(); });
  for (int i = 0; i < saga.steps_size(); ++i) {
    if (refused ? saga.steps(i).refusal().empty() : !NeverAnswered(saga.steps(i))) continue;
    const absl::Status refusal = refused ? saga::DecodeRefusal(saga.steps(i).refusal()) : absl::OkStatus();
    const std::string& sku = saga.plan().steps(i).aggregate_key();
    const bool short_of = ReasonOf(refusal) == "INSUFFICIENT_STOCK";
    const int64_t available = NumberIn(refusal, "line_0_available_units");
    for (const v1::FulfilmentLine& line : fulfilment.lines()) {
      if (line.sku() != sku) continue;
      problems.push_back(ProblemOf(short_of                                       ? v1::PROBLEM_KIND_INSUFFICIENT_STOCK
                                   : absl::StartsWith(ReasonOf(refusal), "HOLD_") ? v1::PROBLEM_KIND_HOLD_LOST
                                                                                  : v1::PROBLEM_KIND_STOCK_UNREACHABLE,
                                   line.line_id(), sku, line.units(),
                                   short_of  ? Describe(sku, line.units(), available)
                                   : refused ? std::string(refusal.message())
                                             : std::string(kUnreachable)));
      problems.back().set_available_units(available);
    }
  }
  if (problems.size() > kProblemsMax) problems.resize(kProblemsMax);
  if (problems.empty()) problems.push_back(ProblemOf(v1::PROBLEM_KIND_STOCK_UNREACHABLE, "", "", 0, saga.cause()));
  return problems;
}

}  // namespace halles::checkout::order
