// log reshard: creates a data directory whose log has other numbers of slots, and prints the figures that prove it.
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "libs/host/reshard.h"
#include "libs/machine/os_random.h"
#include "services/halles/all_services.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/json.h"
#include "services/hallesctl/progress.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using projection::Figure;

std::string FigureText(const std::map<std::string, Figure>& figures, const std::string& name, bool digest) {
  const auto found = figures.find(name);
  if (found == figures.end()) return "";
  if (!digest) return Thousands(static_cast<int64_t>(found->second.count));
  return found->second.digest.Hex();
}

// All names that occur in either map.
std::set<std::string> Names(const host::ReshardReport& report) {
  std::set<std::string> names;
  for (const auto& [name, figure] : report.before.figures) names.insert(name);
  for (const auto& [name, figure] : report.after.figures) names.insert(name);
  return names;
}

bool Same(const host::ReshardReport& report, const std::string& name) {
  const auto before = report.before.figures.find(name);
  const auto after = report.after.figures.find(name);
  return before != report.before.figures.end() && after != report.after.figures.end() &&
         before->second == after->second;
}

void PrintTable(const host::ReshardReport& report, const SlotCounts& slots, const Session& session) {
  session.out << "slots " << report.slots_before.ToString() << " -> " << slots.ToString() << ", records of any kind "
              << Thousands(static_cast<int64_t>(report.before.records)) << " -> "
              << Thousands(static_cast<int64_t>(report.after.records)) << "\n";
  Table table({{.name = "figure"},
               {.name = "old log", .right = true},
               {.name = "new log", .right = true},
               {.name = "digest of the old", .dispensable = 1},
               {.name = "digest of the new", .dispensable = 2},
               {.name = ""}});
  for (const std::string& name : Names(report)) {
    table.Add({name, FigureText(report.before.figures, name, false), FigureText(report.after.figures, name, false),
               FigureText(report.before.figures, name, true), FigureText(report.after.figures, name, true),
               Same(report, name) ? "equal" : "DIFFERENT"});
  }
  session.out << table.Render(session.out_width);
}

void PrintJson(const host::ReshardReport& report, const SlotCounts& slots, const Session& session) {
  JsonWriter json;
  json.BeginObject()
      .Field("equal", report.equal)
      .Field("install", report.install.Hex())
      .Field("old_slots", report.slots_before.ToString())
      .Field("new_slots", slots.ToString())
      .Field("old_records", report.before.records)
      .Field("new_records", report.after.records)
      .Key("figures")
      .BeginObject();
  for (const std::string& name : Names(report)) {
    json.Key(name).BeginObject();
    for (const auto& [key, side] : {std::pair("old", &report.before), std::pair("new", &report.after)}) {
      const auto found = side->figures.find(name);
      if (found == side->figures.end()) continue;
      json.Key(key).BeginObject();
      json.Field("count", found->second.count).Field("digest", found->second.digest.Hex()).EndObject();
    }
    json.EndObject();
  }
  json.EndObject().EndObject();
  session.out << json.text() << "\n";
}

}  // namespace

void LogCommand::Register(Options& options) {
  Settings& settings = options.Command(
      "log", "Works on the log of a halles that has ended: reshard copies it into other numbers of slots");
  settings.Argument("ACTION", "reshard", &action);
  settings.Text("data-dir", "Data folder to read; nothing in it changes", &data_dir);
  settings.Text("into", "Data folder to make; nothing may be there", &into);
  settings.Text("slots", "Slots per service of the new log: a number, or checkout=16,inventory=4", &slots);
}

absl::StatusOr<int> LogCommand::Run(const Session& session) const {
  if (action != "reshard") return UsageError(absl::StrCat("log has no action \"", action, "\"; there is reshard"));
  if (data_dir.empty() || into.empty() || slots.empty()) {
    return UsageError("log reshard needs --data-dir, --into and --slots");
  }
  const absl::StatusOr<SlotCounts> counts = SlotCounts::Parse(slots);
  if (!counts.ok()) return UsageError(counts.status().message());

  OsRandom random;
  // One progress bar over all phases, so that the remaining time covers all of them.
  Progress progress(session.err, session.err_width, session.clock, "reshard", "steps");
  std::string phase;
  host::ReshardOptions options;
  options.from = data_dir;
  options.to = into;
  options.slots = *counts;
  options.clock = &session.clock;
  options.random = &random;
  options.observer = [&](absl::string_view what, uint64_t done, uint64_t total) {
    if (what != phase) {
      phase = std::string(what);
      progress.Say(absl::StrCat("reshard: ", phase));
    }
    progress.Update(done, total, done);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const host::ReshardReport report, host::ReshardDataDir(options, program::AllServices()));
  if (session.json) {
    PrintJson(report, *counts, session);
  } else {
    PrintTable(report, *counts, session);
  }
  if (!report.equal) {
    session.err << "hallesctl: the logs differ; " << into << " was not made. Keep the old folder and report this\n";
    return kExitFailed;
  }
  session.err << into << " is ready: start halles with --data-dir " << into << ", and " << data_dir << " no more\n";
  return kExitOk;
}

}  // namespace halles::hallesctl
