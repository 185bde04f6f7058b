// Visitors of events: each must handle or explicitly ignore every kind of event. Used by the generated
// "*_events.visit.h".
//
// An event message has `oneof event`. For each such message a header is generated beside its ".pb.h", with
//
//   auto Visit(const OrderEvent& event, Visitor&& visitor);
//
// It calls `visitor` with the message that is set. A visitor is a struct with one overload for each kind of event:
//
//   struct Evolver : PassesOver<v1::CartOpened, v1::CartMerged> {
//     using PassesOver::operator();
//     absl::Status operator()(const v1::OrderConfirmed& confirmed) const;
//     absl::Status operator()(NoEvent) const;
//     store::Rows& rows;
//   };
//
// A visitor without an overload for a kind does not compile, and the error names that kind. So a new kind of event
// breaks the build of every fold and reaction until each of them handles it. Kinds that a visitor ignores are listed in
// PassesOver.
#ifndef HALLES_LIBS_BASE_VISIT_H_
#define HALLES_LIBS_BASE_VISIT_H_

#include <array>
#include <cstddef>
#include <type_traits>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace halles {

// The return type of an overload that ignores a kind of event; Visit does not call it.
struct Ignored {};

// The event holds no kind, or one that this build does not know. Visit returns what the visitor returns for it.
struct NoEvent {};

// The overload of a visitor that ignores one kind of event.
template <class Event>
struct PassesOverOne {
  Ignored operator()(const Event&) const { return {}; }
};

// The kinds of events that a visitor ignores. Visit then returns a neutral value: an OK status, or no requests.
template <class... Events>
struct PassesOver : PassesOverOne<Events>... {
  using PassesOverOne<Events>::operator()...;
};

namespace visit_internal {

template <class Visitor, class Argument>
concept Takes = requires(Visitor& visitor, const Argument& argument) {
  visitor(argument);
};

template <class Visitor, class Argument>
struct ResultOf {
  using Type = void;
};
template <class Visitor, class Argument>
requires Takes<Visitor, Argument>
struct ResultOf<Visitor, Argument> {
  using Type = std::invoke_result_t<Visitor&, const Argument&>;
};

template <class Visitor>
using Result = typename ResultOf<Visitor, NoEvent>::Type;

template <class Visitor, class Event>
inline constexpr bool kPassesOver = std::is_same_v<typename ResultOf<Visitor, Event>::Type, Ignored>;

template <class Visitor, class Event>
inline constexpr bool kFits = kPassesOver<Visitor, Event> ||
                              (Takes<Visitor, Event> &&
                               std::is_convertible_v<typename ResultOf<Visitor, Event>::Type, Result<Visitor>>);

// Listed as ignored although the visitor handles it.
template <class Visitor, class Event>
inline constexpr bool kContradicts =
    Takes<Visitor, Event> && !kPassesOver<Visitor, Event> && std::is_base_of_v<PassesOverOne<Event>, Visitor>;

// A type that is no event: a visitor that accepts it would accept every kind of event.
struct AnyMessage : google::protobuf::Message {};

template <class Visitor>
constexpr void CheckVisitor() {
  static_assert(Takes<Visitor, NoEvent>,
                "the visitor has no overload for NoEvent: say what an event means that this build does not know");
  static_assert(!kPassesOver<Visitor, NoEvent>, "the visitor passes over NoEvent: it must return what Visit returns");
  static_assert(!Takes<Visitor, AnyMessage>,
                "the visitor takes any message, so a new kind of event would go unseen: name each kind");
}

// The value that Visit returns for an ignored event.
template <class Result>
struct Nothing {
  static Result Value() { return Result(); }
};
template <class Value_>
struct Nothing<absl::StatusOr<Value_>> {
  static absl::StatusOr<Value_> Value() { return Value_(); }
};

template <class Event, class Visitor>
Result<Visitor> VisitOne(const Event& event, Visitor& visitor) {
  if constexpr (kPassesOver<Visitor, Event>) {
    return Nothing<Result<Visitor>>::Value();
  } else if constexpr (kFits<Visitor, Event>) {
    return visitor(event);
  }
}

// One kind of event: the number of its field and its message.
template <int kNumber, class Message_>
struct Kind {
  static constexpr int kFieldNumber = kNumber;
  using Message = Message_;
};

template <class... Kinds>
struct KindList {
  template <class Visitor>
  static constexpr size_t Handled() {
    return (size_t{0} + ... + (kPassesOver<Visitor, typename Kinds::Message> ? 0 : 1));
  }

  template <class Visitor>
  static constexpr std::array<int, Handled<Visitor>()> Fields() {
    std::array<int, Handled<Visitor>()> fields{};
    size_t next = 0;
    ((kPassesOver<Visitor, typename Kinds::Message> ? void() : void(fields[next++] = Kinds::kFieldNumber)), ...);
    return fields;
  }
};

// The kinds of an event message, in the order of its proto; generated.
template <class Event>
struct KindsOf;

}  // namespace visit_internal

// The field numbers of `Event` that a visitor handles, in the order of the proto. A reader need not parse an event with
// any other field.
template <class Event, class Visitor>
inline constexpr auto kHandledFields = visit_internal::KindsOf<Event>::template Fields<Visitor>();

}  // namespace halles

#endif  // HALLES_LIBS_BASE_VISIT_H_
