// Finds the changes for a watcher of a customer.
#include "services/customer_identity/watches.h"

#include <utility>

#include "libs/base/status.h"
#include "services/customer_identity/party.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/queries.h"

namespace halles::customer_identity {

CustomerWatcher::CustomerWatcher(v1::CustomerName name, std::optional<TokenPositions> resume, const TokenIssuer& tokens,
                                 rpc::StreamWriter<v1::WatchCustomerResponse> writer)
    : Watcher(ServiceId::kCustomerIdentity, kCustomersView),
      name_(std::move(name)),
      tokens_(tokens),
      seen_(std::move(resume)),
      writer_(std::move(writer)) {}

absl::StatusOr<host::Watcher::Topics> CustomerWatcher::Look(const store::RowReader& rows, const TokenPositions& at) {
  if (seen_.has_value()) {
    ASSIGN_OR_RETURN(news_, NextUpdate(rows, name_, *seen_));
  } else {
    ASSIGN_OR_RETURN(news_, Snapshot(rows, name_));
  }
  ASSIGN_OR_RETURN(const Party party, ResolveParty(rows, name_));
  if (news_.has_value()) news_->set_resume_token(tokens_.Issue(at));
  seen_ = at;
  Topics topics;
  for (const common::v1::Identifier& identifier : party.identifiers) topics.insert(TopicOf(identifier));
  for (const common::v1::Identifier& identifier : party.shared) topics.insert(TopicOf(identifier));
  return topics;
}

bool CustomerWatcher::Tell() {
  if (!news_.has_value()) return true;
  v1::WatchCustomerResponse update = *std::move(news_);
  news_.reset();
  // If this fails, the writer itself has ended the stream.
  return writer_.Write(std::move(update));
}

}  // namespace halles::customer_identity
