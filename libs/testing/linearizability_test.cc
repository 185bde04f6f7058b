// Tests of the checker on histories with a known verdict, and against an exhaustive search of small ones.
#include "libs/testing/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace halles::testing {
namespace {

// A shelf of pieces: read, set, add (answers the new number), take (0: refused).
enum class Verb { kRead, kSet, kAdd, kTake };
struct Ask {
  Verb verb = Verb::kRead;
  int number = 0;
};
using Shelf = Operation<Ask, int>;

struct ShelfModel {
  std::string Initial(const std::string&) const { return "0"; }
  std::optional<std::string> Apply(const std::string& state, const Ask& ask, const int* answer) const {
    int pieces = 0;
    if (!absl::SimpleAtoi(state, &pieces)) return std::nullopt;
    int due = 0;
    switch (ask.verb) {
      case Verb::kRead:
        due = pieces;
        break;
      case Verb::kSet:
        due = pieces = ask.number;
        break;
      case Verb::kAdd:
        due = pieces += ask.number;
        break;
      case Verb::kTake:
        due = pieces >= ask.number ? ask.number : 0;
        pieces -= due;
        break;
    }
    if (answer != nullptr && *answer != due) return std::nullopt;
    return absl::StrCat(pieces);
  }
  bool Changes(const Ask& ask, int answer) const {
    return ask.verb != Verb::kRead && !(ask.verb == Verb::kTake && answer == 0);
  }
  std::string Describe(const Ask& ask) const {
    static constexpr const char* kNames[] = {"read", "set", "add", "take"};
    return absl::StrCat(kNames[static_cast<int>(ask.verb)], " ", ask.number);
  }
  std::string Describe(int answer) const { return absl::StrCat(answer); }
  std::string DescribeState(const std::string& state) const { return absl::StrCat(state, " pieces"); }
};

constexpr Ask kRead{Verb::kRead, 0};
Ask Set(int number) { return {Verb::kSet, number}; }
Ask Add(int number) { return {Verb::kAdd, number}; }
Ask Take(int number) { return {Verb::kTake, number}; }

Shelf Did(int64_t invoked, int64_t answered, Ask ask, int answer, std::string key = "shelf") {
  return {.key = std::move(key), .input = ask, .output = answer, .invoked = invoked, .answered = answered};
}
Shelf Lost(int64_t invoked, Ask ask) { return {.key = "shelf", .input = ask, .output = {}, .invoked = invoked}; }

Linearizability Verdict(const std::vector<Shelf>& history) {
  return CheckLinearizability(ShelfModel(), history).verdict;
}

TEST(Linearizability, AcceptsAnEmptyHistory) { EXPECT_EQ(Verdict({}), Linearizability::kYes); }

TEST(Linearizability, AcceptsASequentialHistory) {
  EXPECT_EQ(Verdict({Did(0, 1, Set(3), 3), Did(2, 3, Take(2), 2), Did(4, 5, kRead, 1)}), Linearizability::kYes);
}

TEST(Linearizability, AcceptsEitherOrderOfConcurrentOperations) {
  EXPECT_EQ(Verdict({Did(0, 9, Set(3), 3), Did(1, 2, kRead, 0), Did(3, 4, kRead, 3)}), Linearizability::kYes);
}

TEST(Linearizability, RefusesAStaleRead) {
  EXPECT_EQ(Verdict({Did(0, 1, Set(3), 3), Did(2, 3, kRead, 0)}), Linearizability::kNo);
}

TEST(Linearizability, RefusesAReadThatGoesBack) {
  EXPECT_EQ(Verdict({Did(0, 9, Set(3), 3), Did(1, 2, kRead, 3), Did(3, 4, kRead, 0)}), Linearizability::kNo);
}

TEST(Linearizability, RefusesALostUpdate) {
  EXPECT_EQ(Verdict({Did(0, 5, Add(1), 1), Did(1, 6, Add(1), 1)}), Linearizability::kNo);
  EXPECT_EQ(Verdict({Did(0, 5, Add(1), 1), Did(1, 6, Add(1), 2)}), Linearizability::kYes);
}

TEST(Linearizability, RefusesADoubleSell) {
  EXPECT_EQ(Verdict({Did(0, 1, Set(1), 1), Did(2, 8, Take(1), 1), Did(3, 9, Take(1), 1)}), Linearizability::kNo);
  EXPECT_EQ(Verdict({Did(0, 1, Set(1), 1), Did(2, 8, Take(1), 0), Did(3, 9, Take(1), 1)}), Linearizability::kYes);
}

TEST(Linearizability, RefusesAnUnfoundedRefusal) {
  EXPECT_EQ(Verdict({Did(0, 1, Set(1), 1), Did(2, 3, Take(1), 0)}), Linearizability::kNo);
}

TEST(Linearizability, LetsAnUnansweredOperationTakeEffectLate) {
  EXPECT_EQ(Verdict({Lost(0, Set(3)), Did(1, 2, kRead, 0), Did(3, 4, kRead, 3)}), Linearizability::kYes);
}

TEST(Linearizability, LetsAnUnansweredOperationNeverHappen) {
  EXPECT_EQ(Verdict({Lost(0, Set(3)), Did(1, 2, kRead, 0), Did(3, 4, kRead, 0)}), Linearizability::kYes);
}

TEST(Linearizability, LetsAnUnansweredOperationHappenAtMostOnce) {
  EXPECT_EQ(Verdict({Lost(0, Add(1)), Did(1, 2, kRead, 1), Did(3, 4, kRead, 2)}), Linearizability::kNo);
}

TEST(Linearizability, LetsNothingHappenBeforeItsInvocation) {
  EXPECT_EQ(Verdict({Did(0, 1, kRead, 3), Lost(2, Set(3))}), Linearizability::kNo);
}

TEST(Linearizability, UsesAnUnansweredOperationToExplainARefusal) {
  // The unanswered take must have taken the only piece; otherwise nothing explains the refusal.
  EXPECT_EQ(Verdict({Did(0, 1, Set(1), 1), Lost(2, Take(1)), Did(3, 4, Take(1), 0)}), Linearizability::kYes);
  EXPECT_EQ(Verdict({Did(0, 1, Set(2), 2), Lost(2, Take(1)), Did(3, 4, Take(1), 0)}), Linearizability::kNo);
}

TEST(Linearizability, ChecksEachKeyByItself) {
  EXPECT_EQ(Verdict({Did(0, 1, Set(3), 3, "a"), Did(2, 3, kRead, 0, "b")}), Linearizability::kYes);
  const LinearizabilityResult result =
      CheckLinearizability(ShelfModel(), std::vector<Shelf>{Did(0, 1, Set(3), 3, "a"), Did(2, 3, kRead, 1, "b")});
  EXPECT_EQ(result.verdict, Linearizability::kNo);
  EXPECT_EQ(result.explanation.substr(0, 21), "b is not linearizable") << result.explanation;
}

TEST(Linearizability, ExplainsWhereTheOrderEnds) {
  const LinearizabilityResult result = CheckLinearizability(
      ShelfModel(), std::vector<Shelf>{Did(0, 1, Set(3), 3), Did(2, 3, kRead, 7), Lost(2, Add(1))});
  EXPECT_EQ(
      result.explanation,
      "shelf is not linearizable; at most 1 of 2 answered operations could be ordered, 1 more have no answer. The "
      "order found ended with\n"
      "  [0, 1] client 0: set 3 -> 3\n"
      "in the state 3 pieces, where one of these came next:\n"
      "  [2, 3] client 0: read 0 -> 7\n"
      "  [2, never] client 0: add 1 -> ?\n");
}

TEST(Linearizability, StopsAtItsLimitAndSaysSo) {
  // Every subset of these operations has another sum, and none has the sum that was read.
  std::vector<Shelf> history;
  for (int i = 0; i < 20; ++i) history.push_back(Lost(i, Add(1 << i)));
  history.push_back(Did(100, 101, kRead, -1));
  const LinearizabilityResult result =
      CheckLinearizability(ShelfModel(), history, LinearizabilityOptions{.configurations_max = 1000});
  EXPECT_EQ(result.verdict, Linearizability::kUndecided);
  EXPECT_EQ(result.configurations, 1000u);
  EXPECT_NE(result.explanation.find("the search ended at its limit of 1000 configurations"), std::string::npos)
      << result.explanation;
}

TEST(History, OrdersInvocationsAndAnswers) {
  History<Ask, int> history;
  const size_t set = history.Invoke(1, "shelf", Set(3));
  const size_t take = history.Invoke(2, "shelf", Take(1));
  history.Answer(set, 3);
  const std::vector<Shelf> operations = history.operations();
  EXPECT_LT(operations[take].invoked, operations[set].answered);
  EXPECT_EQ(operations[take].answered, Shelf::kNever);
  EXPECT_FALSE(operations[take].output.has_value());
}

// The history that clients see of a shelf that performs one operation at a time: each takes effect at a moment between its
// invocation and its answer. Some answers are lost; some of those operations took effect.
std::vector<Shelf> Simulated(std::mt19937_64& random, size_t count, int clients, int lost_percent) {
  struct Moment {
    int64_t at;
    size_t operation;
  };
  std::vector<Shelf> history;
  std::vector<Moment> moments;
  std::vector<int64_t> free_at(static_cast<size_t>(clients), 0);
  for (size_t i = 0; i < count; ++i) {
    const size_t client = random() % free_at.size();
    Shelf operation;
    operation.client = static_cast<int>(client);
    operation.key = "shelf";
    operation.input = {static_cast<Verb>(random() % 4), static_cast<int>(1 + random() % 3)};
    operation.invoked = free_at[client] + static_cast<int64_t>(random() % 5);
    operation.answered = operation.invoked + 1 + static_cast<int64_t>(random() % 50);
    free_at[client] = operation.answered + 1;
    moments.push_back({operation.invoked + static_cast<int64_t>(random() % static_cast<uint64_t>(operation.answered -
                                                                                                 operation.invoked)),
                       i});
    history.push_back(operation);
  }
  std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) { return a.at < b.at; });
  const ShelfModel model;
  std::string state = model.Initial("");
  for (const Moment& moment : moments) {
    Shelf& operation = history[moment.operation];
    const bool lost = static_cast<int>(random() % 100) < lost_percent;
    if (lost && random() % 2 == 0) {
      operation.answered = Shelf::kNever;
      continue;
    }
    for (int answer = 0; !operation.output.has_value(); ++answer) {
      if (model.Apply(state, operation.input, &answer).has_value()) operation.output = answer;
    }
    state = *model.Apply(state, operation.input, nullptr);
    if (!lost) continue;
    operation.answered = Shelf::kNever;
    operation.output.reset();
  }
  return history;
}

