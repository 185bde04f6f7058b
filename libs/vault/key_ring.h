// The keys of an installation. They are stored beside the log, never in it, and must never be deleted.
#ifndef HALLES_LIBS_VAULT_KEY_RING_H_
#define HALLES_LIBS_VAULT_KEY_RING_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/base/ids.h"
#include "libs/base/random.h"

namespace halles {

// Purposes of keys. The names are stored in the file.
inline constexpr absl::string_view kIdentifierKey = "identifier";  // hashes identifiers of customers
inline constexpr absl::string_view kRequestKey = "request";        // hashes the bodies of requests

// Thread safety: immutable.
class KeyRing {
 public:
  static constexpr size_t kKeyBytes = 32;

  // Opens `<dir>/ring`. If it is missing and `may_create` is true, creates one with fresh keys, mode 0600, and syncs
  // it.
  // Errors by reason, none of which changes anything:
  //   KEYS_MISSING (FAILED_PRECONDITION)   the log holds records hashed with keys that are missing: restore the folder
  //   KEYS_FOREIGN (FAILED_PRECONDITION)   the ring belongs to an install other than the log's
  //   KEYS_NEWER_FORMAT (FAILED_PRECONDITION), KEYS_DAMAGED (DATA_LOSS), KEYS_UNUSABLE (UNAVAILABLE)
  static absl::StatusOr<KeyRing> Open(const std::string& dir, const InstallId& install, bool may_create,
                                      RandomSource& random);

  // Writes the keys of the ring in `from` into a new ring in `to`, which must have none, for a log of another install
  // with the same events. Errors as for Open with `may_create` false.
  static absl::Status CopyFor(const std::string& from, const InstallId& from_install, const std::string& to,
                              const InstallId& to_install, RandomSource& random);

  // The keys of a purpose by id, from 1. The key with the highest id is in use.
  const std::map<uint32_t, std::string>& keys(absl::string_view purpose) const;
  // The key in use.
  const std::string& newest(absl::string_view purpose) const;

 private:
  std::map<std::string, std::map<uint32_t, std::string>, std::less<>> keys_;
};

}  // namespace halles

#endif  // HALLES_LIBS_VAULT_KEY_RING_H_
