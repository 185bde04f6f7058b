// Forgets expired recorded answers: the owner records an event at logical time, so that every replay forgets the same
// answers.
#ifndef HALLES_LIBS_PARTITION_EXPIRY_H_
#define HALLES_LIBS_PARTITION_EXPIRY_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "libs/partition/command.h"

namespace halles::partition {

// Number of recorded answers that one record forgets, plus those with the same time as the last.
inline constexpr size_t kExpiryBatch = 1000;

// Forgets recorded answers whose UUIDv7 has expired. `done` gets whether the command was accepted; more expired answers
// may remain then.
std::unique_ptr<Command> ExpireRequestIds(std::function<void(bool taken)> done);

// Whether any answer has expired at `now`.
bool HasExpiredRequestIds(const store::RowReader& state, UnixMicros now);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_EXPIRY_H_
