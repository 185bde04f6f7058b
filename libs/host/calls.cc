// Waits for positions of views and of the reactions that they depend on, then reads on a query thread.
#include "libs/host/calls.h"

#include <algorithm>
#include <set>

#include "libs/base/status.h"
#include "libs/store/overlay.h"

namespace halles::host {
namespace {

struct Read {
  Host* host;
  ServiceId service;
  uint8_t view;
  absl::Time deadline;
  ViewQuery query;
};

void Run(const std::shared_ptr<Read>& read) {
  read->host->PostQuery([read] {
    const absl::Status open = read->host->With([&](Stack& stack) {
      projection::ViewFollower& follower = stack.View(read->service, read->view);
      TokenPositions at = follower.positions();
      const store::ViewRows::Query rows(&follower.rows());
      for (auto& [slot, position] : at) position = rows.next(slot);  // exactly what is read
      read->query(&rows, at);
    });
    if (!open.ok()) read->query(open, {});
  });
}

// Waits until the view itself has come there.
void AwaitView(const std::shared_ptr<Read>& read, const TokenPositions& positions) {
  const absl::Status open = read->host->With([&](Stack& stack) {
    stack.View(read->service, read->view).WhenReached(positions, read->deadline, [read](absl::Status reached) {
      if (reached.ok()) {
        Run(read);
      } else {
        read->query(reached, {});
      }
    });
  });
  if (!open.ok()) read->query(open, {});
}

}  // namespace

void ReadView(Host& host, ServiceId service, uint8_t view, const TokenPositions& positions, absl::Time deadline,
              ViewQuery query) {
  auto read = std::make_shared<Read>(Read{&host, service, view, deadline, std::move(query)});
  if (positions.empty()) {
    Run(read);
    return;
  }
  bool waits = false;
  const absl::Status open = host.With([&](Stack& stack) {
    std::set<ServiceId> sources;
    for (const auto& [slot, position] : positions) sources.insert(slot.service);
    for (ServiceId source : sources) {
      projection::Reactor* reactor = stack.ReactorOf(service, source);
      if (reactor == nullptr || source == service) continue;
      waits = true;
      reactor->WhenReached(positions, deadline, [read, positions](absl::Status reached) {
        if (!reached.ok()) {
          read->query(reached, {});
          return;
        }
        TokenPositions all = positions;
        const absl::Status still_open = read->host->With([&](Stack& now) {
          for (const auto& [slot, unused] : now.View(read->service, read->view).positions()) {
            if (slot.service != read->service) continue;
            Position& wanted = all[slot];
            wanted = std::max(wanted, now.runtime->confirmed(slot));
          }
        });
        if (!still_open.ok()) {
          read->query(still_open, {});
          return;
        }
        AwaitView(read, all);
      });
      return;  // a view depends on one reaction at most
    }
  });
  if (!open.ok()) {
    read->query(open, {});
  } else if (!waits) {
    AwaitView(read, positions);
  }
}

}  // namespace halles::host
