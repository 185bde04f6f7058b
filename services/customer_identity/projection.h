// The view "customers": what was done under each identifier, and the identity graph, in one consistent place.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_PROJECTION_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_PROJECTION_H_

#include <array>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/customer_identity/identifier_key.h"
#include "services/customer_identity/rows.pb.h"

namespace halles::customer_identity {

inline constexpr uint8_t kCustomersView = 1;
inline constexpr char kCustomersViewName[] = "customers";

// A fact under the strongest identifier that it names, so that nothing is counted twice and a join moves no row. Facts of
// one identifier come newest first, ties by external id, whatever source they are from.
struct FactKey {
  uint8_t type = 0;
  Hash256 hash;
  int64_t newest_first = 0;  // minus microseconds since 1970
  ExternalId external;
  SourceId system;
  uint8_t kind = 0;
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "newest_first", "external", "system", "kind", "source"};
  auto Fields() const { return std::tie(type, hash, newest_first, external, system, kind, source); }
  auto Fields() { return std::tie(type, hash, newest_first, external, system, kind, source); }
};

struct SeenKey {
  uint8_t type = 0;
  Hash256 hash;
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "source"};
  auto Fields() const { return std::tie(type, hash, source); }
  auto Fields() { return std::tie(type, hash, source); }
};

// Every link has two rows, one from each side. The neighbours of an identifier come strong ones first.
struct NeighbourKey {
  uint8_t type = 0;
  Hash256 hash;
  uint8_t neighbour_type = 0;
  Hash256 neighbour_hash;
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "neighbour_type", "neighbour", "source"};
  auto Fields() const { return std::tie(type, hash, neighbour_type, neighbour_hash, source); }
  auto Fields() { return std::tie(type, hash, neighbour_type, neighbour_hash, source); }
};

inline constexpr store::Table<FactKey, rows::FactRow> kFacts(1, "facts");
inline constexpr store::Table<SeenKey, common::v1::Identifier> kSeen(2, "identifiers");
inline constexpr store::Table<NeighbourKey, rows::LinkRow> kNeighbours(3, "neighbours");

inline store::Schema CustomersSchema() { return store::Schema().Add(kFacts).Add(kSeen).Add(kNeighbours); }

// Each folds one fact into rows of its source slot; it reads none. DATA_LOSS when the event is none that this version knows
// or an identifier in it is not sealed.
absl::Status Project(store::Rows& view, const checkout::v1::OrderEvent& event, const partition::FactContext& context);
absl::Status Project(store::Rows& view, const v1::IdentityEvent& event, const partition::FactContext& context);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_PROJECTION_H_
