// Decides which recorded answers to forget.
#include "libs/partition/expiry.h"

#include <string>
#include <utility>

#include "halles/log/v1/runtime_events.pb.h"
#include "libs/partition/fold.h"
#include "libs/partition/runtime_tables.h"

namespace halles::partition {
namespace {

class ExpireRequestIdsCommand final : public Command {
 public:
  explicit ExpireRequestIdsCommand(std::function<void(bool)> done) : done_(std::move(done)) {
    envelope.internal = true;
  }

  absl::StatusOr<bool> Decide(const store::RowReader& state, const CommandContext& context) override {
    event_.Clear();
    size_t due = 0;
    kDedupeExpiry.ForEach(state, [&](const DedupeExpiryKey& key, const rows::EmptyRow&, Position) {
      if (key.expires_us > context.now) return false;
      // Only whole instants, so that the limit never splits ids of the same time.
      if (due >= kExpiryBatch && key.expires_us != event_.request_ids_expired().until_us()) return false;
      event_.mutable_request_ids_expired()->set_until_us(key.expires_us);
      ++due;
      return true;
    });
    return due > 0;
  }
  absl::Status Evolve(store::Rows& rows, FactContext) override {
    log::v1::Batch batch;
    Record(&batch);
    return FoldBatch(ServiceDefinition(), {}, 0, 0, batch, rows);
  }
  void Record(log::v1::Batch* batch) const override {
    event_.SerializeToString(batch->add_events()->mutable_payload());
  }
  void Answer(AnswerPosition) override { done_(true); }
  void AnswerRecorded(const std::string&, AnswerPosition) override { done_(true); }
  void AnswerError(const absl::Status&) override { done_(false); }

 private:
  const std::function<void(bool)> done_;
  log::v1::RuntimeEvent event_;
};

}  // namespace

std::unique_ptr<Command> ExpireRequestIds(std::function<void(bool taken)> done) {
  return std::make_unique<ExpireRequestIdsCommand>(std::move(done));
}

bool HasExpiredRequestIds(const store::RowReader& state, UnixMicros now) {
  bool due = false;
  kDedupeExpiry.ForEach(state, [&](const DedupeExpiryKey& key, const rows::EmptyRow&, Position) {
    due = key.expires_us <= now;
    return false;
  });
  return due;
}

}  // namespace halles::partition
