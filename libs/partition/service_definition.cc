// Looks up the registrations of a service.
#include "libs/partition/service_definition.h"

#include "libs/base/check.h"

namespace halles::partition {

void ServiceDefinition::Add(std::shared_ptr<const CommandDefinition> command) {
  const std::string& name = command->name();
  HALLES_CHECK(commands.emplace(name, std::move(command)).second, "a command is registered twice");
}

const AggregateDefinition* ServiceDefinition::Find(uint32_t type) const {
  for (const AggregateDefinition& aggregate : aggregates) {
    if (aggregate.type == type) return &aggregate;
  }
  return nullptr;
}

const CommandDefinition* ServiceDefinition::FindCommand(absl::string_view request_name) const {
  const auto found = commands.find(request_name);
  return found == commands.end() ? nullptr : found->second.get();
}

}  // namespace halles::partition
