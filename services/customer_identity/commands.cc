// Decides which identifiers and links of an observation are new.
#include "services/customer_identity/commands.h"

#include "absl/strings/str_cat.h"
#include "halles/customer_identity/v1/customer_identity_internal.limits.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "services/customer_identity/state.h"

namespace halles::customer_identity {
namespace {

absl::Status Malformed(const absl::Status& finding) {
  if (finding.ok()) return finding;
  return Reject(v1::REJECT_REASON_MALFORMED_COMMAND, finding.message(), {{"field", MetadataOf(finding, "field")}});
}

absl::Status Check(const v1::ObserveIdentifiersRequest& request) {
  const auto field = [](int i) { return absl::StrCat("identifiers[", i, "]"); };
  for (int i = 0; i < request.identifiers_size(); ++i) {
    if (!request.identifiers(i).value().empty()) {
      return Reject(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR, absl::StrCat(field(i), ".value: is in clear"),
                    {{"field", absl::StrCat(field(i), ".value")}});
    }
  }
  RETURN_IF_ERROR(Malformed(CheckLimits(request)));
  for (int i = 0; i < request.identifiers_size(); ++i) {
    RETURN_IF_ERROR(Malformed(CheckHashed(field(i), request.identifiers(i))));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<partition::Decision<v1::ObserveIdentifiersResponse, v1::IdentityEvent>> Decide(
    const store::RowReader& state, const v1::ObserveIdentifiersRequest& request, const partition::CommandContext&) {
  RETURN_IF_ERROR(Check(request));
  auto identifiers = request.identifiers();
  SortIdentifiers(&identifiers);
  const IdentifierKey strongest = *KeyOf(identifiers[0]);

  partition::Decision<v1::ObserveIdentifiersResponse, v1::IdentityEvent> decision;
  const auto add = [&decision]() -> v1::IdentityEvent& {
    decision.facts.push_back({kRealm, {}, {}});
    return decision.facts.back().event;
  };
  for (const common::v1::Identifier& identifier : identifiers) {
    if (kObserved.Contains(state, ObservedKeyOf(*KeyOf(identifier)))) continue;
    *add().mutable_identifier_observed()->mutable_identifier() = identifier;
  }
  for (int i = 1; i < identifiers.size(); ++i) {
    if (kLinks.Contains(state, LinkKeyOf(strongest, *KeyOf(identifiers[i])))) continue;
    v1::IdentifiersLinked& linked = *add().mutable_identifiers_linked();
    *linked.mutable_first() = identifiers[0];
    *linked.mutable_second() = identifiers[i];
    linked.set_strength(StrengthOf(identifiers[0], identifiers[i]));
  }
  return decision;
}

}  // namespace halles::customer_identity
