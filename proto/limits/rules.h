// The limits of requests as their protos state them, for the plugin that turns them into checks and into a table.
#ifndef HALLES_PROTO_LIMITS_RULES_H_
#define HALLES_PROTO_LIMITS_RULES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "halles/options/v1/limits.pb.h"

namespace halles {

// The checks of one field, and the words of its errors.
struct FieldRule {
  enum class Content { kNothing, kText, kBytes, kNumber, kEnum, kTime, kMessage };

  const google::protobuf::FieldDescriptor* field = nullptr;
  options::v1::FieldLimits limits;
  // The checks of each value; of a repeated field, of each entry.
  Content content = Content::kNothing;
  std::string range;         // of characters or bytes, "1 to 64"
  std::string number_words;  // "must be 1 to 10^12"; empty when the number may be any
  std::string items_range;   // of entries, "1 to 100"
  // The field of a Money or Decimal that `limits.number` is about.
  const google::protobuf::FieldDescriptor* amount = nullptr;
  // The field of each entry that must be unique.
  const google::protobuf::FieldDescriptor* unique_by = nullptr;

  bool has_presence() const { return field->has_presence(); }
  // Whether anything about the field is checked.
  bool idle() const;
};

// A oneof of which one field must be set.
struct OneofRule {
  const google::protobuf::OneofDescriptor* oneof = nullptr;
  std::string when_missing;
};

// The rules of one type of message, in the order of its proto.
struct MessageRules {
  const google::protobuf::Descriptor* type = nullptr;
  std::vector<FieldRule> fields;
  std::vector<OneofRule> oneofs;

  bool idle() const { return fields.empty() && oneofs.empty(); }
};

// The rules of a request, or of all requests of a file, and of all messages that they hold, each type once.
// Limits: only of requests, which are messages whose names end in "Request"; extensions are ignored.
class RequestRules {
 public:
  // Adds a message with all messages that it holds. Empty, or the first fault: a field without a limit, or an option
  // that does not fit.
  std::string Add(const google::protobuf::Descriptor& message);
  // Adds every request of a file.
  std::string AddRequests(const google::protobuf::FileDescriptor& file);

  // The messages added by name, in order.
  const std::vector<const MessageRules*>& requests() const { return requests_; }
  // All: requests and the messages that they hold.
  const std::vector<std::unique_ptr<MessageRules>>& messages() const { return messages_; }
  const MessageRules* Find(const google::protobuf::Descriptor* type) const;

 private:
  std::string AddMessage(const google::protobuf::Descriptor& type);
  std::string AddField(const google::protobuf::FieldDescriptor& field, MessageRules* rules);

  std::vector<std::unique_ptr<MessageRules>> messages_;
  std::vector<const MessageRules*> requests_;
};

// The rules as a document: a table for each message.
std::string LimitTables(const RequestRules& rules);

}  // namespace halles

#endif  // HALLES_PROTO_LIMITS_RULES_H_
