// race: many buyers compete for the same few units.
#include "services/hallesctl/race_command.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "libs/base/opaque_id.h"
#include "libs/base/random.h"
#include "services/hallesctl/json.h"
#include "services/hallesctl/race/race.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {

void RaceCommand::Register(Options& options) {
  Settings& settings =
      options.Command("race", "Lets many buyers request the same few units at once, and prints who got them");
  settings.Number("buyers", "Buyers, each of whom wants one unit", &buyers, 1, 100'000);
  settings.Number("units", "Units to receive first; 0 uses the units that are there", &units, 0, 1'000'000);
  settings.Text("sku", "SKU to buy; if not given, a new one", &sku);
  settings.Number("connections", "Number of connections; all start at the same moment", &connections, 1, 64);
  settings.Number("copies", "Maximum number of copies of a request that are sent at once", &copies, 1, 16);
  settings.Number("think", "Seconds between a hold and its commit", &think, 0, 600);
  settings.Number("retry-for", "Seconds without an answer before a buyer gives up", &retry_for, 1, 3600);
}

absl::StatusOr<int> RaceCommand::Run(const Session& session) const {
  RaceOptions race;
  race.sku = sku;
  if (sku.empty()) race.sku = absl::StrCat("race-", absl::ToUnixMicros(absl::Now()));
  race.buyers = buyers;
  race.units = units;
  race.copies_max = static_cast<int>(copies);
  race.think = absl::Seconds(think);
  race.call_timeout = session.client.timeout;
  race.retry_for = absl::Seconds(retry_for);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int64_t i = 0; i < std::min(connections, buyers); ++i) channels.push_back(OpenChannel(session.client.target));

  RaceObserver observer;
  observer.released = [&] {
    session.err << "released " << Thousands(buyers) << " buyers of " << race.sku << " over " << channels.size()
                << " connections" << std::endl;
  };
  const absl::StatusOr<RaceResult> result = RunRace(race, channels, observer);
  if (!result.ok()) return result.status();
  // With a SKU of its own, the race knows how many buyers must win.
  const bool exact = !sku.empty() || result->won == std::min(buyers, units);
  const bool good = exact && result->faults.empty() && result->unanswered == 0;
  for (const std::string& fault : result->faults) session.err << "fault: " << fault << "\n";
  if (session.json) {
    JsonWriter json;
    json.BeginObject()
        .Field("sku", race.sku)
        .Field("buyers", buyers)
        .Field("units", units)
        .Field("won", result->won)
        .Field("refused", result->refused)
        .Field("unanswered", result->unanswered)
        .Field("in_flight_max", result->in_flight_max)
        .Field("calls", result->calls)
        .Field("retries", result->retries)
        .Field("copies_compared", result->copies)
        .Field("faults", static_cast<int64_t>(result->faults.size()))
        .Field("on_hand", result->level.on_hand_units())
        .Field("held", result->level.held_units())
        .Field("committed", result->level.committed_units())
        .Field("seconds", absl::ToDoubleSeconds(result->took))
        .EndObject();
    session.out << json.text() << "\n";
    return good ? kExitOk : kExitFailed;
  }
  session.out << Thousands(result->won) << " of " << Thousands(buyers) << " buyers won, " << Thousands(result->refused)
              << " were refused, " << Thousands(result->unanswered) << " have no answer\n"
              << "at most " << Thousands(result->in_flight_max) << " calls in flight; " << Thousands(result->calls)
              << " calls, of which " << Thousands(result->retries) << " again, in "
              << absl::FormatDuration(absl::Trunc(result->took, absl::Milliseconds(1))) << "\n"
              << race.sku << " now: " << Thousands(result->level.on_hand_units()) << " on hand, "
              << Thousands(result->level.committed_units()) << " sold, " << Thousands(result->level.held_units())
              << " held\n";
  return good ? kExitOk : kExitFailed;
}

}  // namespace halles::hallesctl
