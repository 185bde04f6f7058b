// Checks fields that several aggregates take.
#include "services/checkout/checks.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/text.h"

namespace halles::checkout {

absl::Status CheckText(const Path& path, absl::string_view text, size_t characters_min, size_t characters_max) {
  const std::optional<size_t> length = PrintableLength(text);
  if (!length.has_value()) return Invalid(path, "must be printable text");
  if (*length < characters_min || *length > characters_max) {
    return Invalid(path,
                   absl::StrCat("must have ", characters_min, " to ", characters_max, " characters, not ", *length));
  }
  return absl::OkStatus();
}

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t characters_min, size_t characters_max) {
  return CheckText(Path(field), text, characters_min, characters_max);
}

absl::Status CheckRecordedTime(const Path& path, const google::protobuf::Timestamp& time) {
  if (time.seconds() < 0 || time.seconds() > kRecordedSecondsMax || time.nanos() < 0 || time.nanos() > 999'999'999) {
    return Invalid(path, "must be in the years 1970 to 2199");
  }
  return absl::OkStatus();
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

absl::Status CheckOrderId(absl::string_view order_id) {
  return CheckText("order_id", order_id, 1, kOrderIdCharactersMax);
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
      return CheckRecordedTime(Path(pickup, "collect_by_time"), delivery.pickup().collect_by_time());
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
      return CheckRecordedTime(Path(field, "promised_time"), shipment.promised_time());
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
  if (units >= least && units <= kUnitsMax) return absl::OkStatus();
  return Invalid(path, absl::StrCat("must be ", least, " to ", kUnitsMax));
}

absl::Status CheckReturnedLines(absl::string_view field,
                                const google::protobuf::RepeatedPtrField<v1::ReturnedLine>& lines) {
  const Path path(field);
  if (lines.empty() || lines.size() > kReturnLinesMax) return Invalid(path, "takes 1 to 100 entries");
  for (int i = 0; i < lines.size(); ++i) {
    const Path at(field, i);
    RETURN_IF_ERROR(CheckText(Path(at, "line_id"), lines[i].line_id(), 1, kLineIdCharactersMax));
    RETURN_IF_ERROR(CheckText(Path(at, "sku"), lines[i].sku(), 0, kSkuCharactersMax));
    RETURN_IF_ERROR(CheckUnits(Path(at, "units"), lines[i].units(), 1));
    if (lines[i].disposition() != v1::DISPOSITION_RESTOCK && lines[i].disposition() != v1::DISPOSITION_UNUSABLE) {
      return Invalid(Path(at, "disposition"), "must say what happens to the goods");
    }
    RETURN_IF_ERROR(CheckText(Path(at, "reason"), lines[i].reason(), 0, kReasonCharactersMax));
  }
  return absl::OkStatus();
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

absl::Status Refused(v1::RejectReason reason, const absl::Status& finding) {
  if (finding.ok()) return finding;
  return Reject(reason, finding.message(), {{"field", MetadataOf(finding, "field")}});
}

UnixMicros MicrosOf(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

absl::StatusOr<Decimal> ExactOf(const common::v1::Decimal& decimal) {
  if (decimal.scale() > kScaleMax) return absl::OutOfRangeError("a decimal has more than 9 decimals");
  return Decimal::FromUnscaled(decimal.unscaled(), static_cast<int>(decimal.scale()));
}

}  // namespace halles::checkout
