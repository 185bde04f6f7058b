// Tests of the queries of customer identity: the one view, its timeline, candidates and watches.
#include "services/customer_identity/queries.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> EventsOf(const v1::Amount& amount) { return {amount.events().begin(), amount.events().end()}; }

std::vector<std::string> ExternalIdsOf(const google::protobuf::RepeatedPtrField<v1::TimelineEntry>& entries) {
  std::vector<std::string> ids;
  for (const v1::TimelineEntry& entry : entries) ids.push_back(entry.external().external_id());
  return ids;
}

v1::ListTimelineRequest Page(const v1::CustomerName& name, int page_size, const std::string& token = "") {
  v1::ListTimelineRequest request;
  *request.mutable_customer() = name;
  request.set_page_size(page_size);
  request.set_page_token(token);
  return request;
}

// Ann buys in two shops and on the web, returns something, and is known by a number and an e-mail address.
GivenCustomers Ann() {
  GivenCustomers given;
  given.Happens(
      Order({.id = "1", .identifiers = {Customer("a")}, .pence = 100, .minute = 1, .site = "shop-2", .lines = 2}));
  given.Happens(
      Order({.id = "2", .identifiers = {Customer("a"), Email("m")}, .pence = 200, .minute = 2, .site = "shop-1"}));
  given.Happens(Order({.id = "3",
                       .identifiers = {Email("m")},
                       .pence = 400,
                       .minute = 3,
                       .channel = common::v1::CHANNEL_WEB,
                       .site = "web"}));
  given.Happens(Return({.id = "C2", .identifiers = {Customer("a")}, .pence = -50, .minute = 4, .site = "shop-1"}));
  given.Happens(Order({.id = "x", .identifiers = {Customer("b")}, .pence = 9999, .minute = 5}));
  return given;
}

TEST(CustomerView, ShowsAllChannelsForAnyIdentifier) {
  const GivenCustomers given = Ann();
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  EXPECT_EQ(view.party_id(), IdOf(Customer("a")).ToString());
  EXPECT_EQ(view.orders(), 3);
  EXPECT_EQ(view.returns(), 1);
  EXPECT_EQ(view.lines(), 5);
  ASSERT_EQ(view.net_size(), 1);
  EXPECT_EQ(view.net(0).money().minor_units(), 650);
  EXPECT_EQ(view.net(0).event_count(), 4);
  EXPECT_THAT(EventsOf(view.net(0)), ElementsAre("checkout/17@3#0"));
  EXPECT_THAT(view.sites(), ElementsAre("shop-1", "shop-2", "web"));
  EXPECT_EQ(view.first_purchase().event(), "checkout/17@0#0");
  EXPECT_EQ(view.last_purchase().event(), "checkout/17@2#0");
  EXPECT_EQ(view.identifiers_size(), 2);
  EXPECT_EQ(view.identifiers(0).issuer(), "uci");
  EXPECT_EQ(given.ViewOf(Named(Email("m"))).DebugString(), view.DebugString());
}

TEST(CustomerView, SplitsByChannelAndSiteInThatOrder) {
  const v1::CustomerView view = Ann().ViewOf(Named(Customer("a")));
  ASSERT_EQ(view.places_size(), 3);
  EXPECT_EQ(view.places(0).site_id(), "shop-1");
  EXPECT_EQ(view.places(0).orders(), 1);
  EXPECT_EQ(view.places(0).returns(), 1);
  EXPECT_EQ(view.places(0).net(0).money().minor_units(), 150);
  EXPECT_EQ(view.places(1).site_id(), "shop-2");
  EXPECT_EQ(view.places(2).channel(), common::v1::CHANNEL_WEB);
}

TEST(CustomerView, NamesEveryEventNewestFirstWhenRequested) {
  const v1::CustomerView view = Ann().ViewOf(Named(Customer("a")), /*include_events=*/true);
  EXPECT_THAT(EventsOf(view.net(0)),
              ElementsAre("checkout/17@3#0", "checkout/17@2#0", "checkout/17@1#0", "checkout/17@0#0"));
  EXPECT_THAT(EventsOf(view.places(0).net(0)), ElementsAre("checkout/17@3#0", "checkout/17@1#0"));
}

TEST(CustomerView, KeepsCurrenciesApart) {
  GivenCustomers given;
  given.Happens(Order({.id = "1", .identifiers = {Customer("a")}, .pence = 100}));
  given.Happens(Order({.id = "2", .identifiers = {Customer("a")}, .pence = 7, .currency = "EUR"}));
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  ASSERT_EQ(view.net_size(), 2);
  EXPECT_EQ(view.net(0).money().currency_code(), "EUR");
  EXPECT_EQ(view.net(1).money().minor_units(), 100);
}

