// Text as it may come from outside: its length in characters, and whether it can be printed.
#ifndef HALLES_LIBS_BASE_TEXT_H_
#define HALLES_LIBS_BASE_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace halles {

// The number of characters (code points) of `text`; nullopt when it is not UTF-8 or holds a control character.
std::optional<size_t> PrintableLength(absl::string_view text);

// The bytes whose base64url is exactly `text`, without padding; nullopt when there are none. Of the several texts that a
// lenient decoder takes for the same bytes (other bits behind the last byte, padding, blanks) it takes one, so that any
// changed character of a token is found.
std::optional<std::string> FromBase64Url(absl::string_view text);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_TEXT_H_
