// Merges reactions.
#include "libs/projection/definitions.h"

#include "libs/base/check.h"

namespace halles::projection {

ReactionDefinition MergeReactions(std::string name, std::vector<ReactionDefinition> parts) {
  HALLES_CHECK(!parts.empty(), "nothing to merge");
  ReactionDefinition merged;
  merged.name = std::move(name);
  merged.service = parts.front().service;
  merged.source = parts.front().source;
  merged.single_target = parts.front().single_target;
  for (const ReactionDefinition& part : parts) {
    HALLES_CHECK(part.parts.empty(), "a merged reaction is merged again");
    HALLES_CHECK(part.service == merged.service && part.source == merged.source,
                 "reactions of several services or to several sources are merged");
    HALLES_CHECK(part.single_target == merged.single_target, "reactions with several targets are merged as one");
  }
  merged.parts = std::move(parts);
  return merged;
}

}  // namespace halles::projection
