// Adds up the facts of a party, and lists them page by page.
#include "services/customer_identity/queries.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/money.h"
#include "libs/base/page_token.h"
#include "libs/base/status.h"
#include "services/customer_identity/activity_queries.h"
#include "services/customer_identity/projection.h"

namespace halles::customer_identity {
namespace {

// A row of kFacts with its key. The facts of a party are sorted newest first, then by external id.
struct Entry {
  FactKey key;
  rows::FactRow row;
  Position position = 0;

  EventRef Event() const { return {key.source, position, row.event_index()}; }
};

// The key without the identifier, by which the facts of several identifiers are sorted.
auto PlaceOf(const FactKey& key) { return std::tie(key.newest_first, key.external, key.system, key.kind, key.source); }

struct Place {
  FactKey key;
  friend bool operator<(const Place& a, const Place& b) { return PlaceOf(a.key) < PlaceOf(b.key); }
};

template <class Visit>
void ForEachFact(const store::RowReader& view, const Party& party, const Visit& visit) {
  for (const IdentifierKey& key : party.keys) {
    kFacts.ForEach(view, visit, key.type, key.hash);
  }
}

v1::TimelineEntry TimelineEntryOf(const Entry& entry) {
  v1::TimelineEntry line;
  line.set_kind(entry.row.kind());
  *line.mutable_time() = entry.row.time();
  line.set_channel(entry.row.channel());
  line.set_site_id(entry.row.site_id());
  *line.mutable_external() = entry.row.external();
  line.set_id(entry.row.id());
  if (entry.row.has_net()) *line.mutable_net() = entry.row.net();
  line.set_lines(entry.row.lines());
  line.set_event(entry.Event().ToString());
  line.set_detail(entry.row.detail());
  line.set_location_id(entry.row.location_id());
  return line;
}

// A sum of money and the events behind it.
class AmountSum {
 public:
  void Add(const FactKey& key, const rows::FactRow& row, const EventRef& event, bool keep_events) {
    sum_ += row.net().minor_units();
    ++count_;
    if (keep_events || events_.empty()) {
      events_.emplace_back(Place{key}, event);
    } else if (Place{key} < events_[0].first) {
      events_[0] = {Place{key}, event};
    }
  }

  absl::StatusOr<v1::Amount> Finish(const std::string& currency) {
    if (sum_ < std::numeric_limits<int64_t>::min() || sum_ > std::numeric_limits<int64_t>::max()) {
      return Failure(absl::StatusCode::kOutOfRange, "AMOUNT_OVERFLOW",
                     absl::StrCat("a sum in ", currency, " does not fit into 64 bits of minor units"));
    }
    std::sort(events_.begin(), events_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    v1::Amount amount;
    amount.mutable_money()->set_currency_code(currency);
    amount.mutable_money()->set_minor_units(static_cast<int64_t>(sum_));
    amount.set_event_count(count_);
    for (const auto& [place, event] : events_) amount.add_events(event.ToString());
    return amount;
  }

 private:
  Int128 sum_ = 0;
  int64_t count_ = 0;
  std::vector<std::pair<Place, EventRef>> events_;
};

using AmountSums = std::map<std::string, AmountSum>;  // by currency

absl::Status Finish(AmountSums* sums, google::protobuf::RepeatedPtrField<v1::Amount>* amounts) {
  for (auto& [currency, sum] : *sums) {
    ASSIGN_OR_RETURN(*amounts->Add(), sum.Finish(currency));
  }
  return absl::OkStatus();
}

v1::Moment MomentOf(const Entry& entry) {
  v1::Moment moment;
  *moment.mutable_time() = entry.row.time();
  moment.set_event(entry.Event().ToString());
  return moment;
}

// Builds a view from facts.
class ViewBuilder {
 public:
  explicit ViewBuilder(bool include_events) : include_events_(include_events) {}

