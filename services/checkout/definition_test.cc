// Tests of checkout's definition as the runtime uses it: timers reach their carts, and events their reactions.
#include "services/checkout/definition.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/partition/timers.h"
#include "libs/saga/saga.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/order/test_builders.h"

namespace halles::checkout {
namespace {

host::Definitions Defined() {
  host::Definitions definitions;
  Define(&definitions);
  return definitions;
}

// The number of requests that the reactions make from `event` of this type, recorded by aggregate "a".
size_t ReactionsTo(const host::Definitions& definitions, uint32_t type, const google::protobuf::Message& event) {
  const std::string payload = event.SerializeAsString();
  partition::FactContext context;
  context.aggregate_id = "a";
  size_t requests = 0;
  for (const projection::ReactionDefinition& reaction : definitions.reactions) {
    if (reaction.type != type || !projection::Handles(reaction.fields, payload)) continue;
    const absl::StatusOr<projection::Requests> made = reaction.react(payload, context);
    EXPECT_TRUE(made.ok()) << made.status();
    if (made.ok()) requests += made->size();
  }
  return requests;
}

// The record of the command when it is decided at `now`.
log::v1::Batch Decided(const partition::ServiceDefinition& service, std::unique_ptr<google::protobuf::Message> request,
                       uint32_t aggregate_type, const store::RowReader& state, UnixMicros now) {
  log::v1::Batch batch;
  const partition::CommandDefinition* definition = service.FindCommand(request->GetDescriptor()->full_name());
  EXPECT_NE(definition, nullptr);
  if (definition == nullptr) return batch;
  const std::string key = definition->KeyOf(*request);
  const std::unique_ptr<partition::Command> command =
      definition->Make(std::move(*request), key, "", [](const auto&, partition::AnswerPosition) {});
  EXPECT_EQ(command->envelope.aggregate, (partition::AggregateRef{aggregate_type, key}));
  partition::CommandContext context;
  context.now = now;
  EXPECT_TRUE(command->Decide(state, context).value());
  command->Record(&batch);
  return batch;
}

TEST(Define, AbandonsACartWhenItsTimerIsDue) {
  GivenCarts given;
  given.Record(Add("a", {CartLineOf("1")}));
  const host::Definitions definitions = Defined();
  const partition::ServiceDefinition& service = definitions.services.at(0);
  const UnixMicros due = given.Cart("a").abandon_us();
  const partition::TimerKey timer{due, "", kCart.type, "a", std::string(cart::kTimer)};
  const log::v1::Batch batch =
      Decided(service, service.Find(kCart.type)->on_timer(timer), kCart.type, given.rows(), due);
  ASSERT_EQ(batch.events_size(), 1);
  EXPECT_EQ(batch.events(0).aggregate_id(), "a");
  EXPECT_EQ(batch.events(0).type(), kCart.type);
  v1::CartEvent event;
  ASSERT_TRUE(event.ParseFromString(batch.events(0).payload()));
  EXPECT_TRUE(event.has_cart_abandoned());
}

TEST(Define, RecordsTheStartOfAnOrderForOrderAndCart) {
  order::GivenOrder given({CartLineOf("1")}, order::ShipFrom({"paris"}));
  const host::Definitions definitions = Defined();
  const log::v1::Batch batch =
      Decided(definitions.services.at(0), std::make_unique<v1::PlaceOrderRequest>(order::Place()), kOrder.type,
              given.rows(), given.now());
  ASSERT_EQ(batch.events_size(), 3);
  EXPECT_EQ(batch.events(0).type(), kOrder.type);
  EXPECT_EQ(batch.events(1).type(), kOrder.type);
  EXPECT_EQ(batch.events(2).type(), kCart.type);
  for (const log::v1::Event& event : batch.events()) EXPECT_EQ(event.aggregate_id(), kOrderId);
}

TEST(Define, RecordsAReturnForThePlacedOrImportedOrder) {
  const host::Definitions definitions = Defined();
  const partition::ServiceDefinition& service = definitions.services.at(0);
  const order::GivenOrder placed = order::HandedOver();
  auto request = std::make_unique<v1::ReturnLinesRequest>(TakeBack("r1", {BackOf("a", 1)}));
  EXPECT_EQ(Decided(service, std::move(request), kOrder.type, placed.rows(), placed.now()).events(0).type(),
            kOrder.type);
  GivenImports imported(kSlot);
  request = std::make_unique<v1::ReturnLinesRequest>(TakeBack("r1", {BackOf("1", 1)}));
  request->set_order_id(imported.Record(ImportOrder("536365", {Sold("a", "2")})).response().order_id());
  EXPECT_EQ(Decided(service, std::move(request), kOrder.type, imported.rows(), imported.now()).events(0).type(),
            kImport.type);
}

TEST(Define, SendsOutcomesToTheOrderThatCalled) {
  const host::Definitions definitions = Defined();
  std::vector<partition::CallOutcome> outcomes(2);
  outcomes[0].reply_to = {kOrder.type, "a"};
  outcomes[0].reply_tag = "a/1/s0";
  outcomes[0].kind = partition::CallOutcome::Kind::kSucceeded;
  outcomes[0].response = "held";
  outcomes[1].reply_to = {kOrder.type, "a"};
  outcomes[1].reply_tag = "a/1/s1";
  outcomes[1].kind = partition::CallOutcome::Kind::kRefused;
  outcomes[1].refusal = absl::FailedPreconditionError("too few");
  const auto made = definitions.services.at(0).Find(kOrder.type)->on_outcomes(outcomes);
  const auto& request = static_cast<const v1::RecordOutcomesRequest&>(*made);
  EXPECT_EQ(request.order_id(), "a");
  ASSERT_EQ(request.outcomes_size(), 2);
  EXPECT_EQ(request.outcomes(0).tag(), "a/1/s0");
  EXPECT_TRUE(request.outcomes(0).succeeded());
  EXPECT_EQ(request.outcomes(0).response(), "held");
  EXPECT_FALSE(request.outcomes(1).succeeded());
  EXPECT_EQ(saga::DecodeRefusal(request.outcomes(1).refusal()).message(), "too few");
}

TEST(Define, DerivesTheKeyOfAnImportedOrderFromItsExternalId) {
  const host::Definitions definitions = Defined();
  v1::ImportOrderRequest request;
  request.mutable_order()->mutable_external()->set_source("till");
  request.mutable_order()->mutable_external()->set_external_id("7");
  const partition::CommandDefinition* import =
      definitions.services.at(0).FindCommand(v1::ImportOrderRequest::descriptor()->full_name());
  ASSERT_NE(import, nullptr);
  EXPECT_EQ(import->KeyOf(request), imports::OrderIdOf("", request.order().external()).ToString());
}

TEST(Define, CallsReactionsOnlyForEventsThatTheyHandle) {
  const host::Definitions definitions = Defined();
  ASSERT_EQ(definitions.reactions.size(), 3u);
  v1::CartEvent event;
  event.mutable_cart_given()->set_into_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, kCart.type, event), 1u);
  event.mutable_cart_taken()->set_from_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, kCart.type, event), 1u);
  event.mutable_cart_declined()->set_from_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, kCart.type, event), 1u);
  event.mutable_cart_merge_undone()->set_from_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, kCart.type, event), 1u);
  EXPECT_EQ(ReactionsTo(definitions, kImport.type, ReturnImported(Record("C1", {Back("a", "2")}), "536365")), 1u);
  event.mutable_cart_lines_added();
  EXPECT_EQ(ReactionsTo(definitions, kCart.type, event), 0u);
}

}  // namespace
}  // namespace halles::checkout
