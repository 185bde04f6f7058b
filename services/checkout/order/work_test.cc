// Tests of the work queue: which parts of orders need attention, from when, and until when.
#include "services/checkout/order/work.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "services/checkout/order/test_builders.h"

namespace halles::checkout::order {
namespace {

namespace stock = inventory::v1;

constexpr SlotId kStockSlot{ServiceId::kInventory, 3};

// The view of one order, whose events are projected as they are recorded, and of events of inventory.
class GivenWork {
 public:
  explicit GivenWork(GivenOrder order) : order_(std::move(order)) {}

  template <class Command>
  void Record(const Command& command) {
    Project(order_.Record(command).facts());
  }
  void Place(const v1::Delivery& delivery) {
    order_ = GivenOrder({CartLineOf("a", 3, "3.333", "shoe")}, delivery);
    Record(order::Place());
  }
  // Answers the saga until it ends.
  void AnswerAll() {
    while (order_.Saga().steps_size() > 0) {
      const saga::v1::Saga saga = order_.Saga();
      for (int i = 0; i < saga.steps_size(); ++i) {
        const saga::v1::Step& step = saga.plan().steps(i);
        const std::string tag = saga.plan().saga_id() + "/" + step.name();
        if (saga.steps(i).state() == saga::v1::STEP_STATE_SENT) {
          Project(order_.Succeed(tag, GivenOrder::ResponseTo(step, 1)).facts());
        } else if (saga.steps(i).state() == saga::v1::STEP_STATE_CANCEL_SENT) {
          Project(order_.Succeed(tag + "/cancel", "").facts());
        }
      }
    }
  }
  // The next time that its saga set comes.
  void AwaitSagaTimer() {
    order_.Wait(saga::NextDue(order_.Saga()) - order_.now());
    Project(order_.TimerDue("saga").facts());
  }
  void Refuse(const std::string& tag, const absl::Status& refusal) { Project(order_.Refuse(tag, refusal).facts()); }

  void Tell(const stock::StockEvent& event) {
    partition::FactContext context;
    context.slot = kStockSlot;
    context.position = next_++;
    context.logical_time = order_.now();
    context.aggregate_id = "shoe";
    EXPECT_TRUE(ProjectStock(view_, event, context).ok());
  }

  // One line per item, such as "LATE c-1 f1@paris", `later` microseconds from now.
  std::string List(int64_t later = 0, const v1::ListWorkQueueRequest& request = {}) const {
    std::string text;
    const auto page = QueryWork(view_, request, order_.now() + later);
    EXPECT_TRUE(page.ok()) << page.status();
    for (const v1::WorkItem& item : page->items()) {
      absl::StrAppend(&text, v1::WorkKind_Name(item.kind()).substr(10), " ", item.order_id(), " ", item.fulfilment_id(),
                      "@", item.location_id(), "\n");
    }
    return text;
  }
  const store::MemoryRows& view() const { return view_; }
  GivenOrder& order() { return order_; }

 private:
  template <class Facts>
  void Project(const Facts& facts) {
    partition::FactContext context;
    context.slot = kSlot;
    context.position = next_++;
    context.logical_time = order_.now();
    for (const auto& fact : facts) {
      context.aggregate_id = fact.aggregate_id;
      if (const auto* event = std::get_if<v1::OrderEvent>(&fact.event)) {
        EXPECT_TRUE(ProjectWork(view_, *event, context).ok());
      }
      ++context.index;
    }
  }

