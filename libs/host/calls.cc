// Waits for positions of views and of the reactions that they depend on, then reads on a queue for queries.
#include "libs/host/calls.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
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

void AwaitView(const std::shared_ptr<Read>& read, const TokenPositions& positions);
void Fail(const std::shared_ptr<Read>& read, const absl::Status& status) {
  if (const std::function<void()> answer = read->query(status, {})) answer();
}

void Run(const std::shared_ptr<Read>& read) {
  read->host->PostQuery(Host::LaneOf(read->service, read->view), read->deadline, [read](const absl::Status& turn) {
    if (!turn.ok()) {
      Fail(read, turn);
      return;
    }
    std::function<void()> answer;
    bool behind = false;
    const absl::Status open = read->host->With([&](Serving& serving) {
      projection::ViewFollower& follower = serving.pool->View(read->service, read->view);
      TokenPositions at = follower.positions();
      const store::ViewRows::Query rows(&follower.rows());
      behind = follower.Behind(rows);
      if (behind) return;
      for (auto& [slot, position] : at) position = rows.next(slot);  // the exact position of the rows
      answer = read->query(&rows, at);
    });
    if (behind) return AwaitView(read, {});
    if (!open.ok()) answer = read->query(open, {});
    // The rows are released before the reply, because an answer may be large and its receiver may query again.
    if (answer) answer();
  });
}

// Waits until the view itself has reached it.
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

// Calls `then` with the position that a read of the slot waits for: that which is asked, or that of the reactions which
// follow from the other positions.
void AwaitReactions(Serving& serving, SlotId slot, const TokenPositions& positions, MonotonicMicros deadline,
                    partition::ExtendDone then) {
  const auto own = positions.find(slot);
  const Position asked = own == positions.end() ? 0 : own->second;
  projection::Reactor* reactor = serving.pool->ReactorOf(slot.service);
  if (reactor == nullptr || positions.empty()) {
    then(asked);
    return;
  }
  reactor->ExtendToken(slot, positions, deadline, [asked, then = std::move(then)](absl::StatusOr<Position> reacted) {
    if (reacted.ok()) reacted = std::max(*reacted, asked);
    then(std::move(reacted));
  });
}

// Runs `read` with the runtime and the position that it has to wait for, or with neither and an error.
void Behind(Host& host, SlotId slot, const TokenPositions& positions, MonotonicMicros deadline,
            std::function<void(absl::StatusOr<Position> from, partition::Runtime* runtime)> read) {
  const auto shared = std::make_shared<decltype(read)>(std::move(read));
  const absl::Status open = host.With([&](Serving& serving) {
    AwaitReactions(serving, slot, positions, deadline, [&host, shared](const absl::StatusOr<Position>& from) {
      if (!from.ok()) {
        (*shared)(from.status(), nullptr);
        return;
      }
      const absl::Status still = host.With([&](Serving& now) { (*shared)(from, now.runtime.get()); });
      if (!still.ok()) (*shared)(still, nullptr);
    });
  });
  if (!open.ok()) (*shared)(open, nullptr);
}

}  // namespace

void QueryBehind(Host& host, ServiceId service, absl::string_view aggregate_key, const TokenPositions& positions,
                 MonotonicMicros deadline, partition::SlotQuery query) {
  const SlotId slot = host.SlotFor(service, aggregate_key);
  Behind(host, slot, positions, deadline,
         [slot, deadline, query = std::move(query)](const absl::StatusOr<Position>& from,
                                                    partition::Runtime* runtime) mutable {
           if (from.ok()) {
             runtime->Query(slot, *from, deadline, std::move(query));
           } else {
             query(from.status(), 0);
           }
         });
}

void WatchBehind(Host& host, ServiceId service, absl::string_view aggregate_key, const TokenPositions& positions,
                 MonotonicMicros deadline, partition::SlotWatch watch) {
  const SlotId slot = host.SlotFor(service, aggregate_key);
  Behind(host, slot, positions, deadline,
         [slot, key = std::string(aggregate_key), deadline, watch = std::move(watch)](
             const absl::StatusOr<Position>& from, partition::Runtime* runtime) mutable {
           if (from.ok()) {
             runtime->Watch(slot, std::move(key), *from, deadline, std::move(watch));
           } else {
             watch(from.status(), 0);
           }
         });
}

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
