// Tests of one reader for all consumers of a source: shared records, laggards, offers, lineages, transient errors.
#include "libs/projection/source_follower.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/projection/projection_fixture.h"

namespace halles::projection {
namespace {

// Records everything that it gets.
class Consumer : public SourceConsumer {
 public:
  explicit Consumer(eventlog::Cursor at) : at_(std::move(at)) {}
  const eventlog::Cursor& cursor() const override { return at_; }
  bool ready() const override { return takes; }
  Taken Take(absl::Span<const SourceRecordPtr> given) override {
    Taken taken;
    taken.status = std::exchange(failure, absl::OkStatus());
    if (!taken.status.ok()) return taken;
    for (const SourceRecordPtr& record : given) {
      EXPECT_EQ(record->before, at_) << "in order and of one lineage";
      at_ = record->after;
      records.push_back(record);
    }
    taken.records = given.size();
    return taken;
  }
  void OnStopped(const absl::Status& why) override { stopped = why; }

  bool takes = true;
  absl::Status failure;  // returned by the next Take
  absl::Status stopped;
  SourceRecords records;

 private:
  eventlog::Cursor at_;
};

class SourceFollowerTest : public ProjectionTest {
 protected:
  void SetUp() override {
    a_.offers = false;
    Start(a_);
  }
  ~SourceFollowerTest() override { shard_->Stop(); }

  eventlog::Cursor Genesis() const { return eventlog::GenesisCursor(log_.identity(), kFirstSlot); }
  eventlog::Cursor At(Position position) {
    SourceReader reader(&log_, kFirstSlot, Genesis());
    SourceRecords records;
    EXPECT_TRUE(reader.Read(position, position, &records).ok());
    return reader.cursor();
  }
  void Join(Consumer& consumer) {
    shard_->Add([this, &consumer] { follower_->Add(&consumer); });
    Quiesce();
  }
  void Grow(int count) {
    AddSome(a_, count);
    follower_->OnGrowth(End());
    Quiesce();
  }
  void Offer(const SourceRecordPtr& record) {
    Post(record);
    Quiesce();
  }
  void Post(const SourceRecordPtr& record) {
    follower_->Offer({kFirstSlot, record->position, record->bytes, record->before, record->after});
  }
  // All records of the slot from `from` on, as its owner would offer them.
  SourceRecords From(Position from) {
    SourceReader reader(&log_, kFirstSlot, At(from));
    SourceRecords records;
    EXPECT_TRUE(reader.Read(End() - from, End(), &records).ok());
    return records;
  }
  // The record added last, as its owner would offer it.
  SourceRecordPtr Newest() {
    SourceReader reader(&log_, kFirstSlot, At(End() - 1));
    SourceRecords records;
    EXPECT_TRUE(reader.Read(1, End(), &records).ok());
    return records.at(0);
  }

