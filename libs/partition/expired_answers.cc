// Reads the first answers ahead, and drops those that are over.
#include "libs/partition/expired_answers.h"

#include <algorithm>
#include <utility>

#include "libs/base/request_id.h"
#include "libs/partition/runtime_tables.h"
#include "libs/store/key_codec.h"

namespace halles::partition {
namespace {

UnixMicros ExpiresOf(absl::string_view key) {
  if (key.empty()) return 0;
  key.remove_prefix(sizeof(kDedupe.id()));
  UnixMicros expires = 0;
  return store::TakeField(&key, &expires) ? expires : kNeverExpires;
}

// Of the answers that are kept for ever, which are last in the table.
const std::string& FirstWithoutEnd() {
  static const std::string* const key = [] {
    auto* first = new std::string(kDedupe.Prefix());
    store::AppendField(kNeverExpires, first);
    return first;
  }();
  return *key;
}

}  // namespace

void ExpiredAnswers::BeginAt(std::string first) {
  ahead_.clear();
  read_to_ = std::move(first);
  expires_ = ExpiresOf(read_to_);
}

void ExpiredAnswers::Read(const store::Rows& rows) {
  // What was read before is dropped, so the table begins there.
  const std::string from = std::move(read_to_);
  ahead_.clear();
  read_to_ = FirstWithoutEnd();
  rows.Scan(kDedupe.Prefix(), from, [this](absl::string_view key, const store::Row&) {
    if (key >= FirstWithoutEnd()) return false;
    if (ahead_.size() == kAheadMax) {
      read_to_ = std::string(key);
      return false;
    }
    ahead_.emplace_back(key);
    return true;
  });
  expires_ = ExpiresOf(ahead_.empty() ? read_to_ : ahead_.front());
}

void ExpiredAnswers::Drop(store::Rows& rows, UnixMicros now) {
  if (now < expires_) return;
  first_before_ = ahead_.empty() ? read_to_ : ahead_.front();
  for (size_t dropped = 0; now >= expires_ && dropped < kAnswersDroppedPerRecord;) {
    if (ahead_.empty()) {
      Read(rows);
      if (!rows.status().ok()) return Reset();
      continue;
    }
    rows.Delete(ahead_.front());
    ahead_.pop_front();
    expires_ = ExpiresOf(ahead_.empty() ? read_to_ : ahead_.front());
    ++dropped;
  }
}

void ExpiredAnswers::OnPut(absl::string_view key) {
  if (key >= read_to_) return;
  const auto at = std::lower_bound(ahead_.begin(), ahead_.end(), key);
  if (at != ahead_.end() && *at == key) return;
  ahead_.emplace(at, key);
  if (ahead_.size() > kAheadMax) {
    read_to_ = std::move(ahead_.back());
    ahead_.pop_back();
  }
  expires_ = ExpiresOf(ahead_.front());
}

}  // namespace halles::partition
