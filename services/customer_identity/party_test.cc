// Tests of parties: families and shared phones, limits, and that the order of links does not matter.
#include "services/customer_identity/party.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

using ::testing::ElementsAre;

PartyFinder::Keys MembersOf(const GivenCustomers& given, const common::v1::Identifier& identifier) {
  const Party party = PartyFinder(given.view()).Find(*KeyOf(identifier)).value();
  return {party.keys.begin(), party.keys.end()};
}
PartyFinder::Keys KeysOf(const Identifiers& identifiers) {
  PartyFinder::Keys keys;
  for (const auto& identifier : identifiers) keys.insert(*KeyOf(identifier));
  return keys;
}
std::vector<std::string> SharedOf(const GivenCustomers& given, const common::v1::Identifier& identifier) {
  const Party party = PartyFinder(given.view()).Find(*KeyOf(identifier)).value();
  std::vector<std::string> shared;
  for (const auto& one : party.shared) shared.push_back(one.DebugString());
  return shared;
}

// Expects that each of these is a party, found by any of its identifiers.
void ExpectParties(const GivenCustomers& given, const std::vector<Identifiers>& parties) {
  for (const Identifiers& party : parties) {
    for (const auto& member : party) EXPECT_EQ(MembersOf(given, member), KeysOf(party)) << member.DebugString();
  }
}

TEST(Party, IsASingleIdentifierWithoutLinks) {
  ExpectParties(GivenCustomers({{Customer("a")}, {Phone("p")}}), {{Customer("a")}, {Phone("p")}});
}

TEST(Party, JoinsStrongIdentifiersThroughOthers) {
  ExpectParties(GivenCustomers({{Customer("a"), Email("m")}, {Email("m"), Card("k")}, {Customer("b")}}),
                {{Customer("a"), Email("m"), Card("k")}, {Customer("b")}});
}

TEST(Party, OwnsThePhoneThatOnlyItUses) {
  ExpectParties(GivenCustomers({{Customer("a"), Email("m"), Phone("p")}, {Email("m"), Phone("p")}}),
                {{Customer("a"), Email("m"), Phone("p")}});
}

TEST(Party, IsNotJoinedWithAnotherByASharedPhone) {
  const GivenCustomers family({{Customer("a"), Phone("p")}, {Customer("b"), Phone("p")}});
  ExpectParties(family, {{Customer("a")}, {Customer("b")}, {Phone("p")}});
  EXPECT_THAT(SharedOf(family, Customer("a")), ElementsAre(Phone("p").DebugString()));
  EXPECT_THAT(SharedOf(family, Customer("b")), ElementsAre(Phone("p").DebugString()));
  EXPECT_THAT(SharedOf(family, Phone("p")), ElementsAre());
}

TEST(Party, OwnsASharedPhoneAgainAfterAJoin) {
  GivenCustomers given({{Customer("a"), Phone("p")}, {Customer("b"), Phone("p")}});
  given.Observe({Customer("a"), Customer("b")});
  ExpectParties(given, {{Customer("a"), Customer("b"), Phone("p")}});
}

TEST(Party, JoinsTwoPhonesAndLaterTheirOwner) {
  GivenCustomers given({{Phone("p"), Phone("q")}});
  ExpectParties(given, {{Phone("p"), Phone("q")}});
  given.Observe({Customer("a"), Phone("p")});
  ExpectParties(given, {{Customer("a"), Phone("p"), Phone("q")}});
}

TEST(Party, DoesNotReachThroughASharedPhone) {
  const GivenCustomers given({{Phone("p"), Phone("q")}, {Customer("a"), Phone("p")}, {Customer("b"), Phone("p")}});
  ExpectParties(given, {{Customer("a")}, {Customer("b")}, {Phone("p")}, {Phone("q")}});
}

TEST(Party, DoesNotOwnAFreePhoneLinkedToTwoParties) {
  const GivenCustomers given(
      {{Customer("a"), Phone("p")}, {Customer("b"), Phone("q")}, {Phone("p"), Phone("x")}, {Phone("q"), Phone("x")}});
  ExpectParties(given, {{Customer("a"), Phone("p")}, {Customer("b"), Phone("q")}, {Phone("x")}});
}

