// Text from outside: its length in characters, and whether it is printable.
#ifndef HALLES_LIBS_BASE_TEXT_H_
#define HALLES_LIBS_BASE_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace halles {

// The number of characters (code points) of `text`; nullopt when it is not UTF-8 or holds a control character.
std::optional<size_t> PrintableLength(absl::string_view text);

// The bytes whose base64url without padding is exactly `text`; nullopt if there are none. A lenient decoder accepts
// several texts for the same bytes (different trailing bits, padding, blanks). This one accepts a single text, so that
// every changed character of a token is detected.
std::optional<std::string> FromBase64Url(absl::string_view text);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_TEXT_H_
