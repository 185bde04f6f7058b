// Sends ReserveStock in batches over one stream, and measures the rate.
#ifndef HALLES_TESTS_LOAD_BATCHES_H_
#define HALLES_TESTS_LOAD_BATCHES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "halles/bulk/v1/bulk_service.grpc.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/mutex.h"
#include "tests/load/load_client.h"

namespace halles::load {

inline constexpr int kBatch = 64;

// Keeps so many batches of the requests of `make(n)` going for `duration`. One thread sends and another takes the answers.
// Latencies are not measured.
inline Run SubmitBatches(const std::string& target, int batches_in_flight, absl::Duration duration,
                         const std::function<inventory::v1::ReserveStockRequest(uint64_t n)>& make) {
  bulk::v1::BulkService::Stub stub(Channels(target, 1)[0]);
  grpc::ClientContext context;
  const auto stream = stub.SubmitBatch(&context);
  struct Window {
    Mutex mutex;
    int open ABSL_GUARDED_BY(mutex) = 0;  // commands without an answer
  } window;
  Run run;
  const absl::Time start = absl::Now();
  std::thread reading([&] {
    bulk::v1::SubmitBatchResponse message;
    inventory::v1::ReserveStockResponse response;
    while (stream->Read(&message)) {
      for (const bulk::v1::Answer& answer : message.answers()) {
        const bool ok = answer.has_response() && response.ParseFromString(answer.response());
        ++(ok ? run.done : run.failed);
        if (!ok && run.first_error.empty()) run.first_error = answer.error();
      }
      MutexLock lock(&window.mutex);
      window.open -= message.answers_size();
    }
  });
  bulk::v1::SubmitBatchRequest message;
  for (uint64_t n = 0; absl::Now() - start < duration;) {
    message.clear_commands();
    for (int i = 0; i < kBatch; ++i, ++n) {
      bulk::v1::Command& command = *message.add_commands();
      command.set_tag(n);
      command.set_method("halles.inventory.v1.InventoryService/ReserveStock");
      make(n).SerializeToString(command.mutable_request());
    }
    {
      MutexLock lock(&window.mutex);
      const auto room = [&]()
                            ABSL_NO_THREAD_SAFETY_ANALYSIS { return window.open <= (batches_in_flight - 1) * kBatch; };
      if (!window.mutex.AwaitWithTimeout(room, absl::Seconds(60))) break;
      window.open += kBatch;
    }
    if (!stream->Write(message)) break;
  }
  stream->WritesDone();
  reading.join();
  const grpc::Status end = stream->Finish();
  run.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  if (!end.ok()) {
    ++run.failed;
    run.first_error = end.error_message();
  }
  return run;
}

}  // namespace halles::load

#endif  // HALLES_TESTS_LOAD_BATCHES_H_
