// The steps of a story: call, expect, await, show. Each step reports the changes it caused.
#ifndef HALLES_SERVICES_HALLESCTL_STORY_SCRIPT_H_
#define HALLES_SERVICES_HALLESCTL_STORY_SCRIPT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/hallesctl/client.h"

namespace halles::hallesctl {

// A stock figure that a step changed.
struct Change {
  std::string what;
  int64_t before = 0;
  int64_t after = 0;
};

struct Step {
  std::string says;    // description of the step
  std::string call;    // method called; empty if the step is no call
  std::string answer;  // answer to the call: "OK", or the reason of the refusal
  std::vector<Change> changed;
  bool asserts = false;   // `got` was compared with `want`
  std::string got, want;  // of a comparison
  bool holds = true;      // false for the step at which the story fails
};

// Sends a request until it is accepted or refused. Without an answer it is sent again with the same request id. May be
// called on any thread.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Insist(Client& client,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                Stub& stub, const Request& request);

// Plays a story. After the first step that fails, no call is made and every answer is empty, so a story needs no check
// after each line.
// Thread safety: one thread. Lifetime: the client outlives it.
class Script {
 public:
  using Observer = std::function<void(const Step&)>;

  // `seed` makes the names of this run unique. The observer is called after each step.
  Script(Client& client, std::string name, std::string seed, Observer observer);

  // A name that is unique to this run, such as "shoes-42-7f3a".
  std::string Own(absl::string_view name) const;
  // A request id; a repeated run with the same seed gives the same ids.
  std::string NextRequestId();

  // From now on, steps report changes of this SKU's stock.
  void Watch(const std::string& sku);

  void Show(absl::string_view says);

  // A call that must succeed.
  template <typename Stub, typename Request, typename Response>
  Response Call(absl::string_view says, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                Stub& stub, Request request) {
    if (failed()) return {};
    const absl::StatusOr<Response> answer = Send(method, stub, &request);
    Called(says, Request::descriptor()->name(), answer.status(), "");
    return answer.ok() ? *answer : Response();
  }

  // A call that must be refused for this reason; refusal() then holds the whole refusal.
  template <typename Stub, typename Request, typename Response>
  void CallRefused(absl::string_view says, absl::string_view reason,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Stub& stub,
                   Request request) {
    if (failed()) return;
    refusal_ = Send(method, stub, &request).status();
    Called(says, Request::descriptor()->name(), refusal_, reason);
  }

  // A query that is no step of the story.
  template <typename Stub, typename Request, typename Response>
  Response Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Stub& stub,
               const Request& request) {
    if (failed()) return {};
    const absl::StatusOr<Response> answer = Insist(client_, method, stub, request);
    if (answer.ok()) return *answer;
    Called("asks", Request::descriptor()->name(), answer.status(), "");
    return {};
  }

  // Expects equality now.
  void Expect(absl::string_view what, int64_t got, int64_t want);
  void ExpectWord(absl::string_view what, absl::string_view got, absl::string_view want);
  // Waits for equality, because views and reactions follow the log with a delay.
  void Await(absl::string_view what, const std::function<int64_t()>& read, int64_t want);
  // Ends the story here.
  void Fail(absl::string_view why);

  const absl::Status& refusal() const { return refusal_; }
  bool failed() const { return !failure_.empty(); }
  // The failure as one line; empty when nothing failed.
  const std::string& failure() const { return failure_; }
  const std::string& name() const { return name_; }
  const std::string& seed() const { return seed_; }
  Client& client() { return client_; }

 private:
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Send(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                Stub& stub, Request* request) {
    if constexpr (requires { request->set_request_id(""); }) {
      if (request->request_id().empty()) request->set_request_id(NextRequestId());
    }
    return Insist(client_, method, stub, *request);
  }

  // Reports a call with the changes it caused; fails unless the answer is the expected one.
  void Called(absl::string_view says, const std::string& request_name, const absl::Status& status,
              absl::string_view refusal);
  void Compared(absl::string_view what, std::string got, std::string want);
  void Note(const Step& step);
  // Reads the numbers of the watched SKUs and returns those that changed.
  std::vector<Change> Look();

  Client& client_;
  const std::string name_;
  const std::string seed_;
  const Observer observer_;
  std::set<std::string> watched_;
  std::map<std::string, int64_t> numbers_;  // by name
  int requests_ = 0;
  absl::Status refusal_;
  std::string failure_;
};

// Pause before an unanswered request is sent again, and between two reads of an awaited value.
inline constexpr absl::Duration kStoryPause = absl::Milliseconds(20);

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Insist(Client& client,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                Stub& stub, const Request& request) {
  const absl::Time give_up = absl::Now() + client.timeout;
  while (true) {
    absl::StatusOr<Response> answer = client.Call(method, stub, request);
    if (answer.ok() || !IsWorthAnotherTry(answer.status()) || absl::Now() > give_up) return answer;
    absl::SleepFor(kStoryPause);
  }
}

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_STORY_SCRIPT_H_
