// Folds events of the identity graph.
#include "services/customer_identity/state.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "halles/customer_identity/v1/customer_identity_events.visit.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"

namespace halles::customer_identity {
namespace {

absl::Status Broken(const partition::FactContext& context, absl::string_view why) {
  const EventRef ref{context.slot, context.position, context.index};
  return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_EVOLVED",
                 absl::StrCat(ref.ToString(), " cannot be evolved: ", why), {{"event", ref.ToString()}});
}

absl::Status EvolveObserved(store::Rows& state, const v1::IdentifierObserved& observed,
                            const partition::FactContext& context) {
  const common::v1::Identifier& identifier = observed.identifier();
  if (!CheckHashed("identifier", identifier).ok()) return Broken(context, "the identifier is not hashed");
  const ObservedKey key = ObservedKeyOf(*KeyOf(identifier));
  if (kObserved.Contains(state, key)) return Broken(context, "the identifier is observed already");
  kObserved.Put(state, key, identifier);
  return absl::OkStatus();
}

absl::Status EvolveLinked(store::Rows& state, const v1::IdentifiersLinked& linked,
                          const partition::FactContext& context) {
  const std::optional<IdentifierKey> first = KeyOf(linked.first());
  const std::optional<IdentifierKey> second = KeyOf(linked.second());
  if (!first.has_value() || !second.has_value() || *first >= *second) {
    return Broken(context, "a link must go from the stronger identifier to the other, both hashed");
  }
  if (linked.strength() != StrengthOf(linked.first(), linked.second())) {
    return Broken(context, "the strength of the link is not that of its identifiers");
  }
  if (!kObserved.Contains(state, ObservedKeyOf(*first)) || !kObserved.Contains(state, ObservedKeyOf(*second))) {
    return Broken(context, "an identifier of the link was not observed");
  }
  const LinkKey key = LinkKeyOf(*first, *second);
  if (kLinks.Contains(state, key)) return Broken(context, "the identifiers are linked already");
  rows::LinkRow row;
  row.set_strength(linked.strength());
  kLinks.Put(state, key, row);
  return absl::OkStatus();
}

struct Evolver {
  absl::Status operator()(const v1::IdentifierObserved& observed) const {
    return EvolveObserved(state, observed, context);
  }
  absl::Status operator()(const v1::IdentifiersLinked& linked) const { return EvolveLinked(state, linked, context); }
  absl::Status operator()(NoEvent) const { return Broken(context, "this version does not know the event"); }

  store::Rows& state;
  const partition::FactContext& context;
};

}  // namespace

common::v1::EvidenceStrength StrengthOf(const common::v1::Identifier& a, const common::v1::Identifier& b) {
  return IsStrong(a.type()) && IsStrong(b.type()) ? common::v1::EVIDENCE_STRENGTH_STRONG
                                                  : common::v1::EVIDENCE_STRENGTH_WEAK;
}

absl::Status Evolve(store::Rows& state, const v1::IdentityEvent& event, const partition::FactContext& context) {
  return Visit(event, Evolver{state, context});
}

}  // namespace halles::customer_identity
