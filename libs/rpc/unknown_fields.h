// Finds fields that a command holds and this build does not know.
#ifndef HALLES_LIBS_RPC_UNKNOWN_FIELDS_H_
#define HALLES_LIBS_RPC_UNKNOWN_FIELDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace halles::rpc {

// Knows beforehand which fields of which messages hold messages, so that a check costs little more than a walk.
// Thread safety: immutable after construction.
class UnknownFieldCheck {
 public:
  // For messages of these types and whatever they hold.
  explicit UnknownFieldCheck(const std::vector<const google::protobuf::Descriptor*>& types);

  // OK, or INVALID_ARGUMENT with reason UNKNOWN_FIELD for the first unknown field: its number and the path of the message
  // that holds it, as "order.lines[3]".
  absl::Status Check(const google::protobuf::Message& message) const;

 private:
  struct Found {
    std::string path;  // built from its end while returning
    int number = 0;
  };
  void Add(const google::protobuf::Descriptor* type);
  std::optional<Found> Find(const google::protobuf::Message& message) const;

  // Fields that hold messages, by type.
  absl::flat_hash_map<const google::protobuf::Descriptor*, std::vector<const google::protobuf::FieldDescriptor*>>
      holds_;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_UNKNOWN_FIELDS_H_