  // False if there are more events than a view may name. Facts without money are in the timeline only.
  bool Add(const FactKey& key, const rows::FactRow& row, Position position) {
    if (!row.has_net()) return true;
    Entry entry{key, row, position};
    const EventRef event = entry.Event();
    PlaceTotals& place = places_[{row.channel(), row.site_id()}];
    net_[row.net().currency_code()].Add(key, row, event, include_events_);
    place.net[row.net().currency_code()].Add(key, row, event, include_events_);
    lines_ += row.lines();
    if (row.kind() == v1::TIMELINE_KIND_ORDER) {
      ++orders_;
      ++place.orders;
      if (!last_.has_value() || Place{key} < Place{last_->key}) last_ = entry;
      if (!first_.has_value() || Place{first_->key} < Place{key}) first_ = std::move(entry);
    } else if (row.kind() == v1::TIMELINE_KIND_RETURN) {
      ++returns_;
      ++place.returns;
    } else if (row.kind() == v1::TIMELINE_KIND_EXCHANGE) {
      ++exchanges_;
    } else {
      ++cancellations_;
    }
    if (include_events_) events_ += 2;
    return events_ <= kViewEventsMax;
  }

  absl::StatusOr<v1::CustomerView> Finish(const Party& party) {
    if (events_ > kViewEventsMax) {
      return Failure(absl::StatusCode::kResourceExhausted, "TOO_MANY_EVENTS",
                     absl::StrCat("more than ", kViewEventsMax,
                                  " events would be listed for this view; page through the timeline instead"));
    }
    v1::CustomerView view;
    view.set_party_id(party.id.ToString());
    for (const common::v1::Identifier& identifier : party.identifiers) *view.add_identifiers() = identifier;
    for (const common::v1::Identifier& identifier : party.shared) *view.add_shared_identifiers() = identifier;
    view.set_orders(orders_);
    view.set_returns(returns_);
    view.set_exchanges(exchanges_);
    view.set_cancellations(cancellations_);
    view.set_lines(lines_);
    RETURN_IF_ERROR(customer_identity::Finish(&net_, view.mutable_net()));
    std::set<std::string> sites;
    for (auto& [place, totals] : places_) {
      v1::PlaceSummary& summary = *view.add_places();
      summary.set_channel(place.first);
      summary.set_site_id(place.second);
      summary.set_orders(totals.orders);
      summary.set_returns(totals.returns);
      RETURN_IF_ERROR(customer_identity::Finish(&totals.net, summary.mutable_net()));
      sites.insert(place.second);
    }
    for (const std::string& site : sites) view.add_sites(site);
    if (first_.has_value()) *view.mutable_first_purchase() = MomentOf(*first_);
    if (last_.has_value()) *view.mutable_last_purchase() = MomentOf(*last_);
    return view;
  }

 private:
  struct PlaceTotals {
    int64_t orders = 0;
    int64_t returns = 0;
    AmountSums net;
  };

