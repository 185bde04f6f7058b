// status, tail, verify and rebuild: the log and the folds derived from it.
#include <map>

#include "absl/strings/str_cat.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/print.h"
#include "services/hallesctl/progress.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using admin::v1::AdminService;
using admin::v1::GetStatusRequest;
using admin::v1::GetStatusResponse;
using admin::v1::SlotStatus;
using admin::v1::TailLogRequest;
using admin::v1::TailLogResponse;
using admin::v1::VerifyResult;
using admin::v1::ViewStatus;

constexpr absl::string_view kServing = "serving";

void WriteStatus(const GetStatusResponse& status, JsonWriter* json) {
  json->BeginObject().Field("version", status.version()).Field("install_id", status.install_id());
  json->Field("caught_up", status.caught_up()).Field("log_error", status.log_error());
  json->Field("state_error", status.state_error());
  if (status.has_start()) {
    json->Key("start").BeginObject().Field("phase", status.start().phase());
    json->Field("records_done", status.start().records_done()).Field("records_total", status.start().records_total());
    if (status.start().has_seconds_left()) json->Field("seconds_left", status.start().seconds_left());
    json->Field("waits_for", status.start().waits_for()).EndObject();
  }
  json->Key("slots").BeginArray();
  for (const SlotStatus& slot : status.slots()) {
    json->BeginObject().Field("service", slot.service()).Field("slot", slot.slot()).Field("state", slot.state());
    json->Field("position", slot.position()).Field("term", slot.term());
    json->Field("digest", slot.digest()).Field("error", slot.error()).EndObject();
  }
  json->EndArray().Key("views").BeginArray();
  for (const ViewStatus& view : status.views()) {
    json->BeginObject().Field("view", view.view()).Field("service", view.service()).Field("slot", view.slot());
    json->Field("position", view.position()).Field("lag_records", view.lag_records());
    json->Field("digest", view.digest()).Field("error", view.error()).EndObject();
  }
  json->EndArray().EndObject();
}

// A halles that refuses commands, or keeps what it folds in memory, is in no good state, even though the question was
// answered.
int ExitCodeOf(const GetStatusResponse& status) {
  const bool waits = status.has_start() && !status.start().waits_for().empty();
  return status.log_error().empty() && status.state_error().empty() && !waits ? kExitOk : kExitFailed;
}

// "replaying: 1,200 of 48,000 records (2 %), about 40 s left".
std::string StartInWords(const admin::v1::StartProgress& start) {
  std::string words = start.phase();
  if (start.records_total() > 0) {
    absl::StrAppend(&words, ": ", Thousands(static_cast<int64_t>(start.records_done())), " of ",
                    Thousands(static_cast<int64_t>(start.records_total())), " records (",
                    start.records_done() * 100 / start.records_total(), " %)");
    if (start.has_seconds_left()) absl::StrAppend(&words, ", about ", start.seconds_left(), " s left");
  }
  if (!start.waits_for().empty()) absl::StrAppend(&words, "; it waits: ", start.waits_for());
  return words;
}

}  // namespace

void StatusCommand::Register(Options& options) {
  Settings& settings = options.Command("status", "Shows slots with positions and digests, and views with their lag");
  settings.Text("service", "Only this service, such as checkout", &service);
  settings.Switch("all", "Shows every slot and source instead of one row per service and view", &all);
}

absl::StatusOr<int> StatusCommand::Run(const Session& session) const {
  GetStatusRequest request;
  request.set_service(service);
  ASSIGN_OR_RETURN(const GetStatusResponse status,
                   session.client.Call(&AdminService::Stub::GetStatus, *session.client.admin, request));
  if (session.json) {
    JsonWriter json;
    WriteStatus(status, &json);
    session.out << json.text() << "\n";
    return ExitCodeOf(status);
  }
  session.out << "halles " << status.version();
  if (!status.install_id().empty()) session.out << ", install " << status.install_id();
  if (status.has_start()) {
    session.out << ", is starting: " << StartInWords(status.start()) << "\n";
  } else {
    session.out << ", " << (status.caught_up() ? "all views have caught up" : "views are catching up") << "\n";
  }
  if (!status.log_error().empty()) session.out << "commands are refused: " << status.log_error() << "\n";
  if (!status.state_error().empty()) session.out << "rows are kept in memory: " << status.state_error() << "\n";
  session.out << "\n";
  if (all) {
    Table slots(
        {{"slot"}, {"state"}, {"term", true}, {"position", true}, {"digest", false, true}, {"error", false, true}});
    for (const SlotStatus& slot : status.slots()) {
      slots.Add({absl::StrCat(slot.service(), "/", slot.slot()), slot.state(), absl::StrCat(slot.term()),
                 Thousands(static_cast<int64_t>(slot.position())), slot.digest(), slot.error()});
    }
    Table views(
        {{"view"}, {"source"}, {"position", true}, {"lag", true}, {"digest", false, true}, {"error", false, true}});
    for (const ViewStatus& view : status.views()) {
      views.Add({view.view(), absl::StrCat(view.service(), "/", view.slot()),
                 Thousands(static_cast<int64_t>(view.position())), Thousands(static_cast<int64_t>(view.lag_records())),
                 view.digest(), view.error()});
    }
    session.out << slots.Render(session.out_width) << "\n" << views.Render(session.out_width);
    return ExitCodeOf(status);
  }
  struct Sum {
    int64_t count = 0, stopped = 0;
    uint64_t records = 0, lag = 0;
    std::string error;
  };
  std::map<std::string, Sum> services, views;
  for (const SlotStatus& slot : status.slots()) {
    Sum& sum = services[slot.service()];
    ++sum.count;
    sum.stopped += slot.state() != kServing;
    sum.records += slot.position();
    if (sum.error.empty() && !slot.error().empty()) sum.error = absl::StrCat("slot ", slot.slot(), ": ", slot.error());
  }
  for (const ViewStatus& view : status.views()) {
    Sum& sum = views[view.view()];
    ++sum.count;
    sum.stopped += !view.error().empty();
    sum.records += view.position();
    sum.lag += view.lag_records();
    if (sum.error.empty() && !view.error().empty()) {
      sum.error = absl::StrCat(view.service(), "/", view.slot(), ": ", view.error());
    }
  }
  Table slot_table(
      {{"service"}, {"slots", true}, {"not serving", true}, {"records", true}, {"first error", false, true}});
  for (const auto& [name, sum] : services) {
    slot_table.Add(
        {name, Thousands(sum.count), Thousands(sum.stopped), Thousands(static_cast<int64_t>(sum.records)), sum.error});
  }
  Table view_table(
      {{"view"}, {"sources", true}, {"stopped", true}, {"records", true}, {"lag", true}, {"first error", false, true}});
  for (const auto& [name, sum] : views) {
    view_table.Add({name, Thousands(sum.count), Thousands(sum.stopped), Thousands(static_cast<int64_t>(sum.records)),
                    Thousands(static_cast<int64_t>(sum.lag)), sum.error});
  }
  session.out << slot_table.Render(session.out_width) << "\n" << view_table.Render(session.out_width);
  return ExitCodeOf(status);
}