TEST(Party, IsNotJoinedByTwoPhonesSeenTogether) {
  const GivenCustomers given({{Customer("a"), Phone("p")}, {Customer("b"), Phone("q")}, {Phone("p"), Phone("q")}});
  ExpectParties(given, {{Customer("a"), Phone("p")}, {Customer("b"), Phone("q")}});
}

TEST(Party, HasTheIdOfItsStrongestIdentifier) {
  GivenCustomers given({{Email("m"), Phone("p")}});
  EXPECT_EQ(PartyFinder(given.view()).Find(*KeyOf(Phone("p")))->id, IdOf(Email("m")));
  given.Observe({Customer("b"), Email("m")});
  given.Observe({Customer("a"), Customer("b")});
  EXPECT_EQ(PartyFinder(given.view()).Find(*KeyOf(Phone("p")))->id, IdOf(Customer("a")));
}

TEST(Party, NamesThePositionsOfItsLinks) {
  GivenCustomers given({{Customer("a"), Email("m")}, {Customer("b")}});
  EXPECT_THAT(PartyFinder(given.view()).Find(*KeyOf(Email("m")))->links_seen,
              ElementsAre(std::make_pair(kRealmSlot, Position{1})));
  given.Observe({Customer("a"), Phone("p")});
  EXPECT_THAT(PartyFinder(given.view()).Find(*KeyOf(Email("m")))->links_seen,
              ElementsAre(std::make_pair(kRealmSlot, Position{3})));
}

TEST(Party, IsRefusedBeyondItsLimit) {
  GivenCustomers given;
  for (size_t i = 1; i < kPartyIdentifiersMax; ++i) given.Observe({Customer("hub"), Email("m" + std::to_string(i))});
  EXPECT_EQ(PartyFinder(given.view()).Find(*KeyOf(Customer("hub")))->keys.size(), kPartyIdentifiersMax);
  given.Observe({Customer("hub"), Phone("one more")});
  for (const auto& identifier : {Customer("hub"), Email("m7"), Phone("one more")}) {
    const absl::Status status = PartyFinder(given.view()).Find(*KeyOf(identifier)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(status), "PARTY_TOO_LARGE");
  }
}

TEST(Party, IsFoundEvenIfThousandsShareItsPhone) {
  GivenCustomers given;
  for (size_t i = 0; i < 2 * kPartyIdentifiersMax; ++i)
    given.Observe({Customer("c" + std::to_string(i)), Phone("till")});
  EXPECT_EQ(MembersOf(given, Customer("c7")), KeysOf({Customer("c7")}));
  EXPECT_EQ(MembersOf(given, Phone("till")), KeysOf({Phone("till")}));
  EXPECT_EQ(ReasonOf(PartyFinder(given.view()).FindSharing(*KeyOf(Phone("till")), 50).status()), "TOO_MANY_PARTIES");
}

TEST(FindSharing, NamesEachPartyOnce) {
  const GivenCustomers given(
      {{Customer("a"), Email("m"), Phone("p")}, {Email("m"), Phone("p")}, {Customer("b"), Phone("p")}});
  const std::vector<Party> sharing = PartyFinder(given.view()).FindSharing(*KeyOf(Phone("p")), 50).value();
  std::vector<std::string> ids;
  for (const Party& party : sharing) ids.push_back(party.id.ToString());
  EXPECT_THAT(ids, ElementsAre(IdOf(Customer("a")).ToString(), IdOf(Customer("b")).ToString()));
  EXPECT_TRUE(PartyFinder(given.view()).FindSharing(*KeyOf(Customer("a")), 50)->empty());
}

