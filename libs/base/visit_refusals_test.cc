// Visitors that must not compile: ctest compiles this file once with each macro below and expects the error message.
#include <string>

#include "absl/status/status.h"
#include "libs/base/visit.h"
#include "libs/base/visit_test_events.visit.h"

namespace halles::visit_test {
namespace {

#if defined(PASSES_OVER_WHAT_IT_HANDLES)
struct Complete : PassesOver<Moved, GoodsSold> {
#else
struct Complete : PassesOver<Moved> {
#endif
  using PassesOver::operator();
#if defined(ANSWERS_OTHERWISE)
  std::string operator()(const ShopOpened&) { return ""; }
#else
  absl::Status operator()(const ShopOpened&) { return absl::OkStatus(); }
#endif
#if !defined(LACKS_AN_EVENT)
  absl::Status operator()(const GoodsSold&) { return absl::OkStatus(); }
#endif
#if defined(PASSES_OVER_NO_EVENT)
  Ignored operator()(NoEvent) { return {}; }
#elif !defined(LACKS_NO_EVENT)
  absl::Status operator()(NoEvent) { return absl::DataLossError("no event"); }
#endif
#if defined(TAKES_ANY_MESSAGE)
  absl::Status operator()(const google::protobuf::Message&) { return absl::OkStatus(); }
#elif defined(TAKES_ANYTHING)
  absl::Status operator()(const auto&) { return absl::OkStatus(); }
#endif
};

}  // namespace

// Compiles when no macro is set.
absl::Status VisitComplete(const ShopEvent& event);
absl::Status VisitComplete(const ShopEvent& event) { return Visit(event, Complete()); }

}  // namespace halles::visit_test
