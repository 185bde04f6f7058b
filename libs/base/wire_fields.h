// Reads the fields of a serialised message without parsing it.
#ifndef HALLES_LIBS_BASE_WIRE_FIELDS_H_
#define HALLES_LIBS_BASE_WIRE_FIELDS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "google/protobuf/io/coded_stream.h"

namespace halles {

// Of https://protobuf.dev/programming-guides/encoding: how the value of a field is written. Groups are not read; no proto
// of the project has one.
enum class WireType : uint32_t { kNumber = 0, kFixed64 = 1, kText = 2, kFixed32 = 5 };

// What a field begins with.
constexpr uint32_t WireTag(int field, WireType type) {
  return static_cast<uint32_t>(field) << 3 | static_cast<uint32_t>(type);
}

// Calls `field(tag, number, text)` for each field in the order of the bytes, with the number of a varint or the bytes of a
// string, bytes or message; both are empty for another type. `text` points into `message`. False when the bytes are no
// message or `field` said false.
template <typename Field>
bool ReadWireFields(absl::string_view message, Field field) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                                            static_cast<int>(message.size()));
  while (const uint32_t tag = in.ReadTag()) {
    uint64_t number = 0;
    absl::string_view text;
    switch (static_cast<WireType>(tag & 7)) {
      case WireType::kNumber:
        if (!in.ReadVarint64(&number)) return false;
        break;
      case WireType::kText: {
        uint32_t length = 0;
        if (!in.ReadVarint32(&length)) return false;
        const auto at = static_cast<size_t>(in.CurrentPosition());
        if (!in.Skip(static_cast<int>(length))) return false;
        text = message.substr(at, length);
        break;
      }
      case WireType::kFixed64:
        if (!in.Skip(8)) return false;
        break;
      case WireType::kFixed32:
        if (!in.Skip(4)) return false;
        break;
      default:
        return false;
    }
    if (tag >> 3 == 0 || !field(tag, number, text)) return false;
  }
  return in.ConsumedEntireMessage();
}

// The number of the first field; 0 when there is none. Of an event that is a oneof: which it is.
inline int FirstWireField(absl::string_view message) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                                            static_cast<int>(message.size()));
  return static_cast<int>(in.ReadTag() >> 3);
}

}  // namespace halles

#endif  // HALLES_LIBS_BASE_WIRE_FIELDS_H_
