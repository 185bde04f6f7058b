// The import loop: one thread reads the journal, sends commands over streams and takes answers from one completion queue.
#include "services/hallesctl/import/runner.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.grpc.pb.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/base/token.h"
#include "libs/rpc/grpc_status.h"
#include "services/hallesctl/import/command_stream.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::CheckoutService;
using checkout::v1::ImportOrderRequest;
using checkout::v1::ImportOrderResponse;
using checkout::v1::ImportReturnRequest;
using checkout::v1::ImportReturnResponse;
using customer_identity::v1::CustomerIdentityService;

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::string_view kRequestIdReused = "REQUEST_ID_REUSED";
constexpr size_t kContentDigits = 16;
constexpr absl::Duration kTellAfter = absl::Seconds(3);
// For one question to a view; the door may allow less.
constexpr absl::Duration kCatchUpCall = absl::Seconds(10);
// The server tells when the time of a command is over; a stream that is silent for longer is broken.
constexpr absl::Duration kSilenceSlack = absl::Seconds(5);
constexpr absl::string_view kImportOrder = "halles.checkout.v1.CheckoutService/ImportOrder";
constexpr absl::string_view kImportReturn = "halles.checkout.v1.CheckoutService/ImportReturn";

bool ShouldRetry(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    case absl::StatusCode::kResourceExhausted:
      // Without a reason it comes from the transport: the message is too large and stays so.
      return !ReasonOf(status).empty() || RetryAfterOf(status).has_value();
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
      // The connection broke before the answer arrived.
      return ReasonOf(status).empty();
    default:
      return false;
  }
}

bool EndsTheImport(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnimplemented || status.code() == absl::StatusCode::kUnauthenticated ||
         status.code() == absl::StatusCode::kPermissionDenied;
}

// The line of the record that a field path such as "order.lines[3].sku" points into.
std::optional<size_t> LineOfField(absl::string_view field) {
  constexpr absl::string_view kLines = "lines[";
  const size_t at = field.find(kLines);
  if (at == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = field.substr(at + kLines.size());
  size_t line;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find(']')), &line)) return std::nullopt;
  return line;
}

// The command for one order or return.
struct Call {
  size_t number = 0;  // among the calls; its tag
  SourceRecord record;
  size_t stream = 0;
  int attempts = 0;
  bool by_content = false;  // its request id includes the hash of its content
  absl::Time not_before;

  bool is_return() const { return std::holds_alternative<ImportReturnRequest>(record.request); }
};

// The token of a response.
template <typename Response>
absl::StatusOr<std::string> TokenOf(const std::string& bytes) {
  Response response;
  if (!response.ParseFromString(bytes)) return absl::InternalError("the answer cannot be read");
  return std::move(*response.mutable_consistency_token());
}

class Import {
 public:
  Import(Source& source, std::vector<std::shared_ptr<grpc::Channel>> channels, const ImportOptions& options,
         const ImportObserver& observer)
      : source_(source), options_(options), observer_(observer), summary_(source) {
    for (const auto& channel : channels) streams_.push_back(std::make_unique<CommandStream>(channel, &queue_));
    checkout_ = CheckoutService::NewStub(channels.front());
    identity_ = CustomerIdentityService::NewStub(channels.front());
  }

