// The writes that all projections of the view "customers" share: facts, activities, and the topics that they touch.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_CUSTOMER_WRITER_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_CUSTOMER_WRITER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/record.pb.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/unix_time.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "services/customer_identity/projection.h"

namespace halles::customer_identity {

// Writes the rows of one event. Every method returns DATA_LOSS for an identifier that is not hashed.
// Lifetime: view, context and topics outlive it.
class CustomerWriter {
 public:
  CustomerWriter(store::Rows& view, const partition::FactContext& context, std::vector<std::string>* topics)
      : view_(view), context_(context), topics_(topics) {}

  store::Rows& view() { return view_; }
  const partition::FactContext& context() const { return context_; }

  // The error for an event that cannot be projected.
  absl::Status Broken(absl::string_view why) const;

  // Writes or deletes a fact of the identifier. PutFact sets the index of the event.
  absl::Status PutFact(const common::v1::Identifier& identifier, rows::FactRow row);
  absl::Status DropFact(const common::v1::Identifier& identifier, const rows::FactRow& row);
  // Writes a sale of any kind as a fact of its strongest identifier, and touches all its identifiers. Skips a sale
  // without identifiers.
  absl::Status PutSale(const checkout::v1::SaleRecord& sale, v1::TimelineKind kind, absl::string_view id,
                       const std::string& location_id = "");
  // Writes a return taken here, of an order placed here or imported. It names the customer of that order.
  absl::Status PutReturn(const checkout::v1::GoodsReturned& returned);

  // Adds or removes an activity of the customer that began at `since`. Both count as a change of the customer.
  absl::Status AddActivity(const common::v1::Identifier& identifier, ActivityKind kind, UnixMicros since,
                           absl::string_view id, absl::string_view part = "");
  absl::Status RemoveActivity(const common::v1::Identifier& identifier, ActivityKind kind, UnixMicros since,
                              absl::string_view id, absl::string_view part = "");
  // Marks the customer as changed.
  absl::Status MarkChanged(const common::v1::Identifier& identifier);

  void Touch(const common::v1::Identifier& identifier);

 private:
  store::Rows& view_;
  const partition::FactContext& context_;
  std::vector<std::string>* const topics_;  // null if no topics are wanted
};

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_CUSTOMER_WRITER_H_
