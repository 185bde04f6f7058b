// Tests of what the runtime makes of checkout's definition: timers find their carts, reactions their facts.
#include "services/checkout/definition.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/partition/timers.h"
#include "services/checkout/cart/test_builders.h"

namespace halles::checkout {
namespace {

host::Definitions Defined() {
  host::Definitions definitions;
  Define(&definitions);
  return definitions;
}

// Which facts of `event`, recorded by cart "a", lead to how many requests.
size_t ReactionsTo(const host::Definitions& definitions, const v1::OrderEvent& event) {
  const std::string payload = event.SerializeAsString();
  partition::FactContext context;
  context.aggregate_id = "a";
  std::vector<projection::Reaction> reactions;
  for (const projection::ReactionDefinition& part : definitions.reactions.at(0).Parts()) {
    bool wanted = false;
    for (const int field : part.fields) wanted = wanted || field == projection::FirstFieldOf(payload);
    if (!wanted) continue;
    EXPECT_TRUE(part.react(payload, context, &reactions).ok());
  }
  return reactions.size();
}

TEST(Define, LetsTheTimerOfACartAbandonIt) {
  GivenCarts given;
  given.Record(Add("a", {CartLineOf("1")}));
  const partition::TimerKey timer{given.Cart("a").abandon_us(), cart::TimerKey(OrderId::FromString("a"), cart::kTimer)};
  const std::unique_ptr<partition::Command> command =
      Defined().services.at(0).on_timer(timer, [](const absl::Status&) {});
  partition::CommandContext context;
  context.now = timer.due_us;
  ASSERT_EQ(command->Decide(given.rows(), context).value(), true);
  log::v1::Batch batch;
  command->Record(&batch);
  ASSERT_EQ(batch.events_size(), 1);
  EXPECT_EQ(batch.events(0).aggregate_id(), "a");
  v1::OrderEvent event;
  ASSERT_TRUE(event.ParseFromString(batch.events(0).payload()));
  EXPECT_TRUE(event.has_cart_abandoned());
}

TEST(Define, AsksReactionsOnlyAboutFactsThatTheyFollow) {
  const host::Definitions definitions = Defined();
  ASSERT_EQ(definitions.reactions.size(), 1u);
  v1::OrderEvent event;
  event.mutable_cart_given()->set_into_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, event), 1u);
  event.mutable_cart_taken()->set_from_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, event), 1u);
  event.mutable_cart_declined()->set_from_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, event), 1u);
  event.mutable_cart_merge_undone()->set_from_cart_id("b");
  EXPECT_EQ(ReactionsTo(definitions, event), 1u);
  EXPECT_EQ(ReactionsTo(definitions, ReturnImported(Record("C1", {Back("a", "2")}), "536365")), 1u);
  event.mutable_cart_lines_added();
  EXPECT_EQ(ReactionsTo(definitions, event), 0u);
}

}  // namespace
}  // namespace halles::checkout
