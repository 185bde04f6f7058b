// Page tokens: the place where the next page begins, bound to the request that it continues (AIP-158).
#ifndef HALLES_LIBS_BASE_PAGE_TOKEN_H_
#define HALLES_LIBS_BASE_PAGE_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles {

// An opaque base64url string. `request` holds what must be the same on every page; `place` is where the next page
// begins. `place` is readable in the token, so it must not hold personal data.
std::string EncodePageToken(absl::string_view request, absl::string_view place);

// The place of a token; an empty token means the beginning, the empty place. INVALID_ARGUMENT for the field page_token
// when the token is damaged or was given for another request.
absl::StatusOr<std::string> DecodePageToken(absl::string_view request, absl::string_view token);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_PAGE_TOKEN_H_
