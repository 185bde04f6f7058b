// Checks that a recorded history of concurrent operations could have come from an object that performs them one by one.
#include "libs/testing/linearizability.h"

#include <algorithm>
#include <numeric>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "libs/base/hash.h"

namespace halles::testing {
namespace {

// How many operations of the found order an explanation shows.
constexpr size_t kOrderTold = 8;

Hash128 HashOfOperation(size_t operation) {
  return Hash128Of("operation", {reinterpret_cast<const char*>(&operation), sizeof operation});
}

// One search. A configuration is the set of operations done and the state that they led to. The search is at one
// configuration and remembers the operations that led there.
class Search {
 public:
  Search(const SequentialHistory& history, const LinearizabilityOptions& options)
      : history_(history),
        options_(options),
        by_invocation_(history.intervals.size()),
        next_(history.intervals.size() + 1),
        previous_(history.intervals.size() + 1) {
    std::iota(by_invocation_.begin(), by_invocation_.end(), size_t{0});
    std::stable_sort(by_invocation_.begin(), by_invocation_.end(),
                     [&](size_t a, size_t b) { return Of(a).invoked < Of(b).invoked; });
    size_t last = end();
    for (size_t operation : by_invocation_) {
      next_[last] = operation;
      previous_[operation] = last;
      last = operation;
      if (Of(operation).known) ++left_;
    }
    next_[last] = end();
    previous_[end()] = last;
    answered_ = left_;
  }

  LinearizabilityResult Run() {
    LinearizabilityResult result;
    result.operations = history_.intervals.size();
    result.unknown = result.operations - answered_;
    stack_.push_back(Enter(end(), history_.initial));
    while (left_ > 0 && !stack_.empty() && seen_.size() < options_.configurations_max) Step();
    result.configurations = seen_.size();
    if (left_ == 0) return result;
    result.verdict = stack_.empty() ? Linearizability::kNo : Linearizability::kUndecided;
    result.explanation = Explain(stack_.empty());
    return result;
  }

 private:
  struct Successor {
    size_t operation;
    std::string state;
  };
  struct Frame {
    size_t operation;  // the operation that led here; end() for the first frame
    std::vector<Successor> successors;
    size_t tried = 0;
  };

  size_t end() const { return history_.intervals.size(); }
  const SequentialHistory::Interval& Of(size_t operation) const { return history_.intervals[operation]; }

  // Operations that may come next: those invoked before every remaining operation was answered.
  std::vector<size_t> Candidates() const {
    std::vector<size_t> candidates;
    int64_t first_answer = std::numeric_limits<int64_t>::max();
    for (size_t operation = next_[end()]; operation != end(); operation = next_[operation]) {
      if (Of(operation).invoked > first_answer) break;
      candidates.push_back(operation);
      if (Of(operation).known) first_answer = std::min(first_answer, Of(operation).answered);
    }
    return candidates;
  }

  Frame Enter(size_t operation, const std::string& state) {
    Frame frame{operation, {}, 0};
    for (size_t candidate : Candidates()) {
      std::optional<std::string> after = history_.apply(state, candidate);
      if (!after.has_value()) continue;
      if (*after == state && !Of(candidate).known) continue;
      if (!Of(candidate).changes) {
        frame.successors.clear();
        frame.successors.push_back({candidate, *std::move(after)});
        break;
      }
      frame.successors.push_back({candidate, *std::move(after)});
    }
    // Tries operations in the order of their answers; those without an answer come last.
    std::stable_sort(frame.successors.begin(), frame.successors.end(), [&](const Successor& a, const Successor& b) {
      if (Of(a.operation).known != Of(b.operation).known) return Of(a.operation).known;
      return Of(a.operation).known && Of(a.operation).answered < Of(b.operation).answered;
    });
    const size_t done = answered_ - left_;
    if (deepest_order_.empty() || done > deepest_done_) {
      deepest_done_ = done;
      deepest_state_ = state;
      deepest_order_.clear();
      const size_t first = stack_.size() > kOrderTold ? stack_.size() - kOrderTold : 0;
      for (size_t i = first; i < stack_.size(); ++i) deepest_order_.push_back(stack_[i].operation);
      deepest_order_.push_back(operation);
      deepest_candidates_ = Candidates();
    }
    return frame;
  }

  void Step() {
    Frame& frame = stack_.back();
    if (frame.tried == frame.successors.size()) {
      if (frame.operation != end()) Undo(frame.operation);
      stack_.pop_back();
      return;
    }
    Successor& successor = frame.successors[frame.tried++];
    Do(successor.operation);
    const Hash128 state = Hash128Of("state", successor.state);
    if (!seen_.insert({state.lo ^ done_.lo, state.hi ^ done_.hi}).second) {
      Undo(successor.operation);
      return;
    }
    const std::string entered = std::move(successor.state);
    stack_.push_back(Enter(successor.operation, entered));
  }

  void Do(size_t operation) {
    next_[previous_[operation]] = next_[operation];
    previous_[next_[operation]] = previous_[operation];
    Toggle(operation);
    if (Of(operation).known) --left_;
  }
  // Undoes the last operation that was done.
  void Undo(size_t operation) {
    next_[previous_[operation]] = operation;
    previous_[next_[operation]] = operation;
    Toggle(operation);
    if (Of(operation).known) ++left_;
  }
  void Toggle(size_t operation) {
    const Hash128 hash = HashOfOperation(operation);
    done_.lo ^= hash.lo;
    done_.hi ^= hash.hi;
  }

  std::string Tell(size_t operation) const {
    const SequentialHistory::Interval& interval = Of(operation);
    return absl::StrCat("  [", interval.invoked, ", ", interval.known ? absl::StrCat(interval.answered) : "never", "] ",
                        history_.describe(operation), "\n");
  }

  std::string Explain(bool exhausted) const {
    std::string text = exhausted ? absl::StrCat(history_.key, " is not linearizable")
                                 : absl::StrCat(history_.key, " is undecided: the search ended at its limit of ",
                                                options_.configurations_max, " configurations");
    absl::StrAppend(&text, "; at most ", deepest_done_, " of ", answered_, " answered operations could be ordered, ",
                    end() - answered_, " more have no answer. The order found ended with\n");
    for (size_t operation : deepest_order_) {
      if (operation != end()) absl::StrAppend(&text, Tell(operation));
    }
    absl::StrAppend(&text, "in the state ", history_.describe_state(deepest_state_),
                    ", where one of these came next:\n");
    for (size_t operation : deepest_candidates_) absl::StrAppend(&text, Tell(operation));
    return text;
  }

  const SequentialHistory& history_;
  const LinearizabilityOptions options_;
  std::vector<size_t> by_invocation_;
  // A ring of the remaining operations in the order of their invocation; end() closes it.
  std::vector<size_t> next_;
  std::vector<size_t> previous_;
  size_t answered_ = 0;  // operations with an answer
  size_t left_ = 0;      // of these, remaining
  Hash128 done_;         // combined hash of the operations done
  absl::flat_hash_set<Hash128> seen_;
  std::vector<Frame> stack_;

  size_t deepest_done_ = 0;
  std::string deepest_state_;
  std::vector<size_t> deepest_order_;
  std::vector<size_t> deepest_candidates_;
};

}  // namespace

LinearizabilityResult CheckOneKey(const SequentialHistory& history, const LinearizabilityOptions& options) {
  return Search(history, options).Run();
}

}  // namespace halles::testing
