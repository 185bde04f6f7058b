// Checks that a recorded history of concurrent operations is linearizable: some sequential order of them explains all
// answers.
#ifndef HALLES_LIBS_TESTING_LINEARIZABILITY_H_
#define HALLES_LIBS_TESTING_LINEARIZABILITY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "libs/base/check.h"
#include "libs/base/mutex.h"

namespace halles::testing {

// One operation of a client on one key.
template <class Input, class Output>
struct Operation {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  int client = 0;  // for messages only
  std::string key;
  Input input;
  // Absent if unknown: the operation took effect at any time after its invocation, or never.
  std::optional<Output> output;
  // On any clock that never gives a later event a smaller reading.
  int64_t invoked = 0;
  int64_t answered = kNever;
};

// Records operations as they happen. Its clock counts invocations and answers, so no two readings are equal.
// Thread safety: all methods may be called from any thread.
template <class Input, class Output>
class History {
 public:
  // Call before sending the operation; returns its index.
  size_t Invoke(int client, const std::string& key, Input input) {
    MutexLock lock(&mutex_);
    operations_.push_back({.client = client, .key = key, .input = std::move(input), .invoked = clock_++});
    return operations_.size() - 1;
  }
  // Call after the answer arrived, at most once. An operation without an answer has an unknown outcome.
  void Answer(size_t operation, Output output) {
    MutexLock lock(&mutex_);
    HALLES_CHECK(!operations_[operation].output.has_value(), "an operation has one answer");
    operations_[operation].output = std::move(output);
    operations_[operation].answered = clock_++;
  }
  // All operations so far.
  std::vector<Operation<Input, Output>> operations() const {
    MutexLock lock(&mutex_);
    return operations_;
  }

 private:
  mutable Mutex mutex_;
  int64_t clock_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Operation<Input, Output>> operations_ ABSL_GUARDED_BY(mutex_);
};

enum class Linearizability {
  kYes,
  kNo,
  // The search reached its limit first, so neither is shown.
  kUndecided,
};

struct LinearizabilityResult {
  Linearizability verdict = Linearizability::kYes;
  // "" with kYes. Otherwise the key, how far an order was found, and the operations that cannot follow it.
  std::string explanation;
  // Over all keys: the number of operations, of those without an answer, and of configurations visited.
  size_t operations = 0;
  size_t unknown = 0;
  size_t configurations = 0;
};

struct LinearizabilityOptions {
  // Configurations (a set of operations done, and the state that they led to) visited per key at most.
  size_t configurations_max = 2'000'000;
};

// The history of one key without its types: an operation is an index.
struct SequentialHistory {
  struct Interval {
    int64_t invoked = 0;
    int64_t answered = 0;
    bool known = false;
    bool changes = true;  // false when, with this answer, it never changes a state
  };
  std::string key;
  std::vector<Interval> intervals;
  std::string initial;
  // The state after the operation took effect in `state`; nullopt if its answer would have been different there.
  std::function<std::optional<std::string>(const std::string& state, size_t operation)> apply;
  std::function<std::string(size_t operation)> describe;
  std::function<std::string(const std::string& state)> describe_state;
};

// The search of Wing and Gong, with Lowe's memory of failed configurations. Two rules prune it. A read that fits is
// placed first at once, because that excludes no other order. An operation without an answer is never placed where it
// changes nothing, because it may come later or not at all.
// Limits: configurations are remembered by a 128-bit hash.
LinearizabilityResult CheckOneKey(const SequentialHistory& history, const LinearizabilityOptions& options);

// Checks each key by itself, since a history is linearizable if it is so for each key. `Model` describes the operations
// by pure
// functions on states that are equal exactly when their bytes are:
//   std::string Initial(const std::string& key) const;
//   std::optional<std::string> Apply(const std::string& state, const Input&, const Output* output) const;
//     nullopt if the operation does not answer `output` in this state; a null `output` fits any answer
//   bool Changes(const Input&, const Output&) const;
//     false if, with this answer, the operation changes no state: a read or a refusal, for example
//   std::string Describe(const Input&) const, Describe(const Output&) const, DescribeState(const std::string&) const;
// Explains what is wrong with the first key that is not linearizable.
template <class Model, class Input, class Output>
LinearizabilityResult CheckLinearizability(const Model& model, const std::vector<Operation<Input, Output>>& operations,
                                           const LinearizabilityOptions& options = {}) {
  std::map<std::string, std::vector<const Operation<Input, Output>*>> by_key;
  for (const Operation<Input, Output>& operation : operations) by_key[operation.key].push_back(&operation);
  LinearizabilityResult total;
  for (const auto& [key, of_key] : by_key) {
    SequentialHistory history;
    history.key = key;
    history.initial = model.Initial(key);
    for (const Operation<Input, Output>* operation : of_key) {
      const bool known = operation->output.has_value();
      history.intervals.push_back({operation->invoked, operation->answered, known,
                                   !known || model.Changes(operation->input, *operation->output)});
    }
    history.apply = [&model, &of_key = of_key](const std::string& state, size_t index) {
      const Operation<Input, Output>& operation = *of_key[index];
      return model.Apply(state, operation.input, operation.output.has_value() ? &*operation.output : nullptr);
    };
    history.describe = [&model, &of_key = of_key](size_t index) {
      const Operation<Input, Output>& operation = *of_key[index];
      return "client " + std::to_string(operation.client) + ": " + model.Describe(operation.input) + " -> " +
             (operation.output.has_value() ? model.Describe(*operation.output) : std::string("?"));
    };
    history.describe_state = [&model](const std::string& state) { return model.DescribeState(state); };
    LinearizabilityResult result = CheckOneKey(history, options);
    total.operations += result.operations;
    total.unknown += result.unknown;
    total.configurations += result.configurations;
    if (result.verdict == Linearizability::kYes) continue;
    total.verdict = result.verdict;
    total.explanation = std::move(result.explanation);
    return total;
  }
  return total;
}

}  // namespace halles::testing

#endif  // HALLES_LIBS_TESTING_LINEARIZABILITY_H_