// Applies the three rules of party.h to whole sets, as a reference.
class RulesOverSets {
 public:
  explicit RulesOverSets(const std::vector<Identifiers>& observations) {
    for (Identifiers identifiers : observations) {
      std::sort(identifiers.begin(), identifiers.end(), StrongerThan);
      for (const auto& identifier : identifiers) {
        all_.insert(*KeyOf(identifier));
        if (*KeyOf(identifier) == *KeyOf(identifiers[0])) continue;
        links_[*KeyOf(identifiers[0])].insert(*KeyOf(identifier));
        links_[*KeyOf(identifier)].insert(*KeyOf(identifiers[0]));
      }
    }
    const auto strong = [](const IdentifierKey& key) { return IsStrong(key.Type()); };
    Connect(strong);  // rule 1
    std::set<IdentifierKey> owned, shared;
    for (const auto& key : all_) {  // rule 2
      if (strong(key)) continue;
      std::set<IdentifierKey> owners;
      for (const auto& other : links_[key]) {
        if (strong(other)) owners.insert(party_[other]);
      }
      party_[key] = owners.size() == 1 ? *owners.begin() : key;
      if (owners.size() == 1) owned.insert(key);
      if (owners.size() > 1) shared.insert(key);
    }
    const auto free = [&](const IdentifierKey& key) { return !strong(key) && !owned.count(key) && !shared.count(key); };
    Connect(free);  // rule 3
    std::map<IdentifierKey, std::set<IdentifierKey>> groups;
    for (const auto& key : all_) {
      if (free(key)) groups[party_[key]].insert(key);
    }
    for (const auto& [root, members] : groups) {
      std::set<IdentifierKey> homes;
      bool touches_shared = false;
      for (const auto& member : members) {
        for (const auto& other : links_[member]) {
          if (owned.count(other)) homes.insert(party_[other]);
          touches_shared |= shared.count(other) > 0;
        }
      }
      if (homes.size() != 1 || touches_shared) continue;
      for (const auto& member : members) party_[member] = *homes.begin();
    }
  }

  const std::set<IdentifierKey>& all() const { return all_; }
  std::set<IdentifierKey> PartyOf(const IdentifierKey& key) const {
    std::set<IdentifierKey> members;
    for (const auto& other : all_) {
      if (party_.at(other) == party_.at(key)) members.insert(other);
    }
    return members;
  }

 private:
  // Gives connected keys for which `among` is true the smallest of these keys as their party.
  template <class Among>
  void Connect(const Among& among) {
    for (const auto& key : all_) {
      if (among(key)) party_[key] = key;
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& key : all_) {
        if (!among(key)) continue;
        for (const auto& other : links_[key]) {
          if (!among(other) || !(party_[other] < party_[key])) continue;
          party_[key] = party_[other];
          changed = true;
        }
      }
    }
  }

  std::set<IdentifierKey> all_;
  std::map<IdentifierKey, std::set<IdentifierKey>> links_;
  std::map<IdentifierKey, IdentifierKey> party_;
};

TEST(Party, FollowsTheRulesForAnyLinksInAnyOrder) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SeededRandom random(seed);
    std::vector<Identifiers> observations;
    const uint64_t names = 2 + random.Uniform(7);
    for (uint64_t i = 0; i < 2 + random.Uniform(14); ++i) {
      Identifiers identifiers;
      for (uint64_t k = 0; k <= random.Uniform(3); ++k) {
        const std::string name(1, static_cast<char>('a' + random.Uniform(names)));
        identifiers.push_back(random.Uniform(2) == 0   ? Phone(name)
                              : random.Uniform(3) == 0 ? Email(name)
                                                       : Customer(name));
      }
      observations.push_back(identifiers);
    }
    const RulesOverSets rules(observations);
    for (int order = 0; order < 3; ++order) {
      for (size_t i = observations.size(); i > 1; --i) std::swap(observations[i - 1], observations[random.Uniform(i)]);
      const GivenCustomers given(observations);
      for (const IdentifierKey& key : rules.all()) {
        const Party party = PartyFinder(given.view()).Find(key).value();
        const std::set<IdentifierKey> members(party.keys.begin(), party.keys.end());
        ASSERT_EQ(members, rules.PartyOf(key)) << "seed " << seed << " order " << order;
        ASSERT_EQ(party.id, PartyIdOf(*members.begin())) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace halles::customer_identity
