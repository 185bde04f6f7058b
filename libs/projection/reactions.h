// The requests that the reactions of a service make of a record, in order.
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
  size_t definition = 0;  // index among the definitions of the service
  const partition::CommandDefinition* command = nullptr;
  std::string key;  // key of the receiving aggregate
  std::unique_ptr<google::protobuf::Message> request;
};

// The reactions of one service and the commands that they may submit.
// Thread safety: immutable.
// Lifetime: the service's commands outlive it.
class ReactionRules {
 public:
  // `definitions` are all of the service, in order.
  explicit ReactionRules(std::vector<ReactionDefinition> definitions) : definitions_(std::move(definitions)) {}

  const std::vector<ReactionDefinition>& definitions() const { return definitions_; }

  // Called once, before React.
  void SetCommands(const partition::ServiceDefinition& service);

  // Whether the record may lead to requests.
  bool Concerns(SlotId source, const SourceRecord& record) const;

  // A pure function of the record: every instance and every try makes the same requests in the same order. DATA_LOSS
  // (NO_REACTION) when a reaction fails: it would fail again.
  absl::StatusOr<std::vector<DueReaction>> React(SlotId source, const SourceRecord& record) const;

 private:
  std::vector<ReactionDefinition> definitions_;
  absl::flat_hash_map<const google::protobuf::Descriptor*, const partition::CommandDefinition*> commands_;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_REACTIONS_H_
