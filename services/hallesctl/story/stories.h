// The stories of hallesctl, one function each.
#ifndef HALLES_SERVICES_HALLESCTL_STORY_STORIES_H_
#define HALLES_SERVICES_HALLESCTL_STORY_STORIES_H_

#include <cstdint>
#include <vector>

#include "services/hallesctl/story/script.h"

namespace halles::hallesctl {

struct StoryOptions {
  int64_t clients = 5000;  // in the race for the last unit
};

struct Story {
  const char* name;
  const char* about;
  void (*tell)(Script& script, const StoryOptions& options);
};

const std::vector<Story>& Stories();

void TellShoes(Script& script, const StoryOptions& options);
void TellLipstick(Script& script, const StoryOptions& options);
void TellShipElsewhere(Script& script, const StoryOptions& options);
void TellLastUnit(Script& script, const StoryOptions& options);
void TellRebuild(Script& script, const StoryOptions& options);
void TellSocial(Script& script, const StoryOptions& options);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_STORY_STORIES_H_
