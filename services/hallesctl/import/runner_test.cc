// Tests of the import loop against a small fake checkout, in process and without a port.
#include "services/hallesctl/import/runner.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "halles/bulk/v1/bulk_service.grpc.pb.h"
#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.grpc.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/base/token.h"
#include "libs/rpc/grpc_status.h"
#include "services/hallesctl/import/command_stream.h"
#include "services/hallesctl/import/fields.h"

namespace halles::hallesctl {
namespace {

using namespace checkout::v1;  // NOLINT: the vocabulary of the tests
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TokenIssuer kTokens(InstallId::FromBytes(absl::string_view("0123456789abcdef")).value(), "the key of a test");

// Answers each request id with the statuses that the test has set, in order, and then OK.
class FakeCheckout : public CheckoutService::Service {
 public:
  void Answer(const std::string& request_id, absl::Status status) {
    scripted_[request_id].push_back(std::move(status));
  }

  // Sets the answer for request ids with a suffix after "test/order/n".
  void AnswerOther(absl::Status status) { other_ = std::move(status); }

  std::multiset<std::string> attempts() {
    MutexLock lock(&mutex_);
    return attempts_;
  }
  std::string totals_token() {
    MutexLock lock(&mutex_);
    return totals_token_;
  }

  grpc::Status ImportOrder(grpc::ServerContext*, const ImportOrderRequest* request,
                           ImportOrderResponse* response) override {
    return Import(request->request_id(), response);
  }
  grpc::Status ImportReturn(grpc::ServerContext*, const ImportReturnRequest* request,
                            ImportReturnResponse* response) override {
    return Import(request->request_id(), response);
  }
  grpc::Status GetTotals(grpc::ServerContext*, const GetTotalsRequest* request, GetTotalsResponse*) override {
    MutexLock lock(&mutex_);
    totals_token_ = request->consistency_token();
    return grpc::Status::OK;
  }

 private:
  template <typename Response>
  grpc::Status Import(const std::string& id, Response* response) {
    MutexLock lock(&mutex_);
    attempts_.insert(id);
    if (!other_.ok() && std::count(id.begin(), id.end(), '/') > 2) return rpc::ToGrpc(other_);
    auto& answers = scripted_[id];
    if (!answers.empty()) {
      const absl::Status status = answers.front();
      answers.pop_front();
      return rpc::ToGrpc(status);
    }
    const uint16_t slot = static_cast<uint16_t>(attempts_.size() % 4);
    response->set_consistency_token(kTokens.Issue({{SlotId{ServiceId::kCheckout, slot}, attempts_.size()}}));
    return grpc::Status::OK;
  }

  absl::Status other_;
  Mutex mutex_;
  std::map<std::string, std::deque<absl::Status>> scripted_;
  std::multiset<std::string> attempts_;
  std::string totals_token_;
};

// Answers each command as the fake checkout does.
class FakeBulk : public bulk::v1::BulkService::Service {
 public:
  explicit FakeBulk(FakeCheckout* checkout) : checkout_(*checkout) {}

  // The streams end with UNAVAILABLE after so many commands, without an answer to the last one.
  void EndAfter(int commands) { left_ = commands; }
  int streams() const { return streams_; }

