// The methods of the operator's door.
#include "services/halles/admin_service.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "halles/admin/v1/admin_service.limits.h"
#include "libs/base/status.h"
#include "libs/program/options.h"
#include "libs/program/start_progress.h"
#include "services/halles/log_words.h"

namespace halles::program {
namespace {

using admin::v1::GetStatusResponse;
using admin::v1::RebuildResponse;
using admin::v1::TailLogResponse;
using admin::v1::VerifyResponse;

// Minimum time between two progress messages.
constexpr int64_t kProgressEveryMicros = 200'000;
// Maximum number of records that one task of a tail decodes.
constexpr size_t kTailRecords = 64;
// Each tail of the log has a reader of its own.
constexpr size_t kStreamsMax = 64;

void FillStart(const StartReport& report, admin::v1::StartProgress* start) {
  start->set_phase(std::string(StartPhaseName(report.phase)));
  start->set_records_done(report.records_done);
  start->set_records_total(report.records_total);
  if (report.left.has_value()) {
    start->set_seconds_left(static_cast<uint64_t>(absl::ToInt64Seconds(absl::Ceil(*report.left, absl::Seconds(1)))));
  }
  if (!report.waits_for.ok()) start->set_waits_for(std::string(report.waits_for.message()));
}

// Cursors and digests. A flush comes before, so that they are those of now; but not while the start folds, since it would
// take long.
std::map<store::FoldId, store::FoldMeta> MetasOf(host::Host& host, bool flush) {
  absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> metas;
  if (flush) {
    metas = host.Metas();
  } else {
    host.With([&metas](host::Serving& serving) { metas = serving.store->LoadMetas(); }).IgnoreError();
  }
  return metas.ok() ? *std::move(metas) : std::map<store::FoldId, store::FoldMeta>();
}

// The slots without asking their queues, which are busy while they replay.
std::vector<partition::SlotState> ReplayingSlots(host::Host& host) {
  std::vector<partition::SlotState> states;
  host.With([&](host::Serving& serving) {
        for (const partition::ServiceDefinition& service : host.definitions().services) {
          for (uint32_t slot = 0; slot < host.log().identity().slots.of(service.id); ++slot) {
            const SlotId id{service.id, static_cast<uint16_t>(slot)};
            partition::SlotState& state = states.emplace_back();
            state.slot = id;
            state.error = serving.runtime->why_stopped(id);
            if (!state.error.ok()) {
              state.phase = partition::SlotPhase::kStopped;
            } else if (serving.runtime->serving(id)) {
              state.phase = partition::SlotPhase::kServing;
            }
          }
        }
      })
      .IgnoreError();
  return states;
}

GetStatusResponse StatusOf(host::Host& host, const absl::Status& log_health, const StartReport& start,
                           const std::string& only_service) {
  GetStatusResponse status;
  status.set_version(std::string(Version()));
  const bool ready = start.phase == StartPhase::kReady;
  if (!ready) FillStart(start, status.mutable_start());
  if (!log_health.ok()) status.set_log_error(std::string(log_health.message()));
  if (!host.CheckOpened().ok()) return status;
  status.set_install_id(host.install().Hex());
  // Read before the flush, so that the digests include everything that counts as caught up.
  status.set_caught_up(host.caught_up());
  const std::map<store::FoldId, store::FoldMeta> metas = MetasOf(host, ready || status.caught_up());
  const std::vector<partition::SlotState> slots =
      start.phase < StartPhase::kCatchingUp ? ReplayingSlots(host) : host.SlotStates();
  std::vector<std::pair<const projection::ViewDefinition*, std::vector<projection::SourceState>>> views;
  host.With([&](host::Serving& serving) {
        const absl::Status written = serving.store->health();
        if (!written.ok()) status.set_state_error(std::string(written.message()));
        for (const auto& view : serving.pool->views()) views.emplace_back(&view->definition(), view->States());
        for (const partition::SlotState& slot : slots) {
          if (!only_service.empty() && ServiceName(slot.slot.service) != only_service) continue;
          admin::v1::SlotStatus* out = status.add_slots();
          out->set_service(std::string(ServiceName(slot.slot.service)));
          out->set_slot(slot.slot.slot);
          out->set_state(std::string(partition::SlotPhaseName(slot.phase)));
          out->set_term(slot.term);
          if (!slot.error.ok()) out->set_error(std::string(slot.error.message()));
          const auto meta = metas.find(store::FoldId::State(slot.slot));
          out->set_position(meta == metas.end() ? 0 : meta->second.cursor.next);
          out->set_digest(meta == metas.end() ? store::Digest().Hex() : meta->second.digest.Hex());
        }
        for (const auto& [definition, sources] : views) {
          if (!only_service.empty() && ServiceName(definition->service) != only_service) continue;
          for (const projection::SourceState& source : sources) {
            admin::v1::ViewStatus* out = status.add_views();
            out->set_view(definition->FullName());
            out->set_service(std::string(ServiceName(source.source.service)));
            out->set_slot(source.source.slot);
            const auto meta = metas.find(store::FoldId::View(definition->service, definition->view, source.source));
            out->set_position(meta == metas.end() ? 0 : meta->second.cursor.next);
            out->set_digest(meta == metas.end() ? store::Digest().Hex() : meta->second.digest.Hex());
            const absl::StatusOr<Position> end = host.log().End(source.source);
            out->set_lag_records(end.ok() && *end > source.position ? *end - source.position : 0);
            if (!source.error.ok()) out->set_error(std::string(source.error.message()));
          }
        }
      })
      .IgnoreError();
  return status;
}

void FillResult(const host::Proof& proof, admin::v1::VerifyResult* result) {
  result->set_equal(proof.comparison.equal());
  result->set_events(proof.events);
  result->set_rows(proof.comparison.rows);
  result->set_digests(proof.digests);
  result->set_difference_count(proof.comparison.differences);
  for (const std::string& difference : proof.differences) result->add_differences(difference);
}

// Runs a proof, and writes its progress and its result to the stream. `proving` is false again before the stream ends.
template <typename Response>
void Prove(const std::function<absl::StatusOr<host::Proof>(const projection::ReplayObserver&)>& prove,
           const Clock& clock, const std::atomic<bool>& stopping, std::atomic<bool>* proving,
           const rpc::StreamWriter<Response>& writer) {
  int64_t next = clock.MonotonicMicros();
  const auto observer = [&](const projection::ReplayProgress& progress) -> absl::Status {
    if (stopping.load(std::memory_order_relaxed)) return absl::CancelledError("the process is ending");
    const int64_t now = clock.MonotonicMicros();
    if (now < next) return absl::OkStatus();
    next = now + kProgressEveryMicros;
    Response response;
    response.set_records_done(progress.records_done);
    response.set_records_total(progress.records_total);
    return writer.Write(std::move(response)) ? absl::OkStatus() : absl::CancelledError("the caller left");
  };
  const absl::StatusOr<host::Proof> proof = prove(observer);
  proving->store(false, std::memory_order_release);
  if (!proof.ok()) {
    writer.Finish(proof.status());
    return;
  }
  Response last;
  last.set_records_done(proof->comparison.positions);
  last.set_records_total(proof->comparison.positions);
  FillResult(*proof, last.mutable_result());
  writer.Write(std::move(last));
  writer.Finish(absl::OkStatus());
}

}  // namespace

AdminDoor::AdminDoor(const DoorParts& parts)
    : host_(*parts.host),
      log_health_(parts.log_health),
      start_(parts.start),
      door_(admin::v1::AdminService::service_full_name(), host_.clock(), parts.metrics, {.streams_max = kStreamsMax}),
      proofs_(host_.scheduler().NewQueue("proofs")),
      tails_(host_.scheduler().NewQueue("tails")) {}

absl::Status AdminDoor::BeginProof() {
  RETURN_IF_ERROR(host_.CheckOpened());
  if (!proving_.exchange(true, std::memory_order_acq_rel)) return absl::OkStatus();
  return Overloaded("PROOF_RUNNING", "a verify or rebuild runs already", absl::Seconds(5));
}

AdminDoor::~AdminDoor() {
  stopping_.store(true, std::memory_order_relaxed);
  proofs_->Stop();
  tails_->Stop();
}

grpc::ServerUnaryReactor* AdminDoor::GetStatus(grpc::CallbackServerContext* context,
                                               const admin::v1::GetStatusRequest* request,
                                               admin::v1::GetStatusResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call&, auto reply) -> absl::Status {
        if (!asked.service().empty()) RETURN_IF_ERROR(ParseService(asked.service()).status());
        // Waits for a flush, so it does not run on a queue that answers queries.
        tails_->Post(
            [this, service = asked.service(), reply] { reply(StatusOf(host_, log_health_(), start_(), service)); });
        return absl::OkStatus();
      });
}

