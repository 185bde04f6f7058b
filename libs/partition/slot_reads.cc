// Keeps queries and watches until they can be answered.
#include "libs/partition/slot_reads.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/status.h"

namespace halles::partition {

void SlotReads::Run(const SlotQuery& query, Position at) {
  query(&rows_->confirmed(), at);
  if (!rows_->confirmed().status().ok()) rows_->ResetStatus();
}

bool SlotReads::Run(const SlotWatch& watch, Position at) {
  const bool done = watch(&rows_->confirmed(), at);
  if (!rows_->confirmed().status().ok()) rows_->ResetStatus();
  return done;
}

absl::Status SlotReads::TooMany() const {
  return Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(slot_.ToString(), " has too many waiting reads"),
                    absl::Milliseconds(50));
}

void SlotReads::Query(Position min_position, MonotonicMicros deadline, SlotQuery query, Position at) {
  if (begun_ && at >= min_position) {
    Run(query, at);
  } else if (queries_.size() >= kSlotWaitingReadsMax) {
    query(TooMany(), 0);
  } else {
    next_deadline_ = std::min(next_deadline_, deadline);
    queries_.push_back({min_position, deadline, std::move(query)});
  }
}

void SlotReads::Watch(std::string aggregate_id, Position min_position, MonotonicMicros deadline, SlotWatch watch,
                      Position at) {
  Query(
      min_position, deadline,
      [this, aggregate_id = std::move(aggregate_id), deadline, watch = std::move(watch)](
          const absl::StatusOr<const store::RowReader*>& rows, Position position) mutable {
        if (watch(rows, position) || !rows.ok()) return;
        if (watches_.size() >= kSlotWaitingReadsMax) {
          watch(TooMany(), 0);
          return;
        }
        next_deadline_ = std::min(next_deadline_, deadline);
        watches_.emplace(std::move(aggregate_id), WaitingWatch{deadline, std::move(watch)});
      },
      at);
}

void SlotReads::Begin(Position at) {
  if (std::exchange(begun_, true)) return;
  OnPosition(at);
}

void SlotReads::OnPosition(Position at) {
  if (!begun_ || queries_.empty()) return;
  std::vector<WaitingQuery> waiting = std::move(queries_);
  queries_.clear();
  for (WaitingQuery& query : waiting) {
    if (at >= query.position) {
      Run(query.query, at);
    } else {
      queries_.push_back(std::move(query));
    }
  }
}

void SlotReads::OnFacts(absl::Span<const absl::string_view> aggregates, Position at) {
  absl::string_view last;
  for (const absl::string_view aggregate : aggregates) {
    if (aggregate == last) continue;  // several events of one aggregate are common
    last = aggregate;
    const auto [begin, end] = watches_.equal_range(std::string(aggregate));
    for (auto it = begin; it != end;) it = Run(it->second.watch, at) ? watches_.erase(it) : std::next(it);
  }
}

void SlotReads::OnManyFacts(Position at) {
  for (auto it = watches_.begin(); it != watches_.end();) {
    it = Run(it->second.watch, at) ? watches_.erase(it) : std::next(it);
  }
}

void SlotReads::Expire(MonotonicMicros now, Position at) {
  if (now < next_deadline_) return;
  next_deadline_ = kNoDeadline;
  std::vector<WaitingQuery> waiting = std::move(queries_);
  queries_.clear();
  for (WaitingQuery& query : waiting) {
    if (now >= query.deadline) {
      query.query(Failure(absl::StatusCode::kDeadlineExceeded, "TOKEN_NOT_REACHED",
                          absl::StrCat(slot_.ToString(), " stands at ", at, ", the token asks for ", query.position)),
                  at);
    } else {
      next_deadline_ = std::min(next_deadline_, query.deadline);
      queries_.push_back(std::move(query));
    }
  }
  for (auto it = watches_.begin(); it != watches_.end();) {
    if (now < it->second.deadline) {
      next_deadline_ = std::min(next_deadline_, it->second.deadline);
      ++it;
      continue;
    }
    it->second.watch(
        Failure(absl::StatusCode::kDeadlineExceeded, "NOT_SETTLED",
                absl::StrCat("what ", it->first, " started has not ended yet; send the same request again")),
        0);
    it = watches_.erase(it);
  }
}

void SlotReads::FailAll(const absl::Status& status) {
  const std::vector<WaitingQuery> queries = std::exchange(queries_, {});
  const auto watches = std::exchange(watches_, {});
  next_deadline_ = kNoDeadline;
  for (const WaitingQuery& query : queries) query.query(status, 0);
  for (const auto& [aggregate, watch] : watches) watch.watch(status, 0);
}

}  // namespace halles::partition
