// Reads the log of a simulated world as it grows, folds it from its first record, and reports violations of invariants.
#ifndef HALLES_TESTS_SIMULATION_AUDITOR_H_
#define HALLES_TESTS_SIMULATION_AUDITOR_H_

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/ids.h"
#include "libs/eventlog/memory_log.h"
#include "libs/eventlog/record.h"
#include "libs/host/definitions.h"
#include "libs/partition/domain.h"
#include "libs/projection/source_record.h"
#include "libs/store/fold.h"
#include "libs/store/memory_rows.h"
#include "libs/store/store.h"
#include "libs/testing/virtual_scheduler.h"
#include "services/checkout/rows.pb.h"
#include "services/customer_identity/party.h"
#include "tests/simulation/parties.h"

namespace halles::simulation {

// Part of the identifiers that clients send; no log may contain it (I16).
inline constexpr absl::string_view kClearText = "@mail.test";

// A violation of an invariant, and the step at which it was found.
struct Finding {
  std::string invariant;  // such as "I7"
  std::string what;
  uint64_t step = 0;
};

// All findings, in order.
class Findings {
 public:
  explicit Findings(const testing::VirtualScheduler* scheduler) : scheduler_(*scheduler) {}
  void Add(absl::string_view invariant, std::string what);
  bool empty() const { return found_.empty(); }
  const Finding& first() const { return found_.front(); }
  // The first kShownMax findings, one per line, for a failed test.
  std::string ToString() const;

 private:
  static constexpr size_t kShownMax = 5;
  static constexpr size_t kFindingsMax = 1000;
  const testing::VirtualScheduler& scheduler_;
  std::vector<Finding> found_;
};

// Rows together with their digest.
class DigestedRows : public store::MemoryRows {
 public:
  void Put(absl::string_view key, std::string value) override;
  void Delete(absl::string_view key) override;
  const store::Digest& digest() const { return digest_; }

 private:
  store::Digest digest_;
};

// Reads the shared log directly, not over a connection, with definitions of its own. It folds every state and view from
// the first record and remembers the digest at each position, so that it can compare the stored rows of a host at any
// position with a cold fold. README.md lists the checks.
// Lifetime: log, scheduler and findings outlive it.
class Auditor {
 public:
  Auditor(eventlog::MemoryLog* log, const testing::VirtualScheduler* scheduler, Findings* findings);

  // Takes the records that were appended since the last call, of all slots or of one.
  void CatchUp();
  void CatchUp(SlotId slot) { TakeUpTo(slot, std::numeric_limits<Position>::max()); }

  // The wall clock of a process is now `wall_offset` ahead of the scheduler's. Its claims contain `address`.
  void OnWallClock(const std::string& address, int64_t wall_offset);

  // Checks that the stored rows of a fold equal those of a cold fold at the same position (I5, I12, I13).
  void CheckStored(const store::FoldId& fold, const store::FoldMeta& meta, const store::Snapshot& stored,
                   absl::string_view who);
  // Checks that a fold of a host at rest has reached the end of the log.
  void CheckAtEnd(const store::FoldId& fold, const store::FoldMeta& meta, absl::string_view who);

  // Checks a success that a client was given, with its serialised response: its position is not beyond the log, its
  // record is before that position, and the answer recorded under the request id is the same (I6, I7).
  void CheckAnswer(const partition::AggregateRef& aggregate, const std::string& request_id, const std::string& response,
                   partition::AnswerPosition at);

  // True if the slot has a record with this request id of the aggregate.
  bool IsRecorded(SlotId slot, const partition::AggregateRef& aggregate, const std::string& request_id);

  // Checks that a read of an aggregate at a position agrees with the log (I12, I15). `fingerprint` is that of
  // FingerprintOf.
  void CheckRead(SlotId slot, const std::string& key, Position at, uint64_t fingerprint, absl::string_view what);
  // The fingerprint of the rows that clients read: levels of a SKU, or a cart with its order. 0 if there are none.
  static uint64_t FingerprintOf(ServiceId service, const store::RowReader& rows, const std::string& key);
  // Checks the party that a process finds for the identifier at a position of the graph: the set of links before that
  // position determines it, in any order (I17).
  void CheckParty(SlotId graph, Position at, const customer_identity::IdentifierKey& key,
                  const absl::StatusOr<customer_identity::Party>& party, absl::string_view who);
  // All identifiers that are linked to another one.
  std::vector<customer_identity::IdentifierKey> LinkedIdentifiers() const { return parties_.keys(); }
  uint64_t reads_checked() const { return reads_checked_; }
  uint64_t answers_dropped() const { return answers_dropped_; }
  uint64_t parties_checked() const { return parties_checked_; }
  // The largest number of reactions of one service in one slot to a single record.
  size_t reactions_of_a_record_max() const { return reactions_of_a_record_max_; }

  // Checks a world in which nothing is in progress: every saga has ended, every promise has its reason, and every
  // reaction is recorded.
  void CheckRest(UnixMicros now);