  const bool include_events_;
  int64_t orders_ = 0;
  int64_t returns_ = 0;
  int64_t exchanges_ = 0;
  int64_t cancellations_ = 0;
  int64_t lines_ = 0;
  size_t events_ = 0;
  AmountSums net_;
  std::map<std::pair<common::v1::Channel, std::string>, PlaceTotals> places_;
  std::optional<Entry> first_;
  std::optional<Entry> last_;
};

absl::Status Unknown() {
  return Failure(absl::StatusCode::kNotFound, "CUSTOMER_UNKNOWN",
                 "the customer is unknown, or the view has not reached it yet");
}

// True if the identifier was observed, or a fact is stored under it.
bool Knows(const store::RowReader& view, const IdentifierKey& key) {
  bool known = false;
  kSeen.ForEach(
      view, [&known](const SeenKey&, const common::v1::Identifier&, Position) { return !(known = true); }, key.type,
      key.hash);
  if (known) return true;
  kFacts.ForEach(
      view, [&known](const FactKey&, const rows::FactRow&, Position) { return !(known = true); }, key.type, key.hash);
  return known;
}

// The known identifier with this party id.
std::optional<IdentifierKey> KnownKeyOf(const store::RowReader& view, const std::string& party_id,
                                        const IdentifierKey& least) {
  std::optional<IdentifierKey> found;
  const auto take = [&](uint8_t type, const Hash256& hash) {
    const IdentifierKey key{type, hash};
    if (PartyIdOf(key).ToString() == party_id) found = key;
    return false;  // the first row decides
  };
  kSeen.ForEachFrom(
      view, SeenKey{least.type, least.hash},
      [&](const SeenKey& key, const common::v1::Identifier&, Position) { return take(key.type, key.hash); },
      least.type);
  if (found.has_value()) return found;
  FactKey start{least.type, least.hash};
  start.newest_first = std::numeric_limits<int64_t>::min();
  kFacts.ForEachFrom(
      view, start, [&](const FactKey& key, const rows::FactRow&, Position) { return take(key.type, key.hash); },
      least.type);
  return found;
}

absl::StatusOr<IdentifierKey> KeyNamed(const store::RowReader& view, const v1::CustomerName& name) {
  switch (name.name_case()) {
    case v1::CustomerName::kPartyId: {
      const std::optional<IdentifierKey> least = LeastKeyOf(name.party_id());
      if (!least.has_value()) return InvalidField("customer.party_id", "is no party id");
      const std::optional<IdentifierKey> key = KnownKeyOf(view, name.party_id(), *least);
      RETURN_IF_ERROR(view.status());
      if (!key.has_value()) return Unknown();
      return *key;
    }
    case v1::CustomerName::kIdentifier: {
      RETURN_IF_ERROR(CheckHashed("customer.identifier", name.identifier()));
      const IdentifierKey key = *KeyOf(name.identifier());
      const bool known = Knows(view, key);
      RETURN_IF_ERROR(view.status());
      if (!known) return Unknown();
      return key;
    }
    case v1::CustomerName::NAME_NOT_SET:
      break;
  }
  return InvalidField("customer", "must hold a party_id or an identifier");
}

// The sort key of a fact as bytes, for the page token of a timeline.
std::string EncodePlace(const FactKey& key) {
  FactKey place = key;
  place.type = 0;
  place.hash = Hash256();
  std::string bytes;
  store::AppendKey(place, &bytes);
  return bytes;
}

// Adds the newest facts of one identifier that come after `after`, at most `count`.
void TakeNewest(const store::RowReader& view, const IdentifierKey& key, const std::optional<FactKey>& after,
                size_t count, std::vector<Entry>* entries) {
  size_t taken = 0;
  const auto take = [&](const FactKey& found, const rows::FactRow& row, Position position) {
    if (after.has_value() && !(PlaceOf(*after) < PlaceOf(found))) return true;
    entries->push_back({found, row, position});
    return ++taken < count;
  };
  if (after.has_value()) {
    FactKey start = *after;
    start.type = key.type;
    start.hash = key.hash;
    kFacts.ForEachFrom(view, start, take, key.type, key.hash);
  } else {
    kFacts.ForEach(view, take, key.type, key.hash);
  }
}

bool NewerFirst(const Entry& a, const Entry& b) { return PlaceOf(a.key) < PlaceOf(b.key); }

absl::StatusOr<v1::WatchCustomerResponse> SnapshotOf(const store::RowReader& view, const Party& party) {
  v1::WatchCustomerResponse response;
  ASSIGN_OR_RETURN(*response.mutable_snapshot(), BuildCustomerView(view, party, /*include_events=*/false));
  return response;
}

v1::Candidate CandidateOf(const Party& party, common::v1::EvidenceStrength strength) {
  v1::Candidate candidate;
  candidate.set_party_id(party.id.ToString());
  candidate.set_strength(strength);
  for (const common::v1::Identifier& identifier : party.identifiers) *candidate.add_identifiers() = identifier;
  return candidate;
}

}  // namespace

absl::StatusOr<Party> ResolveParty(const store::RowReader& view, const v1::CustomerName& name) {
  ASSIGN_OR_RETURN(const IdentifierKey key, KeyNamed(view, name));
  return PartyFinder(view).Find(key);
}

absl::StatusOr<v1::CustomerView> BuildCustomerView(const store::RowReader& view, const Party& party,
                                                   bool include_events) {
  ViewBuilder builder(include_events);
  ForEachFact(view, party, [&builder](const FactKey& key, const rows::FactRow& row, Position position) {
    return builder.Add(key, row, position);
  });
  RETURN_IF_ERROR(view.status());
  ASSIGN_OR_RETURN(v1::CustomerView built, builder.Finish(party));
  AddActivities(view, party, &built);
  RETURN_IF_ERROR(view.status());
  return built;
}

absl::StatusOr<v1::ListTimelineResponse> ListTimeline(const store::RowReader& view,
                                                      const v1::ListTimelineRequest& request) {
  const auto page_size = static_cast<size_t>(
      request.page_size() == 0 ? kTimelinePageDefault : std::min(request.page_size(), kTimelinePageMax));
  const std::string same = absl::StrCat("timeline ", store::SerializeRow(request.customer()));
  ASSIGN_OR_RETURN(const std::string bytes, DecodePageToken(same, request.page_token()));
  std::optional<FactKey> after;
  if (!bytes.empty()) {
    after.emplace();
    if (!store::TakeKey(bytes, &*after))
      return InvalidField("page_token", "is damaged; send it exactly as it was received");
  }
  ASSIGN_OR_RETURN(const Party party, ResolveParty(view, request.customer()));

  std::vector<Entry> entries;
  for (const IdentifierKey& key : party.keys) TakeNewest(view, key, after, page_size + 1, &entries);
  RETURN_IF_ERROR(view.status());
  std::sort(entries.begin(), entries.end(), NewerFirst);
  v1::ListTimelineResponse response;
  for (size_t i = 0; i < std::min(entries.size(), page_size); ++i)
    *response.add_entries() = TimelineEntryOf(entries[i]);
  if (entries.size() > page_size) {
    response.set_next_page_token(EncodePageToken(same, EncodePlace(entries[page_size - 1].key)));
  }
  return response;
}

absl::StatusOr<std::vector<v1::Candidate>> FindCandidates(const store::RowReader& view,
                                                          const common::v1::Identifier& identifier) {
  RETURN_IF_ERROR(CheckHashed("identifier", identifier));
  std::vector<v1::Candidate> candidates;
  const IdentifierKey key = *KeyOf(identifier);
  const bool known = Knows(view, key);
  RETURN_IF_ERROR(view.status());
  if (!known) return candidates;
  ASSIGN_OR_RETURN(const Party own, PartyFinder(view).Find(key));
  candidates.push_back(CandidateOf(own, common::v1::EVIDENCE_STRENGTH_STRONG));
  ASSIGN_OR_RETURN(const std::vector<Party> sharing, PartyFinder(view).FindSharing(key, kCandidatesMax));
  for (const Party& party : sharing) candidates.push_back(CandidateOf(party, common::v1::EVIDENCE_STRENGTH_WEAK));
  return candidates;
}

absl::StatusOr<v1::WatchCustomerResponse> Snapshot(const store::RowReader& view, const v1::CustomerName& name) {
  ASSIGN_OR_RETURN(const Party party, ResolveParty(view, name));
  return SnapshotOf(view, party);
}

absl::StatusOr<std::optional<v1::WatchCustomerResponse>> NextUpdate(const store::RowReader& view,
                                                                    const v1::CustomerName& name,
                                                                    const TokenPositions& seen) {
  ASSIGN_OR_RETURN(const Party party, ResolveParty(view, name));
  bool snapshot = std::any_of(party.links_seen.begin(), party.links_seen.end(),
                              [&seen](const auto& link) { return link.second > SeenOf(seen, link.first); });
  std::vector<Entry> entries;
  ForEachFact(view, party, [&](const FactKey& key, const rows::FactRow& row, Position position) {
    if (position >= SeenOf(seen, key.source)) entries.push_back({key, row, position});
    if (entries.size() > kChangeEntriesMax) snapshot = true;
    return !snapshot;
  });
  RETURN_IF_ERROR(view.status());
  std::optional<v1::WatchCustomerResponse> update;
  if (snapshot) {
    ASSIGN_OR_RETURN(update, SnapshotOf(view, party));
  } else if (!entries.empty() || ChangedSince(view, party, seen)) {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return NewerFirst(b, a); });
    v1::CustomerChange& change = *update.emplace().mutable_change();
    for (const Entry& entry : entries) *change.add_entries() = TimelineEntryOf(entry);
    ASSIGN_OR_RETURN(*change.mutable_view(), BuildCustomerView(view, party, /*include_events=*/false));
  }
  return update;
}

}  // namespace halles::customer_identity