// The tail of one slot for one caller. Lives while a task or the callback for the end of the stream refers to it.
class AdminDoor::Tail : public std::enable_shared_from_this<Tail> {
 public:
  Tail(AdminDoor* door, SlotId slot, const admin::v1::TailLogRequest& request,
       rpc::StreamWriter<TailLogResponse> writer)
      : door_(*door),
        slot_(slot),
        request_(request),
        left_(request.records_max() == 0 ? std::numeric_limits<uint64_t>::max() : request.records_max()),
        cursor_(NearestCursor(door->host_, slot, request.position())),
        writer_(std::move(writer)) {}

  void Start() {
    growth_ = std::make_unique<Growth>(door_.tails_.get(), weak_from_this());
    subscription_ = door_.host_.log().Follow({.slots = {slot_}, .listener = growth_.get()});
    Soon();
  }

  void Soon() {
    door_.tails_->Post([self = shared_from_this()] { self->Read(); });
  }

  // Called on the queue of tails.
  void End() {
    subscription_.reset();
    ended_ = true;
  }

 private:
  // Continues reading when the slot has grown. Holds no strong reference, so that a tail is never destroyed on a thread
  // of the log.
  class Growth : public eventlog::LogListener {
   public:
    Growth(TaskQueue* queue, std::weak_ptr<Tail> tail) : queue_(queue), tail_(std::move(tail)) {}
    void OnGrowth(absl::Span<const eventlog::SlotEnd>) override { Wake(); }
    void OnReset(absl::Span<const SlotId>) override { Wake(); }

