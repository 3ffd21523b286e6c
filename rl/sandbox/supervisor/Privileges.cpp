// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Identity, capabilities and limits of a worker.
#include "rl/sandbox/lockdown/Protocol.h"
#include "rl/sandbox/supervisor/Layers.h"
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace maskjit::rl {

Error systemError(const std::string &what) { return Error{fmt::format("{}: {}", what, std::strerror(errno))}; }

int namespaceFlags(const std::set<SandboxLayer> &layers) {
  int flags = 0;
  if (layers.count(SandboxLayer::UserNamespace))
    flags |= CLONE_NEWUSER;
  if (layers.count(SandboxLayer::PidNamespace))
    flags |= CLONE_NEWPID;
  if (layers.count(SandboxLayer::NetworkNamespace))
    flags |= CLONE_NEWNET;
  if (layers.count(SandboxLayer::MountNamespace))
    flags |= CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  return flags;
}

static bool writeFile(const std::string &path, const std::string &text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  const ssize_t written = write(file, text.data(), text.size());
  const int reason = errno;
  close(file);
  errno = reason;
  return written == static_cast<ssize_t>(text.size());
}

Result<void> mapIdentity(int pid) {
  const std::string process = fmt::format("/proc/{}/", pid);
  const unsigned user = geteuid(), group = getegid();
  // Root gives its worker the identity of nobody, and its own until the file view stands: what root alone may traverse
  // can be shown, and a limit on processes binds (the kernel exempts root from it).
  const std::string both = fmt::format("0 0 1\n{0} {0} 1\n", kNobody);
  if (user == 0 && writeFile(process + "uid_map", both) && writeFile(process + "gid_map", both))
    return {};
  // An ordinary user, or root of a container that has no nobody, has only itself to give.
  writeFile(process + "setgroups", "deny");
  if (!writeFile(process + "uid_map", fmt::format("{} {} 1\n", kNobody, user)))
    return systemError("uid_map");
  if (!writeFile(process + "gid_map", fmt::format("{} {} 1\n", kNobody, group)))
    return systemError("gid_map");
  return {};
}

Result<void> forbidNewPrivileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return systemError("no_new_privs");
  return {};
}

static Result<void> dropCapabilities() {
  for (int capability = 0; capability < 64; ++capability)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL && errno != EPERM)
      return systemError("capability bounding set");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); // absent before Linux 4.3, where there are none
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0)
    return systemError("capset");
  return {};
}

Result<void> dropPrivileges(const std::vector<std::string> &files) {
  if (geteuid() == 0) {
    // Where nobody cannot read the program (below root's home, without a file view), the identity stays and only its
    // capabilities go: Landlock and the filters then keep the files of root away.
    bool readable = setegid(kNobody) == 0 && seteuid(kNobody) == 0;
    for (const std::string &file : files)
      readable = readable && faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) == 0;
    if ((geteuid() != 0 && seteuid(0) != 0) || (getegid() != 0 && setegid(0) != 0))
      return systemError("setuid");
    setgroups(0, nullptr); // refused where an ordinary user made the namespace, whose groups then are unmapped
    if (readable && (setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0))
      return systemError("setuid");
  }
  return dropCapabilities();
}

static bool limit(int resource, rlim_t most) {
  rlimit current;
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &current) != 0)
    return false;
  const rlim_t value = most < current.rlim_max ? most : current.rlim_max;
  const rlimit wanted = {value, value};
  return setrlimit(static_cast<__rlimit_resource_t>(resource), &wanted) == 0;
}

Result<void> setLimits(const SandboxSpec &spec) {
  const rlim_t children = spec.zygote ? kZygoteChildren : 0;
  // The kernel counts processes by user and user namespace: without one, workers and the user's other programs would
  // be counted together. The filters, which refuse to make any, hold there.
  const bool counted = spec.layers.count(SandboxLayer::UserNamespace) != 0;
  const rlim_t processes = static_cast<rlim_t>(spec.limits.processes) + children;
  constexpr rlim_t kDescriptors = 64;
  constexpr rlim_t kNoCore =
      1; // 0 would still start a core_pattern that is a program; 1 the kernel takes for its crash
  // A zygote lives as long as its pool: its children set their CPU time themselves.
  const rlim_t seconds = spec.zygote ? RLIM_INFINITY : static_cast<rlim_t>(std::ceil(spec.limits.cpuSeconds));
  const rlim_t memory = spec.limits.memoryBytes == 0 ? RLIM_INFINITY : spec.limits.memoryBytes;
  if ((counted && !limit(RLIMIT_NPROC, processes)) || !limit(RLIMIT_CORE, kNoCore) || !limit(RLIMIT_FSIZE, 0) ||
      !limit(RLIMIT_MEMLOCK, 0) || !limit(RLIMIT_MSGQUEUE, 0) || !limit(RLIMIT_NICE, 0) || !limit(RLIMIT_RTPRIO, 0) ||
      !limit(RLIMIT_NOFILE, kDescriptors + 2 * children) || !limit(RLIMIT_CPU, seconds) || !limit(RLIMIT_AS, memory))
    return systemError("rlimits");
  return {};
}

} // namespace maskjit::rl
