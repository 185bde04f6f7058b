// Generates the next steps of a world, compares worlds, and searches them all.
#include "libs/eventlog/explorer.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/eventlog/explorer_world.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog {
namespace exploration {

void Rules::Steps(const World& world, std::vector<Step>* steps) const {
  steps->clear();
  bool untouched = true;
  for (const Writer& writer : world.writers) untouched &= writer.claims == 0 && writer.life == 0;
  for (size_t i = 0; i < world.writers.size(); ++i) {
    if (untouched && i > 0) break;  // writers differ in name only, so the first one to act can be the first writer
    const Writer& writer = world.writers[i];
    const Phase phase = writer.owner.phase();
    const auto add = [&](StepKind kind, size_t argument = 0) {
      steps->push_back({kind, static_cast<uint8_t>(i), static_cast<uint32_t>(argument)});
    };
    if (world.restarts < bounds_.restarts && !untouched) {
      add(StepKind::kRestart);
      if (writer.owner.cursor().next > 0 && phase != Phase::kQuarantined) add(StepKind::kResume);
    }
    if (phase == Phase::kQuarantined) continue;
    if (phase != Phase::kServing && phase != Phase::kClaiming && writer.claims < bounds_.claims_each) {
      add(StepKind::kClaim);
    }
    if (writer.owner.open()) {
      if (world.proposals < bounds_.proposals && writer.flights.size() < bounds_.in_flight) {
        const size_t known = std::min<size_t>(bounds_.commands, world.attempted + size_t{1});
        for (size_t c = 0; c < known; ++c) {
          const char command = static_cast<char>('a' + c);
          bool decided = absl::StrContains(writer.confirmed, command);
          for (const Flight& flight : writer.flights) decided |= messages_[flight.message].command == command;
          if (!decided) add(StepKind::kPropose, c);
        }
      }
      if (world.seals < bounds_.seals) add(StepKind::kSeal);
      if (world.answers < bounds_.answers) add(StepKind::kAnswer);
    }
    const Position read_to = world.log.size();
    const Position next = writer.owner.next_read();
    if ((phase != Phase::kServing || bounds_.read_serving) &&
        (next < read_to || writer.owner.cursor().next > read_to)) {
      add(StepKind::kRead);
    }
    for (size_t r = 0; r < writer.reports.size(); ++r) add(StepKind::kReport, r);
    if ((phase == Phase::kServing && !writer.flights.empty()) ||
        (phase == Phase::kClaiming && writer.claims < bounds_.claims_each)) {
      add(StepKind::kTimeOut);
    }
  }
  for (MessageId id : world.network) {
    steps->push_back({StepKind::kLand, 0, id});
    if (world.refusals < bounds_.refusals && messages_[id].header.kind != RecordKind::kClaim &&
        AwaitsReport(world, id)) {
      steps->push_back({StepKind::kRefuse, 0, id});
    }
  }
  if (world.copies < bounds_.copies) {
    for (MessageId id : world.sent) steps->push_back({StepKind::kLandCopy, 0, id});
  }
  if (world.cuts < bounds_.cuts) {
    for (size_t end = 0; end < world.log.size(); ++end) {
      steps->push_back({StepKind::kCut, 0, static_cast<uint32_t>(end)});
    }
  }
}

// Whether the writer that sent the message still wants to hear of it.
bool Rules::AwaitsReport(const World& world, MessageId id) const {
  const Message& message = messages_[id];
  const Writer& writer = world.writers[message.writer];
  if (message.header.instance != writer.owner.self()) return false;
  if (message.header.kind == RecordKind::kClaim) {
    return bounds_.cuts > 0 && writer.owner.phase() == Phase::kClaiming && writer.claim_tag == message.tag;
  }
  if (writer.owner.phase() != Phase::kServing) return false;
  for (const Flight& flight : writer.flights) {
    if (flight.message == id) return true;
  }
  return false;
}

// Whether the message, if it lands, will be ignored by every reader of the log from now on.
bool Rules::CanNeverCount(const World& world, MessageId id) const {
  if (bounds_.late_after_cut && world.cuts < bounds_.cuts) return false;
  if (world.cold_stopped) return true;
  const Guards& guards = bounds_.guards;
  const RecordHeader& header = messages_[id].header;
  if (header.kind == RecordKind::kClaim) return header.term < world.cold.term + (guards.first_claim ? 1 : 0);
  // A chain never returns to an earlier head, so comparing the previous hash covers term and sequence.
  if (header.term < world.cold.term) return guards.term || guards.chain;
  if (header.term > world.cold.term || header.instance != world.cold.instance) return false;
  return (header.sequence < world.cold.next_sequence && (guards.sequence || guards.chain)) ||
         (world.cold.sealed && guards.seal && guards.term);
}

void Rules::PrintMessages(const World& world, const Messages& messages, bool count_idle, bool some_beside) {
  uint8_t idle = 0;
  for (MessageId id : messages) {
    if (!some_beside && CanNeverCount(world, id) && !AwaitsReport(world, id)) {
      idle = count_idle ? static_cast<uint8_t>(idle + 1) : uint8_t{1};
      continue;
    }
    AppendLittle(id, &print_);
    AppendLittle(static_cast<uint8_t>(std::binary_search(world.lost.begin(), world.lost.end(), id)), &print_);
  }
  AppendLittle(MessageId{0xffffffff}, &print_);
  AppendLittle(idle, &print_);
}

// Equal only for worlds with equal futures. Records that do not count, or never will with nobody waiting for them, are
// represented by their number only, unless a reader with an older copy of the log may judge them differently.
Hash128 Rules::Fingerprint(const World& world) {
  std::string& out = print_;
  out.clear();
  AppendLittle(static_cast<uint8_t>(world.log.size()), &out);
  Position beside_from = world.log.size();
  bool some_beside = false;
  for (const Writer& writer : world.writers) {
    if (writer.beside && writer.owner.phase() != Phase::kQuarantined) {
      some_beside = true;
      beside_from = std::min(beside_from, writer.owner.cursor().next - 1);
    }
  }
  size_t counted = 0;
  for (Position position = 0; position < world.log.size(); ++position) {
    const MessageId id = world.log[position];
    const bool counts = counted < world.counted.size() && world.counted[counted] == id;
    if (counts) ++counted;
    AppendLittle(counts || position >= beside_from ? id + 1 : MessageId{0}, &out);
  }
  AppendLittle(static_cast<uint8_t>(world.cold_stopped), &out);
  PrintMessages(world, world.network, /*count_idle=*/true, some_beside);
  // It matters only whether some idle record may land once more, not which one.
  if (world.copies < bounds_.copies) PrintMessages(world, world.sent, /*count_idle=*/false, some_beside);
  for (uint8_t budget : {world.attempted, world.proposals, world.copies, world.answers, world.seals, world.restarts,
                         world.refusals, world.cuts}) {
    AppendLittle(budget, &out);
  }
  for (const Writer& writer : world.writers) {
    AppendLittle(writer.claims, &out);
    AppendLittle(writer.life, &out);
    if (writer.owner.phase() == Phase::kQuarantined) continue;
    AppendLittle(static_cast<uint8_t>(writer.beside), &out);
    if (writer.beside) {
      absl::StrAppend(&out, EncodeCursor(writer.owner.cursor()), writer.confirmed, ";");
    } else {
      AppendLittle(static_cast<uint8_t>(writer.owner.cursor().next), &out);
    }
    writer.owner.AppendFingerprint(&out);
    if (writer.owner.phase() == Phase::kServing) {
      for (const Flight& flight : writer.flights) AppendLittle(static_cast<uint8_t>(flight.expected), &out);
    }
    for (const Answer& answer : writer.answers) absl::StrAppend(&out, answer.decided_on, ";");
    for (const Report& report : writer.reports) {
      AppendLittle(report.tag, &out);
      AppendLittle(static_cast<uint8_t>(report.position), &out);
    }
    out += '|';
  }
  return Hash128Of("", out);
}

std::string Rules::Describe(const Step& step, const World& before) const {
  const Writer& writer = before.writers[step.writer];
  const std::string who = absl::StrCat(std::string(1, static_cast<char>('A' + step.writer)), writer.life);
  switch (step.kind) {
    case StepKind::kClaim:
      return absl::StrCat(who, " (", PhaseName(writer.owner.phase()), ", read up to ", writer.owner.cursor().next,
                          ") sends a CLAIM of term ", writer.owner.cursor().term + 1);
    case StepKind::kPropose:
      return absl::StrCat(who, " decides request ", std::string(1, static_cast<char>('a' + step.argument)),
                          " and sends its record");
    case StepKind::kSeal:
      return absl::StrCat(who, " sends a SEAL");
    case StepKind::kAnswer:
      return absl::StrCat(who, " decides an answer without a record");
    case StepKind::kRead:
      return absl::StrCat(who, " reads from ", writer.owner.next_read(), " to the end at ", before.log.size());
    case StepKind::kReport:
      return absl::StrCat(who, " is told that its append is at ", writer.reports[step.argument].position);
    case StepKind::kTimeOut:
      return absl::StrCat(who, " waits no longer for a report");
    case StepKind::kRestart:
      return absl::StrCat(who, " dies; its next life starts from nothing");
    case StepKind::kResume:
      return absl::StrCat(who, " dies; its next life resumes at ", writer.owner.cursor().next);
    case StepKind::kLand:
      return absl::StrCat(NameOf(step.argument), " lands at ", before.log.size());
    case StepKind::kLandCopy:
      return absl::StrCat("a copy of ", NameOf(step.argument), " lands at ", before.log.size());
    case StepKind::kRefuse:
      return absl::StrCat(NameOf(step.argument), " is refused by the log");
    case StepKind::kCut:
      return absl::StrCat("the log is cut from ", before.log.size(), " to ", step.argument);
  }
  return "";
}

}  // namespace exploration