   private:
    void Wake() {
      queue_->Post([tail = tail_] {
        if (const std::shared_ptr<Tail> alive = tail.lock()) alive->Read();
      });
    }
    TaskQueue* const queue_;
    const std::weak_ptr<Tail> tail_;
  };

  void Read() {
    if (ended_) return;
    if (const absl::Status status = ReadSome(); !status.ok() || done_) {
      writer_.Finish(status);
      End();
    }
  }

  absl::Status ReadSome() {
    if (reader_ == nullptr) {
      ASSIGN_OR_RETURN(reader_, door_.host_.log().NewReader(slot_, cursor_.next));
    }
    std::vector<eventlog::StoredRecord> records;
    ASSIGN_OR_RETURN(const eventlog::ReadResult read, reader_->Poll({.records_max = kTailRecords}, &records));
    for (const eventlog::StoredRecord& record : records) {
      ASSIGN_OR_RETURN(const eventlog::Judgement judgement,
                       eventlog::Adjudicate(record.bytes, record.position, &cursor_));
      if (record.position < request_.position()) continue;
      TailLogResponse response;
      response.set_position(record.position);
      response.set_verdict(VerdictInWords(judgement));
      if (request_.raw()) {
        response.set_raw(record.bytes);
      } else {
        *response.mutable_header() = HeaderInWords(judgement.header);
        response.set_body_json(BodyJson(door_.host_.definitions(), slot_.service, judgement.body));
      }
      if (!writer_.Write(std::move(response))) {
        done_ = true;
        return absl::OkStatus();
      }
      if (--left_ == 0) {
        done_ = true;
        return absl::OkStatus();
      }
    }
    if (read.count > 0) {
      writer_.WhenRoom([weak = weak_from_this()] {
        if (const std::shared_ptr<Tail> tail = weak.lock()) tail->Soon();
      });
    } else if (read.at_end && !request_.follow()) {
      done_ = true;
    }  // otherwise OnGrowth reports further records
    return absl::OkStatus();
  }

  AdminDoor& door_;
  const SlotId slot_;
  const admin::v1::TailLogRequest request_;
  uint64_t left_;
  eventlog::Cursor cursor_;
  const rpc::StreamWriter<TailLogResponse> writer_;
  std::unique_ptr<eventlog::LogReader> reader_;
  std::unique_ptr<Growth> growth_;
  std::unique_ptr<eventlog::Subscription> subscription_;
  bool done_ = false;
  bool ended_ = false;
};

