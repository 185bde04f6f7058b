// call: calls any unary method, with request and answer as JSON.
#include <iostream>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "libs/base/status.h"
#include "services/hallesctl/commands.h"
#include "services/hallesctl/explained.h"

namespace halles::hallesctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::unique_ptr<Message> NewMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

std::vector<const ServiceDescriptor*> Services() {
  return {checkout::v1::GetTotalsRequest::descriptor()->file()->service(0),
          checkout::v1::GetCartRequest::descriptor()->file()->service(0),
          checkout::v1::GetOrderRequest::descriptor()->file()->service(0),
          inventory::v1::GetHoldRequest::descriptor()->file()->service(0),
          customer_identity::v1::FindCustomerRequest::descriptor()->file()->service(0),
          admin::v1::GetStatusRequest::descriptor()->file()->service(0)};
}

// The method named "ImportOrder" or "CheckoutService/ImportOrder", with or without the package; null when there is
// none.
const MethodDescriptor* FindMethod(const std::string& text) {
  const size_t slash = text.rfind('/');
  const std::string service_name = slash == std::string::npos ? "" : text.substr(0, slash);
  for (const ServiceDescriptor* service : Services()) {
    if (!service_name.empty() && service_name != service->name() && service_name != service->full_name()) continue;
    const MethodDescriptor* const method =
        service->FindMethodByName(text.substr(slash == std::string::npos ? 0 : slash + 1));
    if (method != nullptr && !method->server_streaming()) return method;
  }
  return nullptr;
}

}  // namespace

void CallCommand::Register(Options& options) {
  Settings& settings = options.Command("call", "Calls a method with a request in JSON and prints the answer as JSON");
  settings.Argument("METHOD", "Method, such as ImportOrder or halles.checkout.v1.CheckoutService/ImportOrder", &method);
  settings.Argument("REQUEST", "The request in JSON; - reads it from standard input", &request);
}

absl::StatusOr<int> CallCommand::Run(const Session& session) const {
  const MethodDescriptor* const called = FindMethod(method);
  if (called == nullptr) {
    std::vector<std::string> names;
    for (const ServiceDescriptor* service : Services()) {
      for (int i = 0; i < service->method_count(); ++i) {
        if (!service->method(i)->server_streaming()) names.push_back(service->method(i)->name());
      }
    }
    return UsageError(absl::StrCat("there is no method ", method, "; valid are ", absl::StrJoin(names, ", ")));
  }
  std::string text = request;
  if (text == "-") text.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  const std::unique_ptr<Message> message = NewMessage(called->input_type());
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, message.get());
  if (!parsed.ok()) {
    return UsageError(absl::StrCat("the request is no ", called->input_type()->name(), ": ",
                                   absl::string_view(parsed.message().data(), parsed.message().size())));
  }
  const grpc::Slice slice(message->SerializeAsString());
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + session.client.timeout));
  grpc::GenericStub stub(session.client.channel);
  grpc::CompletionQueue queue;
  const std::string path = absl::StrCat("/", called->service()->full_name(), "/", called->name());
  const auto reader = stub.PrepareUnaryCall(&context, path, sent, &queue);
  reader->StartCall();
  grpc::Status status;
  reader->Finish(&received, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!status.ok()) return session.client.ErrorOf(status);
  const std::unique_ptr<Message> answer = NewMessage(called->output_type());
  grpc::ProtoBufferReader bytes(&received);
  if (!answer->ParseFromZeroCopyStream(&bytes)) {
    return Failure(absl::StatusCode::kDataLoss, "NOT_PROTOBUF", "the answer cannot be read");
  }
  google::protobuf::util::JsonPrintOptions print;
  print.always_print_primitive_fields = true;
  print.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(*answer, &json, print).ok()) {
    return Failure(absl::StatusCode::kDataLoss, "NOT_JSON", "the answer cannot be written as JSON");
  }
  session.out << (session.json ? json : IndentJson(json)) << "\n";
  return kExitOk;
}

}  // namespace halles::hallesctl
