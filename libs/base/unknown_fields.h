// Finds unknown parts of a request: fields and enum values that this build does not know.
#ifndef HALLES_LIBS_BASE_UNKNOWN_FIELDS_H_
#define HALLES_LIBS_BASE_UNKNOWN_FIELDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace halles {

// Finds in advance which fields hold messages, so that a check is little more than one pass over the request.
// Thread safety: immutable after construction.
class UnknownFieldCheck {
 public:
  // Checks messages of these types and all messages within them.
  explicit UnknownFieldCheck(const std::vector<const google::protobuf::Descriptor*>& types);

  // OK, or INVALID_ARGUMENT with reason UNKNOWN_FIELD for the first unknown field: its number and the path of the message
  // that holds it, as "order.lines[3]".
  absl::Status Check(const google::protobuf::Message& message) const;

  // The same for a call between services, enum values included: UNIMPLEMENTED with reason UNKNOWN_FIELD. The sender
  // runs a newer build; without the unknown part, the call would be a different request.
  absl::Status CheckCall(const google::protobuf::Message& message) const;

 private:
  struct Found {
    std::string path;  // built from its end on the way back
    int number = 0;
    bool value = false;  // an unknown enum value; otherwise an unknown field
    std::string What() const;
  };
  struct Type {
    std::vector<const google::protobuf::FieldDescriptor*> messages;
    std::vector<const google::protobuf::FieldDescriptor*> enums;
  };
  void Add(const google::protobuf::Descriptor* type);
  std::optional<Found> Find(const google::protobuf::Message& message, bool values) const;

  // Fields that hold messages and enums, by type.
  absl::flat_hash_map<const google::protobuf::Descriptor*, Type> types_;
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_UNKNOWN_FIELDS_H_
