// A watcher of one customer.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_WATCHES_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_WATCHES_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/token.h"
#include "libs/host/watches.h"
#include "libs/rpc/stream.h"

namespace halles::customer_identity {

// Thread safety: as host::Watcher.
class CustomerWatcher final : public host::Watcher {
 public:
  // `name` must be hashed. Without `resume`, or if the watch cannot continue from there, a snapshot comes first.
  CustomerWatcher(v1::CustomerName name, std::optional<TokenPositions> resume, const TokenIssuer& tokens,
                  rpc::StreamWriter<v1::WatchCustomerResponse> writer);

  // The topics are the identifiers of the party. They change when the party is joined with another one.
  absl::StatusOr<Topics> Look(const store::RowReader& rows, const TokenPositions& at) override;
  bool Tell() override;
  void Finish(const absl::Status& why) override { writer_.Finish(why); }
  void OnCancel(std::function<void()> gone) override { writer_.OnCancel(std::move(gone)); }

 private:
  const v1::CustomerName name_;
  const TokenIssuer& tokens_;
  std::optional<TokenPositions> seen_;  // nullopt before the snapshot
  std::optional<v1::WatchCustomerResponse> news_;
  const rpc::StreamWriter<v1::WatchCustomerResponse> writer_;
};

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_WATCHES_H_
