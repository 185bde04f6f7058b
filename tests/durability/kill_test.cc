// Kills the real halles with SIGKILL in the middle of an import, again and again, and looks for lost and duplicated
// imports.
//
// HALLES_KILL_SEED and HALLES_KILLS set the seed and the number of kills; the seed is printed.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/protobuf/util/json_util.h"
#include "halles/admin/v1/admin_service.grpc.pb.h"
#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "halles/checkout/v1/order_service.grpc.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.grpc.pb.h"
#include "tests/durability/import_load.h"
#include "tests/durability/process.h"
#include "tests/durability/program.h"

namespace halles::durability {
namespace {

using admin::v1::GetStatusResponse;

constexpr uint64_t kDefaultSeed = 20240607;
constexpr uint64_t kDefaultKills = 30;
constexpr uint64_t kAcknowledgementsMax = 500;  // between two kills
constexpr size_t kInFlightAtLeast = 64;

// Digests by fold, such as "checkout/3" and "customer_identity/customers of checkout/3"; with positions on request.
std::map<std::string, std::string> DigestsOf(const GetStatusResponse& status, bool positions) {
  std::map<std::string, std::string> digests;
  const auto value = [&](const auto& fold) {
    return positions ? absl::StrCat(fold.digest(), " at ", fold.position()) : fold.digest();
  };
  for (const auto& slot : status.slots()) digests[absl::StrCat(slot.service(), "/", slot.slot())] = value(slot);
  for (const auto& view : status.views()) {
    digests[absl::StrCat(view.view(), " of ", view.service(), "/", view.slot())] = value(view);
  }
  return digests;
}

// Without folds of slots whose service reacts: they record their progress from time to time, which is no import.
std::map<std::string, std::string> WithoutProgress(std::map<std::string, std::string> digests) {
  std::erase_if(digests, [](const auto& fold) {
    const std::string source = fold.first.substr(fold.first.rfind(' ') + 1);
    return absl::StartsWith(source, "customer_identity/") || absl::StartsWith(source, "inventory/");
  });
  return digests;
}

// The folds that differ between the two.
std::vector<std::string> Differences(const std::map<std::string, std::string>& a,
                                     const std::map<std::string, std::string>& b) {
  std::vector<std::string> differences;
  for (const auto& [fold, digest] : a) {
    const auto other = b.find(fold);
    if (other == b.end() || other->second != digest) {
      differences.push_back(absl::StrCat(fold, ": ", digest, " and ", other == b.end() ? "nothing" : other->second));
    }
  }
  if (a.size() < b.size()) differences.push_back("the second has more folds");
  return differences;
}

size_t DistinctDigests(const std::map<std::string, std::string>& digests) {
  std::set<std::string> distinct;
  for (const auto& [fold, digest] : digests) distinct.insert(digest);
  return distinct.size();
}

template <typename Stub, typename Request, typename Response>
grpc::Status Ask(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                 const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  return (stub.*method)(&context, request, response);
}

// Flushes confirmed rows: a status reports digests, which a flush computes.
void FlushUntilTheEnd(const std::shared_ptr<grpc::Channel>& channel) {
  admin::v1::AdminService::Stub stub(channel);
  GetStatusResponse status;
  while (Ask(stub, &admin::v1::AdminService::Stub::GetStatus, admin::v1::GetStatusRequest(), &status).ok()) {
  }
}

// Rebuilds state and views from the log, so that many kills fall into the swap.
void RebuildUntilTheEnd(const std::shared_ptr<grpc::Channel>& channel) {
  admin::v1::AdminService::Stub stub(channel);
  grpc::Status status;
  do {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    const auto stream = stub.Rebuild(&context, {});
    admin::v1::RebuildResponse response;
    while (stream->Read(&response)) {
    }
    status = stream->Finish();
    // OK, or it runs already, or the process is gone and the channel with it.
  } while (channel->GetState(false) == GRPC_CHANNEL_READY);
}

// The number of unanswered orders that were recorded nevertheless.
size_t Recorded(const Program& program, const std::vector<Fact>& unknown) {
  checkout::v1::OrderService::Stub stub(program.channel());
  size_t recorded = 0;
  for (const Fact& fact : unknown) {
    if (fact.is_return) continue;
    checkout::v1::GetOrderRequest request;
    request.mutable_external()->set_source("kill-test");
    request.mutable_external()->set_external_id(ExternalIdOf(fact.number));
    checkout::v1::GetOrderResponse response;
    const grpc::Status status = Ask(stub, &checkout::v1::OrderService::Stub::GetOrder, request, &response);
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND) << status.error_message();
    recorded += status.ok();
  }
  return recorded;
}

void ExpectEachThere(const Program& program, const std::map<uint64_t, Fact>& facts) {
  checkout::v1::OrderService::Stub stub(program.channel());
  std::map<uint64_t, std::set<std::string>> returns;
  for (const auto& [number, fact] : facts) {
    if (fact.is_return) returns[fact.original].insert(fact.id);
  }
  for (const auto& [number, fact] : facts) {
    if (fact.is_return) continue;
    checkout::v1::GetOrderRequest request;
    request.set_order_id(fact.id);
    // The token of the acknowledgement names the record, which must still be at that position.
    request.set_consistency_token(fact.token);
    checkout::v1::GetOrderResponse response;
    const grpc::Status status = Ask(stub, &checkout::v1::OrderService::Stub::GetOrder, request, &response);
    ASSERT_TRUE(status.ok()) << ExternalIdOf(number) << " was acknowledged and is lost: " << status.error_message();
    ASSERT_EQ(response.imported().sale().external().external_id(), ExternalIdOf(number));
    ASSERT_EQ(response.imported().sale().net().minor_units(), fact.net_minor_units);
    ASSERT_EQ(response.imported().sale().lines_size(), fact.lines);
    std::set<std::string> linked;
    for (const auto& back : response.imported().returns()) {
      ASSERT_TRUE(linked.insert(back.elsewhere().return_id()).second) << "a return is linked twice";
    }
    ASSERT_EQ(linked, returns[number]) << ExternalIdOf(number);
  }
}

void ExpectTotals(const Program& program, const std::map<uint64_t, Fact>& facts) {
  checkout::v1::CheckoutService::Stub stub(program.channel());
  checkout::v1::GetTotalsResponse response;
  const grpc::Status status =
      Ask(stub, &checkout::v1::CheckoutService::Stub::GetTotals, checkout::v1::GetTotalsRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.rows_size(), 1);
  int64_t orders = 0, returns = 0, lines = 0, net = 0;
  for (const auto& [number, fact] : facts) {
    (fact.is_return ? returns : orders) += 1;
    lines += fact.lines;
    net += fact.net_minor_units;
  }
  EXPECT_EQ(response.rows(0).totals().orders(), orders);
  EXPECT_EQ(response.rows(0).totals().returns(), returns);
  EXPECT_EQ(response.rows(0).totals().lines(), lines);
  EXPECT_EQ(response.rows(0).totals().net_minor_units(), net);
}

void ExpectCustomers(const Program& program, const std::map<uint64_t, Fact>& facts) {
  customer_identity::v1::CustomerIdentityService::Stub stub(program.channel());
  struct Sums {
    int64_t orders = 0, returns = 0, net = 0;
  };
  std::map<uint32_t, Sums> due;
  for (const auto& [number, fact] : facts) {
    Sums& sums = due[fact.customer];
    (fact.is_return ? sums.returns : sums.orders) += 1;
    sums.net += fact.net_minor_units;
  }
  for (const auto& [customer, sums] : due) {
    customer_identity::v1::GetCustomerViewRequest request;
    common::v1::Identifier* name = request.mutable_customer()->mutable_identifier();
    name->set_type(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
    name->set_issuer("kill-test");
    name->set_value(CustomerNumber(customer));
    customer_identity::v1::GetCustomerViewResponse response;
    const grpc::Status status =
        Ask(stub, &customer_identity::v1::CustomerIdentityService::Stub::GetCustomerView, request, &response);
    ASSERT_TRUE(status.ok()) << CustomerNumber(customer) << ": " << status.error_message();
    EXPECT_EQ(response.view().orders(), sums.orders) << CustomerNumber(customer);
    EXPECT_EQ(response.view().returns(), sums.returns) << CustomerNumber(customer);
    ASSERT_EQ(response.view().net_size(), 1);
    EXPECT_EQ(response.view().net(0).money().minor_units(), sums.net) << CustomerNumber(customer);
  }
}

// The folds of the follower, at the positions of `status`.
GetStatusResponse AskFollower(Process* follower, const GetStatusResponse& status) {
  std::string targets;
  for (const auto& slot : status.slots()) {
    absl::StrAppend(&targets, slot.service(), " ", slot.slot(), " ", slot.position(), "\n");
  }
  follower->WriteAndClose(targets);
  GetStatusResponse made;
  const std::string json = follower->ReadLine(Soon());
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &made).ok()) << json;
  EXPECT_EQ(follower->Wait(Soon()), 0);
  return made;
}

