// The messages of the API as JSON and as tables.
#ifndef HALLES_SERVICES_HALLESCTL_PRINT_H_
#define HALLES_SERVICES_HALLESCTL_PRINT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "halles/log/v1/envelope.pb.h"
#include "services/hallesctl/json.h"
#include "services/hallesctl/message_json.h"

namespace halles::hallesctl {

// In JSON an amount has three fields: currency, whole minor_units, and the decimal string `amount`.
void WriteMoney(const common::v1::Money& money, JsonWriter* json);
void WriteView(const customer_identity::v1::CustomerView& view, JsonWriter* json);
void WriteEntry(const customer_identity::v1::TimelineEntry& entry, JsonWriter* json);
void WriteImportedOrder(const checkout::v1::ImportedOrder& order, JsonWriter* json);
void WriteTotalsRow(const checkout::v1::TotalsRow& row, JsonWriter* json);
void WriteHeader(const log::v1::RecordHeader& header, JsonWriter* json);

std::string ViewText(const customer_identity::v1::CustomerView& view, int width);
// Carts, placed orders and holds of the customer; "" when there are none.
std::string ActivitiesText(const customer_identity::v1::CustomerView& view, int width);
std::string TimelineText(const google::protobuf::RepeatedPtrField<customer_identity::v1::TimelineEntry>& entries,
                         int width);
std::string ImportedOrderText(const checkout::v1::ImportedOrder& order, int width);

// "external_id uci 1f0c9a…": the identifier in its stored, hashed form.
std::string IdentifierText(const common::v1::Identifier& identifier);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_PRINT_H_
