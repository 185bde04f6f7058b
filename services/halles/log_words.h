// Decodes records of the log for people: headers, verdicts, and bodies with their events.
#ifndef HALLES_SERVICES_HALLES_LOG_WORDS_H_
#define HALLES_SERVICES_HALLES_LOG_WORDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/host/host.h"

namespace halles::program {

log::v1::RecordHeader HeaderInWords(const eventlog::RecordHeader& header);

// The verdict as text: "accepted", "claim", or "ignored: " with the reason.
std::string VerdictInWords(const eventlog::Judgement& judgement);

// The event as JSON, decoded as the event message of the service.
std::string EventJson(const host::Definitions& definitions, ServiceId service, const log::v1::Event& event);

// The body as JSON with its events decoded; parts that do not parse are marked.
std::string BodyJson(const host::Definitions& definitions, ServiceId service, absl::string_view body);

// A cursor of the slot's log at or below the position, as near as any that is stored with rows. Whether a record counts
// depends on all records before it, so judging begins here.
eventlog::Cursor NearestCursor(host::Host& host, SlotId slot, Position position);

// One judged record; read from the cursor on, which is at or below it.
struct JudgedRecord {
  eventlog::Judgement judgement;
  std::string bytes;  // the judgement's body points in here
};
absl::StatusOr<std::unique_ptr<JudgedRecord>> ReadRecord(eventlog::EventLog& log, SlotId slot, Position position,
                                                         eventlog::Cursor cursor);

}  // namespace halles::program

#endif  // HALLES_SERVICES_HALLES_LOG_WORDS_H_
