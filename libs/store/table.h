// Typed tables over rows of bytes: a key struct and a message per table, and the schema that prints their rows.
//
//   struct OrderKey {
//     OrderId order;
//     static constexpr std::array kFieldNames = {"order"};  // optional: names in the output of `verify`
//     auto Fields() const { return std::tie(order); }
//     auto Fields() { return std::tie(order); }
//   };
//   inline constexpr Table<OrderKey, OrderRow> kOrders(1, "orders");
#ifndef HALLES_LIBS_STORE_TABLE_H_
#define HALLES_LIBS_STORE_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"
#include "libs/base/slot.h"
#include "libs/store/key_codec.h"
#include "libs/store/rows.h"

namespace halles::store {

// Deterministic: digests depend on it.
std::string SerializeRow(const google::protobuf::MessageLite& message);
inline std::string SerializeRow(const std::string& bytes) { return bytes; }

// False if the bytes are not such a message.
bool ParseRow(absl::string_view bytes, google::protobuf::MessageLite* message);
bool ParseRow(absl::string_view bytes, std::string* value);

absl::Status UnreadableRow(absl::string_view table, absl::string_view what);

// One table of a service's state or of a view. The row's key is [id, big endian][fields of Key] (key_codec.h).
// `Message` is a protobuf message or std::string.
// A row that does not parse reads as absent and sets the reader's status.
// Thread safety: immutable.
template <class Key, class Message>
class Table {
 public:
  struct Found {
    Message row;
    Position position = 0;  // of the record that last wrote the row
  };

  // `id` is unique within a service's state, or within a view, permanently.
  constexpr Table(uint16_t id, const char* name) : id_(id), name_(name) {}

  constexpr uint16_t id() const { return id_; }
  constexpr const char* name() const { return name_; }

  // The prefix of all keys of this table.
  std::string Prefix() const {
    std::string prefix;
    AppendField(id_, &prefix);
    return prefix;
  }

  std::string Encode(const Key& key) const {
    std::string bytes;
    bytes.reserve(48);
    AppendField(id_, &bytes);
    AppendKey(key, &bytes);
    return bytes;
  }

  std::optional<Message> Get(const RowReader& rows, const Key& key) const {
    std::optional<Found> found = Find(rows, key);
    if (!found.has_value()) return std::nullopt;
    return std::move(found->row);
  }

  std::optional<Found> Find(const RowReader& rows, const Key& key) const {
    const std::optional<Row> row = rows.Get(Encode(key));
    if (!row.has_value()) return std::nullopt;
    std::optional<Found> found(std::in_place);
    if (!ParseRow(row->value, &found->row)) {
      rows.Fail(UnreadableRow(name_, PrintKey(key)));
      return std::nullopt;
    }
    found->position = row->position;
    return found;
  }

  bool Contains(const RowReader& rows, const Key& key) const { return rows.Get(Encode(key)).has_value(); }

  void Put(Rows& rows, const Key& key, const Message& message) const { rows.Put(Encode(key), SerializeRow(message)); }

  void Delete(Rows& rows, const Key& key) const { rows.Delete(Encode(key)); }

  // Visits the rows whose first fields equal `first...`, in order of the key, until `visit(const Key&, const Message&,
  // Position)` returns false. The rows must not be written during the visit.
  template <class Visit, class... First>
  void ForEach(const RowReader& rows, Visit&& visit, const First&... first) const {
    Walk(rows, std::string(), visit, first...);
  }

  // As ForEach, but begins with the first key not less than `start`, whose first fields must be `first...`.
  template <class Visit, class... First>
  void ForEachFrom(const RowReader& rows, const Key& start, Visit&& visit, const First&... first) const {
    Walk(rows, Encode(start), visit, first...);
  }

 private:
  template <class Visit, class... First>
  void Walk(const RowReader& rows, const std::string& start, Visit& visit, const First&... first) const {
    std::string prefix;
    prefix.reserve(48);
    AppendField(id_, &prefix);
    AppendKeyPrefix<Key>(&prefix, first...);
    Key key;
    Message message;
    rows.Scan(prefix, start, [&](absl::string_view bytes, const Row& row) {
      if (!TakeKey(bytes.substr(sizeof(id_)), &key) || !ParseRow(row.value, &message)) {
        rows.Fail(UnreadableRow(name_, PrintBytes(bytes)));
        return false;
      }
      return static_cast<bool>(visit(std::as_const(key), std::as_const(message), row.position));
    });
  }

  uint16_t id_;
  const char* name_;
};

// Prints the rows of one state or view for the operator: "orders order=cj:123".
// Thread safety: immutable once built.
class Schema {
 public:
  // Chained: Schema().Add(kOrders).Add(kReturns). Ends the process if two tables share an id.
  template <class Key, class Message>
  Schema& Add(const Table<Key, Message>& table) {
    AddEntry(table.id(), table.name(), [](absl::string_view fields) -> std::optional<std::string> {
      Key key;
      if (!TakeKey(fields, &key)) return std::nullopt;
      return PrintKey(key);
    });
    return *this;
  }

  // Never fails: an unknown key is printed in hexadecimal.
  std::string Describe(absl::string_view key) const;

  // The name of the table that the key belongs to; "table 7" if no table has this id.
  std::string TableName(absl::string_view key) const;

 private:
  using Printer = std::optional<std::string> (*)(absl::string_view fields);
  struct Entry {
    std::string name;
    Printer print = nullptr;
  };

  void AddEntry(uint16_t id, const char* name, Printer print);

  std::map<uint16_t, Entry> tables_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_TABLE_H_
