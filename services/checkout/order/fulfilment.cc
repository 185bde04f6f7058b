// The table of transitions, and its lookup.
#include "services/checkout/order/fulfilment.h"

namespace halles::checkout::order {
namespace {

constexpr unsigned kCarryOut = 1;
constexpr unsigned kPickup = 2;
constexpr unsigned kShipment = 4;
constexpr unsigned kAny = kCarryOut | kPickup | kShipment;

constexpr v1::FulfilmentState kReserved = v1::FULFILMENT_STATE_RESERVED;
constexpr v1::FulfilmentState kPrepared = v1::FULFILMENT_STATE_PREPARED;
constexpr v1::FulfilmentState kReady = v1::FULFILMENT_STATE_READY;
constexpr v1::FulfilmentState kCollected = v1::FULFILMENT_STATE_COLLECTED;
constexpr v1::FulfilmentState kShipped = v1::FULFILMENT_STATE_SHIPPED;
constexpr v1::FulfilmentState kCompleted = v1::FULFILMENT_STATE_COMPLETED;
constexpr v1::FulfilmentState kExpired = v1::FULFILMENT_STATE_EXPIRED;
constexpr v1::FulfilmentState kCancelled = v1::FULFILMENT_STATE_CANCELLED;

struct Rule {
  Move move;
  unsigned deliveries;
  v1::FulfilmentState from;
  v1::FulfilmentState to;
};

// All transitions that are allowed. A reroute returns to RESERVED, because the new location has to pick the goods
// again.
constexpr Rule kRules[] = {
    {Move::kPrepare, kAny, kReserved, kPrepared},
    {Move::kReady, kPickup, kReserved, kReady},
    {Move::kReady, kPickup, kPrepared, kReady},
    {Move::kCollect, kCarryOut, kReserved, kCollected},
    {Move::kCollect, kCarryOut, kPrepared, kCollected},
    {Move::kCollect, kPickup, kPrepared, kCollected},
    {Move::kCollect, kPickup, kReady, kCollected},
    {Move::kShip, kShipment, kReserved, kShipped},
    {Move::kShip, kShipment, kPrepared, kShipped},
    {Move::kComplete, kShipment, kShipped, kCompleted},
    {Move::kDelay, kAny, kReserved, kReserved},
    {Move::kDelay, kAny, kPrepared, kPrepared},
    {Move::kDelay, kPickup, kReady, kReady},
    {Move::kDelay, kShipment, kShipped, kShipped},
    {Move::kCancel, kAny, kReserved, kCancelled},
    {Move::kCancel, kAny, kPrepared, kCancelled},
    {Move::kCancel, kPickup, kReady, kCancelled},
    {Move::kReroute, kAny, kReserved, kReserved},
    {Move::kReroute, kAny, kPrepared, kReserved},
    {Move::kReroute, kPickup, kReady, kReserved},
    {Move::kExpire, kPickup, kReady, kExpired},
};

unsigned KindOf(const v1::Delivery& delivery) {
  switch (delivery.kind_case()) {
    case v1::Delivery::kCarryOut:
      return kCarryOut;
    case v1::Delivery::kPickup:
      return kPickup;
    case v1::Delivery::kShipment:
      return kShipment;
    case v1::Delivery::KIND_NOT_SET:
      break;
  }
  return 0;
}

}  // namespace

absl::string_view NameOf(Move move) {
  switch (move) {
    case Move::kPrepare:
      return "prepare";
    case Move::kReady:
      return "ready";
    case Move::kCollect:
      return "collect";
    case Move::kShip:
      return "ship";
    case Move::kComplete:
      return "complete";
    case Move::kDelay:
      return "delay";
    case Move::kCancel:
      return "cancel";
    case Move::kReroute:
      return "reroute";
    case Move::kExpire:
      return "expire";
  }
  return "";
}

std::optional<v1::FulfilmentState> After(Move move, const v1::Delivery& delivery, v1::FulfilmentState state) {
  for (const Rule& rule : kRules) {
    if (rule.move == move && rule.from == state && (rule.deliveries & KindOf(delivery)) != 0) return rule.to;
  }
  return std::nullopt;
}

bool IsOpen(v1::FulfilmentState state) { return state == kReserved || state == kPrepared || state == kReady; }
bool IsOver(v1::FulfilmentState state) { return IsDone(state) || state == kExpired || state == kCancelled; }
bool IsDone(v1::FulfilmentState state) { return state == kCollected || state == kCompleted; }

}  // namespace halles::checkout::order