  testing::VirtualScheduler::Node node_{&world_};
  std::unique_ptr<FollowerShard> shard_ = std::make_unique<FollowerShard>(&node_, "shard", 1);
  std::unique_ptr<SourceFollower> follower_ = std::make_unique<SourceFollower>(kFirstSlot, &log_, shard_.get());
};

using Follower = SourceFollowerTest;

TEST_F(Follower, TellsATimeOfZeroFromNone) {
  AddSome(a_, 1, partition::counter::kLongAgo);
  const SourceRecordPtr long_ago = Newest();
  EXPECT_EQ(long_ago->ContextOf(kFirstSlot, 0).effective_time, 0);
  AddSome(a_, 1);
  const SourceRecordPtr now = Newest();
  EXPECT_EQ(now->ContextOf(kFirstSlot, 0).effective_time, now->logical_time);
}

TEST_F(Follower, ReadsARecordOnceForAllConsumersAtTheHead) {
  Consumer first(Genesis());
  Consumer second(Genesis());
  Join(first);
  Join(second);
  Grow(5);
  const uint64_t read = follower_->records_read();
  Grow(3);
  EXPECT_EQ(follower_->records_read(), read + 3);
  ASSERT_EQ(first.records.size(), End());
  EXPECT_EQ(first.records, second.records) << "the very same objects";
}

TEST_F(Follower, LetsALaggardCatchUpAndJoin) {
  Consumer first(Genesis());
  Join(first);
  // More than is kept for consumers slightly behind.
  Grow(static_cast<int>(kRingRecordsMax) + 2 * static_cast<int>(kFeedRecordsMax));
  Consumer late(Genesis());
  Consumer near(At(End() - 10));
  const uint64_t read = follower_->records_read();
  Join(near);
  EXPECT_EQ(near.records.size(), 10u);
  EXPECT_EQ(follower_->records_read(), read) << "from what is kept";
  Join(late);
  EXPECT_EQ(late.records.size(), End());
  const uint64_t caught_up = follower_->records_read();
  EXPECT_GT(caught_up, read);
  Grow(2);
  EXPECT_EQ(follower_->records_read(), caught_up + 2) << "they have joined";
  EXPECT_EQ(late.records.back(), first.records.back());
}

TEST_F(Follower, ReadsNothingWhileNoConsumerAccepts) {
  Consumer only(Genesis());
  Join(only);
  Grow(1);
  only.takes = false;
  const uint64_t read = follower_->records_read();
  Grow(5);
  EXPECT_EQ(follower_->records_read(), read);
  only.takes = true;
  shard_->Add([this] { follower_->Wake(); });
  Quiesce();
  EXPECT_EQ(only.records.size(), End());
}

TEST_F(Follower, AcceptsAnOfferAtTheHeadWithoutARead) {
  Consumer consumer(Genesis());
  Join(consumer);
  Grow(1);
  follower_->SetOwnedHere(true);
  const uint64_t read = follower_->records_read();
  AddSome(a_, 1);
  follower_->OnGrowth(End());
  Quiesce();
  EXPECT_EQ(consumer.records.size(), End() - 1) << "the owner will offer it";
  Offer(Newest());
  EXPECT_EQ(consumer.records.size(), End());
  EXPECT_EQ(consumer.records.back()->events.size(), 1u);
  TimePasses(kWhileMicros);
  EXPECT_EQ(follower_->records_read(), read) << "neither now nor later";
  EXPECT_EQ(follower_->offers_taken(), 1u);
  Offer(Newest());
  EXPECT_EQ(consumer.records.size(), End()) << "known already";
}

TEST_F(Follower, ReadsRecordsThatTheOwnerDoesNotOffer) {
  Consumer consumer(Genesis());
  Join(consumer);
  Grow(1);
  follower_->SetOwnedHere(true);
  AddSome(a_, 2);
  Offer(Newest());
  EXPECT_EQ(consumer.records.size(), End()) << "an offer beyond the head leads to a look";
  AddSome(a_, 1);
  follower_->OnGrowth(End());
  TimePasses(absl::ToInt64Microseconds(kOfferPatience));
  EXPECT_EQ(consumer.records.size(), End()) << "and so does patience";
}

TEST_F(Follower, DropsOffersWhenItsConsumersAreTooSlow) {
  Consumer consumer(Genesis());
  Join(consumer);
  Grow(1);
  follower_->SetOwnedHere(true);
  const Position from = End();
  AddSome(a_, static_cast<int>(kOfferedRecordsMax) + 300);
  const SourceRecords offered = From(from);
  // All offers come before the queue handles any: it keeps a limited number.
  for (const SourceRecordPtr& record : offered) Post(record);
  EXPECT_EQ(follower_->offers_waiting(), kOfferedRecordsMax);
  Quiesce();
  EXPECT_EQ(consumer.records.size(), End());
  EXPECT_EQ(follower_->offers_waiting(), 0u);
  EXPECT_LE(follower_->offers_taken(), kOfferedRecordsMax);
}

TEST_F(Follower, KeepsABoundedNumberOfRecordsForALaggard) {
  Consumer consumer(Genesis());
  Join(consumer);
  Grow(1);
  follower_->SetOwnedHere(true);
  const Position from = End();
  AddSome(a_, 2 * static_cast<int>(kOfferedRecordsMax));
  size_t kept = 0;
  size_t offered = 0;
  for (const SourceRecordPtr& record : From(from)) {
    Post(record);
    // The owner confirms faster than the consumer accepts.
    if (++offered % (4 * kFeedRecordsMax) == 0) world_.Step();
    kept = std::max(kept, follower_->kept());
  }
  EXPECT_LE(kept, kOfferedRecordsMax);
  EXPECT_GT(kept, kOfferedRecordsMax / 2) << "and the room is used";
  Quiesce();
  EXPECT_EQ(consumer.records.size(), End());
  EXPECT_LE(follower_->kept(), kRingRecordsMax);
}

TEST_F(Follower, AcceptsNoOfferOfAnotherPosition) {
  Consumer consumer(Genesis());
  Join(consumer);
  Grow(1);
  follower_->SetOwnedHere(true);
  AddSome(a_, 2);
  const SourceRecords missed = From(End() - 2);
  follower_->Offer({kFirstSlot, missed[1]->position, missed[1]->bytes, missed[0]->before, missed[1]->after});
  Quiesce();
  EXPECT_TRUE(consumer.stopped.ok()) << consumer.stopped;
  EXPECT_EQ(consumer.records.size(), End());
}

TEST_F(Follower, StopsOnlyTheConsumerOfAnotherLineage) {
  Consumer good(Genesis());
  Join(good);
  Grow(10);
  eventlog::Cursor other = At(End());
  other.chain = Hash256();
  Consumer at_head(other);
  other = At(End() - 3);
  other.chain = Hash256();
  Consumer behind(other);
  Join(at_head);
  Join(behind);
  EXPECT_EQ(ReasonOf(at_head.stopped), "OTHER_LINEAGE");
  EXPECT_EQ(ReasonOf(behind.stopped), "OTHER_LINEAGE");
  EXPECT_TRUE(behind.records.empty());
  Grow(1);
  EXPECT_TRUE(good.stopped.ok());
  EXPECT_EQ(good.records.size(), End());
}

TEST_F(Follower, StopsAConsumerBeyondTheEndOfTheLog) {
  Grow(5);
  Consumer beyond(At(End()));
  log_.Truncate(kFirstSlot, End() - 2);
  Join(beyond);
  EXPECT_EQ(ReasonOf(beyond.stopped), "LOG_CUT");
  Consumer good(Genesis());
  Join(good);
  EXPECT_EQ(good.records.size(), End());
}

TEST_F(Follower, FindsACutOfTheLogAfterAReset) {
  Consumer consumer(Genesis());
  Join(consumer);
  Grow(5);
  log_.Truncate(kFirstSlot, End() - 2);
  follower_->OnReset();
  Quiesce();
  EXPECT_EQ(ReasonOf(consumer.stopped), "LOG_CUT");
}

TEST_F(Follower, ContinuesAfterATransientError) {
  Consumer consumer(Genesis());
  Join(consumer);
  AddSome(a_, 3);
  const Position end = End();
  log_.SetUnavailable(true);
  follower_->OnGrowth(end);
  TimePasses(kWhileMicros);
  EXPECT_LT(consumer.records.size(), end);
  EXPECT_GE(follower_->passing_errors(), 2u);
  log_.SetUnavailable(false);
  TimePasses(absl::ToInt64Microseconds(absl::Seconds(3)));
  EXPECT_EQ(consumer.records.size(), End());
  EXPECT_TRUE(consumer.stopped.ok());
}

TEST_F(Follower, RetriesAConsumerAfterATransientError) {
  Consumer consumer(Genesis());
  Consumer other(Genesis());
  consumer.failure = absl::UnavailableError("not just now");
  Join(consumer);
  Join(other);
  Grow(3);
  EXPECT_TRUE(consumer.records.empty());
  EXPECT_EQ(other.records.size(), End()) << "nobody waits for it";
  TimePasses(kWhileMicros);
  EXPECT_EQ(consumer.records.size(), End());
  EXPECT_TRUE(consumer.stopped.ok());
}

TEST_F(Follower, IgnoresAConsumerThatHasStopped) {
  Consumer consumer(Genesis());
  consumer.failure = absl::DataLossError("never");
  Join(consumer);
  Grow(3);
  EXPECT_EQ(consumer.stopped.message(), "never");
  TimePasses(kWhileMicros);
  EXPECT_TRUE(consumer.records.empty());
}

}  // namespace
}  // namespace halles::projection
