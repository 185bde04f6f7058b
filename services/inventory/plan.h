// Chooses the locations that supply several lines of one SKU, for all lines together.
#ifndef HALLES_SERVICES_INVENTORY_PLAN_H_
#define HALLES_SERVICES_INVENTORY_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace halles::inventory {

// Maximum steps of the search for a placement of unsplit lines; beyond it, no placement counts as found.
inline constexpr int kPlanStepsMax = 100'000;

struct PlanLine {
  int64_t units = 0;               // positive
  std::vector<size_t> candidates;  // indices of locations in order of preference, each once
};

// The units that a line takes from one location.
struct PlanPart {
  size_t location = 0;
  int64_t units = 0;
  friend bool operator==(const PlanPart&, const PlanPart&) = default;
};

// A line that does not fit, after all lines that fit are placed in their order.
struct PlanFailure {
  size_t line = 0;
  int64_t asked = 0;
  int64_t available = 0;  // left at all its candidates together
  int64_t largest = 0;    // left at the best candidate
};

struct Plan {
  bool complete = false;
  std::vector<std::vector<PlanPart>> lines;  // if complete: the parts of each line in order of preference
  std::vector<PlanFailure> failures;         // otherwise, in the order of the lines
};

// Each line from one location: the first candidate that has all units, in the order of the lines; if that fails, any
// placement found within kPlanStepsMax. `free` is what each location can give; negative numbers count as 0.
Plan PlanWhole(const std::vector<PlanLine>& lines, std::vector<int64_t> free);

// Each line from one candidate that has all units, or in order of preference from several. Finds a plan whenever one
// exists.
Plan PlanSplit(const std::vector<PlanLine>& lines, std::vector<int64_t> free);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_PLAN_H_
