// Assigns followers to shards, and forwards notifications of the log and the slots to them.
#include "libs/projection/follower_pool.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/status.h"

namespace halles::projection {

FollowerPool::FollowerPool(FollowerPoolOptions options) : options_(std::move(options)) {
  for (int i = 0; i < options_.shards; ++i) {
    shards_.push_back(std::make_unique<FollowerShard>(options_.scheduler, absl::StrCat("follow-", i),
                                                      options_.seed + static_cast<uint64_t>(i)));
  }
}

absl::StatusOr<std::unique_ptr<FollowerPool>> FollowerPool::Open(FollowerPoolOptions options) {
  std::unique_ptr<FollowerPool> pool(new FollowerPool(std::move(options)));
  const FollowerPoolOptions& opts = pool->options_;
  std::set<ServiceId> sources;
  for (const ViewDefinition& view : opts.views) {
    for (const ServiceId service : view.SourceServices()) sources.insert(service);
    ViewFollower::TouchListener touched;
    if (opts.touched) {
      touched = [&opts, name = view.FullName()](const std::vector<std::string>& topics) { opts.touched(name, topics); };
    }
    ASSIGN_OR_RETURN(pool->views_.emplace_back(),
                     ViewFollower::Open(view, opts.log, opts.store, pool->shards_.front().get(), std::move(touched)));
  }
  std::map<ServiceId, std::vector<ReactionDefinition>> reactions;
  for (const ReactionDefinition& reaction : opts.reactions) {
    sources.insert(reaction.source);
    reactions[reaction.service].push_back(reaction);
  }
  for (auto& [service, definitions] : reactions) {
    pool->reactors_.emplace(service, std::make_unique<Reactor>(service, std::move(definitions), opts.log,
                                                               pool->shards_.front().get(), opts.progress_every));
  }
  size_t next = 0;
  for (const ServiceId service : sources) {
    for (const SlotId slot : SlotsOf(*opts.log, service)) {
      FollowerShard* shard = pool->shards_[next++ % pool->shards_.size()].get();
      pool->followers_.emplace(slot, std::make_unique<SourceFollower>(
                                         slot, opts.log, shard, [&opts] { return opts.store->HasRoomToCatchUp(); }));
    }
  }
  for (const std::unique_ptr<ViewFollower>& view : pool->views_) {
    view->SetOnSource([pool = pool.get()](SlotId source, std::function<void(SourceFollower&)> task) {
      SourceFollower* const follower = pool->Find(source);
      follower->shard().Add([follower, task = std::move(task)] { task(*follower); });
    });
  }
  return pool;
}

FollowerPool::~FollowerPool() { Stop(); }

void FollowerPool::Start(partition::Runtime* runtime) {
  for (const auto& [service, reactor] : reactors_) {
    reactor->Start(runtime, [this](SlotId slot) { return Find(slot); });
  }
  // Before the first read, so that no growth is missed.
  std::vector<SlotId> slots;
  for (const auto& [slot, follower] : followers_) slots.push_back(slot);
  std::unique_ptr<eventlog::Subscription> subscription =
      options_.log->Follow({.slots = std::move(slots), .listener = this});
  for (const auto& [slot, follower] : followers_) {
    follower->shard().Add([this, slot = slot, follower = follower.get()] {
      for (const std::unique_ptr<ViewFollower>& view : views_) {
        if (SourceConsumer* consumer = view->ConsumerOf(slot)) follower->Add(consumer);
      }
    });
  }
  MutexLock lock(&mutex_);
  started_ = true;
  subscription_ = std::move(subscription);
  for (const auto& [slot, serving] : serving_) {
    if (Reactor* reactor = ReactorOf(slot.service); reactor != nullptr && serving) reactor->OnServing(slot, true);
  }
  for (const auto& [slot, reacted] : stopped_) {
    if (Reactor* reactor = ReactorOf(slot.service)) reactor->OnStopped(slot, reacted);
  }
  serving_.clear();
  stopped_.clear();
}

void FollowerPool::Stop() {
  std::unique_ptr<eventlog::Subscription> ended;
  {
    MutexLock lock(&mutex_);
    ended = std::move(subscription_);
  }
  ended.reset();
  for (const std::unique_ptr<FollowerShard>& shard : shards_) shard->Stop();
  for (const std::unique_ptr<ViewFollower>& view : views_) view->Close();
  for (const auto& [service, reactor] : reactors_) reactor->Close();
}

void FollowerPool::Offer(partition::ConfirmedRecord record) {
  if (SourceFollower* follower = Find(record.slot)) follower->Offer(std::move(record));
}

void FollowerPool::OnServing(SlotId slot, bool serving) {
  if (SourceFollower* follower = Find(slot)) follower->SetOwnedHere(serving);
  Reactor* reactor = ReactorOf(slot.service);
  if (reactor == nullptr) return;
  MutexLock lock(&mutex_);
  if (started_) {
    reactor->OnServing(slot, serving);
  } else {
    serving_[slot] = serving;
  }
}

void FollowerPool::OnStopped(SlotId slot, const partition::ReactedTo& reacted) {
  Reactor* reactor = ReactorOf(slot.service);
  if (reactor == nullptr) return;
  MutexLock lock(&mutex_);
  if (started_) {
    reactor->OnStopped(slot, reacted);
  } else {
    stopped_.emplace(slot, reacted);
  }
}

void FollowerPool::AnswerExtension(SlotId target, const TokenPositions& sources, MonotonicMicros deadline,
                                   const partition::ExtendDone& done) {
  if (Reactor* reactor = ReactorOf(target.service)) {
    reactor->AnswerExtension(target, sources, deadline, done);
    return;
  }
  done(Failure(absl::StatusCode::kUnimplemented, "NO_REACTIONS",
               absl::StrCat(ServiceName(target.service), " reacts to nothing")));
}

void FollowerPool::OnGrowth(absl::Span<const eventlog::SlotEnd> grown) {
  for (const eventlog::SlotEnd& end : grown) {
    if (SourceFollower* follower = Find(end.slot)) follower->OnGrowth(end.end);
  }
}

void FollowerPool::OnReset(absl::Span<const SlotId> slots) {
  for (const SlotId slot : slots) {
    if (SourceFollower* follower = Find(slot)) follower->OnReset();
  }
}

SourceFollower* FollowerPool::Find(SlotId slot) const {
  const auto follower = followers_.find(slot);
  return follower == followers_.end() ? nullptr : follower->second.get();
}

ViewFollower& FollowerPool::View(ServiceId service, uint8_t view) const {
  for (const std::unique_ptr<ViewFollower>& follower : views_) {
    if (follower->definition().service == service && follower->definition().view == view) return *follower;
  }
  CheckFailed(__FILE__, __LINE__, "a view that no service defines");
}

Reactor* FollowerPool::ReactorOf(ServiceId service) const {
  const auto reactor = reactors_.find(service);
  return reactor == reactors_.end() ? nullptr : reactor->second.get();
}

bool FollowerPool::caught_up() const {
  const auto at_end = [this](const TokenPositions& positions) {
    for (const auto& [slot, reached] : positions) {
      const absl::StatusOr<Position> end = options_.log->End(slot);
      if (!end.ok() || reached < *end) return false;
    }
    return true;
  };
  for (const std::unique_ptr<ViewFollower>& view : views_) {
    if (!at_end(view->positions())) return false;
  }
  for (const auto& [service, reactor] : reactors_) {
    if (!at_end(reactor->positions())) return false;
  }
  return true;
}

std::vector<SourceState> FollowerPool::States() const {
  std::vector<SourceState> states;
  const auto add = [&states](const std::vector<SourceState>& each) {
    states.insert(states.end(), each.begin(), each.end());
  };
  for (const std::unique_ptr<ViewFollower>& view : views_) add(view->States());
  for (const auto& [service, reactor] : reactors_) add(reactor->States());
  return states;
}

}  // namespace halles::projection
