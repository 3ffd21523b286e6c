// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes one worker, waits for its end, and ends it when the parent goes away.
#include "rl/sandbox/supervisor/Supervisor.h"
#include "rl/sandbox/OwnSignals.h"
#include "rl/sandbox/lockdown/Protocol.h"
#include "rl/sandbox/supervisor/Layers.h"
#include "rl/sandbox/supervisor/Watch.h"
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace maskjit::rl {
namespace {

bool has(const SandboxSpec &spec, SandboxLayer layer) { return spec.layers.count(layer) != 0; }

void tell(const SupervisorEvent &event, const std::string &text = "") {
  std::string packet(reinterpret_cast<const char *>(&event), sizeof event);
  packet += text;
  (void)!write(kSupervisorControl, packet.data(), packet.size());
}

/// What the lock-down library reads, on its descriptor.
Result<void> placeLockdown(const SandboxSpec &spec) {
  const LockdownHeader header = {spec.zygote ? 1u : 0u, static_cast<uint32_t>(std::ceil(spec.limits.cpuSeconds))};
  std::string bytes(reinterpret_cast<const char *>(&header), sizeof header);
  bytes += spec.finalFilter;
  const int file = memfd_create("filter", 0);
  if (file < 0 || write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      lseek(file, 0, SEEK_SET) != 0)
    return systemError("filter");
  if (file != kLockdown && (dup2(file, kLockdown) < 0 || close(file) != 0))
    return systemError("filter");
  return {};
}

/// Leaves what the worker may keep: 0 to 2, its channel, shared memory and filter; `report` closes itself on exec.
Result<void> arrangeDescriptors(const SandboxSpec &spec, int &report) {
  constexpr int kAway = 20;
  const int moved = fcntl(report, F_DUPFD_CLOEXEC, kAway);
  if (moved < 0)
    return systemError("descriptors");
  report = moved;
  close(kSupervisorSpec);
  close(kSupervisorControl);
  if (!spec.messages) {
    if (dup2(kRequests, STDIN_FILENO) < 0 || dup2(kReplies, STDOUT_FILENO) < 0)
      return systemError("descriptors");
    close(kRequests);
    close(kReplies);
  }
  if (spec.zygote && dup2(kSupervisorZygote, kZygote) < 0)
    return systemError("descriptors");
  if (!spec.lockdown.empty())
    if (Result<void> placed = placeLockdown(spec); !placed)
      return placed;
  const unsigned first = spec.zygote ? kZygote + 1 : spec.lockdown.empty() ? kLockdown : kLockdown + 1;
  if (syscall(SYS_close_range, first, report - 1, 0) != 0 || syscall(SYS_close_range, report + 1, ~0u, 0) != 0)
    return systemError("close_range");
  return {};
}

/// A fresh process with default signals, which dies with the supervisor.
Result<void> detachFromParent(int alive) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal = 1; signal < NSIG; ++signal)
    std::signal(signal, SIG_DFL);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
    return systemError("PR_SET_PDEATHSIG");
  // The supervisor may have gone before that call: then its end of the pipe is closed.
  pollfd gone = {alive, 0, 0};
  if (poll(&gone, 1, 0) != 0)
    return Error{"the supervisor is gone"};
  return {};
}

Result<void> applyLayers(const SandboxSpec &spec) {
  if (has(spec, SandboxLayer::MountNamespace)) {
    if (Result<void> view = enterFileView(spec.files, spec.hidden); !view)
      return view;
    (void)!sethostname("sandbox", 7);
  }
  if (has(spec, SandboxLayer::NoNewPrivileges))
    if (Result<void> forbidden = forbidNewPrivileges(); !forbidden)
      return forbidden;
  if (has(spec, SandboxLayer::Landlock))
    if (Result<void> restricted = restrictFiles(spec.files); !restricted)
      return restricted;
  if (Result<void> dropped = dropPrivileges(spec.files); !dropped)
    return dropped;
  if (spec.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(spec.cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
      return systemError("processor " + std::to_string(spec.cpu));
  }
  return {};
}

Result<void> installFilters(const SandboxSpec &spec) {
  if (!has(spec, SandboxLayer::Seccomp))
    return {};
  const size_t count = spec.startFilter.size() / sizeof(sock_filter);
  // The children of a zygote have numbers of their own: each adds that filter itself, before it meets a candidate.
  if (installFilter(reinterpret_cast<const sock_filter *>(spec.startFilter.data()), count) != 0 ||
      (!spec.zygote && allowOnlyOwnSignals() != 0))
    return systemError("seccomp");
  return {};
}

/// In the new process; returns only when something failed. `mapped`: a byte comes when the identity is mapped.
Error becomeWorker(const SandboxSpec &spec, int mapped, int &report) {
  char go = 0;
  if (read(mapped, &go, 1) != 1)
    return Error{"the supervisor is gone"};
  if (Result<void> applied = applyLayers(spec); !applied)
    return applied.error();
  if (Result<void> detached = detachFromParent(mapped); !detached)
    return detached.error();
  if (Result<void> arranged = arrangeDescriptors(spec, report); !arranged)
    return arranged.error();
  if (has(spec,
          SandboxLayer::Rlimits)) // after the memory file of the filter was written: no file may grow from here on
    if (Result<void> limited = setLimits(spec); !limited)
      return limited.error();
  std::vector<char *> argv;
  for (const std::string &argument : spec.argv)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  std::string preload = "LD_PRELOAD=" + spec.lockdown;
  // Without /proc the loader takes from here what $ORIGIN means in the run paths of the program and its libraries.
  std::string origin = "LD_ORIGIN_PATH=" + spec.argv[0].substr(0, spec.argv[0].rfind('/'));
  char *environment[] = {origin.data(), spec.lockdown.empty() ? nullptr : preload.data(), nullptr};
  if (Result<void> installed = installFilters(spec); !installed)
    return installed.error();
  execve(argv[0], argv.data(), environment);
  return systemError(spec.argv[0]);
}

} // namespace

