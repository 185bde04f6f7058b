// Consistency tokens: the positions that a reader must have reached to see what its caller has seen.
#ifndef HALLES_LIBS_BASE_TOKEN_H_
#define HALLES_LIBS_BASE_TOKEN_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/base/hash.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"

namespace halles {

// For each slot, the first position that the token does not require: a cursor at or beyond it has reached the token.
using TokenPositions = std::map<SlotId, Position>;

// Maximum number of characters of one token, and of several joined with dots. The positions of 65,536 slots fit.
inline constexpr size_t kTokenCharsMax = size_t{1} << 20;

// Issues the tokens of an installation, and reads them again. A token is an opaque base64url string with a message
// authentication code: nobody else can make one. The layout is drawn in token.cc. A token of 24 slots has at most 200
// characters while their positions are below 2^35.
// Thread safety: immutable.
class TokenIssuer {
 public:
  // `key` is a secret of the installation, of at least 16 bytes.
  TokenIssuer(const InstallId& install, absl::string_view key);

  std::string Issue(const TokenPositions& positions) const;

  // Reads a token, or several joined with dots, which require what each of them requires. The empty token requires nothing
  // and is always valid. INVALID_ARGUMENT with reason MALFORMED_TOKEN for one that is damaged or was not issued by
  // anybody, and FOREIGN_TOKEN for one of another installation.
  absl::StatusOr<TokenPositions> Read(absl::string_view tokens) const;

 private:
  absl::Status ReadOne(absl::string_view token, TokenPositions* into) const;
  absl::string_view issuer() const { return install_.view().substr(0, 8); }

  const InstallId install_;
  const Hash256 key_;
};

// The content of one token, which only its issuer can verify. For clients, which keep the latest of several.
struct TokenContent {
  std::string issuer;  // the same for all tokens of an installation
  TokenPositions positions;
};
// MALFORMED_TOKEN as above.
absl::StatusOr<TokenContent> ContentOfToken(absl::string_view token);

// Raises `into` to the positions that `positions` requires.
void MergeToken(const TokenPositions& positions, TokenPositions* into);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_TOKEN_H_
