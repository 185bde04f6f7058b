// Makes the requests that follow from a record.
#include "libs/projection/reactions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::projection {
namespace {

bool Takes(const ReactionDefinition& definition, SlotId source, const SourceEvent& event) {
  return definition.source == source.service && definition.type == event.type &&
         Handles(definition.fields, event.payload);
}

absl::Status NoReaction(const ReactionDefinition& definition, const EventRef& event, absl::string_view why) {
  return Failure(absl::StatusCode::kDataLoss, "NO_REACTION",
                 absl::StrCat(definition.name, ", ", event.ToString(), ": ", why));
}

}  // namespace

void ReactionRules::SetCommands(const partition::ServiceDefinition& service) {
  for (const auto& [name, command] : service.commands) commands_[command->request_type()] = command.get();
}

bool ReactionRules::Concerns(SlotId source, const SourceRecord& record) const {
  return std::any_of(record.events.begin(), record.events.end(), [this, source](const SourceEvent& event) {
    return std::any_of(
        definitions_.begin(), definitions_.end(),
        [source, &event](const ReactionDefinition& definition) { return Takes(definition, source, event); });
  });
}

absl::StatusOr<std::vector<DueReaction>> ReactionRules::React(SlotId source, const SourceRecord& record) const {
  std::vector<DueReaction> due;
  for (size_t i = 0; i < record.events.size(); ++i) {
    const SourceEvent& event = record.events[i];
    for (size_t index = 0; index < definitions_.size(); ++index) {
      const ReactionDefinition& definition = definitions_[index];
      if (!Takes(definition, source, event)) continue;
      const EventRef ref{source, record.position, static_cast<uint32_t>(i)};
      absl::StatusOr<Requests> made = definition.react(event.payload, record.ContextOf(source, i));
      if (!made.ok()) return NoReaction(definition, ref, made.status().message());
      for (std::unique_ptr<google::protobuf::Message>& request : *made) {
        const auto command = commands_.find(request->GetDescriptor());
        if (command == commands_.end()) {
          return NoReaction(definition, ref,
                            absl::StrCat(request->GetDescriptor()->full_name(), " is no command of ",
                                         ServiceName(definition.service)));
        }
        due.push_back({index, command->second, command->second->KeyOf(*request), std::move(request)});
      }
    }
  }
  return due;
}

}  // namespace halles::projection
