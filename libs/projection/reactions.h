// What follows from a record: the requests that a service's reactions make of it, in their order.
#ifndef HALLES_LIBS_PROJECTION_REACTIONS_H_
#define HALLES_LIBS_PROJECTION_REACTIONS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "libs/base/slot.h"
#include "libs/partition/service_definition.h"
#include "libs/projection/definitions.h"
#include "libs/projection/source_record.h"

namespace halles::projection {

// A request that follows from a record.
struct DueReaction {
  size_t definition = 0;  // its index among those of the service
  const partition::CommandDefinition* command = nullptr;
  std::string key;  // of the aggregate that takes it
  std::unique_ptr<google::protobuf::Message> request;
};

// The reactions of one service and the commands that they may ask for.
// Thread safety: immutable.
// Lifetime: the service's commands outlive it.
class ReactionRules {
 public:
  // `definitions` are all of the service, in their order.
  explicit ReactionRules(std::vector<ReactionDefinition> definitions) : definitions_(std::move(definitions)) {}

  const std::vector<ReactionDefinition>& definitions() const { return definitions_; }

  // Before React; once.
  void SetCommands(const partition::ServiceDefinition& service);

  // Whether anything may follow from the record.
  bool Concerns(SlotId source, const SourceRecord& record) const;

  // A pure function of the record: each instance, and each try, comes to the same requests in the same order. DATA_LOSS
  // (NO_REACTION) when a reaction fails: it will fail again.
  absl::StatusOr<std::vector<DueReaction>> React(SlotId source, const SourceRecord& record) const;

 private:
  std::vector<ReactionDefinition> definitions_;
  absl::flat_hash_map<const google::protobuf::Descriptor*, const partition::CommandDefinition*> commands_;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_REACTIONS_H_
