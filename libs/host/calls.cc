// Waits for positions of views and of the reactions that they depend on, then reads on a queue for queries.
#include "libs/host/calls.h"

#include <memory>
#include <utility>

#include "libs/base/status.h"
#include "libs/store/overlay.h"

namespace halles::host {
namespace {

struct Read {
  Host* host;
  ServiceId service;
  uint8_t view;
  MonotonicMicros deadline;
  ViewQuery query;
};

void Run(const std::shared_ptr<Read>& read) {
  read->host->PostQuery([read] {
    std::function<void()> answer;
    const absl::Status open = read->host->With([&](Serving& serving) {
      projection::ViewFollower& follower = serving.pool->View(read->service, read->view);
      TokenPositions at = follower.positions();
      const store::ViewRows::Query rows(&follower.rows());
      for (auto& [slot, position] : at) position = rows.next(slot);  // exactly what is read
      answer = read->query(&rows, at);
    });
    if (!open.ok()) answer = read->query(open, {});
    // The rows are released before the reply, because an answer may be large and its receiver may query again.
    if (answer) answer();
  });
}

void Fail(const std::shared_ptr<Read>& read, const absl::Status& status) {
  if (const std::function<void()> answer = read->query(status, {})) answer();
}

// Waits until the view itself has come there.
void AwaitView(const std::shared_ptr<Read>& read, const TokenPositions& positions) {
  const absl::Status open = read->host->With([&](Serving& serving) {
    serving.pool->View(read->service, read->view)
        .WhenReached(positions, read->deadline, [read](const absl::Status& reached) {
          if (reached.ok()) {
            Run(read);
          } else {
            Fail(read, reached);
          }
        });
  });
  if (!open.ok()) Fail(read, open);
}

}  // namespace

void ReadView(Host& host, ServiceId service, uint8_t view, const TokenPositions& positions, MonotonicMicros deadline,
              ViewQuery query) {
  auto read = std::make_shared<Read>(Read{&host, service, view, deadline, std::move(query)});
  if (positions.empty()) {
    Run(read);
    return;
  }
  bool extends = false;
  const absl::Status open = host.With([&](Serving& serving) {
    projection::Reactor* reactor = serving.pool->ReactorOf(service);
    if (reactor == nullptr) return;
    extends = true;
    reactor->ExtendToken(positions, deadline, [read](absl::StatusOr<TokenPositions> extended) {
      if (extended.ok()) {
        AwaitView(read, *extended);
      } else {
        Fail(read, extended.status());
      }
    });
  });
  if (!open.ok()) {
    Fail(read, open);
  } else if (!extends) {
    AwaitView(read, positions);
  }
}

}  // namespace halles::host
