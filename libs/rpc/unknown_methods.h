// Answers the calls of methods that no service has.
#ifndef HALLES_LIBS_RPC_UNKNOWN_METHODS_H_
#define HALLES_LIBS_RPC_UNKNOWN_METHODS_H_

#include <atomic>
#include <cstdint>

#include "grpcpp/generic/async_generic_service.h"

namespace halles::rpc {

// Such a call is answered at once with UNIMPLEMENTED (UNKNOWN_METHOD), before its request is complete. The limits of
// ConnectionLimits hold for it as for all others.
// Thread safety: any thread.
// Lifetime: it outlives the server.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

  // Calls so far.
  uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> calls_{0};  // relaxed: a count
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_UNKNOWN_METHODS_H_
