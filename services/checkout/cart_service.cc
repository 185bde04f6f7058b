// The methods of the door of carts: submit a command, wait for the other cart, or run a query.
#include "services/checkout/cart_service.h"

#include <optional>
#include <string>
#include <utility>

#include "halles/checkout/v1/cart_service.limits.h"
#include "libs/base/status.h"
#include "libs/base/token.h"
#include "libs/host/calls.h"
#include "libs/host/submit.h"
#include "services/checkout/cart/checks.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/cart/queries.h"
#include "services/checkout/checks.h"

namespace halles::checkout {
namespace {

// A token that covers the positions of both.
absl::StatusOr<std::string> Joined(const host::Host& host, const std::string& a, const std::string& b) {
  ASSIGN_OR_RETURN(TokenPositions positions, host.tokens().Read(a));
  ASSIGN_OR_RETURN(const TokenPositions others, host.tokens().Read(b));
  MergeToken(others, &positions);
  return host.tokens().Issue(positions);
}

// Answers a merge after the cart that gave its lines knows the result. The answer contains the cart that took them.
template <typename Reply>
void AnswerMerged(host::Host& host, const v1::MergeCartsRequest& request, const v1::MergeCartsResponse& begun,
                  MonotonicMicros deadline, Reply reply) {
  const OrderId from = OrderId::FromString(request.cart_id());
  const OrderId into = OrderId::FromString(request.into_cart_id());
  const auto settled = [from, merge = begun.merge()](
                           const store::RowReader& state, SlotId,
                           std::string token) -> absl::StatusOr<std::optional<v1::MergeCartsResponse>> {
    const std::optional<absl::Status> outcome = cart::MergeOutcome(state, from, merge);
    if (!outcome.has_value()) return std::optional<v1::MergeCartsResponse>();
    RETURN_IF_ERROR(*outcome);
    v1::MergeCartsResponse response;
    response.set_merge(merge);
    response.set_consistency_token(std::move(token));
    return std::optional<v1::MergeCartsResponse>(std::move(response));
  };
  const auto read_target = [&host, from, into, deadline, reply](absl::StatusOr<v1::MergeCartsResponse> merged) {
    if (!merged.ok()) {
      reply(merged.status());
      return;
    }
    host::ReadState<v1::MergeCartsResponse>(
        host, ServiceId::kCheckout, into.ToString(), "", deadline,
        [&host, from, into, merged = *std::move(merged)](
            const store::RowReader& state, SlotId, const std::string& token) -> absl::StatusOr<v1::MergeCartsResponse> {
          v1::MergeCartsResponse response = merged;
          ASSIGN_OR_RETURN(*response.mutable_cart(), cart::FindTaking(state, into, from, merged.merge()));
          ASSIGN_OR_RETURN(*response.mutable_consistency_token(), Joined(host, merged.consistency_token(), token));
          return response;
        },
        reply);
  };
  reply.OnlyWaits();
  host::ReadStateWhen<v1::MergeCartsResponse>(host, ServiceId::kCheckout, from.ToString(), begun.consistency_token(),
                                              deadline, settled, read_target);
}

// Answers the undo of a merge after the other cart has its lines back.
template <typename Reply>
void AnswerUndone(host::Host& host, const v1::UndoMergeCartsRequest& request, v1::UndoMergeCartsResponse undone,
                  MonotonicMicros deadline, Reply reply) {
  const OrderId from = OrderId::FromString(request.from_cart_id());
  const auto reopened = [&host, from, undone = std::move(undone)](
                            const store::RowReader& state, SlotId,
                            const std::string& token) -> absl::StatusOr<std::optional<v1::UndoMergeCartsResponse>> {
    if (!cart::MergeIsUndone(state, from, undone.merge())) return std::optional<v1::UndoMergeCartsResponse>();
    std::optional<v1::UndoMergeCartsResponse> response = undone;
    ASSIGN_OR_RETURN(*response->mutable_consistency_token(), Joined(host, undone.consistency_token(), token));
    return response;
  };
  host::ReadStateWhen<v1::UndoMergeCartsResponse>(host, ServiceId::kCheckout, from.ToString(), "", deadline, reopened,
                                                  reply);
}

}  // namespace

CartDoor::CartDoor(host::Host* host, telemetry::Metrics* metrics)
    : host_(*host), door_(v1::CartService::service_full_name(), host->clock(), metrics) {}

grpc::ServerUnaryReactor* CartDoor::AddCartLines(grpc::CallbackServerContext* context,
                                                 const v1::AddCartLinesRequest* request,
                                                 v1::AddCartLinesResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::AddCartLinesResponse>(host_));
}

grpc::ServerUnaryReactor* CartDoor::ChangeCartLine(grpc::CallbackServerContext* context,
                                                   const v1::ChangeCartLineRequest* request,
                                                   v1::ChangeCartLineResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::ChangeCartLineResponse>(host_));
}

grpc::ServerUnaryReactor* CartDoor::SetCartDelivery(grpc::CallbackServerContext* context,
                                                    const v1::SetCartDeliveryRequest* request,
                                                    v1::SetCartDeliveryResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::SetCartDeliveryResponse>(host_));
}

grpc::ServerUnaryReactor* CartDoor::SetCartCustomer(grpc::CallbackServerContext* context,
                                                    const v1::SetCartCustomerRequest* request,
                                                    v1::SetCartCustomerResponse* response) {
  return door_.Command(context, request, response, host::SubmitTo<v1::SetCartCustomerResponse>(host_));
}

grpc::ServerUnaryReactor* CartDoor::MergeCarts(grpc::CallbackServerContext* context,
                                               const v1::MergeCartsRequest* request, v1::MergeCartsResponse* response) {
  return door_.Command(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    return host::Submit<v1::MergeCartsResponse>(
        host_, asked, call,
        [this, asked, deadline = call.deadline, reply](const absl::StatusOr<v1::MergeCartsResponse>& begun) {
          if (begun.ok()) {
            AnswerMerged(host_, asked, *begun, deadline, reply);
          } else {
            reply(begun);
          }
        });
  });
}

grpc::ServerUnaryReactor* CartDoor::UndoMergeCarts(grpc::CallbackServerContext* context,
                                                   const v1::UndoMergeCartsRequest* request,
                                                   v1::UndoMergeCartsResponse* response) {
  return door_.Command(context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) {
    return host::Submit<v1::UndoMergeCartsResponse>(
        host_, asked, call,
        [this, asked, deadline = call.deadline, reply](absl::StatusOr<v1::UndoMergeCartsResponse> undone) {
          if (undone.ok()) {
            AnswerUndone(host_, asked, *std::move(undone), deadline, reply);
          } else {
            reply(std::move(undone));
          }
        });
  });
}

grpc::ServerUnaryReactor* CartDoor::GetCart(grpc::CallbackServerContext* context, const v1::GetCartRequest* request,
                                            v1::GetCartResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        RETURN_IF_ERROR(CheckCartId("cart_id", asked.cart_id()));
        const OrderId cart = OrderId::FromString(asked.cart_id());
        host::ReadState<v1::GetCartResponse>(
            host_, ServiceId::kCheckout, cart.ToString(), asked.consistency_token(), call.deadline,
            [cart](const store::RowReader& state, SlotId, std::string token) -> absl::StatusOr<v1::GetCartResponse> {
              v1::GetCartResponse found;
              ASSIGN_OR_RETURN(*found.mutable_cart(), cart::FindCart(state, cart));
              found.set_consistency_token(std::move(token));
              return found;
            },
            reply);
        return absl::OkStatus();
      });
}

}  // namespace halles::checkout
