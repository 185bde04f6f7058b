// customer: the one view of a customer, the timeline, and changes as they come.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/print.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using customer_identity::v1::CustomerIdentityService;
using customer_identity::v1::CustomerName;
using customer_identity::v1::FindCustomerRequest;
using customer_identity::v1::FindCustomerResponse;
using customer_identity::v1::GetCustomerViewRequest;
using customer_identity::v1::ListTimelineRequest;
using customer_identity::v1::ListTimelineResponse;
using customer_identity::v1::WatchCustomerRequest;
using customer_identity::v1::WatchCustomerResponse;

constexpr int64_t kPageSizeMax = 500;

// Appends the newest `count` entries.
absl::StatusOr<ListTimelineResponse> Timeline(const Session& session, const CustomerName& name, int64_t count,
                                              const std::string& token) {
  ListTimelineResponse all;
  ListTimelineRequest request;
  *request.mutable_customer() = name;
  request.set_consistency_token(token);
  while (all.entries_size() < count) {
    request.set_page_size(static_cast<int32_t>(std::min(kPageSizeMax, count - all.entries_size())));
    ASSIGN_OR_RETURN(const ListTimelineResponse page, session.client.Call(&CustomerIdentityService::Stub::ListTimeline,
                                                                          *session.client.customers, request));
    all.mutable_entries()->MergeFrom(page.entries());
    all.set_next_page_token(page.next_page_token());
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  return all;
}

}  // namespace

void CustomerFlags::Register(Settings& settings) {
  settings.Text("party", "Party id", &party);
  settings.Text("external", "Customer number as ISSUER:ID, such as uci:17850", &external);
  settings.Text("loyalty", "Loyalty card as ISSUER:NUMBER", &loyalty);
  settings.Text("phone", "Phone number in E.164, such as +33612345678", &phone);
  settings.Text("email", "E-mail address", &email);
  settings.Text("fingerprint", "Fingerprint of a payment card", &fingerprint);
}

bool CustomerFlags::empty() const {
  return party.empty() && external.empty() && loyalty.empty() && phone.empty() && email.empty() && fingerprint.empty();
}

absl::StatusOr<CustomerName> CustomerFlags::ToName() const {
  CustomerName name;
  int named = 0;
  if (!party.empty()) {
    ++named;
    name.set_party_id(party);
  }
  const struct {
    const std::string& value;
    common::v1::IdentifierType type;
    const char* flag;
    bool issued;
  } identifiers[] = {{external, common::v1::IDENTIFIER_TYPE_EXTERNAL_ID, "external", true},
                     {loyalty, common::v1::IDENTIFIER_TYPE_LOYALTY_CARD, "loyalty", true},
                     {phone, common::v1::IDENTIFIER_TYPE_PHONE, "phone", false},
                     {email, common::v1::IDENTIFIER_TYPE_EMAIL, "email", false},
                     {fingerprint, common::v1::IDENTIFIER_TYPE_CARD_FINGERPRINT, "fingerprint", false}};
  for (const auto& identifier : identifiers) {
    if (identifier.value.empty()) continue;
    ++named;
    name.mutable_identifier()->set_type(identifier.type);
    std::string value = identifier.value;
    if (identifier.issued) {
      const size_t colon = value.find(':');
      if (colon == std::string::npos || colon == 0 || colon + 1 == value.size()) {
        return UsageError(absl::StrCat("--", identifier.flag, " needs ISSUER:ID, such as uci:17850"));
      }
      name.mutable_identifier()->set_issuer(value.substr(0, colon));
      value.erase(0, colon + 1);
    }
    name.mutable_identifier()->set_value(std::move(value));
  }
  if (named != 1) {
    return UsageError(
        "name the customer by exactly one of --party, --external, --loyalty, --phone, --email, --fingerprint");
  }
  return name;
}

void CustomerCommand::Register(Options& options) {
  Settings& settings = options.Command("customer", "Shows the view of one customer over all channels");
  who.Register(settings);
  settings.Number("timeline", "Entries of the timeline to show, newest first", &timeline, 0, 1'000'000);
  settings.Switch("events", "Lists all events behind each amount (JSON)", &events);
  settings.Switch("watch", "Keeps running and shows each change", &watch);
  settings.Text("resume", "Token of an earlier watch, to resume after it", &resume);
  settings.Number("updates", "Ends a watch after this number of updates; 0 for never", &updates, 0, INT64_MAX);
  settings.Text("token", "Consistency token that the answer must have reached", &token);
}