TEST(CustomerView, IncludesAllFactsOnceAfterAJoin) {
  GivenCustomers given = Ann();
  EXPECT_EQ(given.ViewOf(Named(Customer("b"))).orders(), 1);
  given.Happens(Order({.id = "4", .identifiers = {Customer("a"), Customer("b")}, .pence = 1, .minute = 6}));
  EXPECT_EQ(given.ViewOf(Named(Customer("b"))).orders(), 5);
  EXPECT_EQ(given.ViewOf(Named(Customer("b"))).net(0).money().minor_units(), 10650);
}

TEST(CustomerView, IsFoundByBothPartyIdsAfterAJoin) {
  GivenCustomers given = Ann();
  given.Happens(Order({.id = "4", .identifiers = {Customer("a"), Customer("b")}}));
  for (const auto& identifier : {Customer("a"), Customer("b"), Email("m")}) {
    EXPECT_EQ(given.ViewOf(Named(IdOf(identifier))).party_id(), IdOf(Customer("a")).ToString());
  }
}

TEST(CustomerView, KeepsAFamilyAndTheirSharedPhoneApart) {
  GivenCustomers given;
  given.Happens(Order({.id = "1", .identifiers = {Customer("a"), Phone("p")}, .pence = 1}));
  given.Happens(Order({.id = "2", .identifiers = {Phone("p")}, .pence = 10}));
  EXPECT_EQ(given.ViewOf(Named(Phone("p"))).net(0).money().minor_units(), 11);
  given.Happens(Order({.id = "3", .identifiers = {Customer("b"), Phone("p")}, .pence = 100}));
  const v1::CustomerView a = given.ViewOf(Named(Customer("a")));
  EXPECT_EQ(a.net(0).money().minor_units(), 1);
  ASSERT_EQ(a.shared_identifiers_size(), 1);
  EXPECT_EQ(a.shared_identifiers(0).type(), common::v1::IDENTIFIER_TYPE_PHONE);
  EXPECT_EQ(given.ViewOf(Named(Customer("b"))).net(0).money().minor_units(), 100);
  EXPECT_EQ(given.ViewOf(Named(Phone("p"))).net(0).money().minor_units(), 10);
}

TEST(CustomerView, CountsAReturnThatIsLinkedToItsOrder) {
  GivenCustomers given = Ann();
  given.Happens(LinkedTo(Email("m"), {.id = "C9", .pence = -30, .minute = 7}));
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).returns(), 2);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).net(0).money().minor_units(), 620);
}

TEST(CustomerView, ShowsAnOrderBeforeTheGraphHasItsIdentifiers) {
  GivenCustomers given;
  given.Project(Order({"1", {Customer("a"), Phone("p")}}), 17, 0);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).orders(), 1);
  EXPECT_EQ(given.ViewOf(Named(IdOf(Customer("a")))).orders(), 1);
  EXPECT_EQ(ReasonOf(ResolveParty(given.view(), Named(Phone("p"))).status()), "CUSTOMER_UNKNOWN");
}