grpc::ServerWriteReactor<TailLogResponse>* AdminDoor::TailLog(grpc::CallbackServerContext* context,
                                                              const admin::v1::TailLogRequest* request) {
  return door_.Watch<TailLogResponse>(
      context, request,
      [this](const auto& asked, const rpc::Call&, rpc::StreamWriter<TailLogResponse> writer) -> absl::Status {
        RETURN_IF_ERROR(host_.CheckOpened());
        ASSIGN_OR_RETURN(const ServiceId service, ParseService(asked.service()));
        const uint32_t count = host_.log().identity().slots.of(service);
        if (asked.slot() >= count) {
          return InvalidField("slot", absl::StrCat("slots of ", asked.service(), " are numbered 0 to ", count - 1));
        }
        auto tail = std::make_shared<Tail>(this, SlotId{service, static_cast<uint16_t>(asked.slot())}, asked, writer);
        writer.OnCancel([this, tail] { tails_->Post([tail] { tail->End(); }); });
        tail->Start();
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminDoor::ExplainEvent(grpc::CallbackServerContext* context,
                                                  const admin::v1::ExplainEventRequest* request,
                                                  admin::v1::ExplainEventResponse* response) {
  return door_.Query(
      context, request, response, [this](const auto& asked, const rpc::Call& call, auto reply) -> absl::Status {
        RETURN_IF_ERROR(host_.CheckOpened());
        const bool whole = !absl::StrContains(asked.event(), '#');
        const absl::StatusOr<EventRef> ref = EventRef::Parse(whole ? absl::StrCat(asked.event(), "#0") : asked.event());
        if (!ref.ok()) return InvalidField("event", ref.status().message());
        host_.PostQuery(
            host::Host::kOperatorsLane, call.deadline, [this, ref = *ref, whole, reply](const absl::Status& turn) {
              const auto explain = [&]() -> absl::StatusOr<admin::v1::ExplainEventResponse> {
                RETURN_IF_ERROR(turn);
                ASSIGN_OR_RETURN(
                    const std::unique_ptr<JudgedRecord> record,
                    ReadRecord(host_.log(), ref.slot, ref.position, NearestCursor(host_, ref.slot, ref.position)));
                admin::v1::ExplainEventResponse out;
                *out.mutable_header() = HeaderInWords(record->judgement.header);
                out.set_verdict(VerdictInWords(record->judgement));
                log::v1::RecordBody body;
                const absl::string_view bytes = record->judgement.body;
                if (body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
                  out.set_request_id(body.batch().request_id());
                if (whole) {
                  out.set_event_json(BodyJson(host_.definitions(), ref.slot.service, bytes));
                  return out;
                }
                if (static_cast<int64_t>(ref.index) >= body.batch().events_size()) {
                  return Failure(absl::StatusCode::kNotFound, "NO_SUCH_EVENT",
                                 absl::StrCat("the record at ", ref.slot.ToString(), "@", ref.position, " holds ",
                                              body.batch().events_size(), " events"));
                }
                out.set_event_json(
                    EventJson(host_.definitions(), ref.slot.service, body.batch().events(static_cast<int>(ref.index))));
                return out;
              };
              reply(explain());
            });
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<VerifyResponse>* AdminDoor::Verify(grpc::CallbackServerContext* context,
                                                            const admin::v1::VerifyRequest* request) {
  return door_.Watch<VerifyResponse>(
      context, request,
      [this](const auto&, const rpc::Call&, rpc::StreamWriter<VerifyResponse> writer) -> absl::Status {
        RETURN_IF_ERROR(BeginProof());
        proofs_->Post([this, writer] {
          Prove<VerifyResponse>([this](const auto& observer) { return host_.Verify(observer); }, host_.clock(),
                                stopping_, &proving_, writer);
        });
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<RebuildResponse>* AdminDoor::Rebuild(grpc::CallbackServerContext* context,
                                                              const admin::v1::RebuildRequest* request) {
  return door_.Watch<RebuildResponse>(
      context, request,
      [this](const auto&, const rpc::Call&, rpc::StreamWriter<RebuildResponse> writer) -> absl::Status {
        RETURN_IF_ERROR(BeginProof());
        proofs_->Post([this, writer] {
          Prove<RebuildResponse>([this](const auto& observer) { return host_.Rebuild(observer); }, host_.clock(),
                                 stopping_, &proving_, writer);
        });
        return absl::OkStatus();
      });
}

}  // namespace halles::program
