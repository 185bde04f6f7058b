// hallesctl: assembles the command line, the connection and the output.
#include <unistd.h>

#include <iostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/machine/system_clock.h"
#include "libs/program/options.h"
#include "services/hallesctl/client.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/race_command.h"
#include "services/hallesctl/session.h"
#include "services/hallesctl/story_command.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

constexpr absl::string_view kUsageReason = "USAGE";

int Main(int argc, const char* const* argv) {
  std::string target = "127.0.0.1:7400";
  std::string output = "table";
  int64_t timeout_s = 30;
  ImportCommand import;
  CustomerCommand customer;
  TotalsCommand totals;
  OrderCommand order;
  StockCommand stock;
  StoryCommand story;
  RaceCommand race;
  StatusCommand status;
  TailCommand tail;
  ExplainCommand explain;
  const ProofCommand verify{.rebuild = false};
  const ProofCommand rebuild{.rebuild = true};
  GenerateCommand generate;
  CallCommand call;
  LogCommand log;

  Options options("hallesctl", "The operator's tool of Halles");
  options.Text("target", "Address of halles, host:port", &target, [](const std::string& value) {
    const size_t colon = value.rfind(':');
    const bool is_place = colon != std::string::npos && colon > 0 && colon + 1 < value.size();
    return std::string(is_place ? "" : "valid is host:port, such as 127.0.0.1:7400");
  });
  options.Choice("output", "How answers are printed", &output, {"table", "json"});
  options.Number("timeout", "Maximum seconds per call", &timeout_s, 1, 3600);
  import.Register(options);
  customer.Register(options);
  totals.Register(options);
  order.Register(options);
  stock.Register(options);
  story.Register(options);
  race.Register(options);
  status.Register(options);
  tail.Register(options);
  explain.Register(options);
  verify.Register(options);
  rebuild.Register(options);
  generate.Register(options);
  call.Register(options);
  log.Register(options);
  if (const std::optional<int> exit = options.Parse(argc, argv, std::cout, std::cerr); exit.has_value()) return *exit;

  std::ios::sync_with_stdio(false);
  SystemClock clock;
  Client client(OpenChannel(target), target, absl::Seconds(timeout_s));
  const Session session{.client = client,
                        .json = output == "json",
                        .out = std::cout,
                        .err = std::cerr,
                        .out_width = TerminalWidth(STDOUT_FILENO),
                        .err_width = isatty(STDERR_FILENO) == 1 ? TerminalWidth(STDERR_FILENO) : 0,
                        .clock = clock};
  const std::string& name = options.command();
  absl::StatusOr<int> exit = kExitUsage;
  if (name == "import") exit = import.Run(session);
  if (name == "customer") exit = customer.Run(session);
  if (name == "totals") exit = totals.Run(session);
  if (name == "order") exit = order.Run(session);
  if (name == "stock") exit = stock.Run(session);
  if (name == "story") exit = story.Run(session);
  if (name == "race") exit = race.Run(session);
  if (name == "status") exit = status.Run(session);
  if (name == "tail") exit = tail.Run(session);
  if (name == "explain") exit = explain.Run(session);
  if (name == "verify") exit = verify.Run(session);
  if (name == "rebuild") exit = rebuild.Run(session);
  if (name == "generate") exit = generate.Run(session);
  if (name == "call") exit = call.Run(session);
  if (name == "log") exit = log.Run(session);
  std::cout.flush();
  if (!exit.ok() && ReasonOf(exit.status()) == kUsageReason) {
    std::cerr << "hallesctl: " << exit.status().message() << "; see hallesctl " << name << " --help\n";
    return kExitUsage;
  }
  if (!exit.ok()) {
    std::cerr << ErrorText(exit.status());
    return kExitFailed;
  }
  if (!std::cout.good()) {
    std::cerr << "hallesctl: standard output cannot be written\n";
    return kExitFailed;
  }
  return *exit;
}

}  // namespace

absl::Status UsageError(absl::string_view message) {
  return Failure(absl::StatusCode::kInvalidArgument, kUsageReason, message);
}

}  // namespace halles::hallesctl

int main(int argc, char** argv) { return halles::hallesctl::Main(argc, argv); }
