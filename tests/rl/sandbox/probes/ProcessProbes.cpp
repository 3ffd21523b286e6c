// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Processes, signals, memory of others, limits.
#include "tests/rl/sandbox/probes/Probe.h"
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

bool ends(pid_t child) {
  if (child == 0)
    _exit(0);
  return child > 0 && waitpid(child, nullptr, 0) == child;
}

bool cloneThree(const Target &) {
  struct {
    uint64_t flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls;
  } arguments = {};
  arguments.exitSignal = SIGCHLD;
  return ends(static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments)));
}

bool thread(const Target &) {
  pthread_t thread;
  const int failure = pthread_create(&thread, nullptr, [](void *) -> void * { return nullptr; }, nullptr);
  errno = failure;
  return failure == 0 && pthread_join(thread, nullptr) == 0;
}

bool executeShell(const Target &) {
  execl("/bin/sh", "sh", "-c", "echo done", nullptr);
  return false;
}

bool readParentsMemory(const Target &target) {
  // The stack of this process is where the parent's may be too; any answer but a refusal counts.
  char byte;
  iovec local = {&byte, 1}, remote = {&byte, 1};
  return process_vm_readv(target.parent, &local, 1, &remote, 1, 0) == 1 || errno == EFAULT;
}

bool signalByDescriptor(const Target &target) {
  int ends[2];
  return pipe(ends) == 0 && fcntl(ends[0], F_SETOWN, target.parent) == 0;
}

bool exhaustMemory(const Target &) {
  constexpr size_t kBlock = size_t(64) << 20, kMost = size_t(3) << 30; // three times what a worker may have
  for (size_t bytes = 0; bytes < kMost; bytes += kBlock) {
    void *block = mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
      return false;
  }
  return true;
}

bool raiseLimits(const Target &) {
  const rlimit more = {size_t(8) << 30, RLIM_INFINITY};
  return setrlimit(RLIMIT_AS, &more) == 0;
}

bool moveToAnotherProcessor(const Target &) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

bool setAlarm(const Target &) {
  const itimerval later = {{0, 0}, {1000, 0}};
  return setitimer(ITIMER_REAL, &later, nullptr) == 0;
}

} // namespace

std::vector<Probe> processProbes() {
  return {
      {"fork", [](const Target &) { return ends(static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))); }},
      {"clone3", cloneThree},
      {"thread", thread},
      {"execute_shell", executeShell},
      {"ptrace_parent",
       [](const Target &target) { return ptrace(PTRACE_SEIZE, target.parent, nullptr, nullptr) == 0; }},
      {"ptrace_self", [](const Target &) { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; }},
      {"read_parents_memory", readParentsMemory},
      {"kill_parent", [](const Target &target) { return kill(target.parent, 0) == 0; }},
      {"kill_everyone", [](const Target &) { return kill(-1, 0) == 0; }},
      {"tgkill_parent", [](const Target &target) { return syscall(SYS_tgkill, target.parent, target.parent, 0) == 0; }},
      {"queue_signal_to_parent", [](const Target &target) { return sigqueue(target.parent, 0, {}) == 0; }},
      {"pidfd_of_parent", [](const Target &target) { return syscall(SYS_pidfd_open, target.parent, 0) >= 0; }},
      {"signal_by_descriptor", signalByDescriptor},
      {"limits_of_parent",
       [](const Target &target) {
         rlimit limit;
         return prlimit(target.parent, RLIMIT_AS, nullptr, &limit) == 0;
       }},
      {"affinity_of_parent",
       [](const Target &target) {
         cpu_set_t set;
         return sched_getaffinity(target.parent, sizeof set, &set) == 0 &&
                sched_setaffinity(target.parent, sizeof set, &set) == 0;
       }},
      {"priority_of_parent",
       [](const Target &target) { return setpriority(PRIO_PROCESS, static_cast<id_t>(target.parent), 0) == 0; }},
      {"exhaust_memory", exhaustMemory},
      {"raise_limits", raiseLimits},
      {"move_to_another_processor", moveToAnotherProcessor},
      {"set_alarm", setAlarm},
      {"make_timer",
       [](const Target &) {
         timer_t timer;
         return timer_create(CLOCK_MONOTONIC, nullptr, &timer) == 0;
       }},
  };
}
