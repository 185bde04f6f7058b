// Checks the fields of commands about carts.
#include "services/checkout/cart/checks.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/identifiers/identifier.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/imports/record.h"

namespace halles::checkout {
namespace {

template <class Request>
absl::Status CheckCommand(const Request& request) {
  RETURN_IF_ERROR(CheckText("request_id", request.request_id(), 1, kRequestIdCharactersMax));
  RETURN_IF_ERROR(CheckCartId(Path("cart_id"), request.cart_id()));
  if (request.has_expected_version() && request.expected_version() < 0) {
    return InvalidField("expected_version", "must not be negative");
  }
  return absl::OkStatus();
}

absl::Status CheckLine(const Path& path, const v1::CartLine& line) {
  RETURN_IF_ERROR(CheckText(Path(path, "line_id"), line.line_id(), 1, kLineIdCharactersMax));
  RETURN_IF_ERROR(CheckText(Path(path, "sku"), line.sku(), 1, kSkuCharactersMax));
  RETURN_IF_ERROR(CheckUnits(Path(path, "units"), line.units(), 1));
  RETURN_IF_ERROR(CheckUnitPrice(Path(path, "unit_price"), line.has_unit_price(), line.unit_price()));
  RETURN_IF_ERROR(CheckText(Path(path, "description"), line.description(), 0, kDescriptionCharactersMax));
  RETURN_IF_ERROR(CheckText(Path(path, "hold_id"), line.hold_id(), 0, kHoldIdCharactersMax));
  if (line.origins_size() > 0) return Invalid(Path(path, "origins"), "is output only");
  return absl::OkStatus();
}

absl::Status CheckTime(const Path& path, const google::protobuf::Timestamp& time) {
  return CheckRecordedTime(path.ToString(), time);
}

}  // namespace

absl::Status Validate(const v1::AddCartLinesRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckOrigin(Path("origin"), request.origin()));
  if (!Currency::Parse(request.currency_code()).ok()) {
    return InvalidField("currency_code", "must be a currency of ISO 4217 such as GBP");
  }
  if (request.lines_size() < 1 || request.lines_size() > cart::kLinesAddedMax) {
    return InvalidField("lines",
                        absl::StrCat("takes 1 to ", cart::kLinesAddedMax, " entries, not ", request.lines_size()));
  }
  std::set<absl::string_view> ids;
  for (int i = 0; i < request.lines_size(); ++i) {
    const Path lines("lines", i);
    RETURN_IF_ERROR(CheckLine(lines, request.lines(i)));
    if (!ids.insert(request.lines(i).line_id()).second) return Invalid(Path(lines, "line_id"), "must come once");
  }
  return CheckIdentifiers(request.identifiers());
}

absl::Status Validate(const v1::ChangeCartLineRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckOrigin(Path("origin"), request.origin()));
  RETURN_IF_ERROR(CheckText("line_id", request.line_id(), 1, kLineIdCharactersMax));
  return CheckUnits(Path("units"), request.units(), 0);
}

absl::Status Validate(const v1::SetCartDeliveryRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckDelivery(Path("delivery"), request.delivery()));
  return CheckIdentifiers(request.identifiers());
}

absl::Status Validate(const v1::SetCartCustomerRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  if (request.identifiers_size() == 0) return InvalidField("identifiers", "must name the customer");
  return CheckIdentifiers(request.identifiers());
}

absl::Status Validate(const v1::MergeCartsRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  RETURN_IF_ERROR(CheckCartId(Path("into_cart_id"), request.into_cart_id()));
  if (request.into_cart_id() == request.cart_id()) return InvalidField("into_cart_id", "must be another cart");
  return absl::OkStatus();
}

absl::Status Validate(const v1::UndoMergeCartsRequest& request) {
  RETURN_IF_ERROR(CheckCommand(request));
  return CheckCartId(Path("from_cart_id"), request.from_cart_id());
}

