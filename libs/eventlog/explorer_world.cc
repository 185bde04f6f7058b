// Applies steps to a world, and checks the guarantees after each.
#include "libs/eventlog/explorer_world.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/eventlog/little_endian.h"

namespace halles::eventlog::exploration {
namespace {

bool AllOf(const Guards& guards) {
  return guards.first_claim && guards.term && guards.instance && guards.sequence && guards.chain && guards.seal &&
         guards.evidence && guards.lineage && guards.answers_wait;
}

void Insert(MessageId id, Messages* sorted) {
  const auto at = std::lower_bound(sorted->begin(), sorted->end(), id);
  if (at == sorted->end() || *at != id) sorted->insert(at, id);
}

void Remove(MessageId id, Messages* sorted) {
  const auto at = std::lower_bound(sorted->begin(), sorted->end(), id);
  if (at != sorted->end() && *at == id) sorted->erase(at);
}

bool Contains(const Messages& messages, MessageId id) {
  return std::find(messages.begin(), messages.end(), id) != messages.end();
}

void Violate(std::string what, World* world) {
  if (world->violation.empty()) world->violation = std::move(what);
}

}  // namespace

Rules::Rules(const Bounds& bounds) : bounds_(bounds), all_guards_(AllOf(bounds.guards)) {}

InstanceId Rules::InstanceOf(size_t writer, size_t life) const {
  InstanceId::Bytes bytes;
  bytes.fill(static_cast<uint8_t>(1 + writer * kLivesMax + life));
  return InstanceId::FromBytes(bytes);
}

World Rules::Start() const {
  World world;
  const LogIdentity identity;
  world.cold = GenesisCursor(identity, kSlot);
  world.requests_at.push_back(0);
  for (size_t i = 0; i < bounds_.writers; ++i) {
    world.writers.push_back(
        {.owner = Owner(identity, kSlot, OwnerOptions{.self = InstanceOf(i, 0), .guards = bounds_.guards})});
  }
  return world;
}

void Rules::Send(size_t writer, const Append& append, char command, const std::string& decided_on, World* world) {
  std::string key = append.bytes;
  AppendLittle(append.tag, &key);
  const auto [found, fresh] = message_ids_.try_emplace(std::move(key), static_cast<MessageId>(messages_.size()));
  if (fresh) {
    messages_.push_back({.bytes = append.bytes,
                         .header = ParseRecord(append.bytes).header,
                         .writer = writer,
                         .tag = append.tag,
                         .command = command,
                         .decided_on = decided_on});
  }
  const MessageId id = found->second;
  Insert(id, &world->network);
  Insert(id, &world->sent);
  if (command != 0) world->writers[writer].flights.push_back({append.tag, id, append.expected});
}

void Rules::ReadCold(MessageId id, World* world) {
  if (!world->cold_stopped) {
    const Message& message = messages_[id];
    const auto judgement = Adjudicate(message.bytes, world->cold.next, &world->cold, kApplierLevel, bounds_.guards);
    if (!judgement.ok()) {
      world->cold_stopped = true;
      if (all_guards_ && world->cuts == 0) {
        Violate(absl::StrCat("a reader stops at a log that was never cut: ", judgement.status().message()), world);
      }
    } else if (judgement->verdict != Verdict::kIgnored) {
      world->counted.push_back(id);
      if (Contains(world->lost, id)) Violate(absl::StrCat(NameOf(id), " counts after it was told to be lost"), world);
      if (message.command != 0 && message.command != kSealMark) {
        if (message.decided_on != world->requests) {
          Violate(absl::StrCat(NameOf(id), " counts behind \"", world->requests, "\" but was decided on \"",
                               message.decided_on, "\""),
                  world);
        }
        if (absl::StrContains(world->requests, message.command)) {
          Violate(absl::StrCat("request ", std::string(1, message.command), " counts twice"), world);
        }
        world->requests += message.command;
      }
    }
  }
  world->requests_at.push_back(static_cast<uint8_t>(world->requests.size()));
}

void Rules::Land(MessageId id, World* world) {
  const Position position = world->log.size();
  world->log.push_back(id);
  if (AwaitsReport(*world, id)) {
    world->writers[messages_[id].writer].reports.push_back({messages_[id].tag, position});
  }
  ReadCold(id, world);
}

// The state of a writer equals that of a reader from the start at the writer's cursor.
void Rules::CheckStateOf(const Writer& writer, World* world) const {
  if (writer.beside || world->cold_stopped) return;
  const Position next = writer.owner.cursor().next;
  if (next >= world->requests_at.size() ||
      writer.confirmed != absl::string_view(world->requests).substr(0, world->requests_at[next])) {
    Violate(absl::StrCat("a writer applied \"", writer.confirmed, "\" up to position ", next, ", a cold reader \"",
                         world->requests, "\""),
            world);
  }
}

void Rules::Heed(size_t index, const Effects& effects, const Judgement* read, World* world) {
  Writer& writer = world->writers[index];
  for (const Effect& effect : effects) {
    switch (effect.kind) {
      case Effect::Kind::kConfirmed: {
        if (writer.flights.empty() || writer.flights.front().tag != effect.tag) {
          Violate("an owner confirms out of order", world);
          return;
        }
        const MessageId id = writer.flights.front().message;
        // In doubt, its events are evolved again from the records it reads.
        if (writer.owner.phase() == Phase::kServing && writer.flights.front().expected != effect.position) {
          Violate(absl::StrCat(NameOf(id), " is confirmed at ", effect.position, " and evolved for ",
                               writer.flights.front().expected),
                  world);
        }
        writer.flights.erase(writer.flights.begin());
        if (!Contains(world->counted, id))
          Violate(absl::StrCat(NameOf(id), " is acknowledged and does not count"), world);
        if (messages_[id].command != kSealMark) writer.confirmed += messages_[id].command;
        break;
      }
      case Effect::Kind::kLost: {
        const auto at = std::find_if(writer.flights.begin(), writer.flights.end(),
                                     [&](const Flight& flight) { return flight.tag == effect.tag; });
        if (at == writer.flights.end()) {
          Violate("an owner loses what is not in flight", world);
          return;
        }
        if (Contains(world->counted, at->message)) {
          Violate(absl::StrCat(NameOf(at->message), " is told to be lost and counts"), world);
        }
        Insert(at->message, &world->lost);
        writer.flights.erase(at);
        break;
      }
      case Effect::Kind::kAnswerReady:
      case Effect::Kind::kAnswerAgain: {
        const auto at = std::find_if(writer.answers.begin(), writer.answers.end(),
                                     [&](const Answer& answer) { return answer.ticket == effect.tag; });
        if (at == writer.answers.end()) {
          Violate("an owner releases an answer that nobody waits for", world);
          return;
        }
        if (effect.kind == Effect::Kind::kAnswerReady && !absl::StartsWith(world->requests, at->decided_on)) {
          Violate(absl::StrCat("an answer decided on \"", at->decided_on, "\" leaves while \"", world->requests,
                               "\" counts"),
                  world);
        }
        writer.answers.erase(at);
        break;
      }
      case Effect::Kind::kApply:
        if (read != nullptr && read->header.kind == RecordKind::kBatch) writer.confirmed += read->body[0];
        break;
      case Effect::Kind::kQuarantine:
        if (all_guards_ && world->cuts == 0) {
          Violate(absl::StrCat("a writer stops at a log that was never cut: ", effect.status.message()), world);
        }
        writer.flights.clear();
        writer.answers.clear();
        writer.reports.clear();
        return;
      case Effect::Kind::kServing:
      case Effect::Kind::kSealed:
        CheckStateOf(writer, world);
        break;
      case Effect::Kind::kNeedClaim:
      case Effect::Kind::kReadFrom:
      case Effect::Kind::kSteppedDown:
      case Effect::Kind::kClaimRefused:
        break;
    }
  }
}

// Reads everything. Partial reads would be the same as reading earlier, since no other writer can see them.
void Rules::Read(size_t index, World* world) {
  Writer& writer = world->writers[index];
  while (writer.owner.phase() != Phase::kQuarantined && world->violation.empty()) {
    effects_.clear();
    const Position next = writer.owner.next_read();
    if (next >= world->log.size()) {
      writer.owner.OnEnd(world->log.size(), &effects_);
      Heed(index, effects_, nullptr, world);
      return;
    }
    const auto judgement = writer.owner.OnRecord(next, messages_[world->log[next]].bytes, &effects_);
    Heed(index, effects_, judgement.has_value() ? &*judgement : nullptr, world);
    if (writer.beside && judgement.has_value() && judgement->header.kind == RecordKind::kBatch &&
        !world->cold_stopped && Contains(world->counted, world->log[next]) &&
        writer.confirmed != absl::string_view(world->requests).substr(0, world->requests_at[next + 1])) {
      Violate(absl::StrCat("a reader beside the log goes past ", NameOf(world->log[next]), ", which counts"), world);
    }
  }
}

void Rules::Cut(Position end, World* world) {
  ++world->cuts;
  world->lost.clear();  // the CLAIM that ended them may be cut off
  const Messages kept(world->log.begin(), world->log.begin() + static_cast<std::ptrdiff_t>(end));
  world->log = kept;
  world->cold = GenesisCursor(LogIdentity(), kSlot);
  world->cold_stopped = false;
  world->counted.clear();
  world->requests.clear();
  world->requests_at.assign(1, 0);
  for (MessageId id : kept) ReadCold(id, world);
  if (!bounds_.late_after_cut) {
    world->network.clear();
    world->sent.clear();
  }
  for (size_t i = 0; i < world->writers.size(); ++i) {
    Writer& writer = world->writers[i];
    if (writer.owner.cursor().next > end) writer.beside = true;
    effects_.clear();
    const Phase phase = writer.owner.phase();
    const bool owns = phase == Phase::kServing || phase == Phase::kClaiming || phase == Phase::kUnsure;
    if (owns || !bounds_.unseen_by_readers) writer.owner.OnReconnect(&effects_);
    Heed(i, effects_, nullptr, world);
  }
}

void Rules::Restart(size_t index, bool resume, World* world) {
  Writer& writer = world->writers[index];
  ++world->restarts;
  ++writer.life;
  const OwnerOptions options{.self = InstanceOf(index, writer.life), .guards = bounds_.guards};
  if (resume) {
    writer.owner = Owner(writer.owner.cursor(), options);
  } else {
    writer.owner = Owner(LogIdentity(), kSlot, options);
    writer.confirmed.clear();
    writer.beside = false;
  }
  writer.flights.clear();
  writer.answers.clear();
  writer.reports.clear();
}

// Drops reports that nobody waits for any more.
void Rules::ForgetReports(World* world) const {
  for (Writer& writer : world->writers) {
    const auto idle = [&](const Report& report) {
      if (writer.owner.phase() == Phase::kClaiming) return report.tag != writer.claim_tag;
      if (writer.owner.phase() != Phase::kServing) return true;
      return std::none_of(writer.flights.begin(), writer.flights.end(),
                          [&](const Flight& flight) { return flight.tag == report.tag; });
    };
    writer.reports.erase(std::remove_if(writer.reports.begin(), writer.reports.end(), idle), writer.reports.end());
  }
}

void Rules::Take(const Step& step, World* world) {
  const size_t index = step.writer;
  Writer& writer = world->writers[index];
  effects_.clear();
  switch (step.kind) {
    case StepKind::kClaim: {
      const auto claim = writer.owner.StartClaim("", /*forced=*/false, 0, &effects_);
      ++writer.claims;
      if (claim.ok()) {
        writer.claim_tag = claim->tag;
        Send(index, *claim, 0, "", world);
      }
      Heed(index, effects_, nullptr, world);
      break;
    }
    case StepKind::kPropose:
    case StepKind::kSeal: {
      const bool seal = step.kind == StepKind::kSeal;
      const char command = seal ? kSealMark : static_cast<char>('a' + step.argument);
      std::string decided_on = writer.confirmed;
      for (const Flight& flight : writer.flights) decided_on += messages_[flight.message].command;
      std::string buffer = absl::StrCat(std::string(kHeaderBytes, '\0'), std::string(1, command), decided_on);
      const auto append = seal ? writer.owner.ProposeSeal(std::move(buffer), /*final_seal=*/false, 0)
                               : writer.owner.Propose(RecordKind::kBatch, std::move(buffer), 0);
      if (!append.ok()) {
        Violate(absl::StrCat("an owner refuses what it has room for: ", append.status().message()), world);
        return;
      }
      if (seal) {
        ++world->seals;
      } else {
        ++world->proposals;
        world->attempted = std::max(world->attempted, static_cast<uint8_t>(step.argument + 1));
      }
      Send(index, *append, command, decided_on, world);
      break;
    }
    case StepKind::kAnswer: {
      ++world->answers;
      const auto ticket = writer.owner.AnswerWithoutRecord(&effects_);
      if (!ticket.ok()) return;
      Answer answer{*ticket, writer.confirmed};
      for (const Flight& flight : writer.flights) answer.decided_on += messages_[flight.message].command;
      writer.answers.push_back(std::move(answer));
      Heed(index, effects_, nullptr, world);
      break;
    }
    case StepKind::kRead:
      Read(index, world);
      break;
    case StepKind::kReport: {
      const Report report = writer.reports[step.argument];
      writer.reports.erase(writer.reports.begin() + step.argument);
      writer.owner.OnReport({.slot = kSlot, .tag = report.tag, .status = absl::OkStatus(), .position = report.position},
                            &effects_);
      Heed(index, effects_, nullptr, world);
      break;
    }
    case StepKind::kTimeOut: {
      const uint64_t tag = writer.owner.phase() == Phase::kClaiming ? writer.claim_tag : writer.flights.front().tag;
      writer.owner.OnReport({.slot = kSlot, .tag = tag, .status = absl::DeadlineExceededError("")}, &effects_);
      Heed(index, effects_, nullptr, world);
      break;
    }
    case StepKind::kRestart:
    case StepKind::kResume:
      Restart(index, step.kind == StepKind::kResume, world);
      break;
    case StepKind::kLand:
      Remove(step.argument, &world->network);
      Land(step.argument, world);
      break;
    case StepKind::kLandCopy:
      ++world->copies;
      Land(step.argument, world);
      break;
    case StepKind::kRefuse: {
      ++world->refusals;
      Remove(step.argument, &world->network);
      Remove(step.argument, &world->sent);
      const Message& message = messages_[step.argument];
      world->writers[message.writer].owner.OnReport(
          {.slot = kSlot, .tag = message.tag, .status = absl::ResourceExhaustedError("")}, &effects_);
      Heed(message.writer, effects_, nullptr, world);
      break;
    }
    case StepKind::kCut:
      Cut(step.argument, world);
      break;
  }
  ForgetReports(world);
}

std::string Rules::NameOf(MessageId id) const {
  const Message& message = messages_[id];
  const RecordHeader& header = message.header;
  const uint8_t who = static_cast<uint8_t>(header.instance.bytes()[0] - 1);
  std::string name = absl::StrCat(std::string(1, static_cast<char>('A' + who / kLivesMax)), who % kLivesMax, "'s ",
                                  KindName(header.kind), " of term ", header.term);
  if (header.kind != RecordKind::kClaim) absl::StrAppend(&name, ", sequence ", header.sequence);
  if (header.kind == RecordKind::kBatch) absl::StrAppend(&name, ", request ", std::string(1, message.command));
  return name;
}

}  // namespace halles::eventlog::exploration
