// Imports seeded orders and returns with many calls in flight, and remembers each with its answer.
#include "tests/durability/import_load.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "libs/rpc/grpc_status.h"

namespace halles::durability {
namespace {

using checkout::v1::ImportOrderRequest;
using checkout::v1::ImportOrderResponse;
using checkout::v1::ImportRecord;
using checkout::v1::ImportReturnRequest;
using checkout::v1::ImportReturnResponse;

constexpr absl::Duration kCallTimeout = absl::Seconds(20);
constexpr int64_t kFirstSecond = 1'700'000'000;
constexpr size_t kWrongAnswersMax = 20;

// The request depends only on the number and the import, so a repeat is equal byte by byte.
ImportRecord RecordOf(const Fact& fact) {
  ImportRecord record;
  record.mutable_external()->set_source("kill-test");
  record.mutable_external()->set_external_id(ExternalIdOf(fact.number));
  record.mutable_recorded_time()->set_seconds(kFirstSecond + static_cast<int64_t>(fact.number));
  record.set_channel(fact.number % 3 == 0 ? common::v1::CHANNEL_WEB : common::v1::CHANNEL_SHOP);
  record.set_site_id(absl::StrCat("shop-", fact.number % 7));
  record.set_currency_code("EUR");
  common::v1::Identifier* customer = record.add_identifiers();
  customer->set_type(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
  customer->set_issuer("kill-test");
  customer->set_value(CustomerNumber(fact.customer));
  if (fact.number % 5 == 0) {
    common::v1::Identifier* mail = record.add_identifiers();
    mail->set_type(common::v1::IDENTIFIER_TYPE_EMAIL);
    mail->set_value(absl::StrCat("c", fact.customer, "@example.com"));
  }
  int64_t left = fact.net_minor_units;
  for (int i = 0; i < fact.lines; ++i) {
    const int64_t amount = i + 1 == fact.lines ? left : fact.net_minor_units / fact.lines;
    left -= amount;
    checkout::v1::ImportLine* line = record.add_lines();
    line->set_kind(fact.is_return ? checkout::v1::LINE_KIND_RETURN : checkout::v1::LINE_KIND_SALE);
    line->set_sku(absl::StrCat("SKU-", i));
    line->mutable_quantity()->set_unscaled(fact.is_return ? -1 : 1);
    line->mutable_exact_amount()->set_unscaled(amount);
    line->mutable_exact_amount()->set_scale(2);
  }
  return record;
}

std::string RequestIdOf(const Fact& fact) { return absl::StrCat("kill-test/", ExternalIdOf(fact.number)); }

}  // namespace

std::string ExternalIdOf(uint64_t number) { return absl::StrCat("fact-", number); }
std::string CustomerNumber(uint32_t customer) { return absl::StrCat("customer-", customer); }

// A running call and everything that gRPC refers to meanwhile.
struct ImportLoad::Call {
  Fact fact;
  grpc::ClientContext context;
  ImportOrderRequest order;
  ImportOrderResponse order_answer;
  ImportReturnRequest return_request;
  ImportReturnResponse return_answer;
};

ImportLoad::ImportLoad(uint64_t seed) : random_(seed) {}

Fact ImportLoad::NewFact() {
  Fact fact;
  fact.number = next_number_++;
  fact.customer = static_cast<uint32_t>(random_() % kCustomers);
  fact.lines = static_cast<int>(1 + random_() % 3);
  fact.net_minor_units = static_cast<int64_t>(100 + random_() % 10'000);
  // Each tenth import returns an order shortly before or after it. Orders have numbers that end in 0 to 8.
  fact.is_return = fact.number % 10 == 9;
  if (fact.is_return) {
    const uint64_t decade = fact.number / 10 + (random_() % 4 == 0 ? 1 : 0);
    fact.original = decade * 10 + random_() % 9;
    fact.net_minor_units = -fact.net_minor_units;
  }
  return fact;
}

void ImportLoad::Pump() {
  while (!stopped_ && in_flight_ < kInFlight) {
    if (!waiting_.empty()) {
      Fact fact = std::move(waiting_.front());
      waiting_.pop_front();
      Send(std::move(fact));
    } else if (!only_waiting_) {
      Send(NewFact());
    } else {
      return;
    }
  }
}

void ImportLoad::Send(Fact fact) {
  auto call = std::make_unique<Call>();
  call->fact = std::move(fact);
  call->context.set_deadline(absl::ToChronoTime(absl::Now() + kCallTimeout));
  ++in_flight_;
  Call* sent = call.release();
  const auto done = [this, sent](const grpc::Status& status) { Ended(std::unique_ptr<Call>(sent), status); };
  if (sent->fact.is_return) {
    sent->return_request.set_request_id(RequestIdOf(sent->fact));
    *sent->return_request.mutable_return_record() = RecordOf(sent->fact);
    sent->return_request.mutable_original()->set_source("kill-test");
    sent->return_request.mutable_original()->set_external_id(ExternalIdOf(sent->fact.original));
    stub_->async()->ImportReturn(&sent->context, &sent->return_request, &sent->return_answer, done);
  } else {
    sent->order.set_request_id(RequestIdOf(sent->fact));
    *sent->order.mutable_order() = RecordOf(sent->fact);
    stub_->async()->ImportOrder(&sent->context, &sent->order, &sent->order_answer, done);
  }
}

void ImportLoad::Ended(std::unique_ptr<Call> call, const grpc::Status& status) {
  MutexLock lock(&mutex_);
  --in_flight_;
  Fact& fact = call->fact;
  const auto wrong = [&](absl::string_view what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (wrong_answers_.size() < kWrongAnswersMax) {
      wrong_answers_.push_back(absl::StrCat(ExternalIdOf(fact.number), ": ", what));
    }
  };
  if (status.ok()) {
    const bool is_return = fact.is_return;
    const std::string& id = is_return ? call->return_answer.return_id() : call->order_answer.order_id();
    const int64_t net = is_return ? call->return_answer.net().minor_units() : call->order_answer.net().minor_units();
    if (net != fact.net_minor_units) wrong(absl::StrCat("net ", net, " instead of ", fact.net_minor_units));
    if (!fact.id.empty() && fact.id != id) wrong("another id than the first time");
    fact.id = id;
    fact.token = is_return ? call->return_answer.consistency_token() : call->order_answer.consistency_token();
    acknowledged_[fact.number] = std::move(fact);
    ++life_.acknowledged;
    if (!stopped_ && wanted_ > 0 && life_.acknowledged == wanted_) {
      life_.in_flight_at_the_end = in_flight_;
      stopped_ = true;
      (*then_)();
    }
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
             (stopped_ && (status.error_code() == grpc::StatusCode::CANCELLED ||
                           status.error_code() == grpc::StatusCode::UNKNOWN))) {
    // The outcome is unknown, unless rebuilt rows are being put in place. The same request id is sent again, to the next
    // process if this one is gone.
    const std::string reason = ReasonOf(rpc::FromGrpc(status));
    const bool refused = reason == "NOT_SERVING" || reason == "DRAINING";
    if (!refused) life_.unknown.push_back(fact);
    waiting_.push_back(std::move(fact));
    if (!stopped_ && !refused) {
      wrong(absl::StrCat("UNAVAILABLE before the kill: ", status.error_message()));
      stopped_ = true;
    }
  } else {
    wrong(absl::StrCat("code ", static_cast<int>(status.error_code()), ": ", status.error_message()));
  }
  Pump();
}

ImportLoad::Life ImportLoad::Await(absl::Time deadline) {
  MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return in_flight_ == 0; };
  if (!mutex_.AwaitWithTimeout(idle, deadline - absl::Now())) {
    stopped_ = true;
    wrong_answers_.push_back(absl::StrCat(in_flight_, " calls have no end"));
    mutex_.Await(idle);  // every call has a deadline
  }
  stopped_ = true;
  stub_.reset();
  return std::exchange(life_, {});
}

ImportLoad::Life ImportLoad::Run(const std::shared_ptr<grpc::Channel>& channel, uint64_t acknowledgements,
                                 const std::function<void()>& then, absl::Time deadline) {
  {
    MutexLock lock(&mutex_);
    stub_ = checkout::v1::CheckoutService::NewStub(channel);
    only_waiting_ = false;
    wanted_ = acknowledgements;
    then_ = &then;
    stopped_ = false;
    Pump();
  }
  return Await(deadline);
}

ImportLoad::Life ImportLoad::Finish(const std::shared_ptr<grpc::Channel>& channel, absl::Time deadline) {
  {
    MutexLock lock(&mutex_);
    stub_ = checkout::v1::CheckoutService::NewStub(channel);
    only_waiting_ = true;
    wanted_ = 0;
    stopped_ = false;
    Pump();
  }
  return Await(deadline);
}

ImportLoad::Life ImportLoad::Again(const std::shared_ptr<grpc::Channel>& channel, std::vector<Fact> facts,
                                   absl::Time deadline) {
  {
    MutexLock lock(&mutex_);
    waiting_.insert(waiting_.end(), std::make_move_iterator(facts.begin()), std::make_move_iterator(facts.end()));
  }
  return Finish(channel, deadline);
}

std::map<uint64_t, Fact> ImportLoad::acknowledged() const {
  MutexLock lock(&mutex_);
  return acknowledged_;
}

std::vector<std::string> ImportLoad::wrong_answers() const {
  MutexLock lock(&mutex_);
  return wrong_answers_;
}

}  // namespace halles::durability