absl::StatusOr<int> CustomerCommand::Run(const Session& session) const {
  ASSIGN_OR_RETURN(const CustomerName name, who.ToName());
  if (watch) return Watch(session, name);
  GetCustomerViewRequest request;
  *request.mutable_customer() = name;
  request.set_consistency_token(token);
  request.set_include_events(events);
  ASSIGN_OR_RETURN(const auto answer, session.client.Call(&CustomerIdentityService::Stub::GetCustomerView,
                                                          *session.client.customers, request));
  FindCustomerResponse found;
  if (name.has_identifier()) {
    FindCustomerRequest find;
    *find.mutable_identifier() = name.identifier();
    ASSIGN_OR_RETURN(
        found, session.client.Call(&CustomerIdentityService::Stub::FindCustomer, *session.client.customers, find));
  }
  ListTimelineResponse entries;
  if (timeline > 0) {
    ASSIGN_OR_RETURN(entries, Timeline(session, name, timeline, ""));
  }
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Key("customer");
    WriteView(answer.view(), &json);
    json.Key("candidates").BeginArray();
    for (const auto& candidate : found.candidates()) {
      json.BeginObject().Field("party_id", candidate.party_id());
      json.Field("strength", EnumWord(common::v1::EvidenceStrength_Name(candidate.strength()), "EVIDENCE_STRENGTH_"));
      json.EndObject();
    }
    json.EndArray().Key("timeline").BeginArray();
    for (const auto& entry : entries.entries()) WriteEntry(entry, &json);
    json.EndArray().Field("timeline_next_page_token", entries.next_page_token());
    json.Field("consistency_token", answer.consistency_token()).EndObject();
    session.out << json.text() << "\n";
    return kExitOk;
  }
  session.out << ViewText(answer.view(), session.out_width);
  for (const auto& candidate : found.candidates()) {
    if (candidate.party_id() == answer.view().party_id()) continue;
    session.out << "\nThe identifier is shared with party " << candidate.party_id() << "; see --party\n";
  }
  if (entries.entries_size() > 0) session.out << "\n" << TimelineText(entries.entries(), session.out_width);
  if (!entries.next_page_token().empty()) session.err << "there is more; see --timeline\n";
  return kExitOk;
}

absl::StatusOr<int> CustomerCommand::Watch(const Session& session, const CustomerName& name) const {
  WatchCustomerRequest request;
  *request.mutable_customer() = name;
  request.set_resume_token(resume);
  grpc::ClientContext context;
  const auto reader = session.client.customers->WatchCustomer(&context, request);
  WatchCustomerResponse update;
  std::string resume_token = resume;
  for (int64_t seen = 0; reader->Read(&update);) {
    resume_token = update.resume_token();
    if (session.json) {
      JsonWriter json;
      json.BeginObject();
      if (update.has_snapshot()) {
        json.Key("snapshot");
        WriteView(update.snapshot(), &json);
      } else {
        json.Key("change").BeginObject().Key("entries").BeginArray();
        for (const auto& entry : update.change().entries()) WriteEntry(entry, &json);
        json.EndArray().Key("customer");
        WriteView(update.change().view(), &json);
        json.EndObject();
      }
      json.Field("resume_token", resume_token).EndObject();
      session.out << json.text() << std::endl;
    } else if (update.has_snapshot()) {
      session.out << ViewText(update.snapshot(), session.out_width) << std::endl;
    } else {
      if (update.change().entries().empty()) {
        session.out << ActivitiesText(update.change().view(), session.out_width);
      } else {
        session.out << TimelineText(update.change().entries(), session.out_width);
      }
      for (const auto& amount : update.change().view().net()) {
        session.out << "net " << AmountText(amount.money()) << " from " << Thousands(amount.event_count()) << " events"
                    << std::endl;
      }
    }
    if (++seen == updates) {
      context.TryCancel();
      while (reader->Read(&update)) {
      }
      reader->Finish();
      return kExitOk;
    }
  }
  const grpc::Status status = reader->Finish();
  if (status.ok()) return kExitOk;
  if (!resume_token.empty()) session.err << "go on with --watch --resume " << resume_token << "\n";
  return session.client.ErrorOf(status);
}

}  // namespace halles::hallesctl
