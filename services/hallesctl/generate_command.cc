// generate: writes a journal from a seed, and prints its exact totals.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/explained.h"
#include "services/hallesctl/generate/journals.h"
#include "services/hallesctl/import/source.h"

namespace halles::hallesctl {

void GenerateCommand::Register(Options& options) {
  Settings& settings = options.Command("generate", "Writes a journal made from a seed and prints what is in it (JSON)");
  settings.Argument("SOURCE", absl::StrCat("Kind of the journal: ", absl::StrJoin(kSourceNames, ", ")), &source);
  settings.Argument("PATH", "Folder (uci) or file (complete-journey) to write", &path);
  settings.Number("seed", "The same seed gives the same journal", &seed, 0, INT64_MAX);
  settings.Number("size", "Invoices (uci) or baskets (complete-journey)", &size, 1, 100'000'000);
  settings.Number("faults", "Lines that cannot be read (uci)", &faults, 0, 1'000'000);
}

absl::StatusOr<int> GenerateCommand::Run(const Session& session) const {
  std::string truth;
  if (source == kSourceNames[0]) {
    ASSIGN_OR_RETURN(const UciTruth uci, GenerateUciJournal(static_cast<uint64_t>(seed), size, faults, path));
    truth = uci.ToJson();
  } else if (source == kSourceNames[1]) {
    ASSIGN_OR_RETURN(const RetailTruth retail, GenerateRetailWorld(static_cast<uint64_t>(seed), size, path));
    truth = retail.ToJson();
  } else {
    return UsageError(
        absl::StrCat("no journal is called \"", source, "\": valid are ", absl::StrJoin(kSourceNames, ", ")));
  }
  session.out << (session.json ? truth : IndentJson(truth)) << "\n";
  return kExitOk;
}

}  // namespace halles::hallesctl
