// race: many buyers request the same few units at the same moment.
#ifndef HALLES_SERVICES_HALLESCTL_RACE_COMMAND_H_
#define HALLES_SERVICES_HALLESCTL_RACE_COMMAND_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "libs/program/options.h"
#include "services/hallesctl/session.h"

namespace halles::hallesctl {

// race
struct RaceCommand {
  int64_t buyers = 50;
  int64_t units = 10;
  std::string sku;
  int64_t connections = 8;
  int64_t copies = 1;
  int64_t think = 0;
  int64_t retry_for = 60;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_RACE_COMMAND_H_