absl::Status CheckCartId(const Path& path, absl::string_view cart_id) {
  const bool clean = std::all_of(cart_id.begin(), cart_id.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
  if (!clean || cart_id.empty() || cart_id.size() > kCartIdCharactersMax) {
    return Invalid(path, "must have 1 to 64 characters of A-Z, a-z, 0-9, '-' and '_'");
  }
  if (absl::StartsWith(cart_id, "ord-") || absl::StartsWith(cart_id, "ret-")) {
    return Invalid(path, "must not begin with \"ord-\" or \"ret-\": so do ids of what is imported");
  }
  return absl::OkStatus();
}

absl::Status CheckOrigin(const Path& path, const v1::Origin& origin) {
  if (origin.channel() == common::v1::CHANNEL_UNSPECIFIED || !common::v1::Channel_IsValid(origin.channel())) {
    return Invalid(Path(path, "channel"), "must say where it happens");
  }
  RETURN_IF_ERROR(CheckText(Path(path, "site_id"), origin.site_id(), 1, kSiteCharactersMax));
  return CheckText(Path(path, "device_id"), origin.device_id(), 0, kDeviceCharactersMax);
}

absl::Status CheckDelivery(const Path& path, const v1::Delivery& delivery) {
  switch (delivery.kind_case()) {
    case v1::Delivery::kCarryOut:
      return CheckText(Path(Path(path, "carry_out"), "location_id"), delivery.carry_out().location_id(), 1,
                       kLocationCharactersMax);
    case v1::Delivery::kPickup: {
      const Path pickup(path, "pickup");
      RETURN_IF_ERROR(
          CheckText(Path(pickup, "location_id"), delivery.pickup().location_id(), 1, kLocationCharactersMax));
      if (!delivery.pickup().has_collect_by_time()) return absl::OkStatus();
      return CheckTime(Path(pickup, "collect_by_time"), delivery.pickup().collect_by_time());
    }
    case v1::Delivery::kShipment: {
      const v1::Shipment& shipment = delivery.shipment();
      const Path field(path, "shipment");
      RETURN_IF_ERROR(CheckText(Path(field, "address_token"), shipment.address_token(), 1, kAddressTokenCharactersMax));
      if (shipment.source_location_ids_size() < 1 || shipment.source_location_ids_size() > kSourceLocationsMax) {
        return Invalid(Path(field, "source_location_ids"), "takes 1 to 64 entries");
      }
      std::set<absl::string_view> locations;
      for (int i = 0; i < shipment.source_location_ids_size(); ++i) {
        const Path location(field, "source_location_ids", i);
        RETURN_IF_ERROR(CheckText(location, shipment.source_location_ids(i), 1, kLocationCharactersMax));
        if (!locations.insert(shipment.source_location_ids(i)).second) return Invalid(location, "must come once");
      }
      if (!shipment.has_promised_time()) return absl::OkStatus();
      return CheckTime(Path(field, "promised_time"), shipment.promised_time());
    }
    case v1::Delivery::KIND_NOT_SET:
      break;
  }
  return Invalid(path, "must say how the goods reach the customer");
}

absl::Status CheckUnitPrice(const Path& path, bool present, const common::v1::Decimal& price) {
  if (!present) return Invalid(path, "must be given");
  if (price.scale() > kScaleMax) return Invalid(Path(path, "scale"), "must be 0 to 9");
  if (price.unscaled() < 0) return Invalid(path, "must not be negative");
  return absl::OkStatus();
}

absl::Status CheckUnits(const Path& path, int64_t units, int64_t least) {
  if (units >= least && units <= cart::kUnitsMax) return absl::OkStatus();
  return Invalid(path, absl::StrCat("must be ", least, " to ", cart::kUnitsMax));
}

absl::Status CheckNothingInClear(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers) {
  for (int i = 0; i < identifiers.size(); ++i) {
    if (!identifiers[i].value().empty()) return Invalid(Path(Path("identifiers", i), "value"), "is in clear");
  }
  return absl::OkStatus();
}

absl::Status CheckIdentifiers(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers) {
  if (identifiers.size() > kIdentifiersMax) return InvalidField("identifiers", "takes at most 8 entries");
  for (int i = 0; i < identifiers.size(); ++i) {
    RETURN_IF_ERROR(CheckHashed(absl::StrCat("identifiers[", i, "]"), identifiers[i]));
  }
  return absl::OkStatus();
}

}  // namespace halles::checkout