TEST(CustomerView, FailsWhenASumOverflows) {
  GivenCustomers given;
  for (const std::string id : {"1", "2"})
    given.Happens(Order({.id = id, .identifiers = {Customer("a")}, .pence = INT64_MAX}));
  const Party party = ResolveParty(given.view(), Named(Customer("a"))).value();
  EXPECT_EQ(BuildCustomerView(given.view(), party, false).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(CustomerView, FailsBeyondTheMaximumNumberOfEvents) {
  GivenCustomers given;
  for (size_t i = 0; i <= kViewEventsMax / 2; ++i) {
    given.Project(Order({.id = std::to_string(i), .identifiers = {Customer("a")}}), 17, i);
  }
  const Party party = ResolveParty(given.view(), Named(Customer("a"))).value();
  EXPECT_EQ(BuildCustomerView(given.view(), party, false)->orders(), 5001);
  EXPECT_EQ(ReasonOf(BuildCustomerView(given.view(), party, true).status()), "TOO_MANY_EVENTS");
}

TEST(ResolveParty, RefusesInvalidAndUnknownNames) {
  const GivenCustomers given = Ann();
  const auto status = [&](const v1::CustomerName& name) { return ResolveParty(given.view(), name).status(); };
  EXPECT_EQ(MetadataOf(status({}), "field"), "customer");
  EXPECT_EQ(MetadataOf(status(Named(PartyId::FromString("ann"))), "field"), "customer.party_id");
  common::v1::Identifier clear = Customer("a");
  clear.set_value("17850");
  EXPECT_EQ(MetadataOf(status(Named(clear)), "field"), "customer.identifier.value");
  EXPECT_EQ(status(Named(Customer("nobody"))).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status(Named(IdOf(Phone("nobody"))))), "CUSTOMER_UNKNOWN");
}

TEST(ListTimeline, ListsEntriesNewestFirstWithTheirEvents) {
  const auto page = ListTimeline(Ann().view(), Page(Named(Customer("a")), 0)).value();
  EXPECT_THAT(ExternalIdsOf(page.entries()), ElementsAre("C2", "3", "2", "1"));
  EXPECT_EQ(page.next_page_token(), "");
  EXPECT_EQ(page.entries(0).kind(), v1::TIMELINE_KIND_RETURN);
  EXPECT_EQ(page.entries(0).event(), "checkout/17@3#0");
  EXPECT_EQ(page.entries(0).id(), "ret-C2");
  EXPECT_EQ(page.entries(3).lines(), 2);
}

TEST(ListTimeline, PagesThroughAllIdentifiersWithoutGapsOrDuplicates) {
  GivenCustomers given;
  given.Observe({Customer("a"), Email("m"), Phone("p")});
  for (int i = 0; i < 40; ++i) {
    const Identifiers who = i % 3 == 0   ? Identifiers{Customer("a")}
                            : i % 3 == 1 ? Identifiers{Email("m")}
                                         : Identifiers{Phone("p")};
    given.Happens(Order({.id = std::to_string(100 + i), .identifiers = who, .minute = i / 4}));
  }
  const auto all = ListTimeline(given.view(), Page(Named(Email("m")), 500)).value();
  ASSERT_EQ(all.entries_size(), 40);
  for (int i = 1; i < 40; ++i) {
    const auto& before = all.entries(i - 1);
    const auto& after = all.entries(i);
    ASSERT_TRUE(before.time().seconds() > after.time().seconds() ||
                (before.time().seconds() == after.time().seconds() &&
                 before.external().external_id() < after.external().external_id()));
  }
  for (const int size : {1, 7, 39, 40}) {
    std::vector<std::string> paged;
    std::string token;
    do {
      const auto page = ListTimeline(given.view(), Page(Named(Email("m")), size, token)).value();
      EXPECT_LE(page.entries_size(), size);
      for (const std::string& id : ExternalIdsOf(page.entries())) paged.push_back(id);
      token = page.next_page_token();
    } while (!token.empty() && paged.size() <= 40);
    EXPECT_EQ(paged, ExternalIdsOf(all.entries())) << size;
  }
}

TEST(ListTimeline, ContinuesWhereItStoppedWhenNewerEntriesArrive) {
  GivenCustomers given = Ann();
  const auto first = ListTimeline(given.view(), Page(Named(Customer("a")), 2)).value();
  given.Happens(Order({.id = "9", .identifiers = {Customer("a")}, .minute = 9}));
  const auto second = ListTimeline(given.view(), Page(Named(Customer("a")), 2, first.next_page_token())).value();
  EXPECT_THAT(ExternalIdsOf(second.entries()), ElementsAre("2", "1"));
}

TEST(ListTimeline, RefusesForeignPageTokens) {
  const GivenCustomers given = Ann();
  const std::string token = ListTimeline(given.view(), Page(Named(Customer("a")), 1))->next_page_token();
  const auto field = [&](const v1::ListTimelineRequest& request) {
    return MetadataOf(ListTimeline(given.view(), request).status(), "field");
  };
  EXPECT_EQ(field(Page(Named(Customer("b")), 1, token)), "page_token");
  EXPECT_EQ(field(Page(Named(Customer("a")), 1, "x" + token)), "page_token");
  EXPECT_EQ(ListTimeline(given.view(), Page(Named(Customer("a")), 5000))->entries_size(), 4);
}

TEST(FindCandidates, NamesTheOwnerOfAnIdentifier) {
  const auto candidates = FindCandidates(Ann().view(), Email("m")).value();
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_EQ(candidates[0].party_id(), IdOf(Customer("a")).ToString());
  EXPECT_EQ(candidates[0].strength(), common::v1::EVIDENCE_STRENGTH_STRONG);
  EXPECT_EQ(candidates[0].identifiers_size(), 2);
}

TEST(FindCandidates, NamesAllPartiesThatShareAPhone) {
  const GivenCustomers given({{Customer("b"), Phone("p")}, {Customer("a"), Phone("p")}});
  const auto candidates = FindCandidates(given.view(), Phone("p")).value();
  ASSERT_EQ(candidates.size(), 3u);
  EXPECT_EQ(candidates[0].party_id(), IdOf(Phone("p")).ToString());
  EXPECT_EQ(candidates[0].strength(), common::v1::EVIDENCE_STRENGTH_STRONG);
  EXPECT_EQ(candidates[1].party_id(), IdOf(Customer("a")).ToString());
  EXPECT_EQ(candidates[1].strength(), common::v1::EVIDENCE_STRENGTH_WEAK);
  EXPECT_EQ(candidates[2].party_id(), IdOf(Customer("b")).ToString());
}

TEST(FindCandidates, IsEmptyForAnUnknownIdentifier) {
  EXPECT_TRUE(FindCandidates(Ann().view(), Phone("p"))->empty());
  EXPECT_EQ(MetadataOf(FindCandidates(Ann().view(), {}).status(), "field"), "identifier.type");
}

TEST(Watch, BeginsWithASnapshot) {
  const GivenCustomers given = Ann();
  const auto update = Snapshot(given.view(), Named(Email("m"))).value();
  EXPECT_EQ(update.snapshot().DebugString(), given.ViewOf(Named(Customer("a"))).DebugString());
  EXPECT_EQ(ReasonOf(Snapshot(given.view(), Named(Email("nobody"))).status()), "CUSTOMER_UNKNOWN");
}

TEST(Watch, SendsNothingWhenNothingIsNew) {
  GivenCustomers given = Ann();
  EXPECT_FALSE(NextUpdate(given.view(), Named(Customer("a")), given.Seen())->has_value());
  const TokenPositions seen = given.Seen();
  given.Happens(Order({.id = "y", .identifiers = {Customer("b")}}));
  EXPECT_FALSE(NextUpdate(given.view(), Named(Customer("a")), seen)->has_value());
}

TEST(Watch, SendsNewEntriesOldestFirstWithTheView) {
  GivenCustomers given = Ann();
  const TokenPositions seen = given.Seen();
  given.Happens(Order({.id = "5", .identifiers = {Email("m")}, .pence = 1, .minute = 50}));
  given.Happens(Order({.id = "4", .identifiers = {Customer("a")}, .pence = 1, .minute = 40}));
  const auto update = NextUpdate(given.view(), Named(Customer("a")), seen).value();
  ASSERT_TRUE(update.has_value() && update->has_change());
  EXPECT_THAT(ExternalIdsOf(update->change().entries()), ElementsAre("4", "5"));
  EXPECT_EQ(update->change().view().orders(), 5);
  EXPECT_EQ(update->change().view().net(0).money().minor_units(), 652);
}

TEST(Watch, SendsASnapshotWhenIdentifiersAreJoined) {
  GivenCustomers given = Ann();
  const TokenPositions seen = given.Seen();
  given.Happens(Order({.id = "4", .identifiers = {Customer("a"), Customer("b")}}));
  const auto update = NextUpdate(given.view(), Named(Customer("a")), seen).value();
  ASSERT_TRUE(update.has_value() && update->has_snapshot());
  EXPECT_EQ(update->snapshot().orders(), 5);
}

TEST(Watch, SendsASnapshotWhenAPhoneBecomesShared) {
  GivenCustomers given;
  given.Happens(Order({.id = "1", .identifiers = {Customer("a"), Phone("p")}}));
  given.Happens(Order({.id = "2", .identifiers = {Phone("p")}}));
  const TokenPositions seen = given.Seen();
  given.Observe({Customer("b"), Phone("p")});
  const auto update = NextUpdate(given.view(), Named(Customer("a")), seen).value();
  ASSERT_TRUE(update.has_value() && update->has_snapshot());
  EXPECT_EQ(update->snapshot().orders(), 1);
  EXPECT_EQ(update->snapshot().shared_identifiers_size(), 1);
}

TEST(Watch, SendsASnapshotWhenTooMuchIsNew) {
  GivenCustomers given;
  given.Observe({Customer("a")});
  for (size_t i = 0; i <= kChangeEntriesMax; ++i) {
    given.Project(Order({.id = std::to_string(i), .identifiers = {Customer("a")}}), 17, i);
  }
  const TokenPositions graph_seen = {{kRealmSlot, given.realm().next_position()}};
  EXPECT_TRUE(NextUpdate(given.view(), Named(Customer("a")), graph_seen).value()->has_snapshot());
  TokenPositions all_but_one = graph_seen;
  all_but_one[SlotId{ServiceId::kCheckout, 17}] = 1;
  EXPECT_EQ(NextUpdate(given.view(), Named(Customer("a")), all_but_one).value()->change().entries_size(), 1000);
}

TEST(Queries, FailWhenRowsCannotBeRead) {
  GivenCustomers given = Ann();
  const Party party = ResolveParty(given.view(), Named(Customer("a"))).value();
  given.mutable_view().FailReads(absl::DataLossError("damaged"));
  EXPECT_EQ(ResolveParty(given.view(), Named(Customer("a"))).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(BuildCustomerView(given.view(), party, false).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ListTimeline(given.view(), Page(Named(Customer("a")), 1)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(FindCandidates(given.view(), Customer("a")).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace halles::customer_identity
