// The worlds that the explorer searches: writers, a network and one log, and the effect of each step.
#ifndef HALLES_LIBS_EVENTLOG_EXPLORER_WORLD_H_
#define HALLES_LIBS_EVENTLOG_EXPLORER_WORLD_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "libs/base/hash.h"
#include "libs/eventlog/explorer.h"
#include "libs/eventlog/owner.h"

namespace halles::eventlog::exploration {

inline constexpr SlotId kSlot{ServiceId::kCheckout, 0};
inline constexpr char kSealMark = 's';
inline constexpr size_t kLivesMax = 8;

// An index into the explorer's table of all records ever sent.
using MessageId = uint32_t;
using Messages = absl::InlinedVector<MessageId, 8>;

struct Message {
  std::string bytes;
  RecordHeader header;
  size_t writer = 0;
  uint64_t tag = 0;
  // For a BATCH: the request, as one letter, and the requests that count before it as its owner saw them.
  char command = 0;
  std::string decided_on;
};

struct Flight {
  uint64_t tag;
  MessageId message;
  Position expected;  // the position that its events are evolved for
};

struct Answer {
  uint64_t ticket;
  std::string decided_on;
};

struct Report {
  uint64_t tag;
  Position position;
};

struct Writer {
  Owner owner;
  std::string confirmed;  // requests that count, as this writer applied them
  absl::InlinedVector<Flight, 3> flights;
  absl::InlinedVector<Answer, 2> answers;
  absl::InlinedVector<Report, 3> reports;  // on their way to it
  uint64_t claim_tag = 0;
  uint8_t claims = 0;
  uint8_t life = 0;
  bool beside = false;  // has read records that were cut off since
};

struct World {
  Messages log;
  Messages network;  // sent and not landed, sorted
  Messages sent;     // all messages that may land once more, sorted
  Messages lost;     // reported lost, sorted
  absl::InlinedVector<Writer, 2> writers;
  // A reader that started from nothing and has read everything.
  Cursor cold;
  bool cold_stopped = false;
  Messages counted;                              // records that count, in order
  std::string requests;                          // the requests among them
  absl::InlinedVector<uint8_t, 16> requests_at;  // the number of them below each position
  uint8_t attempted = 0;                         // requests ever proposed
  uint8_t proposals = 0, copies = 0, answers = 0, seals = 0, restarts = 0, refusals = 0, cuts = 0;
  std::string violation;
};

enum class StepKind : uint8_t {
  kClaim,
  kPropose,
  kSeal,
  kAnswer,
  kRead,
  kReport,
  kTimeOut,
  kRestart,
  kResume,
  kLand,
  kLandCopy,
  kRefuse,
  kCut
};

struct Step {
  StepKind kind;
  uint8_t writer = 0;
  uint32_t argument = 0;  // a message, a request, the index of a report, or the length of a cut log
};

// The rules of the worlds within given bounds, and all records sent in any of them.
// Thread safety: none.
class Rules {
 public:
  explicit Rules(const Bounds& bounds);

  World Start() const;
  // Appends the possible next steps.
  void Steps(const World& world, std::vector<Step>* steps) const;
  // Applies the step. Sets world->violation when a guarantee is broken.
  void Take(const Step& step, World* world);
  // Equal only for worlds with equal futures.
  Hash128 Fingerprint(const World& world);
  // The step as text, for a trace.
  std::string Describe(const Step& step, const World& before) const;

 private:
  InstanceId InstanceOf(size_t writer, size_t life) const;
  std::string NameOf(MessageId id) const;
  void Send(size_t writer, const Append& append, char command, const std::string& decided_on, World* world);
  void Land(MessageId id, World* world);
  void ReadCold(MessageId id, World* world);
  void Read(size_t writer, World* world);
  void Cut(Position end, World* world);
  void Restart(size_t writer, bool resume, World* world);
  void ForgetReports(World* world) const;
  void Heed(size_t writer, const Effects& effects, const Judgement* read, World* world);
  void CheckStateOf(const Writer& writer, World* world) const;
  bool AwaitsReport(const World& world, MessageId id) const;
  bool CanNeverCount(const World& world, MessageId id) const;
  void PrintMessages(const World& world, const Messages& messages, bool count_idle, bool some_beside);

  const Bounds bounds_;
  const bool all_guards_;
  std::vector<Message> messages_;
  absl::flat_hash_map<std::string, MessageId> message_ids_;
  std::string print_;
  Effects effects_;
};

}  // namespace halles::eventlog::exploration

#endif  // HALLES_LIBS_EVENTLOG_EXPLORER_WORLD_H_