  ~Import() {
    for (const auto& stream : streams_) stream->Cancel();
    // The queue returns every event that is under way. The streams were cancelled, so this does not wait for the server.
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  absl::StatusOr<ImportResult> Run() {
    last_answer_ = absl::Now();
    while (true) {
      RETURN_IF_ERROR(StartRetries());
      RETURN_IF_ERROR(StartNew());
      for (const auto& stream : streams_) stream->Flush();
      if (in_flight_ == 0 && waiting_.empty()) break;
      RETURN_IF_ERROR(TakeAnswers());
      MaybeTick();
    }
    observer_.progress(summary_);
    const absl::Time began = absl::Now();
    RETURN_IF_ERROR(CatchUp());
    return ImportResult{std::move(summary_), token_, retries_, absl::Now() - began};
  }

 private:
  absl::Status StartNew() {
    while (!at_end_ && in_flight_ + static_cast<int>(waiting_.size()) < options_.in_flight_max) {
      ASSIGN_OR_RETURN(std::optional<SourceRecord> record, source_.Next());
      if (!record.has_value()) {
        at_end_ = true;
        break;
      }
      for (const LineRefusal& refusal : record->refusals) {
        summary_.AddRefused(refusal);
        Refused(refusal.at, FaultName(refusal.fault), refusal.message);
      }
      if (record->record() == nullptr) continue;
      Call* const call = NewCall();
      call->record = *std::move(record);
      call->by_content = false;
      SetRequestId(call, RequestIdOf(call->record.record()->external(), call->is_return()));
      call->stream = next_stream_++ % streams_.size();
      call->attempts = 0;
      RETURN_IF_ERROR(Start(call));
    }
    return absl::OkStatus();
  }

  static void SetRequestId(Call* call, std::string id) {
    if (auto* taken = std::get_if<ImportReturnRequest>(&call->record.request)) {
      taken->set_request_id(std::move(id));
    } else {
      std::get<ImportOrderRequest>(call->record.request).set_request_id(std::move(id));
    }
  }

  Call* NewCall() {
    if (idle_.empty()) {
      calls_.push_back(std::make_unique<Call>());
      calls_.back()->number = calls_.size() - 1;
      return calls_.back().get();
    }
    Call* const call = idle_.back();
    idle_.pop_back();
    return call;
  }

  absl::Status Start(Call* call) {
    ++call->attempts;
    const bool is_return = call->is_return();
    const google::protobuf::Message& request =
        is_return ? static_cast<const google::protobuf::Message&>(std::get<ImportReturnRequest>(call->record.request))
                  : std::get<ImportOrderRequest>(call->record.request);
    const absl::Status sent = streams_[call->stream]->Send(call->number, is_return ? kImportReturn : kImportOrder,
                                                           request, options_.call_timeout);
    if (!sent.ok()) return Answered(call, sent, "");
    ++in_flight_;
    return absl::OkStatus();
  }

  absl::Status StartRetries() {
    if (waiting_.empty()) return absl::OkStatus();
    const absl::Time now = absl::Now();
    for (size_t i = 0; i < waiting_.size();) {
      if (waiting_[i]->not_before > now) {
        ++i;
        continue;
      }
      Call* const call = waiting_[i];
      waiting_[i] = waiting_.back();
      waiting_.pop_back();
      RETURN_IF_ERROR(Start(call));
    }
    return absl::OkStatus();
  }

  // Takes the available answers; waits for the first one if there are none.
  absl::Status TakeAnswers() {
    absl::Time until = std::min(absl::Now() + kTick, next_tick_);
    for (const Call* call : waiting_) until = std::min(until, call->not_before);
    for (bool first = true;; first = false) {
      void* tag;
      bool ok;
      const auto next = queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(first ? until : absl::UnixEpoch()));
      if (next != grpc::CompletionQueue::GOT_EVENT) return absl::OkStatus();
      const auto* const event = static_cast<CommandStream::Event*>(tag);
      answers_.clear();
      event->stream->On(*event, ok, &answers_);
      in_flight_ -= static_cast<int>(answers_.size());
      for (const CommandAnswer& answer : answers_) {
        RETURN_IF_ERROR(Answered(calls_[answer.tag].get(), answer.status, answer.response));
      }
    }
  }

