// A watch of the availability of SKUs.
#ifndef HALLES_SERVICES_INVENTORY_WATCHES_H_
#define HALLES_SERVICES_INVENTORY_WATCHES_H_

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/token.h"
#include "libs/host/watches.h"
#include "libs/rpc/stream.h"

namespace halles::inventory {

// Thread safety: as host::Watcher.
class StockWatcher final : public host::Watcher {
 public:
  // If `resume` is absent, the current state is sent first.
  StockWatcher(std::set<std::string> skus, std::optional<TokenPositions> resume, const TokenIssuer& tokens,
               rpc::StreamWriter<v1::WatchAvailabilityResponse> writer);

  absl::StatusOr<Topics> Look(const store::RowReader& rows, const TokenPositions& at) override;
  bool Tell() override;
  void Finish(const absl::Status& why) override { writer_.Finish(why); }
  void OnCancel(std::function<void()> gone) override { writer_.OnCancel(std::move(gone)); }

 private:
  const std::set<std::string> skus_;
  const TokenIssuer& tokens_;
  std::optional<TokenPositions> seen_;  // nullopt before the first look
  std::optional<v1::WatchAvailabilityResponse> news_;
  const rpc::StreamWriter<v1::WatchAvailabilityResponse> writer_;
};

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_WATCHES_H_
