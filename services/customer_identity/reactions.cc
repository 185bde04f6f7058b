// Turns orders and returns into observations.
#include "services/customer_identity/reactions.h"

#include <utility>

namespace halles::customer_identity {
namespace {

std::vector<v1::ObserveIdentifiersRequest> Observe(const checkout::v1::SaleRecord& sale) {
  if (sale.identifiers().empty()) return {};
  v1::ObserveIdentifiersRequest request;
  *request.mutable_identifiers() = sale.identifiers();
  return {std::move(request)};
}

}  // namespace

std::vector<v1::ObserveIdentifiersRequest> React(const checkout::v1::OrderEvent& event, const partition::FactContext&) {
  switch (event.event_case()) {
    case checkout::v1::OrderEvent::kOrderImported:
      return Observe(event.order_imported().sale());
    case checkout::v1::OrderEvent::kReturnImported:
      return Observe(event.return_imported().sale());
    case checkout::v1::OrderEvent::kReturnAwaited:
    case checkout::v1::OrderEvent::kReturnLinked:  // its customer was observed on the order
    case checkout::v1::OrderEvent::EVENT_NOT_SET:
      break;
  }
  return {};
}

}  // namespace halles::customer_identity
