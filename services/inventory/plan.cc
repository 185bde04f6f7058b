// Places lines greedily. If that fails, searches: depth-first for whole lines, with augmenting paths for split lines.
#include "services/inventory/plan.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace halles::inventory {
namespace {

constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

// The first candidate that has all units of the line.
size_t FirstWhole(const PlanLine& line, const std::vector<int64_t>& free) {
  for (const size_t location : line.candidates) {
    if (free[location] >= line.units) return location;
  }
  return kNowhere;
}

PlanFailure FailureOf(size_t number, const PlanLine& line, const std::vector<int64_t>& free) {
  PlanFailure failure{number, line.units, 0, 0};
  for (const size_t location : line.candidates) {
    failure.available += std::max<int64_t>(0, free[location]);
    failure.largest = std::max(failure.largest, free[location]);
  }
  return failure;
}

// Places whole lines in a fixed order, large ones first, and backtracks when a line finds no location.
class WholeSearch {
 public:
  WholeSearch(const std::vector<PlanLine>& lines, std::vector<int64_t> free)
      : lines_(lines), free_(std::move(free)), order_(lines.size()), place_(lines.size(), kNowhere) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return lines_[a].units > lines_[b].units; });
  }

  // The location of each line; nullopt when there is no placement, or none was found within the limit.
  std::optional<std::vector<size_t>> Run() {
    if (!Place(0)) return std::nullopt;
    return place_;
  }

 private:
  bool Place(size_t depth) {
    if (depth == order_.size()) return true;
    const size_t number = order_[depth];
    const PlanLine& line = lines_[number];
    // Equal lines could be exchanged, so a line skips the candidates before the one of an equal line before it.
    size_t first = 0;
    if (depth > 0 && Alike(line, lines_[order_[depth - 1]])) {
      first = static_cast<size_t>(std::find(line.candidates.begin(), line.candidates.end(), place_[order_[depth - 1]]) -
                                  line.candidates.begin());
    }
    for (size_t i = first; i < line.candidates.size(); ++i) {
      if (++steps_ > kPlanStepsMax) return false;
      const size_t location = line.candidates[i];
      if (free_[location] < line.units) continue;
      free_[location] -= line.units;
      place_[number] = location;
      if (Place(depth + 1)) return true;
      free_[location] += line.units;
    }
    return false;
  }

  static bool Alike(const PlanLine& a, const PlanLine& b) { return a.units == b.units && a.candidates == b.candidates; }

  const std::vector<PlanLine>& lines_;
  std::vector<int64_t> free_;
  std::vector<size_t> order_;
  std::vector<size_t> place_;
  int steps_ = 0;
};

// The units of each line at each location as a flow, with augmenting paths.
class SplitFlow {
 public:
  SplitFlow(const std::vector<PlanLine>& lines, std::vector<int64_t> free)
      : lines_(lines), free_(std::move(free)), flow_(lines.size(), std::vector<int64_t>(free_.size(), 0)) {
    for (int64_t& units : free_) units = std::max<int64_t>(0, units);
  }

  // Takes free units in order of preference; returns the missing units.
  int64_t TakeGreedily(size_t number) {
    const PlanLine& line = lines_[number];
    int64_t missing = line.units;
    if (const size_t whole = FirstWhole(line, free_); whole != kNowhere) return Take(number, whole, missing);
    for (const size_t location : line.candidates) missing = Take(number, location, missing);
    return missing;
  }

  // Finds room for the missing units by moving other lines; returns the units that are still missing.
  int64_t Augment(size_t number, int64_t missing) {
    while (missing > 0) {
      const int64_t sent = SendOnce(number, missing);
      if (sent == 0) return missing;
      missing -= sent;
    }
    return 0;
  }

  // Frees the units of the line because it cannot get all.
  void GiveBack(size_t number) {
    for (const size_t location : lines_[number].candidates) {
      free_[location] += std::exchange(flow_[number][location], 0);
    }
  }

  int64_t Largest(size_t number) const { return FailureOf(number, lines_[number], free_).largest; }