TEST(Linearizability, AcceptsALongHistoryOfManyClientsQuickly) {
  std::mt19937_64 random(7);
  const std::vector<Shelf> history = Simulated(random, 5000, 16, 1);
  const LinearizabilityResult result = CheckLinearizability(ShelfModel(), history);
  EXPECT_EQ(result.verdict, Linearizability::kYes) << result.explanation;
  EXPECT_EQ(result.operations, 5000u);
  EXPECT_GT(result.unknown, 10u);
  RecordProperty("configurations", static_cast<int>(result.configurations));
}

TEST(Linearizability, FindsOneWrongAnswerInALongHistory) {
  std::mt19937_64 random(7);
  std::vector<Shelf> history = Simulated(random, 2000, 8, 0);
  for (size_t i = history.size() / 2;; ++i) {
    if (history[i].input.verb != Verb::kRead) continue;
    *history[i].output += 1000;
    break;
  }
  EXPECT_EQ(Verdict(history), Linearizability::kNo);
}

// Tries every order, with every subset of the unanswered operations, without pruning.
bool SomeOrderFits(const std::vector<Shelf>& history, const std::string& state, std::vector<bool>* done) {
  bool all = true;
  for (size_t i = 0; i < history.size(); ++i) all = all && ((*done)[i] || !history[i].output.has_value());
  if (all) return true;
  for (size_t i = 0; i < history.size(); ++i) {
    if ((*done)[i]) continue;
    bool may_be_next = true;
    for (size_t j = 0; j < history.size(); ++j) {
      may_be_next = may_be_next && ((*done)[j] || !history[j].output || history[j].answered >= history[i].invoked);
    }
    if (!may_be_next) continue;
    const std::optional<std::string> after =
        ShelfModel().Apply(state, history[i].input, history[i].output ? &*history[i].output : nullptr);
    if (!after.has_value()) continue;
    (*done)[i] = true;
    const bool fits = SomeOrderFits(history, *after, done);
    (*done)[i] = false;
    if (fits) return true;
  }
  return false;
}

