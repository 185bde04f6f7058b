// Lets each touched watcher read its view.
#include "libs/host/watches.h"

#include <utility>

#include "libs/base/scheduler.h"
#include "libs/base/status.h"
#include "libs/host/calls.h"

namespace halles::host {

void Watches::Attach(Host* host) {
  MutexLock lock(&mutex_);
  host_ = host;
}

absl::Status Watches::Add(const std::shared_ptr<Watcher>& watcher) {
  uint64_t id = 0;
  {
    MutexLock lock(&mutex_);
    if (entries_.size() >= kWatchersMax) {
      return Overloaded("TOO_MANY_WATCHERS", "this instance has as many watchers as it takes", absl::Seconds(5));
    }
    id = next_id_++;
    entries_[id].watcher = watcher;
  }
  watcher->OnCancel([weak = weak_from_this(), id] {
    if (const std::shared_ptr<Watches> self = weak.lock()) self->Remove(id);
  });
  Look(id);
  return absl::OkStatus();
}

void Watches::Touched(const std::vector<std::string>& topics) {
  std::vector<uint64_t> wake;
  {
    MutexLock lock(&mutex_);
    if (entries_.empty()) return;
    for (const std::string& topic : topics) {
      const auto touched = by_topic_.find(topic);
      if (touched == by_topic_.end()) continue;
      for (const uint64_t id : touched->second) {
        Entry& entry = entries_.at(id);
        if (entry.looking) {
          entry.again = true;
        } else {
          entry.looking = true;
          wake.push_back(id);
        }
      }
    }
  }
  for (const uint64_t id : wake) Look(id);
}

size_t Watches::size() const {
  MutexLock lock(&mutex_);
  return entries_.size();
}

void Watches::Look(uint64_t id) {
  std::shared_ptr<Watcher> watcher;
  Host* host = nullptr;
  {
    MutexLock lock(&mutex_);
    const auto it = entries_.find(id);
    if (it == entries_.end()) return;
    watcher = it->second.watcher;
    host = host_;
  }
  ReadView(*host, watcher->service, watcher->view, {}, kNoDeadline,
           [self = shared_from_this(), watcher, id](absl::StatusOr<const store::RowReader*> rows,
                                                    const TokenPositions& at) -> std::function<void()> {
             absl::StatusOr<Watcher::Topics> topics =
                 rows.ok() ? watcher->Look(**rows, at) : absl::StatusOr<Watcher::Topics>(rows.status());
             if (rows.ok() && !(*rows)->status().ok()) topics = (*rows)->status();
             return [self, watcher, id, topics = std::move(topics)] { self->Looked(id, *watcher, topics); };
           });
}

void Watches::Looked(uint64_t id, Watcher& watcher, absl::StatusOr<Watcher::Topics> topics) {
  if (!topics.ok()) watcher.Finish(topics.status());
  if (!topics.ok() || !watcher.Tell()) {
    Remove(id);
    return;
  }
  bool again = false;
  {
    MutexLock lock(&mutex_);
    const auto it = entries_.find(id);
    if (it == entries_.end()) return;
    Entry& entry = it->second;
    // A new topic may have been touched before it was registered here; then the watcher looked too early.
    again = std::exchange(entry.again, false) || *topics != entry.topics;
    entry.looking = again;
    for (const std::string& topic : entry.topics) {
      if (!topics->contains(topic)) Forget(id, topic);
    }
    for (const std::string& topic : *topics) by_topic_[topic].insert(id);
    entry.topics = *std::move(topics);
  }
  if (again) Look(id);
}

void Watches::Remove(uint64_t id) {
  std::shared_ptr<Watcher> watcher;  // destroyed outside of the lock, because it may call back
  MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  watcher = std::move(it->second.watcher);
  for (const std::string& topic : it->second.topics) Forget(id, topic);
  entries_.erase(it);
}

void Watches::Forget(uint64_t id, const std::string& topic) {
  const auto watchers = by_topic_.find(topic);
  if (watchers == by_topic_.end()) return;
  watchers->second.erase(id);
  if (watchers->second.empty()) by_topic_.erase(watchers);
}

}  // namespace halles::host
