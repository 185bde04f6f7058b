// Reads and creates the file of keys.
//
//   halles-keys 1
//   install <32 hex digits>
//   key identifier 1 <64 hex digits>
//   key request 1 <64 hex digits>
//   crc <8 hex digits of the CRC-32C of all bytes before this line>
#include "libs/vault/key_ring.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "libs/base/check.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"

namespace halles {
namespace {

constexpr absl::string_view kFormat = "halles-keys 1";
constexpr size_t kRingBytesMax = 64 * 1024;

absl::Status Unusable(absl::string_view what, const std::string& path) {
  return Failure(absl::StatusCode::kUnavailable, "KEYS_UNUSABLE",
                 absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)), {{"path", path}});
}

absl::Status Damaged(const std::string& path) {
  return Failure(absl::StatusCode::kDataLoss, "KEYS_DAMAGED",
                 absl::StrCat(path, " is damaged; restore the keys folder from the backup of this install"),
                 {{"path", path}});
}

struct File {
  int fd = -1;
  explicit File(int descriptor) : fd(descriptor) {}
  ~File() {
    if (fd >= 0) close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return Unusable("write", path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

using Keys = std::map<std::string, std::map<uint32_t, std::string>, std::less<>>;

std::string RingOf(const InstallId& install, const Keys& keys) {
  std::string text = absl::StrCat(kFormat, "\ninstall ", install.Hex(), "\n");
  for (const auto& [purpose, of_purpose] : keys) {
    for (const auto& [id, key] : of_purpose) {
      absl::StrAppend(&text, "key ", purpose, " ", id, " ", absl::BytesToHexString(key), "\n");
    }
  }
  absl::StrAppend(&text, "crc ", absl::StrFormat("%08x", Crc32c(text)), "\n");
  return text;
}

std::string FreshRing(const InstallId& install, RandomSource& random) {
  Keys keys;
  for (absl::string_view purpose : {kIdentifierKey, kRequestKey}) {
    std::vector<uint8_t> key(KeyRing::kKeyBytes);
    random.Fill(absl::MakeSpan(key));
    keys[std::string(purpose)][1] = std::string(key.begin(), key.end());
  }
  return RingOf(install, keys);
}

absl::Status SyncFolder(const std::string& dir) {
  const File folder(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.fd >= 0 && fsync(folder.fd) == 0 ? absl::OkStatus() : Unusable("sync", dir);
}

// All or nothing: writes a second file, syncs it, renames it, and syncs the folder and the one above it.
absl::Status Create(const std::string& dir, const std::string& path, const std::string& text) {
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return Unusable("create", dir);
  const std::string aside = path + ".new";
  {
    File file(open(aside.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    if (file.fd < 0) return Unusable("create", aside);
    RETURN_IF_ERROR(WriteAll(file.fd, text, aside));
    if (fsync(file.fd) != 0) return Unusable("sync", aside);
  }
  if (rename(aside.c_str(), path.c_str()) != 0) return Unusable("rename", aside);
  RETURN_IF_ERROR(SyncFolder(dir));
  return SyncFolder(dir + "/..");
}

}  // namespace

absl::StatusOr<KeyRing> KeyRing::Open(const std::string& dir, const InstallId& install, bool may_create,
                                      RandomSource& random) {
  const std::string path = dir + "/ring";
  std::string text;
  {
    File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.fd < 0 && errno != ENOENT) return Unusable("open", path);
    if (file.fd < 0) {
      if (!may_create) {
        return Failure(absl::StatusCode::kFailedPrecondition, "KEYS_MISSING",
                       absl::StrCat(path,
                                    " is missing, but the log holds records made with its keys; restore the keys "
                                    "folder from the backup of this install"),
                       {{"path", path}});
      }
      text = FreshRing(install, random);
      RETURN_IF_ERROR(Create(dir, path, text));
    } else {
      text.resize(kRingBytesMax);
      const ssize_t size = read(file.fd, text.data(), text.size());
      if (size < 0) return Unusable("read", path);
      text.resize(static_cast<size_t>(size));
    }
  }
  KeyRing ring;
  if (!absl::StartsWith(text, absl::StrCat(kFormat, "\n"))) {
    if (!absl::StartsWith(text, "halles-keys ")) return Damaged(path);
    return Failure(absl::StatusCode::kFailedPrecondition, "KEYS_NEWER_FORMAT",
                   absl::StrCat(path, " starts with '", text.substr(0, text.find('\n')), "', this build reads '",
                                kFormat, "'; run the version of Halles that made it, or a newer one"),
                   {{"path", path}});
  }
  const size_t crc_at = text.rfind("crc ");
  uint32_t crc = 0;
  if (crc_at == std::string::npos || text.size() != crc_at + 13 || text.back() != '\n' ||
      !absl::SimpleHexAtoi(text.substr(crc_at + 4, 8), &crc) ||
      crc != Crc32c(absl::string_view(text).substr(0, crc_at))) {
    return Damaged(path);
  }
  for (absl::string_view line : absl::StrSplit(absl::string_view(text).substr(0, crc_at), '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    uint32_t id = 0;
    if (words[0] == "install" && words.size() == 2) {
      if (words[1] != install.Hex()) {
        return Failure(absl::StatusCode::kFailedPrecondition, "KEYS_FOREIGN",
                       absl::StrCat(path, " belongs to install ", words[1], ", the log to install ", install.Hex(),
                                    "; put the keys folder and the log folder of one install together"),
                       {{"path", path}});
      }
    } else if (words[0] == "key" && words.size() == 4 && absl::SimpleAtoi(words[2], &id) &&
               words[3].size() == 2 * kKeyBytes) {
      ring.keys_[std::string(words[1])][id] = absl::HexStringToBytes(words[3]);
    } else if (line != kFormat) {
      return Damaged(path);
    }
  }
  if (ring.keys(kIdentifierKey).empty() || ring.keys(kRequestKey).empty()) return Damaged(path);
  return ring;
}

absl::Status KeyRing::CopyFor(const std::string& from, const InstallId& from_install, const std::string& to,
                              const InstallId& to_install, RandomSource& random) {
  ASSIGN_OR_RETURN(const KeyRing ring, Open(from, from_install, /*may_create=*/false, random));
  return Create(to, to + "/ring", RingOf(to_install, ring.keys_));
}

const std::map<uint32_t, std::string>& KeyRing::keys(absl::string_view purpose) const {
  static const auto& empty = *new std::map<uint32_t, std::string>;
  const auto it = keys_.find(purpose);
  return it == keys_.end() ? empty : it->second;
}

const std::string& KeyRing::newest(absl::string_view purpose) const {
  const std::map<uint32_t, std::string>& keys_of = keys(purpose);
  HALLES_CHECK(!keys_of.empty(), "a key ring without a key of this purpose");
  return keys_of.rbegin()->second;
}

}  // namespace halles
