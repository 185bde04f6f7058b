// What a service says of its views and its reactions: which events of which logs, and the pure function over each.
#ifndef HALLES_LIBS_PROJECTION_DEFINITIONS_H_
#define HALLES_LIBS_PROJECTION_DEFINITIONS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "libs/base/slot.h"
#include "libs/partition/command.h"
#include "libs/partition/domain.h"
#include "libs/partition/service_definition.h"
#include "libs/store/rows.h"

namespace halles::projection {

// The number of the first field of a serialised message; 0 when there is none. Of an event that is a oneof: which it is.
inline int FirstFieldOf(absl::string_view payload) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(payload.data()),
                                            static_cast<int>(payload.size()));
  return google::protobuf::internal::WireFormatLite::GetTagFieldNumber(in.ReadTag());
}

// How events of one type of one service are projected.
struct SourceProjection {
  ServiceId source = ServiceId::kCheckout;
  uint32_t type = 0;
  // Adds the names of what the event touches to `topics`, for those who watch, unless it is null.
  std::function<absl::Status(store::Rows&, absl::string_view payload, const partition::FactContext&,
                             std::vector<std::string>* topics)>
      project;
};

template <typename Event>
SourceProjection ProjectionOf(ServiceId source, uint32_t type,
                              absl::Status (*project)(store::Rows&, const Event&, const partition::FactContext&),
                              void (*topics)(const Event&, std::vector<std::string>*) = nullptr) {
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
          }};
}

// The same for a projection that finds out itself whom an event touches. Events that begin with one of the fields
// `passed_over` are not even parsed: the projection does nothing with them.
template <typename Event>
SourceProjection ProjectionOf(ServiceId source, uint32_t type,
                              absl::Status (*project)(store::Rows&, const Event&, const partition::FactContext&,
                                                      std::vector<std::string>* topics),
                              std::vector<int> passed_over) {
  return {source, type,
          [project, type, passed_over = std::move(passed_over)](store::Rows& rows, absl::string_view payload,
                                                                const partition::FactContext& context,
                                                                std::vector<std::string>* touched) -> absl::Status {
            if (!passed_over.empty() &&
                std::find(passed_over.begin(), passed_over.end(), FirstFieldOf(payload)) != passed_over.end()) {
              return absl::OkStatus();
            }
            google::protobuf::Arena arena;
            auto* event = google::protobuf::Arena::CreateMessage<Event>(&arena);
            if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
              return absl::DataLossError(absl::StrCat("event of type ", type, " does not parse"));
            }
            return project(rows, *event, context, touched);
          }};
}

// A view: rows folded from the logs of one or more services.
struct ViewDefinition {
  ServiceId service = ServiceId::kCheckout;  // that owns the view
  uint8_t view = 0;                          // its number within the service
  std::string name;
  // Raised whenever the same events give other rows than before.
  uint32_t fold_version = 1;
  std::vector<SourceProjection> sources;

  // "customer_identity/customers".
  std::string FullName() const { return absl::StrCat(ServiceName(service), "/", name); }
  // Services that it reads, each once.
  std::vector<ServiceId> SourceServices() const {
    std::vector<ServiceId> services;
    for (const SourceProjection& source : sources) {
      bool known = false;
      for (ServiceId service_id : services) known = known || service_id == source.source;
      if (!known) services.push_back(source.source);
    }
    return services;
  }
  const SourceProjection* Find(ServiceId source, uint32_t type) const {
    for (const SourceProjection& projection : sources) {
      if (projection.source == source && projection.type == type) return &projection;
    }
    return nullptr;
  }
};

// One command that an event leads to. Made anew for each try; `done` is told its outcome.
struct Reaction {
  std::string aggregate_key;
  std::string request;  // serialised
  std::function<std::unique_ptr<partition::Command>(std::function<void(absl::Status)> done)> make;
};

// How a service reacts to events of one type of one service. A service has one definition per source, since the slots that
// take its reactions keep one cursor per source: several reactions to one source are merged into one (MergeReactions).
struct ReactionDefinition {
  std::string name;
  ServiceId service = ServiceId::kCheckout;  // that reacts
  ServiceId source = ServiceId::kCheckout;
  uint32_t type = 0;
  std::function<absl::Status(absl::string_view payload, const partition::FactContext&, std::vector<Reaction>*)> react;
  // The aggregate that every reaction goes to, when there is just one; empty: they go to many slots.
  std::string single_target;
  // Numbers of the event's fields that it may react to; events that begin with another are not even parsed. Empty: all.
  std::vector<int> fields;
  // True when a request that was recorded once does nothing for ever: its repeats are not submitted.
  bool once_is_enough = false;
  // Of a merged definition: what it consists of, asked in this order for each event. Their own names do not count, and
  // `type`, `react`, `fields` and `once_is_enough` above do not either.
  std::vector<ReactionDefinition> parts;

  // The parts; of a definition that is not merged, itself.
  absl::Span<const ReactionDefinition> Parts() const {
    return parts.empty() ? absl::MakeConstSpan(this, 1) : absl::MakeConstSpan(parts);
  }
};

// One definition of several reactions of one service to one source, each with its own type of event and of request. They go
// on together: what one cannot get recorded, all wait for.
// Ends the process unless all are of one service and source and either all or none of them have the same single target.
ReactionDefinition MergeReactions(std::string name, std::vector<ReactionDefinition> parts);

template <typename SourceEvent, typename Request, typename Response, typename Event>
ReactionDefinition ReactionOf(std::string name, ServiceId service, ServiceId source, uint32_t type,
                              std::vector<Request> (*react)(const SourceEvent&, const partition::FactContext&),
                              std::function<std::string(const Request&)> aggregate_key,
                              absl::StatusOr<partition::Decision<Response, Event>> (*decide)(
                                  const store::RowReader&, const Request&, const partition::CommandContext&),
                              partition::Aggregate<Event> aggregate, std::string single_target = "",
                              bool once_is_enough = false) {
  ReactionDefinition definition{std::move(name),          service, source,         type, nullptr,
                                std::move(single_target), {},      once_is_enough, {}};
  definition.react = [=](absl::string_view payload, const partition::FactContext& context,
                         std::vector<Reaction>* reactions) -> absl::Status {
    google::protobuf::Arena arena;
    auto* event = google::protobuf::Arena::CreateMessage<SourceEvent>(&arena);
    if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return absl::DataLossError(absl::StrCat("event of type ", type, " does not parse"));
    }
    for (Request& request : react(*event, context)) {
      std::string key = aggregate_key(request);
      reactions->push_back({std::move(key), request.SerializeAsString(), [=](std::function<void(absl::Status)> done) {
                              return std::make_unique<partition::TypedCommand<Request, Response, Event>>(
                                  request, decide, aggregate,
                                  [done = std::move(done)](absl::StatusOr<Response> response,
                                                           partition::AnswerPosition) { done(response.status()); });
                            }});
    }
    return absl::OkStatus();
  };
  return definition;
}

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_DEFINITIONS_H_