Result<StartedWorker> startWorker(const SandboxSpec &spec) {
  int mapped[2], report[2], pidfd = -1;
  if (pipe2(mapped, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0)
    return systemError("pipe");
  const unsigned long flags = static_cast<unsigned>(namespaceFlags(spec.layers)) | CLONE_PIDFD | SIGCHLD;
  const long pid = syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, 0);
  if (pid < 0)
    return systemError("clone");
  if (pid == 0) {
    close(mapped[1]);
    close(report[0]);
    int to = report[1];
    const Error error = becomeWorker(spec, mapped[0], to);
    (void)!write(to, error.message.data(), error.message.size());
    _exit(126);
  }
  close(mapped[0]);
  close(report[1]);
  Result<void> named;
  if (pidfd < 0) // an old kernel ignores CLONE_PIDFD
    named = Error{"a sandbox needs Linux 5.3 or newer"};
  else if (has(spec, SandboxLayer::UserNamespace))
    named = mapIdentity(static_cast<int>(pid));
  if (named)
    (void)!write(mapped[1], "", 1);
  else
    close(mapped[1]);
  // Closed by a successful exec: nothing to read then.
  char text[512];
  const ssize_t length = read(report[0], text, sizeof text);
  close(report[0]);
  if (named && length == 0)
    return StartedWorker{static_cast<int>(pid), pidfd}; // mapped[1] stays open: the worker checks it once
  kill(static_cast<pid_t>(pid), SIGKILL);
  waitpid(static_cast<pid_t>(pid), nullptr, 0);
  if (!named)
    return named.error();
  return Error{length > 0 ? std::string(text, static_cast<size_t>(length)) : "the worker ended before it began"};
}

/// Waits for the worker's end or an order; true: it ended, or was killed for `excess`.
static bool ended(const SandboxSpec &spec, const StartedWorker &worker, SupervisorEvent::Excess &excess) {
  const int patience = needsWatch(spec) ? kWatchMilliseconds : -1;
  pollfd events[] = {{kSupervisorControl, POLLIN, 0}, {worker.pidfd, POLLIN, 0}};
  while (poll(events, 2, patience) <= 0) {
    excess = findExcess(spec, worker.pid);
    if (excess != SupervisorEvent::None) {
      kill(worker.pid, SIGKILL);
      return true;
    }
  }
  return events[1].revents != 0;
}

/// False: the parent has no more to say, and the worker is killed.
static bool obey(const StartedWorker &worker) {
  SupervisorOrder order = {};
  const ssize_t got = recv(kSupervisorControl, &order, sizeof order, 0);
  if (got < 0 && errno == EINTR)
    return true;
  if (got <= 0) {
    kill(worker.pid, SIGKILL);
    return false;
  }
  if (got == sizeof order && order.kind == SupervisorOrder::Pin) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(order.value, &set);
    sched_setaffinity(worker.pid, sizeof set, &set);
  } else if (got == sizeof order && order.kind == SupervisorOrder::CpuTime) {
    tell({SupervisorEvent::CpuTime, 0, cpuMicrosecondsOf(worker.pid)});
  }
  return true;
}

int supervise() {
  std::string bytes;
  char part[4096];
  for (ssize_t got; (got = pread(kSupervisorSpec, part, sizeof part, static_cast<off_t>(bytes.size()))) > 0;)
    bytes.append(part, static_cast<size_t>(got));
  const SandboxSpec spec = SandboxSpec::decode(bytes);
  setsid(); // Ctrl-C in a terminal is for the parent, which then ends its workers
  std::signal(SIGPIPE, SIG_IGN);
  const Result<StartedWorker> worker = startWorker(spec);
  if (!worker) {
    tell({SupervisorEvent::Failed}, worker.error().message);
    return 1;
  }
  // The channel is the worker's alone: its end must be seen by the parent.
  for (int descriptor = 0; descriptor < kSupervisorControl; ++descriptor)
    close(descriptor);
  close(kSupervisorZygote);
  SupervisorEvent event = {SupervisorEvent::Ended};
  SupervisorEvent::Excess excess = SupervisorEvent::None;
  while (!ended(spec, *worker, excess) && obey(*worker)) {
  }
  rusage usage = {};
  while (wait4(worker->pid, &event.status, 0, &usage) < 0 && errno == EINTR) {
  }
  event.excess = excess;
  event.cpuMicroseconds =
      (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  tell(event);
  return 0;
}

} // namespace maskjit::rl
