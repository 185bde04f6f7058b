// Ids made from a hash: the same input always gives the same id, and the id does not reveal the input.
#ifndef HALLES_LIBS_BASE_OPAQUE_ID_H_
#define HALLES_LIBS_BASE_OPAQUE_ID_H_

#include <initializer_list>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/hash.h"

namespace halles {

// The digits of Crockford's base 32 in lower case, in the order of their values and of their bytes.
inline constexpr absl::string_view kBase32Digits = "0123456789abcdefghjkmnpqrstvwxyz";

// The first `digits` times 5 bits of `bytes`, which must have that many. Texts of one length sort as the bytes do.
std::string Base32(absl::string_view bytes, size_t digits);

// SHA-256 of the parts, each preceded by its length (4 bytes, big endian), so that no other list of parts gives the
// same bytes.
Hash256 HashOfParts(std::initializer_list<absl::string_view> parts);

// The prefix and 26 digits, 130 bits, of HashOfParts.
std::string OpaqueId(absl::string_view prefix, std::initializer_list<absl::string_view> parts);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_OPAQUE_ID_H_
