// The commands of hallesctl: each is its flags and arguments, and what it does with them.
#ifndef HALLES_SERVICES_HALLESCTL_COMMANDS_H_
#define HALLES_SERVICES_HALLESCTL_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/options.h"
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

// Who a customer is: exactly one flag.
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
  std::string by, channel, structure, month, token;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// order ID
struct OrderCommand {
  std::string id, token;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
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

// call METHOD REQUEST
struct CallCommand {
  std::string method;
  std::string request;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

// An order by its id ("ord-...") or by SOURCE:ID as the source knows it.
absl::StatusOr<checkout::v1::GetOrderRequest> NameOrder(const std::string& text);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_COMMANDS_H_
