// import: sends a journal, shows progress, and prints the outcome of its lines.
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/import/runner.h"
#include "services/hallesctl/progress.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

constexpr int64_t kRefusalsShown = 100;

// Reports refused lines: the first hundred on the terminal, and all of them in a file if one is named.
class Refusals {
 public:
  Refusals(const std::string& path, Progress& progress) : path_(path), progress_(progress) {
    if (!path.empty()) file_.open(path, std::ios::trunc);
  }
  absl::Status Check() {
    if (path_.empty() || file_.good()) return absl::OkStatus();
    return Failure(absl::StatusCode::kPermissionDenied, "FILE_NOT_WRITABLE", absl::StrCat("cannot write ", path_));
  }
  void Add(absl::string_view line) {
    if (!path_.empty()) file_ << line << "\n";
    ++count_;
    if (count_ <= kRefusalsShown) progress_.Say(absl::StrCat("refused  ", line));
    if (count_ == kRefusalsShown)
      progress_.Say("refused  further refusals are counted and not shown; see --refusals FILE");
  }

 private:
  const std::string path_;
  Progress& progress_;
  std::ofstream file_;
  int64_t count_ = 0;
};

absl::StatusOr<ImportResult> DryRun(Source& source, const ImportObserver& observer) {
  ImportResult result{.summary = ImportSummary(source)};
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<SourceRecord> record, source.Next());
    if (!record.has_value()) return result;
    for (const LineRefusal& refusal : record->refusals) {
      result.summary.AddRefused(refusal);
      observer.refused(absl::StrCat(source.file_name(refusal.at.file), ":", refusal.at.line, ": ",
                                    FaultName(refusal.fault), ": ", refusal.message));
    }
    if (record->record() != nullptr) result.summary.AddImported(*record);
    observer.progress(result.summary);
  }
}

}  // namespace

void ImportCommand::Register(Options& options) {
  Settings& settings = options.Command("import", "Imports a journal and waits until every view has seen it");
  settings.Argument("SOURCE", absl::StrCat("Kind of the journal: ", absl::StrJoin(kSourceNames, ", ")), &source);
  settings.Argument("PATH", "File or folder of the journal", &path);
  settings.Number("in-flight", "Requests in flight", &in_flight, 1, 4096);
  settings.Number("channels", "Connections", &channels, 1, 64);
  settings.Number("retry-for", "Seconds without a new record before the import gives up", &retry_for, 0, 86400);
  settings.Number("catch-up-for", "Seconds to wait at the end until the views have caught up", &catch_up_for, 0, 86400);
  settings.Text("refusals", "File to write every refused line to", &refusals);
  settings.Switch("strict", "Exits with 1 if any line was refused", &strict);
  settings.Switch("dry-run", "Reads the journal and sends nothing", &dry_run);
}

absl::StatusOr<int> ImportCommand::Run(const Session& session) const {
  Progress progress(session.err, session.err_width, session.clock, dry_run ? "reading" : "importing",
                    "orders and returns");
  ASSIGN_OR_RETURN(const std::unique_ptr<Source> journal, OpenSource(source, path));
  Refusals refused(refusals, progress);
  RETURN_IF_ERROR(refused.Check());
  const ImportObserver observer{
      .progress =
          [&](const ImportSummary& so_far) {
            progress.Update(journal->bytes_done(), journal->bytes_total(), static_cast<uint64_t>(so_far.records()));
          },
      .refused = [&](absl::string_view line) { refused.Add(line); },
      .note = [&](absl::string_view line) { progress.Say(absl::StrCat("note     ", line)); },
  };
  absl::StatusOr<ImportResult> result = absl::UnknownError("");
  if (dry_run) {
    result = DryRun(*journal, observer);
  } else {
    std::vector<std::shared_ptr<grpc::Channel>> connections = {session.client.channel};
    while (static_cast<int64_t>(connections.size()) < channels) {
      connections.push_back(OpenChannel(session.client.target));
    }
    const ImportOptions import_options{.in_flight_max = static_cast<int>(in_flight),
                                       .call_timeout = session.client.timeout,
                                       .retry_for = absl::Seconds(retry_for),
                                       .catch_up_for = absl::Seconds(catch_up_for)};
    result = RunImport(*journal, std::move(connections), import_options, observer);
  }
  if (!result.ok()) return result.status();
  RETURN_IF_ERROR(refused.Check());
  progress.Finish();
  if (session.json) {
    JsonWriter json;
    json.BeginObject();
    result->summary.WriteFields(progress.seconds(), &json);
    json.Field("catch_up_seconds", absl::ToDoubleSeconds(result->catch_up)).Field("retries", result->retries);
    json.Field("consistency_token", result->consistency_token).EndObject();
    session.out << json.text() << "\n";
  } else {
    session.out << result->summary.ToText();
  }
  return strict && result->summary.lines_refused() > 0 ? kExitFailed : kExitOk;
}

}  // namespace halles::hallesctl
