// Looks at the view for each watcher whose customer was touched.
#include "services/customer_identity/watches.h"

#include <utility>

#include "libs/base/status.h"
#include "libs/host/calls.h"
#include "services/customer_identity/definition.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/queries.h"

namespace halles::customer_identity {

void Watches::Attach(host::Host* host) {
  MutexLock lock(&mutex_);
  host_ = host;
}

absl::Status Watches::Add(v1::CustomerName name, std::optional<TokenPositions> resume,
                          rpc::StreamWriter<v1::WatchCustomerResponse> writer) {
  uint64_t id = 0;
  {
    MutexLock lock(&mutex_);
    if (watchers_.size() >= kWatchersMax) {
      return Overloaded("TOO_MANY_WATCHERS", "this instance has as many watchers as it takes", absl::Seconds(5));
    }
    id = next_id_++;
    auto watcher = std::make_shared<Watcher>(std::move(name), std::move(resume), writer);
    watcher->looking = true;
    watchers_.emplace(id, std::move(watcher));
  }
  writer.OnCancel([weak = weak_from_this(), id] {
    if (const std::shared_ptr<Watches> self = weak.lock()) self->Remove(id);
  });
  Look(id);
  return absl::OkStatus();
}

void Watches::Touched(const std::vector<std::string>& topics) {
  std::vector<uint64_t> wake;
  {
    MutexLock lock(&mutex_);
    if (watchers_.empty()) return;
    for (const std::string& topic : topics) {
      const auto touched = by_topic_.find(topic);
      if (touched == by_topic_.end()) continue;
      for (uint64_t id : touched->second) {
        Watcher& watcher = *watchers_.at(id);
        if (watcher.looking) {
          watcher.again = true;
        } else {
          watcher.looking = true;
          wake.push_back(id);
        }
      }
    }
  }
  for (uint64_t id : wake) Look(id);
}

size_t Watches::size() const {
  MutexLock lock(&mutex_);
  return watchers_.size();
}

void Watches::Look(uint64_t id) {
  std::shared_ptr<Watcher> watcher;
  host::Host* host = nullptr;
  {
    MutexLock lock(&mutex_);
    const auto it = watchers_.find(id);
    if (it == watchers_.end()) return;
    watcher = it->second;
    host = host_;
  }
  host::ReadView(
      *host, ServiceId::kCustomerIdentity, kCustomersView, {}, absl::InfiniteFuture(),
      [self = shared_from_this(), watcher, id](absl::StatusOr<const store::RowReader*> rows, const TokenPositions& at) {
        std::set<std::string> topics;
        const absl::Status told = rows.ok() ? self->Tell(*watcher, **rows, at, &topics) : rows.status();
        if (!told.ok()) {
          watcher->writer.Finish(told);
          self->Remove(id);
          return;
        }
        bool again = false;
        {
          MutexLock lock(&self->mutex_);
          if (!self->watchers_.contains(id)) return;
          // A new topic may have been touched before it was known here: then the look was too early.
          again = watcher->again || topics != watcher->topics;
          watcher->again = false;
          watcher->looking = again;
          for (const std::string& topic : watcher->topics) {
            if (!topics.contains(topic)) self->by_topic_[topic].erase(id);
          }
          for (const std::string& topic : topics) self->by_topic_[topic].insert(id);
          watcher->topics = std::move(topics);
        }
        if (again) self->Look(id);
      });
}

absl::Status Watches::Tell(Watcher& watcher, const store::RowReader& view, const TokenPositions& at,
                           std::set<std::string>* topics) {
  std::optional<v1::WatchCustomerResponse> update;
  if (watcher.seen.has_value()) {
    ASSIGN_OR_RETURN(update, NextUpdate(view, watcher.name, *watcher.seen));
  } else {
    ASSIGN_OR_RETURN(update, Snapshot(view, watcher.name));
  }
  ASSIGN_OR_RETURN(const Party party, ResolveParty(view, watcher.name));
  RETURN_IF_ERROR(view.status());
  for (const common::v1::Identifier& identifier : party.identifiers) topics->insert(TopicOf(identifier));
  for (const common::v1::Identifier& identifier : party.shared) topics->insert(TopicOf(identifier));
  watcher.seen = at;
  if (!update.has_value()) return absl::OkStatus();
  {
    MutexLock lock(&mutex_);
    update->set_resume_token(EncodeToken(host_->install(), at));
  }
  // The writer itself has ended the stream when this fails.
  if (!watcher.writer.Write(*std::move(update))) return absl::CancelledError("the watcher left");
  return absl::OkStatus();
}

void Watches::Remove(uint64_t id) {
  std::shared_ptr<Watcher> watcher;  // ends outside of the lock: its writer may call back
  {
    MutexLock lock(&mutex_);
    const auto it = watchers_.find(id);
    if (it == watchers_.end()) return;
    watcher = std::move(it->second);
    watchers_.erase(it);
    for (const std::string& topic : watcher->topics) {
      const auto topic_watchers = by_topic_.find(topic);
      if (topic_watchers == by_topic_.end()) continue;
      topic_watchers->second.erase(id);
      if (topic_watchers->second.empty()) by_topic_.erase(topic_watchers);
    }
  }
}

}  // namespace halles::customer_identity