  grpc::Status SubmitBatch(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<bulk::v1::SubmitBatchResponse, bulk::v1::SubmitBatchRequest>* stream) override {
    ++streams_;
    bulk::v1::SubmitBatchRequest message;
    while (stream->Read(&message)) {
      bulk::v1::SubmitBatchResponse answers;
      for (const bulk::v1::Command& command : message.commands()) {
        if (left_ > 0 && --left_ == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
        EXPECT_GT(command.timeout_ms(), 0u);
        bulk::v1::Answer& answer = *answers.add_answers();
        answer.set_tag(command.tag());
        if (command.method() == "halles.checkout.v1.CheckoutService/ImportOrder") {
          Take<ImportOrderRequest, ImportOrderResponse>(context, command, &FakeCheckout::ImportOrder, &answer);
        } else {
          EXPECT_EQ(command.method(), "halles.checkout.v1.CheckoutService/ImportReturn");
          Take<ImportReturnRequest, ImportReturnResponse>(context, command, &FakeCheckout::ImportReturn, &answer);
        }
      }
      stream->Write(answers);
    }
    return grpc::Status::OK;
  }

 private:
  template <typename Request, typename Response, typename Method>
  void Take(grpc::ServerContext* context, const bulk::v1::Command& command, Method method, bulk::v1::Answer* answer) {
    Request request;
    Response response;
    EXPECT_TRUE(request.ParseFromString(command.request()));
    const grpc::Status status = (checkout_.*method)(context, &request, &response);
    if (status.ok()) {
      response.SerializeToString(answer->mutable_response());
    } else {
      rpc::ToProto(rpc::FromGrpc(status)).SerializeToString(answer->mutable_error());
    }
  }

  FakeCheckout& checkout_;
  std::atomic<int> left_{0};  // 0: no end
  std::atomic<int> streams_{0};
};

class FakeIdentity : public customer_identity::v1::CustomerIdentityService::Service {
 public:
  grpc::Status FindCustomer(grpc::ServerContext*, const customer_identity::v1::FindCustomerRequest* request,
                            customer_identity::v1::FindCustomerResponse*) override {
    token = request->consistency_token();
    return grpc::Status::OK;
  }
  std::string token;
};

// Orders "1" to "n" of two lines each.
class CountingSource : public Source {
 public:
  CountingSource(int count, size_t external_id_bytes) : count_(count), external_id_bytes_(external_id_bytes) {}
  absl::StatusOr<std::optional<SourceRecord>> Next() override {
    if (given_ == count_) return std::nullopt;
    ++given_;
    SourceRecord record;
    if (given_ % 10 == 0) {
      record.request.emplace<ImportReturnRequest>();
    } else {
      record.request.emplace<ImportOrderRequest>();
    }
    record.mutable_record()->mutable_external()->set_source("test");
    record.mutable_record()->mutable_external()->set_external_id(absl::StrCat(given_));
    if (given_ == 2 && external_id_bytes_ > 0) {
      record.mutable_record()->mutable_external()->set_external_id(std::string(external_id_bytes_, 'x'));
    }
    for (int i = 0; i < 2; ++i) {
      *record.mutable_record()->add_lines()->mutable_exact_amount() = *ToProto(*Decimal::Parse("1.50"));
      record.lines.push_back({0, 2 * given_ + i});
    }
    return record;
  }
  absl::string_view name() const override { return "test"; }
  absl::string_view currency() const override { return "USD"; }
  int price_decimals() const override { return 2; }
  std::string file_name(uint32_t) const override { return "journal.csv"; }
  uint64_t bytes_total() const override { return static_cast<uint64_t>(count_); }
  uint64_t bytes_done() const override { return static_cast<uint64_t>(given_); }

 private:
  const int count_;
  const size_t external_id_bytes_;
  int given_ = 0;
};

class RunImportTest : public ::testing::Test {
 protected:
  RunImportTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&checkout_);
    builder.RegisterService(&bulk_);
    builder.RegisterService(&identity_);
    server_ = builder.BuildAndStart();
    options_.backoff_min = absl::Milliseconds(1);
    options_.backoff_max = absl::Milliseconds(5);
    observer_.refused = [this](absl::string_view line) { refused_.emplace_back(line); };
    observer_.note = [this](absl::string_view line) { notes_.emplace_back(line); };
  }
  ~RunImportTest() override { server_->Shutdown(); }

  absl::StatusOr<ImportResult> Run(int count) {
    CountingSource source(count, external_id_bytes_);
    return RunImport(source, {server_->InProcessChannel({}), server_->InProcessChannel({})}, options_, observer_);
  }

  FakeCheckout checkout_;
  FakeBulk bulk_{&checkout_};
  FakeIdentity identity_;
  std::unique_ptr<grpc::Server> server_;
  ImportOptions options_;
  ImportObserver observer_;
  size_t external_id_bytes_ = 0;  // of the second record, if not 0
  std::vector<std::string> refused_;
  std::vector<std::string> notes_;
};

TEST_F(RunImportTest, ImportsEachRecordOnceAndWaitsForTheViewsWithAllTokens) {
  const auto result = Run(1000);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->summary.records(), 1000);
  EXPECT_EQ(result->summary.lines_read(), 2000);
  EXPECT_EQ(checkout_.attempts().size(), 1000u);
  EXPECT_EQ(checkout_.attempts().count("test/order/7"), 1u);
  EXPECT_EQ(checkout_.attempts().count("test/return/10"), 1u);
  EXPECT_EQ(kTokens.Read(result->consistency_token).value().size(), 4u);
  EXPECT_EQ(checkout_.totals_token(), result->consistency_token);
  EXPECT_EQ(identity_.token, result->consistency_token);
}

