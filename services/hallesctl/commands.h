// The commands of hallesctl, each with its flags, its arguments and its execution.
#ifndef HALLES_SERVICES_HALLESCTL_COMMANDS_H_
#define HALLES_SERVICES_HALLESCTL_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/program/options.h"
#include "services/hallesctl/session.h"

namespace halles::hallesctl {

// Each command's Run returns the exit code, or the error that ends it.

// import SOURCE PATH
struct ImportCommand {
  std::string source;
  std::string path;
  int64_t in_flight = 256;
  int64_t channels = 1;
  int64_t retry_for = 60;
  int64_t catch_up_for = 300;
  std::string refusals;
  bool strict = false;
  bool dry_run = false;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// Identifies a customer; exactly one flag is set.
struct CustomerFlags {
  std::string party, external, loyalty, phone, email, fingerprint;

  void Register(Settings& settings);
  bool empty() const;
  absl::StatusOr<customer_identity::v1::CustomerName> ToName() const;
};

// customer
struct CustomerCommand {
  CustomerFlags who;
  int64_t timeline = 10;
  bool events = false;
  bool watch = false;
  std::string resume;
  int64_t updates = 0;
  std::string token;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;

 private:
  absl::StatusOr<int> Watch(const Session& session, const customer_identity::v1::CustomerName& name) const;
};

// totals
struct TotalsCommand {
  std::string by, channel, site, month, token;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// order ID, order work, order ACTION ID
struct OrderCommand {
  std::string what, id, token, request;
  int64_t version = 0;
  std::string kind, location, fulfilment, to, cause, tracking, promised;
  std::string channel = "shop", site, device, return_id, lines, reason, exchange_id, give;
  bool unusable = false;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;

 private:
  absl::StatusOr<int> Show(const Session& session, const std::string& order) const;
  absl::StatusOr<int> Work(const Session& session) const;
  // The actions that change an order; nullopt if `what` is none of them.
  std::optional<absl::StatusOr<int>> Change(const Session& session) const;
  absl::StatusOr<int> Return(const Session& session) const;
  absl::StatusOr<int> Exchange(const Session& session) const;
  absl::StatusOr<checkout::v1::Origin> ToOrigin() const;
};

// stock SKU, stock list, stock explain, stock ACTION SKU
struct StockCommand {
  std::string what, sku, location, prefix, token, request;
  std::string hold, to, order, owner, purpose = "dated_pickup", reason, note, reference, transfer;
  int64_t units = 0, expected = -1, unusable = 0, lost = 0, expires_in = 0;
  bool split = false;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;

 private:
  absl::StatusOr<int> Show(const Session& session, const std::string& shown) const;
  absl::StatusOr<int> List(const Session& session) const;
  absl::StatusOr<int> Explain(const Session& session) const;
  absl::StatusOr<int> ShowHold(const Session& session) const;
  absl::StatusOr<int> Reserve(const Session& session) const;
};

// status
struct StatusCommand {
  std::string service;
  bool all = false;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// tail SLOT
struct TailCommand {
  std::string slot;
  int64_t from = 0;
  int64_t max = 0;
  bool follow = false;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// explain EVENT, explain order ID, explain customer
struct ExplainCommand {
  std::string what, id, token;
  CustomerFlags who;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;

 private:
  absl::StatusOr<int> ExplainEvent(const Session& session, const std::string& event) const;
  absl::StatusOr<int> ExplainOrder(const Session& session) const;
  absl::StatusOr<int> ExplainCustomer(const Session& session) const;
};

// verify and rebuild
struct ProofCommand {
  bool rebuild = false;

  void Register(Options& options) const;
  absl::StatusOr<int> Run(const Session& session) const;
};

// generate SOURCE PATH
struct GenerateCommand {
  std::string source;
  std::string path;
  int64_t seed = 1;
  int64_t size = 1000;
  int64_t faults = 0;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// log reshard
struct LogCommand {
  std::string action, data_dir, into, slots;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// call METHOD REQUEST
struct CallCommand {
  std::string method;
  std::string request;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// A request for an order by its id, or by SOURCE:ID with the id that the source uses.
checkout::v1::GetOrderRequest NameOrder(const std::string& text);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_COMMANDS_H_
