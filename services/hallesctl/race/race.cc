// Runs the race: buyers, and calls with copies.
#include "services/hallesctl/race/race.h"

#include <algorithm>
#include <barrier>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/client_context.h"
#include "halles/inventory/v1/inventory_service.grpc.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "libs/rpc/grpc_status.h"

namespace halles::hallesctl {
namespace {

using inventory::v1::CommitHoldRequest;
using inventory::v1::CommitHoldResponse;
using inventory::v1::InventoryService;
using inventory::v1::ReserveStockRequest;
using inventory::v1::ReserveStockResponse;

constexpr size_t kFaultsMax = 20;

// Whether a rule refused the request. Any other error may be retried.
bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kFailedPrecondition || status.code() == absl::StatusCode::kInvalidArgument;
}

// Calls until there is an answer or the deadline has passed.
template <typename Request, typename Response>
absl::StatusOr<Response> Insist(InventoryService::Stub& stub,
                                grpc::Status (InventoryService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                               Response*),
                                const Request& request, const RaceOptions& options, absl::Time deadline) {
  for (absl::Duration pause = options.backoff_min;; pause = std::min(2 * pause, options.backoff_max)) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(std::min(deadline, absl::Now() + options.call_timeout)));
    Response response;
    const absl::Status status = rpc::FromGrpc((stub.*method)(&context, request, &response));
    if (status.ok()) return response;
    if (IsRefusal(status) || status.code() == absl::StatusCode::kUnimplemented || absl::Now() + pause >= deadline) {
      return status;
    }
    absl::SleepFor(pause);
  }
}

class Race {
 public:
  Race(const RaceOptions& options, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
       const RaceObserver& observer)
      : options_(options), observer_(observer), buyers_(static_cast<size_t>(options.buyers)) {
    for (const auto& channel : channels) stubs_.push_back(InventoryService::NewStub(channel));
    const absl::Time end = absl::Now() + options.hold_for;
    expire_us_ = absl::ToUnixMicros(end);
  }

  absl::StatusOr<RaceResult> Run() {
    RETURN_IF_ERROR(BringIn());
    const absl::Time began = absl::Now();
    give_up_ = began + options_.retry_for;
    Release();
    observer_.released();
    Attend();
    RaceResult result;
    {
      MutexLock lock(&mutex_);
      result = std::move(result_);
    }
    result.took = absl::Now() - began;
    std::sort(result.winners.begin(), result.winners.end());
    inventory::v1::GetAvailabilityRequest request;
    request.set_sku(options_.sku);
    request.add_location_ids(options_.location_id);
    request.set_read_mode(inventory::v1::READ_MODE_LINEARIZABLE);
    ASSIGN_OR_RETURN(const inventory::v1::GetAvailabilityResponse there,
                     Insist(*stubs_[0], &InventoryService::Stub::GetAvailability, request, options_,
                            absl::Now() + options_.retry_for));
    if (there.levels_size() > 0) result.level = there.levels(0);
    return result;
  }

 private:
  struct Buyer {
    bool buys = false;  // has a hold and is committing it
    int open = 0;       // copies that still wait for their last answer
    int refused = 0;
    int unanswered = 0;
    std::optional<std::string> accepted;  // the first answer
  };
  struct Call {
    size_t buyer = 0;
    int copy = 0;
    absl::Duration pause;  // before the next attempt
    grpc::ClientContext context;
    ReserveStockRequest reserve;
    ReserveStockResponse reserved;
    CommitHoldRequest commit;
    CommitHoldResponse committed;
  };
  struct Due {
    size_t buyer;
    int copy;
    absl::Duration pause;
    bool again;
  };

  std::string HoldOf(size_t buyer) const { return absl::StrCat("buyer-", buyer); }
  int CopiesOf(size_t buyer) const { return 1 + static_cast<int>(buyer % static_cast<size_t>(options_.copies_max)); }
  size_t ConnectionOf(size_t buyer, int copy) const { return (buyer + static_cast<size_t>(copy)) % stubs_.size(); }

