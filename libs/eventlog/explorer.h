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
// order or never, owners read, time out and claim at any moment.
struct Bounds {
  size_t commands = 1;        // different requests; each may be sent to any writer, again and again
  size_t proposals = 2;       // records that decide a request, by all writers together
  size_t in_flight = 2;       // of them, unconfirmed at one writer
  size_t claims_each = 2;     // CLAIMs of one writer, over all its lives
  size_t copies = 1;          // landings of a record sent before, whether it landed or not
  size_t answers = 0;         // answers without a record
  size_t seals = 0;           // planned ends of a term
  size_t restarts = 0;        // a writer dies; its next life reads from the start, or resumes behind its stored cursor
  size_t refusals = 0;        // records that a full log certainly did not take
  size_t cuts = 0;            // the log loses its end, and every connection is reset
  bool read_serving = false;  // owners read the log while they serve, too
  bool unseen_by_readers = false;  // only owners and claimers notice a cut, by their connection
  bool late_after_cut = false;     // what was on its way at a cut may land after it
  size_t writers = 2;
  size_t states_max = 50'000'000;  // give up beyond
  Guards guards;
};

struct Finding {
  bool exhausted = false;  // every history within the bounds was looked at
  size_t states = 0;
  size_t steps = 0;                // transitions between them
  size_t depth = 0;                // of the longest history looked at
  std::string violation;           // empty when nothing was found
  std::vector<std::string> trace;  // the history that leads to it, step by step; a shortest one when asked for
};

// Looks at every history in turn. With `shortest`, in the order of their length, which takes memory for all of one length.
//
// What is checked:
//   - a record that counts was decided on exactly the records that count before it;
//   - what is acknowledged counts for a reader that starts from nothing, then and for ever (unless it is cut off later);
//   - what was told to be lost never counts;
//   - no request counts twice;
//   - an answer without a record reflects only records that count;
//   - while its owner is not in doubt, a record is confirmed at the position that its facts were evolved for;
//   - an owner's state is what a reader that starts from nothing has at the same position, and a reader whose records
//     were cut off stops at the latest at the next BATCH that counts;
//   - no slot stops unless the log was cut.
Finding Explore(const Bounds& bounds, bool shortest = false);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_EXPLORER_H_