Finding Explore(const Bounds& bounds, bool shortest) {
  using exploration::Step;
  using exploration::World;
  struct Node {
    uint32_t parent;
    Step step;
  };
  exploration::Rules rules(bounds);
  Finding finding;
  struct Open {
    World world;
    uint32_t node;
    uint32_t depth;
  };
  std::vector<Node> nodes = {{0, {}}};  // kept for the trace when `shortest`
  std::deque<Open> open;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen;
  std::vector<Step> steps;
  World next;
  open.push_back({rules.Start(), 0, 0});
  finding.states = 1;
  while (!open.empty()) {
    Open current = std::move(shortest ? open.front() : open.back());
    shortest ? open.pop_front() : open.pop_back();
    rules.Steps(current.world, &steps);
    for (const Step& step : steps) {
      next = current.world;  // most worlds were seen before, and assignment reuses their memory
      rules.Take(step, &next);
      ++finding.steps;
      if (!next.violation.empty()) {
        finding.violation = next.violation;
        std::vector<Step> path = {step};
        for (uint32_t node = current.node; node != 0; node = nodes[node].parent) path.push_back(nodes[node].step);
        std::reverse(path.begin(), path.end());
        if (!shortest) return finding;
        World world = rules.Start();
        for (const Step& taken : path) {
          finding.trace.push_back(rules.Describe(taken, world));
          rules.Take(taken, &world);
        }
        return finding;
      }
      const Hash128 print = rules.Fingerprint(next);
      if (!seen.emplace(print.lo, print.hi).second) continue;
      finding.depth = std::max<size_t>(finding.depth, current.depth + 1);
      if (++finding.states > bounds.states_max) return finding;
      uint32_t node = 0;
      if (shortest) {
        node = static_cast<uint32_t>(nodes.size());
        nodes.push_back({current.node, step});
      }
      open.push_back({std::move(next), node, current.depth + 1});
    }
  }
  finding.exhausted = true;
  return finding;
}

}  // namespace halles::eventlog
