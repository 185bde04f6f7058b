// Follows the log of a running program over gRPC and folds every state and view itself, to compare them with the rows
// of the program.
//
// Reads lines "SERVICE SLOT POSITION" from standard input until its end; ends when it has folded every slot named there
// up to its position. Prints "following" once it follows, and at the end one line of JSON, like a GetStatusResponse,
// with positions and digests. Survives restarts of the program: it resumes every tail where it ended.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/protobuf/util/json_util.h"
#include "halles/admin/v1/admin_service.grpc.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/eventlog/log.h"
#include "libs/host/host.h"
#include "services/halles/all_services.h"
#include "tests/fold/slot_fold.h"

namespace halles::durability {
namespace {

using admin::v1::GetStatusResponse;
using admin::v1::TailLogRequest;
using admin::v1::TailLogResponse;

constexpr absl::Duration kReconnect = absl::Milliseconds(50);
constexpr absl::Duration kPatience = absl::Seconds(150);

void Tell(const std::vector<fold::FoldedRows>& folded, GetStatusResponse* status) {
  for (const fold::FoldedRows& rows : folded) {
    if (rows.view.empty()) {
      admin::v1::SlotStatus* slot = status->add_slots();
      slot->set_service(std::string(ServiceName(rows.slot.service)));
      slot->set_slot(rows.slot.slot);
      slot->set_position(rows.next);
      slot->set_digest(rows.digest);
    } else {
      admin::v1::ViewStatus* view = status->add_views();
      view->set_view(rows.view);
      view->set_service(std::string(ServiceName(rows.slot.service)));
      view->set_slot(rows.slot.slot);
      view->set_position(rows.next);
      view->set_digest(rows.digest);
    }
  }
}

// Thread safety: any thread.
class Targets {
 public:
  void Set(std::map<SlotId, Position> targets) {
    MutexLock lock(&mutex_);
    targets_ = std::move(targets);
    for (grpc::ClientContext* tail : tails_) tail->TryCancel();
  }
  // Once the targets are known, cancels tails that wait for more records, so that each slot checks whether it is done.
  void Tails(grpc::ClientContext* context) {
    MutexLock lock(&mutex_);
    tails_.push_back(context);
  }
  void Ends(grpc::ClientContext* context) {
    MutexLock lock(&mutex_);
    std::erase(tails_, context);
  }
  std::optional<Position> Of(SlotId slot) {
    MutexLock lock(&mutex_);
    if (!targets_.has_value()) return std::nullopt;
    const auto it = targets_->find(slot);
    return it == targets_->end() ? 0 : it->second;
  }

 private:
  Mutex mutex_;
  std::optional<std::map<SlotId, Position>> targets_ ABSL_GUARDED_BY(mutex_);
  std::vector<grpc::ClientContext*> tails_ ABSL_GUARDED_BY(mutex_);
};

// Folds the slot until it reaches its target.
absl::Status Follow(const std::shared_ptr<grpc::Channel>& channel, admin::v1::AdminService::Stub* stub,
                    Targets* targets, std::atomic<uint64_t>* resumed, fold::SlotFold* fold) {
  const absl::Time give_up = absl::Now() + kPatience;
  while (absl::Now() < give_up) {
    std::optional<Position> target = targets->Of(fold->slot());
    if (target.has_value() && fold->next() >= *target) return absl::OkStatus();
    if (!channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kReconnect))) continue;
    grpc::ClientContext context;
    TailLogRequest request;
    request.set_service(std::string(ServiceName(fold->slot().service)));
    request.set_slot(fold->slot().slot);
    request.set_position(fold->next());
    request.set_follow(!target.has_value());
    request.set_raw(true);
    const std::unique_ptr<grpc::ClientReader<TailLogResponse>> tail = stub->TailLog(&context, request);
    targets->Tails(&context);
    if (!target.has_value() && targets->Of(fold->slot()).has_value()) context.TryCancel();
    TailLogResponse record;
    absl::Status folded;
    while (folded.ok() && tail->Read(&record)) folded = fold->Fold(record.position(), record.raw());
    if (!folded.ok()) context.TryCancel();
    const grpc::Status ended = tail->Finish();
    targets->Ends(&context);
    if (!folded.ok()) return WithContext(folded, fold->slot().ToString());
    if (ended.error_code() != grpc::StatusCode::OK && ended.error_code() != grpc::StatusCode::CANCELLED) ++*resumed;
  }
  return absl::DeadlineExceededError(absl::StrCat(fold->slot().ToString(), " was not read to its target"));
}

int Run(const std::string& target) {
  const host::Definitions definitions = program::AllServices();

  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  const auto channel = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  const auto stub = admin::v1::AdminService::NewStub(channel);

  // Apart from the log, it asks the program only for the install and its slots.
  GetStatusResponse status;
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  if (const grpc::Status asked = stub->GetStatus(&context, {}, &status); !asked.ok()) {
    std::cerr << "no status: " << asked.error_message() << "\n";
    return 1;
  }
  std::map<ServiceId, uint32_t> counts;
  for (const admin::v1::SlotStatus& slot : status.slots()) ++counts[*ParseService(slot.service())];
  eventlog::LogIdentity identity{.install = *InstallId::FromHex(status.install_id()), .slots = {}};
  for (const auto& [service, count] : counts) identity.slots.Set(service, count);
  std::vector<std::unique_ptr<fold::SlotFold>> folds;
  for (const admin::v1::SlotStatus& slot : status.slots()) {
    const SlotId id{*ParseService(slot.service()), static_cast<uint16_t>(slot.slot())};
    folds.push_back(std::make_unique<fold::SlotFold>(definitions, identity, id));
  }

  Targets targets;
  std::atomic<uint64_t> resumed{0};
  std::vector<absl::Status> results(folds.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < folds.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = Follow(channel, stub.get(), &targets, &resumed, folds[i].get()); });
  }
  std::cout << "following" << std::endl;
  std::map<SlotId, Position> wanted;
  std::string service;
  uint16_t slot = 0;
  Position position = 0;
  while (std::cin >> service >> slot >> position) wanted[{*ParseService(service), slot}] = position;
  targets.Set(std::move(wanted));
  for (std::thread& thread : threads) thread.join();

  GetStatusResponse made;
  made.set_install_id(status.install_id());
  int exit = 0;
  for (size_t i = 0; i < folds.size(); ++i) {
    Tell(folds[i]->Folded(), &made);
    if (results[i].ok()) continue;
    std::cerr << results[i] << "\n";
    exit = 1;
  }
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(made, &json);
  std::cerr << "follower: " << folds.size() << " slots, " << resumed << " tails resumed\n";
  std::cout << json << std::endl;
  return exit;
}

}  // namespace
}  // namespace halles::durability

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " HOST:PORT\n";
    return 2;
  }
  return halles::durability::Run(argv[1]);
}
