// Searches the worlds of README.md within their bounds, and removes each rule to show what it is needed for.
#include "libs/eventlog/explorer.h"

#include <cstdio>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace halles::eventlog {
namespace {

struct Search {
  std::string name;  // of its row in README.md
  Bounds bounds;
  bool breach = false;  // expected result
};

std::string NameOf(const ::testing::TestParamInfo<Search>& info) { return info.param.name; }

void PrintTo(const Search& search, std::ostream* out) { *out << search.name; }

// The columns of the row of README.md that begins with `name`; empty when there is none.
std::vector<std::string> DocumentedLine(const std::string& name) {
  std::ifstream file(HALLES_EVENTLOG_README);
  std::string line;
  while (std::getline(file, line)) {
    std::vector<std::string> columns;
    for (absl::string_view column : absl::StrSplit(line, '|')) {
      columns.emplace_back(absl::StripAsciiWhitespace(column));
    }
    if (columns.size() > 3 && columns[1] == absl::StrCat("`", name, "`")) return columns;
  }
  return {};
}

std::string Outcome(const Finding& finding) {
  if (!finding.violation.empty()) return absl::StrCat("breach in ", finding.trace.size(), " steps");
  return finding.exhausted ? "nothing" : "nothing, not exhausted";
}

class Exploration : public ::testing::TestWithParam<Search> {};

TEST_P(Exploration, FindsTheResultsInTheTable) {
  const Search& search = GetParam();
  const Finding finding = Explore(search.bounds, /*shortest=*/search.breach);
  std::printf("%-24s %8zu states, %9zu steps, histories of up to %2zu: %s\n", search.name.c_str(), finding.states,
              finding.steps, finding.depth, Outcome(finding).c_str());
  for (size_t i = 0; i < finding.trace.size(); ++i) std::printf("  %2zu. %s\n", i + 1, finding.trace[i].c_str());
  if (!finding.violation.empty()) std::printf("  => %s\n", finding.violation.c_str());

  EXPECT_EQ(search.breach, !finding.violation.empty()) << finding.violation;
  EXPECT_TRUE(finding.exhausted || search.breach);
  const std::vector<std::string> line = DocumentedLine(search.name);
  ASSERT_GE(line.size(), 5u) << "README.md has no line for " << search.name;
  EXPECT_EQ(line[3], absl::StrCat(finding.states));
  EXPECT_EQ(line[4], Outcome(finding));
}

// All rules on: no violation may be found.
const Search kWhole[] = {
    {"ClaimsAndCopies", {.read_serving = true}},
    {"Pipelines", {.commands = 2}},
    {"ThreeWriters", {.proposals = 1, .claims_each = 1, .writers = 3}},
    {"Cuts", {.copies = 0, .cuts = 1}},
    {"CutsAndCopies", {.proposals = 1, .cuts = 1}},
    {"Seals", {.proposals = 1, .copies = 0, .seals = 1}},
    {"Restarts", {.copies = 0, .restarts = 1}},
    {"Answers", {.copies = 0, .answers = 1}},
    {"Refusals", {.commands = 2, .copies = 0, .refusals = 1}},
    {"UnseenCutOfOne", {.proposals = 1, .copies = 0, .cuts = 1, .unseen_by_readers = true}},
};
INSTANTIATE_TEST_SUITE_P(AllRules, Exploration, ::testing::ValuesIn(kWhole), NameOf);

// A rule and the rules that back it up are off: the violation is found.
const Search kBroken[] = {
    {"NoSequenceNoHash", {.commands = 2, .claims_each = 1, .guards = {.sequence = false, .chain = false}}, true},
    {"NoTermNoHash", {.proposals = 1, .guards = {.term = false, .chain = false}}, true},
    {"NoFirstClaimNoHash", {.proposals = 1, .copies = 0, .guards = {.first_claim = false, .chain = false}}, true},
    {"NoEvidenceNoLineage",
     {.proposals = 1, .copies = 0, .cuts = 1, .guards = {.evidence = false, .lineage = false}},
     true},
    {"NoLineage", {.proposals = 1, .copies = 0, .cuts = 1, .guards = {.lineage = false}}, true},
    {"NoEvidenceUnseenCut",
     {.proposals = 1, .copies = 0, .cuts = 1, .unseen_by_readers = true, .guards = {.evidence = false}},
     true},
    {"NoWaitOfAnswers", {.copies = 0, .answers = 1, .guards = {.answers_wait = false}}, true},
    {"UnseenCut", {.copies = 0, .cuts = 1, .unseen_by_readers = true}, true},
    {"LateAfterCut", {.proposals = 1, .cuts = 1, .late_after_cut = true}, true},
};
INSTANTIATE_TEST_SUITE_P(RulesTakenAway, Exploration, ::testing::ValuesIn(kBroken), NameOf);

// A single rule is off and others back it up: no violation is found, within the bounds that find one with both off.
const Search kBacked[] = {
    {"NoTerm", {.proposals = 1, .guards = {.term = false}}},
    {"NoInstance", {.proposals = 1, .guards = {.instance = false}}},
    {"NoSequence", {.commands = 2, .claims_each = 1, .guards = {.sequence = false}}},
    {"NoHash", {.proposals = 1, .guards = {.chain = false}}},
    {"NoHashInPipelines", {.commands = 2, .claims_each = 1, .guards = {.chain = false}}},
    {"NoFirstClaim", {.proposals = 1, .copies = 0, .guards = {.first_claim = false}}},
    {"NoSealRule", {.proposals = 1, .claims_each = 1, .seals = 1, .guards = {.seal = false}}},
    {"NoEvidence", {.proposals = 1, .copies = 0, .cuts = 1, .guards = {.evidence = false}}},
};
INSTANTIATE_TEST_SUITE_P(RulesBacked, Exploration, ::testing::ValuesIn(kBacked), NameOf);

}  // namespace
}  // namespace halles::eventlog
