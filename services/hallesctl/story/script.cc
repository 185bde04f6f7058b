// Plays the steps of a story.
#include "services/hallesctl/story/script.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"

namespace halles::hallesctl {

using inventory::v1::GetAvailabilityRequest;
using inventory::v1::InventoryService;
using inventory::v1::StockLevel;

Script::Script(Client& client, std::string name, std::string seed, Observer observer)
    : client_(client), name_(std::move(name)), seed_(std::move(seed)), observer_(std::move(observer)) {}

std::string Script::Own(absl::string_view name) const { return absl::StrCat(name, "-", seed_); }

std::string Script::NextRequestId() { return absl::StrCat("story/", name_, "/", seed_, "/", ++requests_); }

void Script::Watch(const std::string& sku) {
  watched_.insert(sku);
  Look();
}

void Script::Show(absl::string_view says) {
  if (failed()) return;
  Note({.says = std::string(says)});
}

void Script::Expect(absl::string_view what, int64_t got, int64_t want) {
  Compared(what, absl::StrCat(got), absl::StrCat(want));
}

void Script::ExpectWord(absl::string_view what, absl::string_view got, absl::string_view want) {
  Compared(what, std::string(got), std::string(want));
}

void Script::Await(absl::string_view what, const std::function<int64_t()>& read, int64_t want) {
  if (failed()) return;
  const absl::Time give_up = absl::Now() + client_.timeout;
  int64_t got = read();
  while (!failed() && got != want && absl::Now() < give_up) {
    absl::SleepFor(kStoryPause);
    got = read();
  }
  Compared(what, absl::StrCat(got), absl::StrCat(want));
}

void Script::Fail(absl::string_view why) {
  if (failed()) return;
  failure_ = std::string(why);
  Note({.says = std::string(why), .holds = false});
}

void Script::Compared(absl::string_view what, std::string got, std::string want) {
  if (failed()) return;
  Step step{
      .says = std::string(what), .changed = Look(), .asserts = true, .got = std::move(got), .want = std::move(want)};
  step.holds = step.got == step.want;
  if (!step.holds && !failed()) failure_ = absl::StrCat(what, ": ", step.got, " instead of ", step.want);
  Note(step);
}

void Script::Called(absl::string_view says, const std::string& request_name, const absl::Status& status,
                    absl::string_view refusal) {
  const std::string reason = ReasonOf(status);
  Step step{.says = std::string(says), .call = std::string(absl::StripSuffix(request_name, "Request"))};
  step.answer = status.ok() ? "OK" : reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
  step.holds = refusal.empty() ? status.ok() : !status.ok() && reason == refusal;
  if (step.holds) {
    step.changed = Look();
  } else {
    failure_ = absl::StrCat(says, ": ", step.call, " answered ", step.answer, " instead of ",
                            refusal.empty() ? "OK" : refusal);
    if (!status.ok()) absl::StrAppend(&failure_, ": ", status.message());
  }
  Note(step);
}

void Script::Note(const Step& step) { observer_(step); }

std::vector<Change> Script::Look() {
  std::vector<Change> changed;
  for (const std::string& sku : watched_) {
    GetAvailabilityRequest request;
    request.set_sku(sku);
    request.set_read_mode(inventory::v1::READ_MODE_LINEARIZABLE);
    const auto answer = Insist(client_, &InventoryService::Stub::GetAvailability, *client_.inventory, request);
    if (!answer.ok()) {
      if (!failed()) failure_ = absl::StrCat("stock of ", sku, " cannot be read: ", answer.status().message());
      return changed;
    }
    for (const StockLevel& level : answer->levels()) {
      const std::pair<const char*, int64_t> counted[] = {{"on hand", level.on_hand_units()},
                                                         {"held", level.held_units()},
                                                         {"committed", level.committed_units()},
                                                         {"in transit", level.in_transit_units()},
                                                         {"available", level.available_units()}};
      for (const auto& [number, units] : counted) {
        const std::string what =
            absl::StrCat(absl::StripSuffix(sku, absl::StrCat("-", seed_)), " in ", level.location_id(), " ", number);
        int64_t& known = numbers_[what];
        if (known != units) changed.push_back({what, known, units});
        known = units;
      }
    }
  }
  return changed;
}

}  // namespace halles::hallesctl
