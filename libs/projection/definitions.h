// The definitions of views and reactions: which events of which logs they read, and the pure function for each.
#ifndef HALLES_LIBS_PROJECTION_DEFINITIONS_H_
#define HALLES_LIBS_PROJECTION_DEFINITIONS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "libs/base/slot.h"
#include "libs/base/wire_fields.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::projection {

// Whether the event begins with one of these fields, or no fields are given.
inline bool Handles(absl::Span<const int> fields, absl::string_view payload) {
  return fields.empty() || std::find(fields.begin(), fields.end(), FirstWireField(payload)) != fields.end();
}

// The projection of one type of events of one service.
struct SourceProjection {
  ServiceId source = ServiceId::kCheckout;
  uint32_t type = 0;
  // Adds the topics that the event touches to `topics`, for watches, unless it is null.
  std::function<absl::Status(store::Rows&, absl::string_view payload, const partition::FactContext&,
                             std::vector<std::string>* topics)>
      project;
  // Field numbers of the events that it handles (kHandledFields of its visitor); other events are not even parsed.
  // Empty: all.
  std::vector<int> fields;
};

// `topics` may be null. `fields`: see SourceProjection.
template <typename Event>
SourceProjection ProjectionOf(ServiceId source, uint32_t type,
                              absl::Status (*project)(store::Rows&, const Event&, const partition::FactContext&),
                              void (*topics)(const Event&, std::vector<std::string>*) = nullptr,
                              absl::Span<const int> fields = {}) {
  return {source, type,
          [project, topics, type](store::Rows& rows, absl::string_view payload, const partition::FactContext& context,
                                  std::vector<std::string>* touched) -> absl::Status {
            google::protobuf::Arena arena;
            auto* event = google::protobuf::Arena::CreateMessage<Event>(&arena);
            if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
              return absl::DataLossError(absl::StrCat("event of type ", type, " does not parse"));
            }
            if (touched != nullptr && topics != nullptr) topics(*event, touched);
            return project(rows, *event, context);
          },
          std::vector<int>(fields.begin(), fields.end())};
}

// The same for a projection that determines the topics of an event itself.
template <typename Event>
SourceProjection ProjectionOf(ServiceId source, uint32_t type,
                              absl::Status (*project)(store::Rows&, const Event&, const partition::FactContext&,
                                                      std::vector<std::string>* topics),
                              absl::Span<const int> fields = {}) {
  return {source, type,
          [project, type](store::Rows& rows, absl::string_view payload, const partition::FactContext& context,
                          std::vector<std::string>* touched) -> absl::Status {
            google::protobuf::Arena arena;
            auto* event = google::protobuf::Arena::CreateMessage<Event>(&arena);
            if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
              return absl::DataLossError(absl::StrCat("event of type ", type, " does not parse"));
            }
            return project(rows, *event, context, touched);
          },
          std::vector<int>(fields.begin(), fields.end())};
}

// A view: rows folded from the logs of one or more services.
struct ViewDefinition {
  ServiceId service = ServiceId::kCheckout;  // owner of the view
  uint8_t view = 0;                          // its number within the service
  std::string name;
  // Raised whenever the same events give other rows than before.
  uint32_t fold_version = 1;
  std::vector<SourceProjection> sources;

  // A name such as "customer_identity/customers".
  std::string FullName() const { return absl::StrCat(ServiceName(service), "/", name); }
  // The services that it reads, each once.
  std::vector<ServiceId> SourceServices() const {
    std::vector<ServiceId> services;
    for (const SourceProjection& source : sources) {
      bool known = false;
      for (ServiceId service_id : services) known = known || service_id == source.source;
      if (!known) services.push_back(source.source);
    }
    return services;
  }
  // The projection of an event; null if the view ignores it.
  const SourceProjection* Find(ServiceId source, uint32_t type, absl::string_view payload) const {
    for (const SourceProjection& projection : sources) {
      if (projection.source == source && projection.type == type) {
        return Handles(projection.fields, payload) ? &projection : nullptr;
      }
    }
    return nullptr;
  }
};

// The requests that follow from one event, each for a command that the reacting service registered. Their request ids
// are empty: a reaction is identified by its cause.
using Requests = std::vector<std::unique_ptr<google::protobuf::Message>>;

// The reaction of a service to one type of events of one service. Several reactions of one service to one source run in
// the order of their definitions. They share a cursor: if one cannot be recorded in a slot, all wait there.
struct ReactionDefinition {
  std::string name;
  ServiceId service = ServiceId::kCheckout;  // the reacting service
  ServiceId source = ServiceId::kCheckout;
  uint32_t type = 0;
  // A pure function: every instance and every try must make the same requests in the same order.
  std::function<absl::StatusOr<Requests>(absl::string_view payload, const partition::FactContext&)> react;
  // Field numbers of the events that it handles (kHandledFields of its visitor); other events are not even parsed.
  // Empty: all.
  std::vector<int> fields;
  // True if a recorded request never has an effect again: its repeats are not submitted.
  bool once_is_enough = false;
};

// `react` is a function of (const Event&, const FactContext&) to a vector of one type of request, or to Requests.
template <typename Event, typename React>
ReactionDefinition ReactionOf(std::string name, ServiceId service, ServiceId source, uint32_t type, React react,
                              absl::Span<const int> fields = {}, bool once_is_enough = false) {
  ReactionDefinition definition;
  definition.name = std::move(name);
  definition.service = service;
  definition.source = source;
  definition.type = type;
  definition.fields.assign(fields.begin(), fields.end());
  definition.once_is_enough = once_is_enough;
  definition.react = [react, type](absl::string_view payload,
                                   const partition::FactContext& context) -> absl::StatusOr<Requests> {
    google::protobuf::Arena arena;
    auto* event = google::protobuf::Arena::CreateMessage<Event>(&arena);
    if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return absl::DataLossError(absl::StrCat("event of type ", type, " does not parse"));
    }
    auto made = react(static_cast<const Event&>(*event), context);
    if constexpr (std::is_same_v<decltype(made), Requests>) {
      return made;
    } else {
      Requests requests;
      for (auto& request : made)
        requests.push_back(std::make_unique<std::decay_t<decltype(request)>>(std::move(request)));
      return requests;
    }
  };
  return definition;
}

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_DEFINITIONS_H_