  GivenOrder order_;
  store::MemoryRows view_;
  Position next_ = 0;
};

GivenWork GivenPlaced(const v1::Delivery& delivery) {
  GivenWork given{GivenOrder()};
  given.Place(delivery);
  given.AnswerAll();
  return given;
}

stock::StockEvent Broken(const std::string& location, const std::vector<std::string>& holds) {
  stock::StockEvent event;
  event.mutable_promise_broken()->set_location_id(location);
  event.mutable_promise_broken()->set_short_units(2);
  for (const std::string& hold : holds) event.mutable_promise_broken()->add_hold_ids(hold);
  return event;
}
stock::StockEvent Contradicted(const std::string& hold, const std::string& order) {
  stock::StockEvent event;
  event.mutable_stock_contradicted()->set_hold_id(hold);
  event.mutable_stock_contradicted()->set_order_id(order);
  event.mutable_stock_contradicted()->set_cause("the hold has ended");
  return event;
}

TEST(Work, IsStuckWhenPlacementTakesTooLong) {
  GivenWork given{GivenOrder()};
  given.Place(ShipFrom({"paris"}));
  EXPECT_EQ(given.List(kStuckAfterMicros - 1), "");
  EXPECT_EQ(given.List(kStuckAfterMicros), "STUCK c-1 @\n");
  given.AnswerAll();
  EXPECT_EQ(given.List(kStuckAfterMicros), "");
}

TEST(Work, SaysThatNobodyAnswersAStuckSaga) {
  GivenWork given{GivenOrder()};
  given.Place(ShipFrom({"paris"}));
  const auto cause = [&](int64_t later) {
    const auto page = QueryWork(given.view(), {}, given.order().now() + later);
    EXPECT_TRUE(page.ok()) << page.status();
    return page->items_size() == 1 ? page->items(0).cause() : "";
  };
  while (given.order().Saga().attempt() < saga::kRecordedRetries) given.AwaitSagaTimer();
  EXPECT_EQ(cause(kStuckAfterMicros),
            "is being placed; nobody answers its calls, which are sent again until somebody does");
  // It gives up, and then its cancels are not answered either.
  given.AwaitSagaTimer();
  EXPECT_EQ(cause(kStuckAfterMicros), "is being undone: it took too long");
  while (given.order().Saga().attempt() < saga::kRecordedRetries) given.AwaitSagaTimer();
  EXPECT_EQ(cause(kStuckAfterMicros),
            "is being undone: it took too long; nobody answers its calls, which are sent again until somebody does");
  EXPECT_EQ(cause(kSagaLifeMicros),
            "is being undone: it took too long; it is too old for its calls to be executed and does not end by itself");
  given.AnswerAll();
  EXPECT_EQ(given.List(kSagaLifeMicros), "");
}

TEST(Work, IsLateAfterThePromisedTime) {
  v1::Delivery delivery = ShipFrom({"paris"});
  *delivery.mutable_shipment()->mutable_promised_time() = Day(2023, 12, 1);
  GivenWork given = GivenPlaced(delivery);
  EXPECT_EQ(given.List(), "");
  constexpr int64_t kMonth = int64_t{31} * 24 * 3600 * 1'000'000;
  EXPECT_EQ(given.List(kMonth), "LATE c-1 f1@paris\n");
  given.Record(OfFulfilment<v1::ShipFulfilmentRequest>("f1"));
  EXPECT_EQ(given.List(kMonth), "LATE c-1 f1@paris\n");
  given.Record(OfFulfilment<v1::CompleteFulfilmentRequest>("f1"));
  EXPECT_EQ(given.List(kMonth), "");
  EXPECT_EQ(given.view().size(), 0u);
}

TEST(Work, IsLateWhenPromisedForTheEarliestTime) {
  v1::Delivery delivery = ShipFrom({"paris"});
  delivery.mutable_shipment()->mutable_promised_time();  // 1970-01-01T00:00:00Z, a valid time
  GivenWork given = GivenPlaced(delivery);
  EXPECT_EQ(given.List(), "LATE c-1 f1@paris\n");
  given.Record(MoveTo("f1", "lyon"));
  given.AnswerAll();
  EXPECT_EQ(given.List(), "LATE c-1 f1@lyon\n");
  given.Record(OfFulfilment<v1::CancelFulfilmentRequest>("f1"));
  EXPECT_EQ(given.view().size(), 0u);
}

TEST(Work, IsLateAfterAReportedDelay) {
  GivenWork given = GivenPlaced(ShipFrom({"paris"}));
  v1::DelayFulfilmentRequest delay = OfFulfilment<v1::DelayFulfilmentRequest>("f1");
  delay.set_cause("snow");
  given.Record(delay);
  EXPECT_EQ(given.List(), "LATE c-1 f1@paris\n");
  EXPECT_EQ(QueryWork(given.view(), {}, given.order().now())->items(0).cause(), "snow");
  given.Record(MoveTo("f1", "lyon"));
  given.AnswerAll();
  EXPECT_EQ(given.List(), "LATE c-1 f1@lyon\n");
  given.Record(Of<v1::CancelOrderRequest>());
  EXPECT_EQ(given.List(), "");
}

TEST(Work, IsContradictoryWhenItsGoodsAreMissing) {
  GivenWork given = GivenPlaced(ShipFrom({"paris"}));
  given.Tell(Broken("paris", {"c-1/1", "cart-hold", "c-2/1"}));
  EXPECT_EQ(given.List(), "CONTRADICTORY c-1 f1@paris\n");
  given.Tell(Broken("lyon", {"c-1/1"}));
  EXPECT_EQ(given.List(), "CONTRADICTORY c-1 f1@paris\n");
  stock::StockEvent moved;
  moved.mutable_hold_moved()->set_hold_id("c-1/1");
  moved.mutable_hold_moved()->add_from()->set_location_id("paris");
  given.Tell(moved);
  EXPECT_EQ(given.List(), "");
}

TEST(Work, IsContradictoryWhenAnEventContradictsTheStock) {
  GivenWork given = GivenPlaced(ShipFrom({"paris"}));
  given.Tell(Contradicted("c-1/1", "c-1"));
  given.Tell(Contradicted("c-9/1", "c-9"));
  EXPECT_EQ(given.List(), "CONTRADICTORY c-1 f1@paris\nCONTRADICTORY c-9 @\n");
  EXPECT_EQ(given.List(kContradictedForMicros), "CONTRADICTORY c-1 f1@paris\n");
}

TEST(Work, SaysWhyASagaIsUndone) {
  GivenWork given{GivenOrder()};
  given.Place(ShipFrom({"paris"}));
  given.Refuse("c-1/1/s0", Insufficient("0", "0"));
  const auto page = QueryWork(given.view(), {}, given.order().now() + kStuckAfterMicros);
  ASSERT_EQ(page->items_size(), 1);
  EXPECT_NE(page->items(0).cause().find("is being undone"), std::string::npos) << page->items(0).cause();
}

TEST(Work, IsListedOldestFirstInPages) {
  GivenWork given = GivenPlaced(ShipFrom({"paris"}));
  v1::DelayFulfilmentRequest delay = OfFulfilment<v1::DelayFulfilmentRequest>("f1");
  delay.set_cause("snow");
  given.Record(delay);
  for (int i = 0; i < 5; ++i) {
    given.order().Wait(1);
    given.Tell(Contradicted("c-9/" + std::to_string(i), "c-9"));
  }
  v1::ListWorkQueueRequest request;
  request.set_page_size(2);
  std::string orders;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = QueryWork(given.view(), request, given.order().now());
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::WorkItem& item : page->items()) orders += item.order_id() + " ";
    request.set_page_token(page->next_page_token());
    if (page->next_page_token().empty()) break;
  }
  EXPECT_EQ(orders, "c-1 c-9 c-9 c-9 c-9 c-9 ");
  request.clear_page_token();
  request.clear_page_size();
  request.set_kind(v1::WORK_KIND_LATE);
  EXPECT_EQ(given.List(0, request), "LATE c-1 f1@paris\n");
  request.set_location_id("lyon");
  EXPECT_EQ(given.List(0, request), "");
}

TEST(Work, RefusesAForeignPageToken) {
  const store::MemoryRows view;
  v1::ListWorkQueueRequest request;
  request.set_page_token("none");
  EXPECT_EQ(QueryWork(view, request, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace halles::checkout::order
