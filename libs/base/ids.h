// Ids: each kind has its own type, which converts to and from strings and bytes only explicitly.
#ifndef HALLES_LIBS_BASE_IDS_H_
#define HALLES_LIBS_BASE_IDS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/base/random.h"

namespace halles {

// An opaque string that names one kind of thing.
template <class Tag>
class StringId {
 public:
  StringId() = default;
  static StringId FromString(absl::string_view value) { return StringId(std::string(value)); }

  const std::string& ToString() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const StringId&, const StringId&) = default;
  friend auto operator<=>(const StringId&, const StringId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const StringId& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  explicit StringId(std::string value) : value_(std::move(value)) {}
  std::string value_;
};

using TenantId = StringId<struct TenantTag>;
using RequestId = StringId<struct RequestTag>;
using OrderId = StringId<struct OrderTag>;
using ReturnId = StringId<struct ReturnTag>;
using PartyId = StringId<struct PartyTag>;
using SiteId = StringId<struct SiteTag>;
using LocationId = StringId<struct LocationTag>;
using DeviceId = StringId<struct DeviceTag>;
using LineId = StringId<struct LineTag>;
using Sku = StringId<struct SkuTag>;
using ExternalId = StringId<struct ExternalTag>;
using SourceId = StringId<struct SourceTag>;

// 128 bits that name one kind of thing. Default: all zero, which names nothing.
template <class Tag>
class Id128 {
 public:
  using Bytes = std::array<uint8_t, 16>;

  Id128() = default;
  static Id128 FromBytes(const Bytes& bytes) {
    Id128 id;
    id.bytes_ = bytes;
    return id;
  }
  // nullopt unless there are exactly 16 bytes.
  static std::optional<Id128> FromBytes(absl::string_view bytes) {
    Id128 id;
    if (bytes.size() != id.bytes_.size()) return std::nullopt;
    for (size_t i = 0; i < bytes.size(); ++i) id.bytes_[i] = static_cast<uint8_t>(bytes[i]);
    return id;
  }
  // nullopt unless there are exactly 32 hex digits.
  static std::optional<Id128> FromHex(absl::string_view hex) {
    if (hex.size() != 32) return std::nullopt;
    for (char c : hex) {
      if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
    }
    return FromBytes(absl::string_view(absl::HexStringToBytes(hex)));
  }
  static Id128 Random(RandomSource& random) {
    Id128 id;
    random.Fill(absl::MakeSpan(id.bytes_));
    return id;
  }

  const Bytes& bytes() const { return bytes_; }
  absl::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  std::string Hex() const { return absl::BytesToHexString(view()); }
  bool empty() const { return *this == Id128(); }

  friend bool operator==(const Id128&, const Id128&) = default;
  friend auto operator<=>(const Id128&, const Id128&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Id128& id) {
    return H::combine(std::move(h), id.bytes_);
  }

 private:
  Bytes bytes_{};
};

// One run of a process that owns slots; a restart gives a new id.
using InstanceId = Id128<struct InstanceTag>;
// One installation: a log and everything derived from it.
using InstallId = Id128<struct InstallTag>;

}  // namespace halles

#endif  // HALLES_LIBS_BASE_IDS_H_