  std::vector<PlanPart> PartsOf(size_t number) const {
    std::vector<PlanPart> parts;
    for (const size_t location : lines_[number].candidates) {
      if (flow_[number][location] > 0) parts.push_back({location, flow_[number][location]});
    }
    return parts;
  }

 private:
  int64_t Take(size_t number, size_t location, int64_t units) {
    const int64_t taken = std::min(units, free_[location]);
    flow_[number][location] += taken;
    free_[location] -= taken;
    return units - taken;
  }

  // Follows the shortest augmenting path: the line takes from a location what another line has there, that line takes
  // from another location, and so on to a location with free units. Returns the units moved along it.
  int64_t SendOnce(size_t number, int64_t units) {
    std::vector<size_t> line_from(lines_.size(), kNowhere);     // location through which a line was reached
    std::vector<size_t> location_from(free_.size(), kNowhere);  // line through which a location was reached
    std::deque<size_t> queue = {number};
    size_t end = kNowhere;
    while (!queue.empty() && end == kNowhere) {
      const size_t line = queue.front();
      queue.pop_front();
      for (const size_t location : lines_[line].candidates) {
        if (location_from[location] != kNowhere) continue;
        location_from[location] = line;
        if (free_[location] > 0) {
          end = location;
          break;
        }
        for (size_t other = 0; other < lines_.size(); ++other) {
          if (other == number || line_from[other] != kNowhere || flow_[other][location] == 0) continue;
          line_from[other] = location;
          queue.push_back(other);
        }
      }
    }
    if (end == kNowhere) return 0;
    int64_t sent = std::min(units, free_[end]);
    for (size_t line = location_from[end]; line != number; line = location_from[line_from[line]]) {
      sent = std::min(sent, flow_[line][line_from[line]]);
    }
    free_[end] -= sent;
    size_t location = end;
    for (size_t line = location_from[end];; line = location_from[location]) {
      flow_[line][location] += sent;
      if (line == number) break;
      location = line_from[line];
      flow_[line][location] -= sent;
    }
    return sent;
  }

  const std::vector<PlanLine>& lines_;
  std::vector<int64_t> free_;
  std::vector<std::vector<int64_t>> flow_;
};

}  // namespace

Plan PlanWhole(const std::vector<PlanLine>& lines, std::vector<int64_t> free) {
  const std::vector<int64_t> free_at_first = free;
  Plan plan;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t location = FirstWhole(lines[i], free);
    if (location == kNowhere) {
      plan.failures.push_back(FailureOf(i, lines[i], free));
      continue;
    }
    free[location] -= lines[i].units;
    plan.lines.push_back({{location, lines[i].units}});
  }
  if (plan.failures.empty()) {
    plan.complete = true;
    return plan;
  }
  // A single line that fits nowhere has no other placement.
  if (lines.size() == 1) return plan;
  for (const PlanFailure& failure : plan.failures) {
    if (FirstWhole(lines[failure.line], free_at_first) == kNowhere) return plan;
  }
  const std::optional<std::vector<size_t>> found = WholeSearch(lines, free_at_first).Run();
  if (!found.has_value()) return plan;
  plan = {.complete = true};
  for (size_t i = 0; i < lines.size(); ++i) plan.lines.push_back({{(*found)[i], lines[i].units}});
  return plan;
}

Plan PlanSplit(const std::vector<PlanLine>& lines, std::vector<int64_t> free) {
  SplitFlow flow(lines, std::move(free));
  Plan plan;
  for (size_t i = 0; i < lines.size(); ++i) {
    const int64_t missing = flow.Augment(i, flow.TakeGreedily(i));
    if (missing == 0) continue;
    flow.GiveBack(i);
    plan.failures.push_back({i, lines[i].units, lines[i].units - missing, flow.Largest(i)});
  }
  if (!plan.failures.empty()) return plan;
  plan.complete = true;
  for (size_t i = 0; i < lines.size(); ++i) plan.lines.push_back(flow.PartsOf(i));
  return plan;
}

}  // namespace halles::inventory
