// The doors of a program: opens them from the same parts, serves, names and drains them.
#ifndef HALLES_LIBS_PROGRAM_DOORS_H_
#define HALLES_LIBS_PROGRAM_DOORS_H_

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/host/host.h"
#include "libs/host/watches.h"
#include "libs/program/start_progress.h"
#include "libs/rpc/batch.h"
#include "libs/rpc/door.h"
#include "libs/telemetry/metrics.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace halles::program {

// The parts that doors are made of.
struct DoorParts {
  host::Host* host = nullptr;
  std::shared_ptr<host::Watches> watches;  // notified by the host of the topics that events touch
  telemetry::Metrics* metrics = nullptr;
  std::function<absl::Status()> log_health;  // OK, or why the log refuses new records
  std::function<StartReport()> start;        // how far the start is
};

// Every opened door is served, named by the health service, and drained.
// Lifetime: the parts outlive it; it outlives the server.
class Doors {
 public:
  // Opens the doors of a proto package. A door is a gRPC callback service with a method door() of type rpc::Door&.
  // `Package` is the generated halles::<package>::v1::GrpcServices: this compiles only if each gRPC service of the
  // package has exactly one of the doors, and each of its methods a handler.
  template <typename Package, typename... Opened>
  void Open(const DoorParts& parts) {
    Package::template CheckDoors<Opened...>();
    (Add<Package, Opened>(parts, false), ...);
  }
  // The same for doors that serve at once, before the views have caught up.
  template <typename Package, typename... Opened>
  void OpenForOperators(const DoorParts& parts) {
    Package::template CheckDoors<Opened...>();
    (Add<Package, Opened>(parts, true), ...);
  }

  struct Entry {
    std::shared_ptr<void> owned;  // shared_ptr, because it erases the type of the door
    grpc::Service* service;
    rpc::Door* door;
    bool at_once;
  };
  const std::vector<Entry>& entries() const { return doors_; }
  // Every method of the doors, for those that take commands in batches.
  const rpc::Methods& methods() const { return methods_; }

 private:
  template <typename Package, typename Door>
  void Add(const DoorParts& parts, bool at_once) {
    std::shared_ptr<Door> door;
    if constexpr (std::is_constructible_v<Door, const DoorParts&, const rpc::Methods&>) {
      door = std::make_shared<Door>(parts, methods_);
    } else if constexpr (std::is_constructible_v<Door, const DoorParts&>) {
      door = std::make_shared<Door>(parts);
    } else if constexpr (std::is_constructible_v<Door, host::Host*, std::shared_ptr<host::Watches>,
                                                 telemetry::Metrics*>) {
      door = std::make_shared<Door>(parts.host, parts.watches, parts.metrics);
    } else {
      door = std::make_shared<Door>(parts.host, parts.metrics);
    }
    Door* const raw = door.get();
    Package::template ForEachMethod<Door>(
        [this, raw](absl::string_view name, auto method) { methods_.Add(name, raw, method); });
    doors_.push_back({std::move(door), raw, &raw->door(), at_once});
  }

  rpc::Methods methods_;  // of all doors, also of those that are opened later
  std::vector<Entry> doors_;
};

}  // namespace halles::program

#endif  // HALLES_LIBS_PROGRAM_DOORS_H_
