// Sorts the events of slots by the listeners that follow them.
#include "libs/eventlog/followers.h"

#include <algorithm>
#include <utility>

namespace halles::eventlog {
namespace {

SlotId SlotOf(const SlotEnd& end) { return end.slot; }
SlotId SlotOf(const SlotId& slot) { return slot; }

}  // namespace

class Followers::Following : public Subscription {
 public:
  Following(std::shared_ptr<All> all, uint64_t id) : all_(std::move(all)), id_(id) {}
  ~Following() override {
    MutexLock lock(&all_->mutex);
    for (SlotId slot : all_->followers.at(id_).slots) {
      std::vector<uint64_t>& ids = all_->by_slot.at(slot);
      std::erase(ids, id_);
      if (ids.empty()) all_->by_slot.erase(slot);
    }
    std::erase(all_->of_all, id_);
    all_->followers.erase(id_);
  }

 private:
  const std::shared_ptr<All> all_;
  const uint64_t id_;
};

Followers::Followers() : all_(std::make_shared<All>()) {}

std::unique_ptr<Subscription> Followers::Add(const FollowOptions& options) {
  MutexLock lock(&all_->mutex);
  const uint64_t id = all_->next_id++;
  Follower& follower = all_->followers[id];
  follower.listener = options.listener;
  follower.slots = options.slots;
  std::sort(follower.slots.begin(), follower.slots.end());
  follower.slots.erase(std::unique(follower.slots.begin(), follower.slots.end()), follower.slots.end());
  for (SlotId slot : follower.slots) all_->by_slot[slot].push_back(id);
  return std::make_unique<Following>(all_, id);
}

std::unique_ptr<Subscription> Followers::AddToAll(LogListener* listener) {
  MutexLock lock(&all_->mutex);
  const uint64_t id = all_->next_id++;
  all_->followers[id].listener = listener;
  all_->of_all.push_back(id);
  return std::make_unique<Following>(all_, id);
}

bool Followers::HasFollowers(SlotId slot) const {
  MutexLock lock(&all_->mutex);
  return !all_->of_all.empty() || all_->by_slot.contains(slot);
}

template <typename Item>
void Followers::Tell(absl::Span<const Item> items, std::vector<Item> Follower::*told,
                     void (LogListener::*call)(absl::Span<const Item>)) {
  MutexLock lock(&all_->mutex);
  std::vector<uint64_t> due = all_->of_all;
  for (const Item& item : items) {
    const auto found = all_->by_slot.find(SlotOf(item));
    if (found == all_->by_slot.end()) continue;
    for (uint64_t id : found->second) {
      std::vector<Item>& mine = all_->followers.at(id).*told;
      if (mine.empty()) due.push_back(id);
      mine.push_back(item);
    }
  }
  std::sort(due.begin(), due.end());
  for (uint64_t id : due) {
    Follower& follower = all_->followers.at(id);
    std::vector<Item>& mine = follower.*told;
    (follower.listener->*call)(mine.empty() ? items : absl::Span<const Item>(mine));
    mine.clear();
  }
}

void Followers::TellGrowth(absl::Span<const SlotEnd> grown) { Tell(grown, &Follower::grown, &LogListener::OnGrowth); }

void Followers::TellReset(absl::Span<const SlotId> slots) { Tell(slots, &Follower::reset, &LogListener::OnReset); }

}  // namespace halles::eventlog
