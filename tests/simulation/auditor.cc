// Folds the log a second time, and compares everything with the result.
#include "tests/simulation/auditor.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "libs/base/hash.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/base/wire_fields.h"
#include "libs/partition/fold.h"
#include "libs/partition/runtime_tables.h"
#include "libs/store/key_codec.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/definition.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/order/state.h"
#include "services/halles/all_services.h"
#include "services/inventory/movements.h"
#include "services/inventory/state.h"

namespace halles::simulation {
namespace {

constexpr size_t kPollRecords = 4096;

std::string At(SlotId slot, Position position) { return absl::StrCat(slot.ToString(), "@", position); }

std::string KeyOfRequest(const partition::AggregateRef& aggregate, const std::string& request_id) {
  return absl::StrCat(aggregate.type, "/", aggregate.key, "/", request_id);
}

uint64_t Mix(uint64_t hash, absl::string_view a, absl::string_view b) {
  const Hash128 next = Hash128Of(absl::StrCat(hash, "/", a), b);
  return next.lo == 0 ? 1 : next.lo;
}

// The change of the goods of the SKU, over all locations, by this event.
int64_t GoodsIn(const inventory::v1::StockEvent& event) {
  switch (event.event_case()) {
    case inventory::v1::StockEvent::kStockReceived:
      return event.stock_received().units();
    case inventory::v1::StockEvent::kStockCounted:
      return event.stock_counted().counted_units() - event.stock_counted().expected_units();
    case inventory::v1::StockEvent::kStockAdjusted:
      return event.stock_adjusted().delta_units();
    case inventory::v1::StockEvent::kStockReturned:
      return event.stock_returned().units();
    case inventory::v1::StockEvent::kTransferReceived:
      return -event.transfer_received().lost_units();
    case inventory::v1::StockEvent::kStockShipped: {
      int64_t gone = 0;
      for (const auto& allocation : event.stock_shipped().allocations()) gone += allocation.units();
      return -gone;
    }
    case inventory::v1::StockEvent::kBackorderAllowed:
    case inventory::v1::StockEvent::kStockHeld:
    case inventory::v1::StockEvent::kHoldExtended:
    case inventory::v1::StockEvent::kHoldMoved:
    case inventory::v1::StockEvent::kHoldCommitted:
    case inventory::v1::StockEvent::kHoldReleased:
    case inventory::v1::StockEvent::kHoldExpired:
    case inventory::v1::StockEvent::kReservationCancelled:
    case inventory::v1::StockEvent::kTransferSent:
    case inventory::v1::StockEvent::kPromiseBroken:
    case inventory::v1::StockEvent::kStockContradicted:
    case inventory::v1::StockEvent::EVENT_NOT_SET:
      break;
  }
  return 0;
}

absl::Status ProjectRecord(const projection::ViewDefinition& view, SlotId slot, const projection::SourceRecord& record,
                           store::Rows& rows) {
  for (size_t i = 0; i < record.events.size(); ++i) {
    const projection::SourceEvent& event = record.events[i];
    const projection::SourceProjection* projection = view.Find(slot.service, event.type, event.payload);
    if (projection == nullptr) continue;
    RETURN_IF_ERROR(projection->project(rows, event.payload, record.ContextOf(slot, i), nullptr));
  }
  return rows.status();
}

}  // namespace

void Findings::Add(absl::string_view invariant, std::string what) {
  if (found_.size() < kFindingsMax) found_.push_back({std::string(invariant), std::move(what), scheduler_.steps()});
}

std::string Findings::ToString() const {
  std::string text;
  for (size_t i = 0; i < std::min(found_.size(), kShownMax); ++i) {
    absl::StrAppend(&text, "step ", found_[i].step, ", ", found_[i].invariant, ": ", found_[i].what, "\n");
  }
  if (found_.size() > kShownMax) absl::StrAppend(&text, "and ", found_.size() - kShownMax, " more\n");
  return text;
}

void DigestedRows::Put(absl::string_view key, std::string value) {
  if (const auto old = rows().find(key); old != rows().end()) digest_.RemoveRow(key, old->second.value);
  digest_.AddRow(key, value);
  MemoryRows::Put(key, std::move(value));
}

void DigestedRows::Delete(absl::string_view key) {
  if (const auto old = rows().find(key); old != rows().end()) digest_.RemoveRow(key, old->second.value);
  MemoryRows::Delete(key);
}

Auditor::Auditor(eventlog::MemoryLog* log, const testing::VirtualScheduler* scheduler, Findings* findings)
    : log_(*log), scheduler_(*scheduler), findings_(*findings), definitions_(program::AllServices()) {
  for (const partition::ServiceDefinition& service : definitions_.services) {
    for (uint32_t number = 0; number < log_.identity().slots.of(service.id); ++number) {
      const SlotId id{service.id, static_cast<uint16_t>(number)};
      Slot& slot = slots_[id];
      slot_list_.push_back(id);
      slot.reader = *log_.NewReader(id, 0);
      slot.cursor = eventlog::GenesisCursor(log_.identity(), id);
      slot.chain = eventlog::GenesisChain(log_.identity(), id);
      slot.service = &service;
      slot.digests.emplace_back();
      for (const projection::ViewDefinition& view : definitions_.views) {
        const std::vector<ServiceId> sources = view.SourceServices();
        if (std::find(sources.begin(), sources.end(), service.id) == sources.end()) continue;
        auto& mine = *slot.views.emplace_back(std::make_unique<View>());
        mine.definition = &view;
        mine.digests.emplace_back();
      }
    }
  }
}

void Auditor::OnWallClock(const std::string& address, int64_t wall_offset) {
  const auto [furthest, first] = clocks_.try_emplace(address, wall_offset);
  furthest->second = std::max(furthest->second, wall_offset);
}

void Auditor::CatchUp() {
  for (const SlotId slot : slot_list_) CatchUp(slot);
}

void Auditor::TakeUpTo(SlotId id, Position end) {
  Slot& slot = slots_.at(id);
  if (slot.cursor.next >= end) return;
  std::vector<eventlog::StoredRecord> polled;
  while (slot.reader->Poll({.records_max = kPollRecords}, &polled)->count > 0) {
    for (eventlog::StoredRecord& record : polled) slot.unread.push_back(std::move(record));
    polled.clear();
  }
  while (!slot.unread.empty() && slot.unread.front().position < end) {
    eventlog::StoredRecord record = std::move(slot.unread.front());
    slot.unread.pop_front();
    Take(id, slot, std::move(record));
  }
}

void Auditor::Take(SlotId id, Slot& slot, eventlog::StoredRecord stored) {
  const Position position = stored.position;
  if (absl::StrContains(stored.bytes, kClearText)) {
    findings_.Add("I16", absl::StrCat(At(id, position), " holds an identifier in clear"));
  }
  const eventlog::StoredRecord copy = stored;
  absl::StatusOr<projection::SourceRecordPtr> judged = projection::JudgeRecord(id, std::move(stored), &slot.cursor);
  if (!judged.ok()) {
    findings_.Add("I4", absl::StrCat(At(id, position), ": ", judged.status().message()));
    slot.cursor.next = position + 1;
  } else {
    CheckAcceptance(id, slot, copy, **judged);
    log::v1::RecordBody body;
    if (!(*judged)->body.empty() &&
        body.ParseFromArray((*judged)->body.data(), static_cast<int>((*judged)->body.size()))) {
      TakeBatch(id, slot, **judged, body.batch());
    }
  }
  slot.digests.push_back(slot.rows.digest());
  for (const std::unique_ptr<View>& view : slot.views) view->digests.push_back(view->rows.digest());
}

// Applies the reader rule again, written from the text of I1 and I2. The adjudicator must agree.
void Auditor::CheckAcceptance(SlotId id, Slot& slot, const eventlog::StoredRecord& stored,
                              const projection::SourceRecord& judged) {
  const eventlog::ParsedRecord parsed = eventlog::ParseRecord(stored.bytes);
  const eventlog::RecordHeader& header = parsed.header;
  const bool claim = header.kind == eventlog::RecordKind::kClaim;
  const bool counts = claim ? header.term == slot.term + 1
                            : header.term == slot.term && header.instance == slot.instance &&
                                  header.sequence == slot.next_sequence && header.previous == slot.chain;
  const bool counted = judged.after.chain != judged.before.chain;
  if (parsed.outcome != eventlog::ParseOutcome::kOk || counts != counted) {
    findings_.Add(claim ? "I1" : "I2",
                  absl::StrCat(At(id, stored.position), counted ? " was" : " was not", " accepted"));
  }
  if (!counts) return;
  ++records_;
  slot.chain = eventlog::ChainAfter(slot.chain, stored.bytes);
  if (claim) {
    slot.term = header.term;
    slot.instance = header.instance;
    slot.next_sequence = 0;
    log::v1::RecordBody body;
    if (body.ParseFromArray(parsed.body.data(), static_cast<int>(parsed.body.size())))
      slot.owner = body.claim().address();
  } else {
    ++slot.next_sequence;
  }
  CheckTime(id, slot, stored.position, header);
}

// The time of a claim may go back, because its instance may not have read all records before it.
void Auditor::CheckTime(SlotId id, Slot& slot, Position position, const eventlog::RecordHeader& header) {
  const UnixMicros logical_time = header.logical_time;
  if (logical_time < slot.logical_time && header.kind != eventlog::RecordKind::kClaim)
    findings_.Add("I11", absl::StrCat(At(id, position), ": time goes back"));
  const auto clock = clocks_.find(slot.owner);
  const UnixMicros latest =
      testing::VirtualScheduler::kWallAtStart + scheduler_.now() + (clock == clocks_.end() ? 0 : clock->second);
  if (logical_time > std::max(latest, slot.logical_time)) {
    findings_.Add(
        "I11", absl::StrCat(At(id, position), " has a time ", logical_time - latest, " us ahead of its owner's clock"));
  }
  slot.logical_time = std::max(slot.logical_time, logical_time);
}

void Auditor::TakeBatch(SlotId id, Slot& slot, const projection::SourceRecord& record, const log::v1::Batch& batch) {
  if (batch.has_cause()) TakeCause(id, slot, record.position, batch.cause());
  for (const log::v1::SourceProgress& progress : batch.progress()) {
    const SlotId source{static_cast<ServiceId>(progress.service()), static_cast<uint16_t>(progress.slot())};
    TakeUpTo(source, progress.position());
    std::deque<Due>& due = slot.due[source];
    LeaveOut(id, slot, source, {progress.position(), 0}, &due);
    if (!due.empty() && due.front().position < progress.position()) {
      findings_.Add("I8", absl::StrCat(At(id, record.position), " records progress past the reaction to ",
                                       At(source, due.front().position)));
      while (!due.empty() && due.front().position < progress.position()) due.pop_front();
    }
  }
  if (!batch.request_id().empty()) {
    const std::string key = KeyOfRequest(partition::AggregateOf(batch), batch.request_id());
    const auto [executed, first] = slot.executed.try_emplace(key, Executed{record.position, batch.response()});
    if (!first) {
      findings_.Add("I7", absl::StrCat(At(id, record.position), " executes request ", key, " again, after position ",
                                       executed->second.position));
    }
  }
  slot.rows.set_position(record.position);
  const absl::Status folded =
      partition::FoldBatch(*slot.service, id, record.position, record.logical_time, batch, slot.rows);
  if (!folded.ok()) findings_.Add("I9", absl::StrCat(At(id, record.position), ": ", folded.message()));
  CheckExpiry(id, slot, record, batch);
  TakeEvents(id, slot, record, batch);
  Project(id, slot, record);
  ExpectReactions(id, record);
}

void Auditor::CheckExpiry(SlotId id, Slot& slot, const projection::SourceRecord& record, const log::v1::Batch& batch) {
  const RequestIdTime time = TimeOfRequestId(batch.request_id());
  if (time.expires <= record.logical_time) {
    findings_.Add("I7",
                  absl::StrCat(At(id, record.position), " executes request ", batch.request_id(), ", which is over"));
  }
  const auto over = [&record](const std::string& key) {
    absl::string_view rest = absl::string_view(key).substr(sizeof(uint16_t));
    UnixMicros expires = 0;
    return store::TakeField(&rest, &expires) && expires <= record.logical_time;
  };
  if (time.kind != RequestIdKind::kTimeless) {
    const partition::AggregateRef aggregate = partition::AggregateOf(batch);
    slot.expiring.insert(
        partition::kDedupe.Encode({time.expires, batch.tenant(), aggregate.type, aggregate.key, batch.request_id()}));
  }
  for (int i = 0; i < 4 && !slot.expiring.empty() && over(*slot.expiring.begin()); ++i) {
    ++answers_dropped_;
    if (slot.rows.Get(*slot.expiring.begin()).has_value()) {
      findings_.Add("I12", absl::StrCat(At(id, record.position), " keeps an answer that is over"));
    }
    slot.expiring.erase(slot.expiring.begin());
  }
  if (!slot.expiring.empty() && !slot.rows.Get(*slot.expiring.begin()).has_value()) {
    findings_.Add("I12", absl::StrCat(At(id, record.position), " drops an answer out of turn"));
  }
}

// Reactions to one source must be recorded in order, each exactly once.
void Auditor::TakeCause(SlotId id, Slot& slot, Position position, const log::v1::Cause& cause) {
  const SlotId source{static_cast<ServiceId>(cause.service()), static_cast<uint16_t>(cause.slot())};
  TakeUpTo(source, cause.position() + 1);
  std::deque<Due>& due = slot.due[source];
  const auto now = std::pair(Position{cause.position()}, cause.reaction());
  LeaveOut(id, slot, source, now, &due);
  if (due.empty() || std::pair(due.front().position, due.front().number) > now) {
    findings_.Add("I8", absl::StrCat(At(id, position), " reacts to ", At(source, cause.position()), " again"));
    return;
  }
  if (std::pair(due.front().position, due.front().number) < now) {
    findings_.Add("I8", absl::StrCat(At(id, position), " reacts to ", At(source, cause.position()), " before ",
                                     At(source, due.front().position)));
    while (!due.empty() && std::pair(due.front().position, due.front().number) < now) due.pop_front();
  }
  due.pop_front();
}

void Auditor::TakeEvents(SlotId id, Slot& slot, const projection::SourceRecord& record, const log::v1::Batch& batch) {
  std::set<std::string> skus;
  bool may_break = false;
  for (const log::v1::Event& event : batch.events()) {
    ++facts_;
    ++kinds_[absl::StrCat(ServiceName(id.service), " ", event.type(), ".", FirstWireField(event.payload()))];
    inventory::v1::StockEvent stock;
    if (id.service == ServiceId::kInventory && stock.ParseFromString(event.payload())) {
      skus.insert(event.aggregate_id());
      may_break = may_break || stock.has_stock_counted() || stock.has_stock_adjusted();
      goods_[event.aggregate_id()] += GoodsIn(stock);
      if (stock.has_stock_contradicted()) {
        contradicted_.emplace(event.aggregate_id(), stock.stock_contradicted().hold_id());
      }
      CheckDelivery(At(id, record.position), stock);
    }
    if (id.service == ServiceId::kCustomerIdentity) {
      TakeLinks(record.position, event);
      continue;
    }
    if (id.service == ServiceId::kCheckout && event.type() == checkout::kImport.type) {
      CheckImportedReturns(At(id, record.position), slot, event.aggregate_id());
    }
    auto& history = slot.history[event.aggregate_id()];
    const uint64_t fingerprint = FingerprintOf(id.service, slot.rows, event.aggregate_id());
    if (!history.empty() && history.back().first == record.position) {
      history.back().second = fingerprint;
    } else {
      history.emplace_back(record.position, fingerprint);
    }
  }
  for (const std::string& sku : skus) CheckStock(At(id, record.position), slot, sku, may_break);
}

void Auditor::CheckDelivery(const std::string& where, const inventory::v1::StockEvent& event) {
  const std::string& reference = event.stock_received().reference();
  if (reference.empty()) return;
  const auto [note, first] = delivered_.emplace(reference, where);
  if (!first)
    findings_.Add("I7", absl::StrCat(where, " receives a delivery again that was received by ", note->second));
}

// Called after the events of the record were folded.
void Auditor::CheckStock(const std::string& where, const Slot& slot, const std::string& sku, bool may_break) {
  int64_t goods = 0;
  inventory::kLevels.ForEach(
      slot.rows,
      [&](const inventory::LevelKey& key, const inventory::rows::LevelRow& level, Position) {
        goods += level.on_hand() + level.in_transit();
        const std::string place = absl::StrCat(sku, "/", key.location.ToString());
        if (inventory::FreeUnits(level) >= 0) {
          short_.erase(place);
        } else if (may_break) {
          short_.insert(place);
        } else if (!short_.contains(place)) {
          findings_.Add("I23", absl::StrCat(where, " promises more of ", place, " than is available"));
        }
        return true;
      },
      Sku::FromString(sku));
  if (goods != goods_[sku]) {
    findings_.Add("I24",
                  absl::StrCat(where, ": ", sku, " has ", goods, " units, its movements add up to ", goods_[sku]));
    goods_[sku] = goods;
  }
}

void Auditor::Project(SlotId id, Slot& slot, const projection::SourceRecord& record) {
  for (const std::unique_ptr<View>& view : slot.views) {
    view->rows.set_position(record.position);
    const absl::Status projected = ProjectRecord(*view->definition, id, record, view->rows);
    if (!projected.ok()) findings_.Add("I12", absl::StrCat(At(id, record.position), ": ", projected.message()));
  }
}

void Auditor::ExpectReactions(SlotId id, const projection::SourceRecord& record) {
  for (const partition::ServiceDefinition& service : definitions_.services) {
    std::map<SlotId, uint32_t> numbers;
    for (size_t i = 0; i < record.events.size(); ++i) {
      const projection::SourceEvent& event = record.events[i];
      for (const projection::ReactionDefinition& reaction : definitions_.reactions) {
        if (reaction.service != service.id || reaction.source != id.service || reaction.type != event.type ||
            !projection::Handles(reaction.fields, event.payload)) {
          continue;
        }
        auto requests = reaction.react(event.payload, record.ContextOf(id, i));
        if (!requests.ok()) {
          findings_.Add("I8", absl::StrCat(At(id, record.position), ": ", requests.status().message()));
          continue;
        }
        for (auto& request : *requests) {
          const std::string key = service.FindCommand(request->GetDescriptor()->full_name())->KeyOf(*request);
          const SlotId target = SlotOf(service.id, record.tenant, key, log_.identity().slots.of(service.id));
          Due& due = slots_.at(target).due[id].emplace_back();
          due.position = record.position;
          due.number = numbers[target]++;
          if (reaction.once_is_enough) due.when_new = std::move(request);
          reactions_of_a_record_max_ = std::max(reactions_of_a_record_max_, size_t{due.number} + 1);
        }
      }
    }
  }
}

uint64_t Auditor::FingerprintOf(ServiceId service, const store::RowReader& rows, const std::string& key) {
  uint64_t fingerprint = 0;
  if (service == ServiceId::kInventory) {
    inventory::kLevels.ForEach(
        rows,
        [&](const inventory::LevelKey& at, const inventory::rows::LevelRow& level, Position) {
          if (inventory::ChangesAnything(level)) {
            fingerprint = Mix(fingerprint, at.location.ToString(), level.SerializeAsString());
          }
          return true;
        },
        Sku::FromString(key));
    return fingerprint;
  }
  const OrderId id = OrderId::FromString(key);
  if (const auto cart = checkout::cart::Find(rows, id); cart.has_value()) {
    fingerprint = Mix(fingerprint, "cart", cart->SerializeAsString());
  }
  if (const auto order = checkout::order::kOrders.Get(rows, {id}); order.has_value()) {
    fingerprint = Mix(fingerprint, "order", order->SerializeAsString());
  }
  return fingerprint;
}

void Auditor::CheckRead(SlotId id, const std::string& key, Position at, uint64_t fingerprint, absl::string_view what) {
  CatchUp(id);
  Slot& slot = slots_.at(id);
  if (at > slot.cursor.next) {
    findings_.Add("I5", absl::StrCat(what, " is at ", At(id, at), ", beyond the end of the log"));
    return;
  }
  ++reads_checked_;
  uint64_t expected = 0;
  if (const auto history = slot.history.find(key); history != slot.history.end()) {
    for (const auto& [position, known] : history->second) {
      if (position < at) expected = known;
    }
  }
  if (fingerprint != expected) {
    findings_.Add(what == "state" ? "I12" : "I15",
                  absl::StrCat(what, " of ", key, " at ", At(id, at), " differs from the log"));
  }
}

void Auditor::CheckAnswer(const partition::AggregateRef& aggregate, const std::string& request_id,
                          const std::string& response, partition::AnswerPosition at) {
  CatchUp(at.slot);
  const Slot& slot = slots_.at(at.slot);
  const std::string key = KeyOfRequest(aggregate, request_id);
  if (at.position > slot.cursor.next) {
    findings_.Add(
        "I6", absl::StrCat("the answer to ", key, " is at ", At(at.slot, at.position), ", beyond the end of the log"));
    return;
  }
  const auto executed = slot.executed.find(key);
  if (executed == slot.executed.end()) {
    findings_.Add("I6", absl::StrCat(key, " was acknowledged but is not in ", at.slot.ToString()));
    return;
  }
  if (executed->second.response != response) {
    findings_.Add("I7", absl::StrCat("the answer to ", key, " differs from the recorded one"));
  }
  if (executed->second.position >= at.position) {
    findings_.Add("I6", absl::StrCat("the answer to ", key, " states position ", At(at.slot, at.position),
                                     ", but its record is at ", executed->second.position));
  }
}

bool Auditor::IsRecorded(SlotId id, const partition::AggregateRef& aggregate, const std::string& request_id) {
  CatchUp(id);
  return slots_.at(id).executed.contains(KeyOfRequest(aggregate, request_id));
}

void Auditor::CheckStored(const store::FoldId& fold, const store::FoldMeta& meta, const store::Snapshot& stored,
                          absl::string_view who) {
  CatchUp(fold.source);
  const Slot& slot = slots_.at(fold.source);
  const std::vector<store::Digest>* digests = &slot.digests;
  if (fold.kind == store::FoldId::Kind::kView) {
    for (const std::unique_ptr<View>& view : slot.views) {
      if (view->definition->service == fold.service && view->definition->view == fold.view) digests = &view->digests;
    }
  }
  if (meta.cursor.next >= digests->size()) {
    findings_.Add(
        "I5", absl::StrCat(who, " stored ", fold.ToString(), " at ", meta.cursor.next, ", beyond the end of the log"));
  } else if (meta.digest != (*digests)[meta.cursor.next]) {
    findings_.Add("I12", absl::StrCat(who, " stored other rows of ", fold.ToString(), " at ", meta.cursor.next,
                                      " than a cold fold: ", FirstDifference(fold, meta.cursor.next, stored)));
  }
}

std::string Auditor::FirstDifference(const store::FoldId& fold, Position next, const store::Snapshot& stored) const {
  const Slot& slot = slots_.at(fold.source);
  std::vector<eventlog::StoredRecord> records;
  const auto reader = log_.NewReader(fold.source, 0);
  if (!reader.ok() || !(*reader)->Poll({.records_max = next, .bytes_max = size_t{1} << 30}, &records).ok()) return "";
  eventlog::Cursor cursor = eventlog::GenesisCursor(log_.identity(), fold.source);
  store::MemoryRows cold;
  for (eventlog::StoredRecord& record : records) {
    const auto judged = projection::JudgeRecord(fold.source, std::move(record), &cursor);
    log::v1::RecordBody body;
    if (!judged.ok() || (*judged)->body.empty() || !body.ParseFromString(std::string((*judged)->body))) continue;
    cold.set_position((*judged)->position);
    if (fold.kind == store::FoldId::Kind::kState) {
      (void)partition::FoldBatch(*slot.service, fold.source, (*judged)->position, (*judged)->logical_time, body.batch(),
                                 cold);
      continue;
    }
    for (const std::unique_ptr<View>& view : slot.views) {
      if (view->definition->service != fold.service || view->definition->view != fold.view) continue;
      (void)ProjectRecord(*view->definition, fold.source, **judged, cold);
    }
  }
  std::string difference = "only the digest differs";
  const store::RowSpace space = store::RowSpace::Of(fold);
  auto expected = cold.rows().begin();
  const auto tell = [&](absl::string_view key, absl::string_view what, Position position) {
    difference = absl::StrCat(definitions_.schemas.Describe(space, key), " ", what, ", position ", position);
    return false;
  };
  const absl::Status walked = stored.ForEachRow(space, [&](const store::Snapshot::StoredRow& row) {
    if (fold.kind == store::FoldId::Kind::kView && row.source != fold.source) return true;
    if (expected == cold.rows().end() || row.key < expected->first)
      return tell(row.key, "should not exist", row.position);
    if (expected->first < row.key) return tell(expected->first, "is missing", expected->second.position);
    if (expected->second.value != row.value) {
      return tell(row.key, absl::StrCat("differs from the row of position ", expected->second.position), row.position);
    }
    ++expected;
    return true;
  });
  return walked.ok() ? difference : std::string(walked.message());
}

void Auditor::CheckAtEnd(const store::FoldId& fold, const store::FoldMeta& meta, absl::string_view who) {
  const Position end = slots_.at(fold.source).cursor.next;
  if (meta.cursor.next != end) {
    findings_.Add("I3", absl::StrCat(who, " is at rest with ", fold.ToString(), " at ", meta.cursor.next,
                                     ", but the log ends at ", end));
  }
}

}  // namespace halles::simulation