  absl::Status BringIn() {
    if (options_.units == 0) return absl::OkStatus();
    inventory::v1::ReceiveStockRequest request;
    request.set_request_id(absl::StrCat("race/", options_.sku, "/stock"));
    request.set_sku(options_.sku);
    request.set_location_id(options_.location_id);
    request.set_units(options_.units);
    return Insist(*stubs_[0], &InventoryService::Stub::ReceiveStock, request, options_,
                  absl::Now() + options_.retry_for)
        .status();
  }

  // Starts one thread per connection, so that all connections begin at once.
  void Release() {
    {
      MutexLock lock(&mutex_);
      left_ = options_.buyers;
      for (size_t buyer = 0; buyer < buyers_.size(); ++buyer) buyers_[buyer].open = CopiesOf(buyer);
    }
    std::barrier gate(static_cast<std::ptrdiff_t>(stubs_.size()));
    std::vector<std::thread> threads;
    for (size_t connection = 0; connection < stubs_.size(); ++connection) {
      threads.emplace_back([this, connection, &gate] {
        gate.arrive_and_wait();
        for (size_t buyer = 0; buyer < static_cast<size_t>(options_.buyers); ++buyer) {
          for (int copy = 0; copy < CopiesOf(buyer); ++copy) {
            if (ConnectionOf(buyer, copy) == connection) Send({buyer, copy, options_.backoff_min, false}, false);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // Sends retries and commits when they are due, until every buyer is done.
  void Attend() {
    for (;;) {
      std::vector<std::pair<Due, bool>> now_due;
      {
        MutexLock lock(&mutex_);
        const absl::Time next = due_.empty() ? absl::InfiniteFuture() : due_.begin()->first;
        mutex_.AwaitWithTimeout(
            [this, next]()
                ABSL_NO_THREAD_SAFETY_ANALYSIS { return left_ == 0 || (!due_.empty() && due_.begin()->first < next); },
            next - absl::Now());
        if (left_ == 0 && in_flight_ == 0) return;
        for (const absl::Time now = absl::Now(); !due_.empty() && due_.begin()->first <= now;) {
          now_due.emplace_back(due_.begin()->second, buyers_[due_.begin()->second.buyer].buys);
          due_.erase(due_.begin());
        }
        if (left_ == 0) mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return in_flight_ == 0; });
      }
      for (const auto& [due, buys] : now_due) Send(due, buys);
    }
  }

  void Send(const Due& due, bool buys) ABSL_LOCKS_EXCLUDED(mutex_) {
    auto call = std::make_unique<Call>();
    call->buyer = due.buyer;
    call->copy = due.copy;
    call->pause = due.pause;
    call->context.set_deadline(absl::ToChronoTime(std::min(give_up_, absl::Now() + options_.call_timeout)));
    {
      MutexLock lock(&mutex_);
      ++result_.calls;
      if (due.again) ++result_.retries;
      result_.in_flight_max = std::max(result_.in_flight_max, ++in_flight_);
    }
    const std::string hold = HoldOf(due.buyer);
    InventoryService::Stub& stub = *stubs_[ConnectionOf(due.buyer, due.copy)];
    Call* const sent = call.release();
    const auto done = [this, sent](const grpc::Status& status) { Ended(std::unique_ptr<Call>(sent), status); };
    if (buys) {
      sent->commit.set_request_id(absl::StrCat("race/", options_.sku, "/", hold, "/commit"));
      sent->commit.set_sku(options_.sku);
      sent->commit.set_hold_id(hold);
      sent->commit.set_order_id(absl::StrCat("race-", due.buyer));
      stub.async()->CommitHold(&sent->context, &sent->commit, &sent->committed, done);
      return;
    }
    sent->reserve.set_request_id(absl::StrCat("race/", options_.sku, "/", hold));
    sent->reserve.set_sku(options_.sku);
    sent->reserve.set_hold_id(hold);
    sent->reserve.add_lines()->set_units(1);
    sent->reserve.add_candidate_location_ids(options_.location_id);
    sent->reserve.set_purpose(inventory::v1::HOLD_PURPOSE_CART);
    sent->reserve.mutable_owner()->set_ref(absl::StrCat("cart/race-", due.buyer));
    // All copies have the same time because they are one request.
    *sent->reserve.mutable_expire_time() = TimestampOf(expire_us_);
    stub.async()->ReserveStock(&sent->context, &sent->reserve, &sent->reserved, done);
  }

  void Ended(std::unique_ptr<Call> call, const grpc::Status& ended) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Status status = rpc::FromGrpc(ended);
    const absl::Time now = absl::Now();
    std::optional<std::pair<int64_t, int64_t>> told;
    {
      MutexLock lock(&mutex_);
      Buyer& buyer = buyers_[call->buyer];
      if (!status.ok() && !IsRefusal(status) && now + call->pause < give_up_) {
        due_.emplace(now + call->pause,
                     Due{call->buyer, call->copy, std::min(2 * call->pause, options_.backoff_max), true});
      } else {
        Note(*call, status, &buyer);
        ++answered_;
        if (--buyer.open == 0) Settle(call->buyer, now);
        told = {answered_, held_};
      }
    }
    call.reset();
    if (told.has_value()) observer_.answered(told->first, told->second);
    // Last, because the race may be over after this.
    MutexLock lock(&mutex_);
    --in_flight_;
  }

  // Records the last answer of one copy.
  void Note(const Call& call, const absl::Status& status, Buyer* buyer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (status.ok()) {
      std::string answer = buyer->buys ? call.committed.SerializeAsString() : call.reserved.SerializeAsString();
      if (!buyer->accepted.has_value()) {
        buyer->accepted = std::move(answer);
        return;
      }
      ++result_.copies;
      if (*buyer->accepted != answer) Fault(call.buyer, "two copies of one request have different answers");
    } else if (!IsRefusal(status)) {
      ++buyer->unanswered;
    } else if (!buyer->buys && ReasonOf(status) == "INSUFFICIENT_STOCK") {
      ++buyer->refused;
    } else {
      ++buyer->unanswered;
      Fault(call.buyer, status.ToString());
    }
  }

  // Called when all copies of a request have their last answer.
  void Settle(size_t number, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Buyer& buyer = buyers_[number];
    if (buyer.accepted.has_value() && buyer.refused > 0) Fault(number, "one copy was accepted and another refused");
    if (buyer.accepted.has_value() && !buyer.buys) {
      ++held_;
      buyer = {.buys = true, .open = CopiesOf(number)};
      for (int copy = 0; copy < CopiesOf(number); ++copy) {
        due_.emplace(now + options_.think, Due{number, copy, options_.backoff_min, false});
      }
      return;
    }
    --left_;
    if (buyer.accepted.has_value()) {
      ++result_.won;
      result_.winners.push_back(HoldOf(number));
    } else if (buyer.unanswered > 0) {
      ++result_.unanswered;
    } else {
      ++result_.refused;
    }
  }

  void Fault(size_t buyer, absl::string_view what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (result_.faults.size() < kFaultsMax) result_.faults.push_back(absl::StrCat(HoldOf(buyer), ": ", what));
  }

  const RaceOptions& options_;
  const RaceObserver& observer_;
  std::vector<std::unique_ptr<InventoryService::Stub>> stubs_;
  int64_t expire_us_ = 0;
  absl::Time give_up_;

  Mutex mutex_;
  std::vector<Buyer> buyers_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Time, Due> due_ ABSL_GUARDED_BY(mutex_);
  int64_t left_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t held_ ABSL_GUARDED_BY(mutex_) = 0;
  RaceResult result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<RaceResult> RunRace(const RaceOptions& options,
                                   const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                                   const RaceObserver& observer) {
  const absl::Time deadline = absl::Now() + options.retry_for;
  for (const auto& channel : channels) {
    if (!channel->WaitForConnected(absl::ToChronoTime(deadline))) {
      return Failure(absl::StatusCode::kUnavailable, "NOT_CONNECTED", "no answer from the target");
    }
  }
  return Race(options, channels, observer).Run();
}

}  // namespace halles::hallesctl