  absl::Status Answered(Call* call, const absl::Status& status, const std::string& response) {
    const bool is_return = call->is_return();
    if (status.ok()) {
      last_answer_ = absl::Now();
      if (failing_) observer_.note("halles answers again");
      failing_ = false;
      summary_.AddImported(call->record);
      ASSIGN_OR_RETURN(const std::string token,
                       is_return ? TokenOf<ImportReturnResponse>(response) : TokenOf<ImportOrderResponse>(response));
      RETURN_IF_ERROR(AddToken(token));
      idle_.push_back(call);
      return absl::OkStatus();
    }
    if (ShouldRetry(status)) return RetryLater(call, status);
    if (EndsTheImport(status)) return status;
    if (ReasonOf(status) == kRequestIdReused && !call->by_content) {
      // The record was sent before with other content. A new request id lets checkout say whether that was recorded.
      call->by_content = true;
      const checkout::v1::ImportRecord& record = *call->record.record();
      SetRequestId(call, absl::StrCat(RequestIdOf(record.external(), is_return), "/",
                                      Sha256(record.SerializeAsString()).Hex().substr(0, kContentDigits)));
      return Start(call);
    }
    last_answer_ = absl::Now();
    const std::string reason = ReasonOf(status).empty() ? absl::StatusCodeToString(status.code()) : ReasonOf(status);
    summary_.AddRefused(call->record, reason);
    const std::optional<size_t> line = LineOfField(MetadataOf(status, "field"));
    const size_t at = line.has_value() && *line < call->record.lines.size() ? *line : 0;
    if (call->record.lines.empty()) {
      observer_.refused(absl::StrCat(reason, ": ", status.message()));
    } else {
      Refused(call->record.lines[at], reason,
              absl::StrCat(is_return ? "return " : "order ", call->record.record()->external().external_id(), " (",
                           call->record.lines.size(), " lines): ", status.message()));
    }
    idle_.push_back(call);
    return absl::OkStatus();
  }

  absl::Status RetryLater(Call* call, const absl::Status& status) {
    const absl::Time now = absl::Now();
    if (now - last_answer_ > options_.retry_for) {
      return WithContext(status, absl::StrCat("nothing was recorded for ", absl::FormatDuration(options_.retry_for),
                                              "; ", summary_.records(),
                                              " orders and returns are recorded; run the import again for the rest"));
    }
    // A single overload or lost race is not worth a message.
    if (!failing_ && (ReasonOf(status).empty() || now - last_answer_ > kTellAfter)) {
      observer_.note(
          absl::StrCat(status.message(), "; trying again for up to ", absl::FormatDuration(options_.retry_for)));
      failing_ = true;
    }
    ++retries_;
    absl::Duration backoff = options_.backoff_min;
    for (int i = 1; i < call->attempts && backoff < options_.backoff_max; ++i) backoff *= 2;
    backoff = std::min(backoff, options_.backoff_max);
    // From half of the backoff to all of it, derived from the record and the attempt, so that calls do not retry
    // together.
    const uint64_t spread =
        Hash64(absl::StrCat(call->record.record()->external().external_id(), "/", call->attempts)) % 1000;
    backoff = backoff / 2 + backoff * static_cast<double>(spread) / 2000;
    if (const auto after = RetryAfterOf(status); after.has_value()) backoff = std::max(backoff, *after);
    call->not_before = now + backoff;
    waiting_.push_back(call);
    return absl::OkStatus();
  }

  absl::Status AddToken(const std::string& token) {
    if (token.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const TokenContent content, ContentOfToken(token));
    if (issuer_.empty()) issuer_ = content.issuer;
    if (content.issuer != issuer_) {
      return Failure(absl::StatusCode::kFailedPrecondition, "OTHER_INSTALLATION",
                     "the target is not the installation that this import began with");
    }
    for (const auto& [slot, position] : content.positions) {
      Latest& latest = latest_[slot];
      if (position >= latest.position) latest = Latest{position, token};
    }
    return absl::OkStatus();
  }

  void Refused(LineAt at, absl::string_view reason, absl::string_view message) {
    observer_.refused(absl::StrCat(source_.file_name(at.file), ":", at.line, ": ", reason, ": ", message));
  }

