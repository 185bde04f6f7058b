// Decodes records for people.
#include "services/halles/log_words.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "halles/log/v1/runtime_events.pb.h"
#include "libs/base/status.h"

namespace halles::program {
namespace {

constexpr size_t kReadRecords = 1024;

std::string Json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

std::string Quoted(absl::string_view text) {
  log::v1::Seal carrier;
  carrier.set_successor(std::string(text));
  // {"successor":"..."}
  const std::string json = Json(carrier);
  const size_t colon = json.find(':');
  return colon == std::string::npos ? "\"\"" : json.substr(colon + 1, json.size() - colon - 2);
}

}  // namespace

log::v1::RecordHeader HeaderInWords(const eventlog::RecordHeader& header) {
  log::v1::RecordHeader words;
  words.set_kind(static_cast<log::v1::RecordKind>(header.kind));
  words.set_term(header.term);
  words.set_instance(header.instance.view().data(), header.instance.view().size());
  words.set_sequence(header.sequence);
  words.set_previous(header.previous.view().data(), header.previous.view().size());
  words.set_logical_time_us(header.logical_time);
  words.set_minimum_level(header.minimum_level);
  return words;
}

std::string VerdictInWords(const eventlog::Judgement& judgement) {
  switch (judgement.verdict) {
    case eventlog::Verdict::kClaim:
      return "claim";
    case eventlog::Verdict::kAccepted:
      return "accepted";
    case eventlog::Verdict::kIgnored:
      return absl::StrCat("ignored: ", eventlog::IgnoreReasonName(judgement.reason));
  }
  return "unknown";
}

std::string EventJson(const host::Definitions& definitions, ServiceId service, const log::v1::Event& event) {
  if (event.type() == 0) {
    log::v1::RuntimeEvent runtime;
    if (runtime.ParseFromString(event.payload())) return Json(runtime);
  }
  for (const partition::ServiceDefinition& definition : definitions.services) {
    if (definition.id != service) continue;
    const partition::AggregateDefinition* fold = definition.Find(event.type());
    if (fold == nullptr) break;
    const std::unique_ptr<google::protobuf::Message> message = fold->new_event();
    if (message->ParseFromString(event.payload())) return Json(*message);
  }
  return "{\"undecodable\":true}";
}

std::string BodyJson(const host::Definitions& definitions, ServiceId service, absl::string_view bytes) {
  log::v1::RecordBody body;
  if (!body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "{\"undecodable\":true}";
  if (!body.has_batch()) return Json(body);
  std::string events;
  for (const log::v1::Event& event : body.batch().events()) {
    absl::StrAppend(
        &events, events.empty() ? "" : ",", "{\"aggregate_id\":", Quoted(event.aggregate_id()),
        event.has_effective_time_us() ? absl::StrCat(",\"effective_time_us\":", event.effective_time_us()) : "",
        ",\"event\":", EventJson(definitions, service, event), "}");
  }
  // The other fields are shown as they are. Payloads are shown decoded above, and the recorded answer is left out.
  body.mutable_batch()->clear_events();
  body.mutable_batch()->clear_response();
  body.mutable_batch()->mutable_cause()->clear_cursor();
  if (body.batch().cause().ByteSizeLong() == 0) body.mutable_batch()->clear_cause();
  std::string json = Json(body.batch());
  json.pop_back();
  return absl::StrCat(json, json.size() > 1 ? "," : "", "\"events\":[", events, "]}");
}

eventlog::Cursor NearestCursor(host::Host& host, SlotId slot, Position position) {
  eventlog::Cursor nearest = eventlog::GenesisCursor(host.log().identity(), slot);
  absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> metas;
  host.With([&metas](host::Serving& serving) { metas = serving.store->LoadMetas(); }).IgnoreError();
  if (!metas.ok()) return nearest;
  for (const auto& [fold, meta] : *metas) {
    if (fold.source != slot || meta.cursor.next > position || meta.cursor.next <= nearest.next) continue;
    absl::StatusOr<eventlog::Cursor> cursor = eventlog::DecodeCursor(meta.cursor.bytes);
    if (cursor.ok()) nearest = *std::move(cursor);
  }
  return nearest;
}

absl::StatusOr<std::unique_ptr<JudgedRecord>> ReadRecord(eventlog::EventLog& log, SlotId slot, Position position,
                                                         eventlog::Cursor cursor) {
  ASSIGN_OR_RETURN(const Position end, log.End(slot));
  if (position >= end) {
    return Failure(absl::StatusCode::kNotFound, "NO_SUCH_RECORD",
                   absl::StrCat(slot.ToString(), " ends at position ", end), {{"slot", slot.ToString()}});
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::LogReader> reader, log.NewReader(slot, cursor.next));
  std::vector<eventlog::StoredRecord> records;
  while (cursor.next <= position) {
    records.clear();
    ASSIGN_OR_RETURN(const eventlog::ReadResult read, reader->Poll({.records_max = kReadRecords}, &records));
    if (read.count == 0 && read.at_end) break;
    for (eventlog::StoredRecord& record : records) {
      auto judged = std::make_unique<JudgedRecord>();
      judged->bytes = std::move(record.bytes);
      ASSIGN_OR_RETURN(judged->judgement, eventlog::Adjudicate(judged->bytes, record.position, &cursor));
      if (record.position == position) return judged;
    }
  }
  return Failure(absl::StatusCode::kNotFound, "NO_SUCH_RECORD",
                 absl::StrCat(slot.ToString(), " has no position ", position));
}

}  // namespace halles::program
