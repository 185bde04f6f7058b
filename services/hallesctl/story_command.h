// story NAME, story list
#ifndef HALLES_SERVICES_HALLESCTL_STORY_COMMAND_H_
#define HALLES_SERVICES_HALLESCTL_STORY_COMMAND_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "libs/program/options.h"
#include "services/hallesctl/session.h"

namespace halles::hallesctl {

// Run returns the exit code, or the error that ends it; 1 when the story fails.
struct StoryCommand {
  std::string name, seed;
  int64_t clients = 5000;

  void Register(Options& options);
  absl::StatusOr<int> Run(const Session& session) const;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_STORY_COMMAND_H_
