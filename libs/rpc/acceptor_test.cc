// Tests of the acceptor: it refuses before the file descriptors run out, and continues after they did.
#include "libs/rpc/acceptor.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/machine/system_clock.h"
#include "libs/rpc/test_frames.h"

namespace halles::rpc {
namespace {

// Keeps the accepted connections.
class Taken final : public grpc::experimental::ExternalConnectionAcceptor {
 public:
  void HandleNewConnection(NewConnectionParameters* parameters) override {
    MutexLock lock(&mutex_);
    fds_.emplace_back(parameters->fd);
  }
  void Await(size_t count) {
    MutexLock lock(&mutex_);
    mutex_.Await([this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return fds_.size() >= count; });
  }

 private:
  Mutex mutex_;
  std::vector<OwnedFd> fds_ ABSL_GUARDED_BY(mutex_);
};

class AcceptorTest : public ::testing::Test {
 protected:
  void Open() {
    RaiseOpenFilesLimit();
    AcceptorOptions options;
    options.open_files = [this] { return open_files_ > 0 ? open_files_.load() : CountOpenFiles(); };
    options.open_files_allowed = [this] { return allowed_.load(); };
    auto opened = Acceptor::Open(std::move(options), clock_, &connections_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    acceptor_ = *std::move(opened);
    auto taken = std::make_unique<Taken>();
    taken_ = taken.get();
    acceptor_->Start(std::move(taken));
  }

  void Connect(const OwnedFd& client) const { ConnectTo(acceptor_->address().port, client); }
  // Waits until the other side closes the connection.
  static bool IsClosed(const OwnedFd& client) {
    char byte;
    return recv(client.get(), &byte, 1, 0) <= 0;
  }

  std::atomic<uint64_t> open_files_{0};  // 0: the real number
  std::atomic<uint64_t> allowed_{1'000'000};
  SystemClock clock_;
  Connections connections_{{}, clock_};
  std::unique_ptr<Acceptor> acceptor_;
  Taken* taken_ = nullptr;
};

TEST_F(AcceptorTest, HandsOverEachConnection) {
  Open();
  const OwnedFd one = Socket(), two = Socket();
  Connect(one);
  Connect(two);
  taken_->Await(2);
  EXPECT_EQ(acceptor_->refused(), 0u);
}

TEST_F(AcceptorTest, RefusesWhileTooManyFilesAreOpen) {
  Open();
  allowed_ = 1'000;
  open_files_ = 800;
  const OwnedFd refused = Socket();
  Connect(refused);
  EXPECT_TRUE(IsClosed(refused));
  EXPECT_EQ(acceptor_->refused(), 1u);
  allowed_ = 2'000;
  const OwnedFd taken = Socket();
  Connect(taken);
  taken_->Await(1);
  EXPECT_EQ(acceptor_->refused(), 1u);
}

TEST_F(AcceptorTest, CountsTheConnectionsOfOneBurst) {
  Open();
  allowed_ = 1'000;
  open_files_ = 790;
  std::vector<OwnedFd> clients;
  while (acceptor_->refused() == 0) {
    clients.push_back(Socket());
    Connect(clients.back());
    ASSERT_LT(clients.size(), 10'000u) << "the count was never seen to grow";
  }
  taken_->Await(10);
}

TEST_F(AcceptorTest, AcceptsAgainAfterFileDescriptorsRanOut) {
  Open();
  std::vector<OwnedFd> clients;
  int highest = 0;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Socket());
    highest = std::max(highest, clients.back().get());
  }
  const OwnedFd later = Socket();
  highest = std::max(highest, later.get());
  std::vector<OwnedFd> gaps;  // free descriptors below the highest open one
  do {
    gaps.push_back(Socket());
    highest = std::max(highest, gaps.back().get());
  } while (gaps.back().get() < highest);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // The limit is the highest open descriptor: accept gets no new one.
  const rlimit none{.rlim_cur = static_cast<rlim_t>(highest) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (const OwnedFd& client : clients) Connect(client);
  for (const OwnedFd& client : clients) EXPECT_TRUE(IsClosed(client));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(acceptor_->refused(), 20u);
  Connect(later);
  taken_->Await(1);
}

TEST_F(AcceptorTest, ClosesThePortWhenItStops) {
  Open();
  const ListenAddress address = acceptor_->address();
  acceptor_->Stop();
  EXPECT_TRUE(CheckCanListen(address, "another").ok());
}

}  // namespace
}  // namespace halles::rpc
