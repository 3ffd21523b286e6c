// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Landlock: the listed files open for reading and executing, nothing else does; no TCP, no signals outwards.
#include "rl/sandbox/supervisor/Layers.h"
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace maskjit::rl {
namespace {

// From linux/landlock.h; spelled out because distributions ship headers older than their kernels.
struct Ruleset {
  uint64_t files, network, scopes;
};
struct __attribute__((packed)) PathRule {
  uint64_t access;
  int32_t file;
};
constexpr uint64_t kExecute = 1 << 0, kReadFile = 1 << 2, kReadFolder = 1 << 3;
constexpr uint64_t kTcp = 3;    // bind, connect
constexpr uint64_t kScopes = 3; // abstract sockets, signals
constexpr unsigned kVersionOnly = 1;
constexpr int kPathBeneath = 1;

/// Every right that this version knows is handled, that is: refused where no rule grants it.
uint64_t fileRights(int version) {
  const int count = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13; // ioctl of devices, truncate, refer
  return (uint64_t(1) << count) - 1;
}

} // namespace

int landlockVersion() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionOnly);
  return version > 0 ? static_cast<int>(version) : 0;
}

Result<void> restrictFiles(const std::vector<std::string> &files) {
  const int version = landlockVersion();
  if (version == 0)
    return systemError("Landlock");
  const Ruleset handled = {fileRights(version), version >= 4 ? kTcp : 0, version >= 6 ? kScopes : 0};
  // Older kernels accept a longer struct whose unknown fields are zero.
  const int rules = static_cast<int>(syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0));
  if (rules < 0)
    return systemError("Landlock's rules");
  for (const std::string &path : files) {
    struct stat status;
    const int file = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0)
      return systemError(path);
    const PathRule rule = {kExecute | kReadFile | (S_ISDIR(status.st_mode) ? kReadFolder : 0), file};
    if (syscall(SYS_landlock_add_rule, rules, kPathBeneath, &rule, 0) != 0)
      return systemError("Landlock's rule for " + path);
    close(file);
  }
  if (syscall(SYS_landlock_restrict_self, rules, 0) != 0)
    return systemError("Landlock");
  close(rules);
  return {};
}

} // namespace maskjit::rl