  uint64_t term(SlotId slot) const { return slots_.at(slot).term; }
  uint64_t records() const { return records_; }  // accepted records, with claims
  uint64_t facts() const { return facts_; }      // events in them
  const std::map<std::string, uint64_t>& kinds() const { return kinds_; }
  const std::vector<SlotId>& slots() const { return slot_list_; }

 private:
  struct Executed {
    Position position = 0;
    std::string response;
  };
  // A reaction that must be recorded. Reactions must be recorded in the order of these fields.
  struct Due {
    Position position = 0;
    uint32_t number = 0;
    // The request of a reaction that records nothing if it brings nothing new, so that its record may be missing; null
    // for other reactions.
    std::unique_ptr<google::protobuf::Message> when_new;
  };
  struct View {
    const projection::ViewDefinition* definition = nullptr;
    DigestedRows rows;
    std::vector<store::Digest> digests;  // by position
  };
  struct Slot {
    std::unique_ptr<eventlog::LogReader> reader;
    std::deque<eventlog::StoredRecord> unread;
    eventlog::Cursor cursor;
    // State of the second implementation of the reader rule.
    uint64_t term = 0;
    InstanceId instance;
    uint64_t next_sequence = 0;
    Hash256 chain;
    UnixMicros logical_time = 0;
    std::string owner;  // address of the owner
    const partition::ServiceDefinition* service = nullptr;
    DigestedRows rows;
    std::vector<store::Digest> digests;  // by position: of all records before it
    std::vector<std::unique_ptr<View>> views;
    std::unordered_map<std::string, Executed> executed;
    std::set<std::string> expiring;  // keys of the recorded answers with a time that were not dropped, in order
    std::unordered_map<std::string, std::vector<std::pair<Position, uint64_t>>> history;  // by key
    std::map<SlotId, std::deque<Due>> due;                                                // by source
  };

  void TakeUpTo(SlotId slot, Position end);
  void Take(SlotId id, Slot& slot, eventlog::StoredRecord stored);
  void CheckAcceptance(SlotId id, Slot& slot, const eventlog::StoredRecord& stored,
                       const projection::SourceRecord& judged);
  void CheckTime(SlotId id, Slot& slot, Position position, const eventlog::RecordHeader& header);
  // Of a record that is folded: its request was not over, and the answers that are go with it, four at most.
  void CheckExpiry(SlotId id, Slot& slot, const projection::SourceRecord& record, const log::v1::Batch& batch);
  void TakeBatch(SlotId id, Slot& slot, const projection::SourceRecord& record, const log::v1::Batch& batch);
  void TakeCause(SlotId id, Slot& slot, Position position, const log::v1::Cause& cause);
  // Removes the reactions to the source before `end` that have no record, and checks that they brought nothing new.
  void LeaveOut(SlotId id, const Slot& slot, SlotId source, std::pair<Position, uint32_t> end, std::deque<Due>* due);
  void TakeEvents(SlotId id, Slot& slot, const projection::SourceRecord& record, const log::v1::Batch& batch);
  void TakeLinks(Position position, const log::v1::Event& event);
  // Checks the returns of an imported order that were taken here, after a record of such a return.
  void CheckImportedReturns(const std::string& where, const Slot& slot, const std::string& order);
  void CheckDelivery(const std::string& where, const inventory::v1::StockEvent& event);
  void CheckStock(const std::string& where, const Slot& slot, const std::string& sku, bool may_break);
  void Project(SlotId id, Slot& slot, const projection::SourceRecord& record);
  void ExpectReactions(SlotId id, const projection::SourceRecord& record);
  // The first row of the fold that differs from a cold fold at that position, as text.
  std::string FirstDifference(const store::FoldId& fold, Position next, const store::Snapshot& stored) const;
  void CheckOrdersAtRest(const Slot& slot, std::map<std::string, std::map<std::string, int64_t>>* documents);
  void CheckReturnsAtRest(const Slot& slot, const OrderId& id, const checkout::rows::OrderRow& order);
  void CheckNumbersAtRest(const std::map<std::string, std::map<std::string, int64_t>>& documents);
  void CheckHoldsAtRest(const Slot& slot);
  bool IsCertainOrder(const std::string& order) const;

  eventlog::MemoryLog& log_;
  const testing::VirtualScheduler& scheduler_;
  Findings& findings_;
  const host::Definitions definitions_;
  std::map<SlotId, Slot> slots_;
  std::vector<SlotId> slot_list_;
  std::map<std::string, int64_t> clocks_;                       // the largest wall offsets, by address
  std::map<std::string, int64_t> goods_;                        // by SKU: the sum of its events
  std::map<std::string, std::string> delivered_;                // delivery notes, and where they were recorded
  std::set<std::pair<std::string, std::string>> contradicted_;  // holds, by SKU and id
  std::set<std::string> short_;                                 // where a count or correction broke promises
  uint64_t records_ = 0;
  uint64_t facts_ = 0;
  Parties parties_;
  size_t reactions_of_a_record_max_ = 0;
  uint64_t reads_checked_ = 0;
  uint64_t answers_dropped_ = 0;
  uint64_t parties_checked_ = 0;
  std::map<std::string, uint64_t> kinds_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_AUDITOR_H_