  void MaybeTick() {
    const absl::Time now = absl::Now();
    if (now < next_tick_) return;
    next_tick_ = now + kTick;
    for (const auto& stream : streams_) stream->EndIfSilent(options_.call_timeout + kSilenceSlack);
    observer_.progress(summary_);
  }

  // Asks each view a question with the token of everything that was imported.
  absl::Status CatchUp() {
    std::set<absl::string_view> tokens;
    for (const auto& [slot, latest] : latest_) tokens.insert(latest.token);
    token_ = absl::StrJoin(tokens, ".");
    if (token_.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(WaitFor("totals", [&](grpc::ClientContext* context) {
      checkout::v1::GetTotalsRequest request;
      request.set_consistency_token(token_);
      checkout::v1::GetTotalsResponse response;
      return checkout_->GetTotals(context, request, &response);
    }));
    return WaitFor("customers", [&](grpc::ClientContext* context) {
      // An identifier that nobody has; only the wait matters.
      customer_identity::v1::FindCustomerRequest request;
      request.mutable_identifier()->set_type(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
      request.mutable_identifier()->set_issuer(std::string(source_.name()));
      request.mutable_identifier()->set_value("nobody");
      request.set_consistency_token(token_);
      customer_identity::v1::FindCustomerResponse response;
      return identity_->FindCustomer(context, request, &response);
    });
  }

  template <typename Ask>
  absl::Status WaitFor(absl::string_view view, const Ask& ask) {
    const absl::Time give_up = absl::Now() + options_.catch_up_for;
    absl::Duration backoff = options_.backoff_min;
    for (bool told = false;; told = true) {
      grpc::ClientContext context;
      context.set_wait_for_ready(true);
      context.set_deadline(absl::ToChronoTime(std::min(absl::Now() + kCatchUpCall, give_up)));
      const absl::Status status = rpc::FromGrpc(ask(&context));
      if (status.ok() || status.code() == absl::StatusCode::kNotFound) return absl::OkStatus();
      if (!ShouldRetry(status)) return WithContext(status, absl::StrCat("waiting for the view of ", view));
      if (absl::Now() >= give_up) {
        return WithContext(status, absl::StrCat("everything is recorded, but the view of ", view,
                                                " has not caught up in ", absl::FormatDuration(options_.catch_up_for)));
      }
      if (!told) observer_.note(absl::StrCat("waiting for the view of ", view, " to catch up"));
      if (status.code() == absl::StatusCode::kDeadlineExceeded) continue;
      absl::SleepFor(std::max(backoff, RetryAfterOf(status).value_or(absl::ZeroDuration())));
      backoff = std::min(backoff * 2, options_.backoff_max);
    }
  }

  Source& source_;
  const ImportOptions& options_;
  const ImportObserver& observer_;
  grpc::CompletionQueue queue_;  // outlives the streams
  std::vector<std::unique_ptr<CommandStream>> streams_;
  std::unique_ptr<CheckoutService::Stub> checkout_;
  std::unique_ptr<CustomerIdentityService::Stub> identity_;
  size_t next_stream_ = 0;
  std::vector<CommandAnswer> answers_;  // of one event

  ImportSummary summary_;
  // The token with the highest position of a slot.
  struct Latest {
    Position position = 0;
    std::string token;
  };
  std::string issuer_;
  std::map<SlotId, Latest> latest_;
  std::string token_;
  int64_t retries_ = 0;

  bool at_end_ = false;
  bool failing_ = false;
  absl::Time last_answer_;
  absl::Time next_tick_ = absl::InfinitePast();
  int in_flight_ = 0;
  std::vector<Call*> waiting_;  // waiting for their next attempt
  std::vector<Call*> idle_;
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace

absl::StatusOr<ImportResult> RunImport(Source& source, std::vector<std::shared_ptr<grpc::Channel>> channels,
                                       const ImportOptions& options, const ImportObserver& observer) {
  return Import(source, std::move(channels), options, observer).Run();
}

}  // namespace halles::hallesctl