TEST(Linearizability, AgreesWithAnExhaustiveSearchOfSmallHistories) {
  const char* given = std::getenv("HALLES_SEED");
  uint64_t seed = 20240607;
  ASSERT_TRUE(given == nullptr || absl::SimpleAtoi(given, &seed));
  printf("seed %lu (HALLES_SEED)\n", seed);
  std::mt19937_64 random(seed);
  int yes = 0, no = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<Shelf> history = Simulated(random, 3 + random() % 5, 3, 30);
    // Most histories get a wrong answer; another order may still explain it.
    for (uint64_t faults = random() % 3; faults > 0; --faults) {
      Shelf& operation = history[random() % history.size()];
      if (operation.output.has_value()) *operation.output = static_cast<int>(random() % 5);
    }
    std::vector<bool> done(history.size());
    const bool expected = SomeOrderFits(history, "0", &done);
    const LinearizabilityResult result = CheckLinearizability(ShelfModel(), history);
    ASSERT_EQ(result.verdict, expected ? Linearizability::kYes : Linearizability::kNo)
        << "history " << i << ": " << result.explanation;
    ++(expected ? yes : no);
  }
  EXPECT_GT(yes, 500);
  EXPECT_GT(no, 500);
}

}  // namespace
}  // namespace halles::testing
