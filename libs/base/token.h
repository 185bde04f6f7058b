// Consistency tokens: the positions that a reader must have reached to see what its caller has seen.
#ifndef HALLES_LIBS_BASE_TOKEN_H_
#define HALLES_LIBS_BASE_TOKEN_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"

namespace halles {

// For each slot, the first position that the token does not require: a cursor at or beyond it has reached the token.
using TokenPositions = std::map<SlotId, Position>;

// Limits: a token names at most this many slots; a longer one is malformed.
inline constexpr size_t kTokenSlotsMax = 4096;

// An opaque base64url string. The layout is drawn in token.cc. At most kTokenSlotsMax positions.
std::string EncodeToken(const InstallId& install, const TokenPositions& positions);

// The empty token requires nothing and is always valid. INVALID_ARGUMENT with reason MALFORMED_TOKEN for damaged bytes
// and FOREIGN_TOKEN for a token of another install.
absl::StatusOr<TokenPositions> DecodeToken(const InstallId& install, absl::string_view token);

// The installation that issued a non-empty token; for clients, which have no other way to learn it. MALFORMED_TOKEN as
// above.
absl::StatusOr<InstallId> InstallOfToken(absl::string_view token);

// Raises `into` to the positions that `positions` requires.
void MergeToken(const TokenPositions& positions, TokenPositions* into);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_TOKEN_H_
