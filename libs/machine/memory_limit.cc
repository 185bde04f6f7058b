// /proc/meminfo, /proc/self/cgroup and the files of the groups that it names.
#include "libs/machine/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace halles {
namespace {

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

std::string Contents(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The limit in the file of this name in the group's folder, or in one above it. "max", as version 2 says it, and no file
// are none; so is the number that version 1 has instead, which is larger than any memory.
uint64_t LimitAlong(const std::string& hierarchy, std::string group, const std::string& file) {
  uint64_t least = kNone;
  while (true) {
    uint64_t limit = 0;
    if (absl::SimpleAtoi(Contents(hierarchy + group + "/" + file), &limit)) least = std::min(least, limit);
    const size_t slash = group.find_last_of('/');
    if (slash == std::string::npos || group.empty()) return least;
    group.resize(slash);
  }
}

}  // namespace

uint64_t MemoryLimitBytes(const std::string& root) {
  uint64_t least = kNone;
  for (const absl::string_view line : absl::StrSplit(Contents(root + "/proc/meminfo"), '\n')) {
    absl::string_view rest = line;
    uint64_t kib = 0;
    if (absl::ConsumePrefix(&rest, "MemTotal:") && absl::ConsumeSuffix(&rest, " kB") && absl::SimpleAtoi(rest, &kib)) {
      least = std::min(least, kib * 1024);
    }
  }
  // Lines such as "4:memory:/pods/a" of version 1 and "0::/pods/a" of version 2.
  for (const absl::string_view line : absl::StrSplit(Contents(root + "/proc/self/cgroup"), '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::string group = parts[2] == "/" ? "" : parts[2];
    const std::vector<absl::string_view> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      least = std::min(least, LimitAlong(root + "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    } else if (parts[1].empty()) {
      least = std::min(least, LimitAlong(root + "/sys/fs/cgroup", group, "memory.max"));
    }
  }
  return least == kNone ? 0 : least;
}

}  // namespace halles
