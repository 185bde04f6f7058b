// Folds the log in a folder from its first record and prints position and digest of each fold.
//
// Lines "checkout/3 POSITION DIGEST" for states and "checkout/totals of checkout/3 POSITION DIGEST" for views, then one
// line with the compiler. No process may have the log open.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/machine/os_random.h"
#include "libs/machine/system_clock.h"
#include "services/halles/all_services.h"
#include "tests/fold/slot_fold.h"

namespace halles::fold {
namespace {

absl::Status FoldSlot(eventlog::EventLog* log, SlotFold* fold) {
  ASSIGN_OR_RETURN(const Position end, log->End(fold->slot()));
  ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::LogReader> reader, log->NewReader(fold->slot(), 0));
  while (reader->next() < end) {
    std::vector<eventlog::StoredRecord> records;
    RETURN_IF_ERROR(reader->Poll({}, &records).status());
    for (const eventlog::StoredRecord& record : records) RETURN_IF_ERROR(fold->Fold(record.position, record.bytes));
  }
  return absl::OkStatus();
}

absl::Status FoldLog(const std::string& directory) {
  const SystemClock clock;
  OsRandom random;
  ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::EmbeddedLog> log,
                   eventlog::EmbeddedLog::Open({.directory = directory, .clock = &clock, .random = &random}));
  const host::Definitions definitions = program::AllServices();
  for (const partition::ServiceDefinition& service : definitions.services) {
    for (uint32_t i = 0; i < log->identity().slots.of(service.id); ++i) {
      SlotFold fold(definitions, log->identity(), SlotId{service.id, static_cast<uint16_t>(i)});
      RETURN_IF_ERROR(WithContext(FoldSlot(log.get(), &fold), fold.slot().ToString()));
      for (const FoldedRows& rows : fold.Folded()) {
        if (!rows.view.empty()) std::cout << rows.view << " of ";
        std::cout << rows.slot.ToString() << " " << rows.next << " " << rows.digest << "\n";
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace halles::fold

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " LOG-FOLDER\n";
    return 2;
  }
  if (const absl::Status folded = halles::fold::FoldLog(argv[1]); !folded.ok()) {
    std::cerr << folded << "\n";
    return 1;
  }
#ifdef __clang__
  std::cout << "compiled by clang " << __clang_version__ << "\n";
#else
  std::cout << "compiled by gcc " << __VERSION__ << "\n";
#endif
  return 0;
}
