// Exhaustive search through all histories of writers, readers, network and log within bounds. It runs the adjudicator
// and the owner of the product and looks for a history that breaks their guarantees.
#ifndef HALLES_LIBS_EVENTLOG_EXPLORER_H_
#define HALLES_LIBS_EVENTLOG_EXPLORER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libs/eventlog/adjudicator.h"

namespace halles::eventlog {

// The bounds of one history. Everything else is unbounded: appends land in any order or never, reports arrive in any
// order or never, and owners read, time out and claim at any moment.
struct Bounds {
  size_t commands = 1;             // different requests; each may be sent to any writer, repeatedly
  size_t proposals = 2;            // records that decide a request, by all writers together
  size_t in_flight = 2;            // of these, unconfirmed at one writer
  size_t claims_each = 2;          // CLAIMs of one writer, over all its restarts
  size_t copies = 1;               // repeated landings of a record, whether it landed before or not
  size_t answers = 0;              // answers without a record
  size_t seals = 0;                // planned ends of a term
  size_t restarts = 0;             // a writer dies; its next run reads from the start or resumes from its stored cursor
  size_t refusals = 0;             // records that a full log refused
  size_t cuts = 0;                 // the log loses its end, and every connection is reset
  bool read_serving = false;       // owners also read the log while they serve
  bool unseen_by_readers = false;  // only owners and claimers notice a cut, by their connection
  bool late_after_cut = false;     // messages in transit at a cut may land after it
  size_t writers = 2;
  size_t states_max = 50'000'000;  // gives up beyond this number
  Guards guards;
};

struct Finding {
  bool exhausted = false;  // all histories within the bounds were searched
  size_t states = 0;
  size_t steps = 0;                // transitions between them
  size_t depth = 0;                // of the longest history
  std::string violation;           // empty when none was found
  std::vector<std::string> trace;  // the steps that lead to it; the shortest history if requested
};

// Searches all histories. With `shortest`, in the order of their length, which needs memory for all histories of one
// length.
//
// What is checked:
//   - a record that counts was decided on exactly the records that count before it;
//   - an acknowledged record counts for a reader that starts from nothing, then and for ever (unless it is cut off
//     later);
//   - a record that was reported lost never counts;
//   - no request counts twice;
//   - an answer without a record reflects only records that count;
//   - while its owner is not in doubt, a record is confirmed at the position that its facts were evolved for;
//   - the state of an owner is that of a reader from the start at the same position, and a reader whose records were
//     cut off stops at the latest at the next BATCH that counts;
//   - no slot stops unless the log was cut.
Finding Explore(const Bounds& bounds, bool shortest = false);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_EXPLORER_H_