void ExpectVerified(const Program& program) {
  Process verify({Folder("HALLES_BIN") + "/hallesctl", "--target", program.address(), "--output", "json", "verify"},
                 Process::Read::kOutput);
  const std::string result = verify.ReadLineWith("equal", Soon());
  EXPECT_EQ(verify.Wait(Soon()), 0) << verify.seen();
  EXPECT_NE(result.find("\"equal\":true"), std::string::npos) << verify.seen();
  printf("verify: %s\n", result.c_str());
}

TEST(Kill9, LosesNoAcknowledgedImportAndAppliesNoneTwice) {
  const uint64_t seed = FromEnvironment("HALLES_KILL_SEED", kDefaultSeed);
  const uint64_t kills = FromEnvironment("HALLES_KILLS", kDefaultKills);
  printf("seed %lu (HALLES_KILL_SEED), %lu kills (HALLES_KILLS)\n", seed, kills);
  std::mt19937_64 random(seed);
  ImportLoad load(seed);
  Program program;
  ASSERT_NO_FATAL_FAILURE(program.Start());
  Process follower({Folder("HALLES_TESTS") + "/halles_follower", program.address()}, Process::Read::kOutput);
  ASSERT_EQ(follower.ReadLine(Soon()), "following");

  uint64_t acknowledged = 0, in_flight = 0, unknown = 0, recorded = 0;
  size_t fewest = ImportLoad::kInFlight;
  for (uint64_t i = 0; i < kills; ++i) {
    const uint64_t moment = 1 + random() % kAcknowledgementsMax;
    // In half of the runs, rows are flushed all the time, so that the next run continues from rows instead of the log; in
    // a quarter, they are replaced all the time.
    std::thread work;
    if (i % 2 == 0) work = std::thread([channel = program.channel()] { FlushUntilTheEnd(channel); });
    if (i % 4 == 1) work = std::thread([channel = program.channel()] { RebuildUntilTheEnd(channel); });
    const ImportLoad::Life life = load.Run(
        program.channel(), moment, [&program] { program.Kill(); }, Soon());
    const int exit = program.AwaitEnd();
    if (work.joinable()) work.join();
    ASSERT_EQ(exit, -SIGKILL);
    ASSERT_EQ(load.wrong_answers(), std::vector<std::string>()) << "life " << i;
    acknowledged += life.acknowledged;
    in_flight += life.in_flight_at_the_end;
    unknown += life.unknown.size();
    fewest = std::min(fewest, life.in_flight_at_the_end);
    ASSERT_NO_FATAL_FAILURE(program.Start());
    // Rarely, because it takes as long as the import.
    if (i % 5 == 0) recorded += Recorded(program, life.unknown);
  }
  printf(
      "%lu acknowledgements; at the kills %lu commands in flight, at least %zu; %lu of unknown outcome, of which %lu "
      "of a "
      "sample turned out to be recorded\n",
      acknowledged, in_flight, fewest, unknown, recorded);
  EXPECT_GE(fewest, kInFlightAtLeast);
  EXPECT_GT(unknown, 0u);

  acknowledged += load.Finish(program.channel(), Soon()).acknowledged;
  // Returns may wait for orders that were never imported; a last run imports the orders that they name.
  acknowledged += load.Run(
                          program.channel(), 2 * ImportLoad::kInFlight, [] {}, Soon())
                      .acknowledged;
  ASSERT_EQ(load.wrong_answers(), std::vector<std::string>());
  const std::map<uint64_t, Fact> facts = load.acknowledged();
  const GetStatusResponse before = program.CaughtUp();
  ExpectEachThere(program, facts);
  ExpectTotals(program, facts);
  ExpectCustomers(program, facts);

  std::vector<Fact> again;
  for (const auto& [number, fact] : facts) {
    if (random() % 4 == 0) again.push_back(fact);
  }
  EXPECT_EQ(load.Again(program.channel(), again, Soon()).acknowledged, again.size());
  EXPECT_EQ(load.wrong_answers(), std::vector<std::string>());
  const GetStatusResponse status = program.CaughtUp();
  const auto digests = DigestsOf(status, /*positions=*/true);
  EXPECT_EQ(Differences(WithoutProgress(DigestsOf(before, true)), WithoutProgress(digests)), std::vector<std::string>())
      << "what was sent again was recorded again";
  printf("%zu distinct facts, %zu of them sent again\n", facts.size(), again.size());

  ExpectTotals(program, facts);
  ExpectCustomers(program, facts);

  // Folds without any import are empty and equal.
  EXPECT_GT(DistinctDigests(digests), digests.size() / 3);
  EXPECT_EQ(Differences(DigestsOf(AskFollower(&follower, status), true), digests), std::vector<std::string>())
      << "the follower came to other rows";
  ExpectVerified(program);
  EXPECT_EQ(program.Terminate(), 0);

  // From the log alone. Only positions differ, because each start claims the slots.
  std::filesystem::remove_all(program.folder() + "/data/state");
  ASSERT_NO_FATAL_FAILURE(program.Start());
  EXPECT_EQ(
      Differences(WithoutProgress(DigestsOf(program.CaughtUp(), false)), WithoutProgress(DigestsOf(status, false))),
      std::vector<std::string>())
      << "a clean replay came to other rows";
  ExpectVerified(program);
  EXPECT_EQ(program.Terminate(), 0);
}

}  // namespace
}  // namespace halles::durability
