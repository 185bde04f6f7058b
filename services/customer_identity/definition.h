// What a process that hosts customer identity must know of it: its events, view and reaction.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_DEFINITION_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_DEFINITION_H_

#include "absl/strings/string_view.h"
#include "halles/common/v1/common.pb.h"
#include "halles/customer_identity/v1/customer_identity_events.pb.h"
#include "libs/host/host.h"
#include "libs/partition/service_definition.h"
#include "services/customer_identity/state.h"

namespace halles::customer_identity {

inline constexpr partition::Aggregate<v1::IdentityEvent> kGraph{1, &Evolve};

// Adds customer identity to what a host runs.
void Define(host::Definitions* definitions);

// What is touched by an event that names the identifier: the name under which watchers wait.
std::string TopicOf(const common::v1::Identifier& identifier);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_DEFINITION_H_