void TailCommand::Register(Options& options) {
  Settings& settings = options.Command("tail", "Shows the records of a slot (JSON: one object per line)");
  settings.Argument("SLOT", "Service and slot, such as checkout/17", &slot);
  settings.Number("from", "First position", &from, 0, INT64_MAX);
  settings.Number("max", "Maximum number of records; 0 for all", &max, 0, INT64_MAX);
  settings.Switch("follow", "Keeps running and shows new records", &follow);
}

absl::StatusOr<int> TailCommand::Run(const Session& session) const {
  const absl::StatusOr<SlotId> parsed = SlotId::Parse(slot);
  if (!parsed.ok()) return UsageError(parsed.status().message());
  TailLogRequest request;
  request.set_service(std::string(ServiceName(parsed->service)));
  request.set_slot(parsed->slot);
  request.set_position(static_cast<uint64_t>(from));
  request.set_records_max(static_cast<uint64_t>(max));
  request.set_follow(follow);
  grpc::ClientContext context;
  const auto reader = session.client.admin->TailLog(&context, request);
  TailLogResponse record;
  while (reader->Read(&record)) {
    if (session.json) {
      JsonWriter json;
      json.BeginObject().Field("position", record.position()).Key("header");
      WriteHeader(record.header(), &json);
      json.Field("verdict", record.verdict()).Key("body").Raw(record.body_json()).EndObject();
      session.out << json.text() << std::endl;
      continue;
    }
    const log::v1::RecordHeader& header = record.header();
    const std::string line =
        absl::StrCat(record.position(), "  ", EnumWord(log::v1::RecordKind_Name(header.kind()), "RECORD_KIND_"),
                     "  term ", header.term(), "  ", TimeText(header.logical_time_us() / 1'000'000), "  ",
                     record.verdict(), "  ", record.body_json());
    session.out << Cut(line, session.out_width) << std::endl;
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return session.client.ErrorOf(status);
  return kExitOk;
}

void ProofCommand::Register(Options& options) const {
  if (rebuild) {
    options.Command("rebuild", "Folds state and views again from the log and replaces the ones in use");
  } else {
    options.Command("verify",
                    "Folds state and views again from the log and compares every row and digest with the ones in use");
  }
}

absl::StatusOr<int> ProofCommand::Run(const Session& session) const {
  Progress progress(session.err, session.err_width, session.clock, rebuild ? "rebuilding" : "verifying", "records");
  grpc::ClientContext context;
  VerifyResult result;
  bool has_result = false;
  // Both streams have the same fields, in messages of different types.
  const auto follow = [&](auto reader, auto update) {
    while (reader->Read(&update)) {
      progress.Update(update.records_done(), update.records_total(), update.records_done());
      if (!update.has_result()) continue;
      has_result = true;
      result = update.result();
    }
    return reader->Finish();
  };
  const grpc::Status status = rebuild
                                  ? follow(session.client.admin->Rebuild(&context, {}), admin::v1::RebuildResponse())
                                  : follow(session.client.admin->Verify(&context, {}), admin::v1::VerifyResponse());
  if (!status.ok()) return session.client.ErrorOf(status);
  if (!has_result) return Failure(absl::StatusCode::kDataLoss, "NO_RESULT", "the answer ended without a result");
  progress.Finish();
  for (const std::string& difference : result.differences()) progress.Say(absl::StrCat("differs  ", difference));
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Field("equal", result.equal()).Field("events", result.events()).Field("rows", result.rows());
    json.Field("digests", result.digests()).Field("difference_count", result.difference_count());
    json.Key("differences").BeginArray();
    for (const std::string& difference : result.differences()) json.Value(difference);
    json.EndArray().Field("seconds", progress.seconds()).EndObject();
    session.out << json.text() << "\n";
  } else {
    session.out << (result.equal() ? "equal" : "NOT equal") << ": " << Thousands(static_cast<int64_t>(result.events()))
                << " events folded, " << Thousands(static_cast<int64_t>(result.rows())) << " rows and "
                << Thousands(static_cast<int64_t>(result.digests())) << " digests compared, "
                << Thousands(static_cast<int64_t>(result.difference_count())) << " differences\n";
  }
  return result.equal() ? kExitOk : kExitFailed;
}

}  // namespace halles::hallesctl
