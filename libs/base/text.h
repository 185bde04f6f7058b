// Text as it may come from outside: its length in characters, and whether it can be printed.
#ifndef HALLES_LIBS_BASE_TEXT_H_
#define HALLES_LIBS_BASE_TEXT_H_

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace halles {

// The number of characters (code points) of `text`; nullopt when it is not UTF-8 or holds a control character.
std::optional<size_t> PrintableLength(absl::string_view text);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_TEXT_H_
