// log_explorer: runs the explorer with any bounds, as large as time and memory allow.
#include <chrono>
#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "libs/eventlog/explorer.h"

int main(int argc, char** argv) {
  halles::eventlog::Bounds bounds;
  bool shortest = false;
  std::vector<std::string> without;
  CLI::App app(
      "Searches all histories of the log within bounds for a breach of what the reader and owner rules promise.");
  app.add_option("--writers", bounds.writers, "Writers")->capture_default_str();
  app.add_option("--commands", bounds.commands, "Different requests")->capture_default_str();
  app.add_option("--proposals", bounds.proposals, "Records that decide a request")->capture_default_str();
  app.add_option("--in-flight", bounds.in_flight, "Unconfirmed records of a writer")->capture_default_str();
  app.add_option("--claims", bounds.claims_each, "CLAIMs of each writer")->capture_default_str();
  app.add_option("--copies", bounds.copies, "Landings of a record sent before")->capture_default_str();
  app.add_option("--answers", bounds.answers, "Answers without a record")->capture_default_str();
  app.add_option("--seals", bounds.seals, "SEALs")->capture_default_str();
  app.add_option("--restarts", bounds.restarts, "Deaths of writers")->capture_default_str();
  app.add_option("--refusals", bounds.refusals, "Records that a full log refuses")->capture_default_str();
  app.add_option("--cuts", bounds.cuts, "Truncations of the log")->capture_default_str();
  app.add_option("--states-max", bounds.states_max, "Give up beyond")->capture_default_str();
  app.add_flag("--read-serving", bounds.read_serving, "Owners read while they serve");
  app.add_flag("--unseen-by-readers", bounds.unseen_by_readers, "Only owners and claimers notice a cut");
  app.add_flag("--late-after-cut", bounds.late_after_cut, "What was on its way at a cut may land after it");
  app.add_flag("--shortest", shortest, "Breadth first: prints a shortest trace, takes more memory");
  app.add_option("--without", without, "Guards to remove")
      ->check(CLI::IsMember(
          {"first_claim", "term", "instance", "sequence", "chain", "seal", "evidence", "lineage", "answers_wait"}));
  CLI11_PARSE(app, argc, argv);
  for (const std::string& guard : without) {
    halles::eventlog::Guards& guards = bounds.guards;
    if (guard == "first_claim") guards.first_claim = false;
    if (guard == "term") guards.term = false;
    if (guard == "instance") guards.instance = false;
    if (guard == "sequence") guards.sequence = false;
    if (guard == "chain") guards.chain = false;
    if (guard == "seal") guards.seal = false;
    if (guard == "evidence") guards.evidence = false;
    if (guard == "lineage") guards.lineage = false;
    if (guard == "answers_wait") guards.answers_wait = false;
  }
  const auto start = std::chrono::steady_clock::now();
  const halles::eventlog::Finding finding = halles::eventlog::Explore(bounds, shortest);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%zu states, %zu steps, histories of up to %zu steps, %.1f s: %s\n", finding.states, finding.steps,
              finding.depth, seconds,
              !finding.violation.empty()
                  ? finding.violation.c_str()
                  : (finding.exhausted ? "nothing found, exhausted" : "nothing found, NOT exhausted"));
  for (size_t i = 0; i < finding.trace.size(); ++i) std::printf("%3zu. %s\n", i + 1, finding.trace[i].c_str());
  return finding.violation.empty() ? 0 : 1;
}