TEST_F(RunImportTest, RetriesUnansweredRequestsUnderTheSameId) {
  checkout_.Answer("test/order/3", absl::UnavailableError("gone"));
  checkout_.Answer("test/order/3", Failure(absl::StatusCode::kUnavailable, "NOT_ACCEPTED", "decide again"));
  checkout_.Answer("test/order/3", Overloaded("QUEUE_FULL", "later", absl::Milliseconds(2)));
  checkout_.Answer("test/return/10", absl::DeadlineExceededError("slow"));
  const auto result = Run(20);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->summary.records(), 20);
  EXPECT_EQ(result->retries, 4);
  EXPECT_EQ(checkout_.attempts().count("test/order/3"), 4u);
  EXPECT_THAT(refused_, ElementsAre());
}

TEST_F(RunImportTest, SendsWhatGotNoAnswerAgainOnANewStream) {
  bulk_.EndAfter(150);
  const auto result = Run(400);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->summary.records(), 400);
  EXPECT_GT(result->retries, 0);
  EXPECT_EQ(bulk_.streams(), 3) << "two, and one in place of that which ended";
  const std::multiset<std::string> attempts = checkout_.attempts();
  EXPECT_EQ(std::set<std::string>(attempts.begin(), attempts.end()).size(), 400u);
  EXPECT_THAT(refused_, ElementsAre());
}

TEST_F(RunImportTest, RefusesARecordThatIsTooLargeAndGoesOn) {
  external_id_bytes_ = CommandStream::kRequestBytesMax;
  const auto result = Run(3);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->summary.records(), 2);
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("RESOURCE_EXHAUSTED")));
}

TEST_F(RunImportTest, ReportsAndCountsRefusals) {
  checkout_.Answer("test/order/3", Reject(REJECT_REASON_EXTERNAL_ID_REUSED, "recorded with other content"));
  checkout_.Answer("test/order/4", InvalidField("order.lines[1].sku", "too long"));
  const auto result = Run(5);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->summary.records(), 3);
  EXPECT_EQ(result->summary.lines_refused(), 4);
  EXPECT_THAT(result->summary.ToJson(0), HasSubstr(R"("lines_refused":{"EXTERNAL_ID_REUSED":2,"INVALID_FIELD":2})"));
  EXPECT_THAT(refused_, ::testing::UnorderedElementsAre(
                            HasSubstr("journal.csv:6: EXTERNAL_ID_REUSED: order 3 (2 lines): recorded with"),
                            HasSubstr("journal.csv:9: INVALID_FIELD: order 4 (2 lines)")));
}

TEST_F(RunImportTest, AsksAgainWhenTheRequestIdHadOtherContent) {
  checkout_.Answer("test/order/3", Failure(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED", "other content"));
  checkout_.AnswerOther(Reject(REJECT_REASON_EXTERNAL_ID_REUSED, "recorded with other content"));
  const auto result = Run(3);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->summary.records(), 2);
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("journal.csv:6: EXTERNAL_ID_REUSED")));
}

TEST_F(RunImportTest, GivesUpWithoutAnAnswerForTooLong) {
  options_.retry_for = absl::ZeroDuration();
  checkout_.Answer("test/order/1", absl::UnavailableError("gone"));
  const auto result = Run(1);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("run the import again"));
}

TEST_F(RunImportTest, EndsAtOnceWithoutPermission) {
  for (int i = 1; i <= 9; ++i) {
    checkout_.Answer(absl::StrCat("test/order/", i), Failure(absl::StatusCode::kPermissionDenied, "NO", "not you"));
  }
  EXPECT_EQ(Run(9).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RunImportTest, ImportsAnEmptyJournal) {
  const auto result = Run(0);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->consistency_token, "");
}

}  // namespace
}  // namespace halles::hallesctl
