// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Forks, watches and reaps a zygote's children. Only libc, no memory from the heap: this runs inside another program.
#include "rl/sandbox/lockdown/ForkWorkers.h"
#include "rl/sandbox/Orders.h"
#include "rl/sandbox/lockdown/Protocol.h"
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace maskjit::rl {
namespace {

struct Child {
  pid_t pid;
  int exit, control; // a descriptor that tells of its end, and its control socket
  bool ending;       // killed; nothing more is said to it
};
Child children[kZygoteChildren];
int childCount = 0;

constexpr int kMostDescriptors = 5; // requests, replies, text, control, shared memory
constexpr rlim_t kChildDescriptors = 16;

/// One order with its descriptors; false: the parent is gone.
bool takeOrder(int (&descriptors)[kMostDescriptors], int &count) {
  SupervisorOrder order = {};
  iovec part = {&order, sizeof order};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof descriptors)];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary;
  message.msg_controllen = sizeof ancillary;
  const ssize_t got = recvmsg(kZygote, &message, MSG_CMSG_CLOEXEC);
  count = 0;
  if (got <= 0)
    return got < 0 && errno == EINTR;
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
      count = static_cast<int>((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      std::memcpy(descriptors, CMSG_DATA(part), static_cast<size_t>(count) * sizeof(int));
    }
  return true;
}

void lower(__rlimit_resource_t resource, rlim_t value) {
  const rlimit limit = {value, value};
  if (setrlimit(resource, &limit) != 0)
    _exit(126);
}

/// In the child. All places but the last are taken in the zygote, so no received descriptor has the number of one.
void becomeChild(const int (&descriptors)[kMostDescriptors], int count, uint32_t cpuSeconds, pid_t zygote) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != zygote)
    _exit(126);
  if (dup2(descriptors[0], kRequests) < 0 || dup2(descriptors[1], kReplies) < 0 ||
      dup2(descriptors[2], STDOUT_FILENO) < 0 || dup2(descriptors[2], STDERR_FILENO) < 0 ||
      (count == kMostDescriptors && dup2(descriptors[4], kShared) < 0))
    _exit(126);
  const unsigned first = count == kMostDescriptors ? kShared + 1 : kShared;
  if (syscall(SYS_close_range, first, ~0u, 0) != 0)
    _exit(126);
  lower(RLIMIT_CPU, cpuSeconds);
  lower(RLIMIT_NOFILE, kChildDescriptors);
}

void tell(const Child &child, const SupervisorEvent &event) {
  (void)!send(child.control, &event, sizeof event, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void reap(int index) {
  Child &child = children[index];
  SupervisorEvent event = {SupervisorEvent::Ended};
  rusage usage = {};
  while (wait4(child.pid, &event.status, 0, &usage) < 0 && errno == EINTR) {
  }
  event.cpuMicroseconds = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
                          usage.ru_stime.tv_usec;
  tell(child, event);
  close(child.control);
  close(child.exit);
  children[index] = children[--childCount];
}

void obey(Child &child) {
  SupervisorOrder order = {};
  const ssize_t got = recv(child.control, &order, sizeof order, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    kill(child.pid, SIGKILL); // its end shows on child.exit
    child.ending = true;
  } else if (got == sizeof order && order.kind == SupervisorOrder::Pin) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(order.value, &set);
    sched_setaffinity(child.pid, sizeof set, &set);
  } else if (got == sizeof order && order.kind == SupervisorOrder::CpuTime) {
    tell(child, {SupervisorEvent::CpuTime, 0, cpuMicrosecondsOf(child.pid)});
  }
}

} // namespace

void forkWorkers(uint32_t cpuSeconds) {
  const pid_t zygote = getpid();
  for (;;) {
    pollfd events[1 + 2 * kZygoteChildren];
    // More orders wait while all places are taken.
    events[0] = {childCount < kZygoteChildren ? int(kZygote) : -1, POLLIN, 0};
    const int known = childCount;
    for (int i = 0; i < known; ++i) {
      events[1 + 2 * i] = {children[i].exit, POLLIN, 0};
      events[2 + 2 * i] = {children[i].ending ? -1 : children[i].control, POLLIN, 0};
    }
    if (poll(events, 1 + 2 * static_cast<nfds_t>(known), -1) < 0)
      continue;
    for (int i = known - 1; i >= 0; --i) { // backwards: reap() moves the last one
      if (events[1 + 2 * i].revents)
        reap(i);
      else if (events[2 + 2 * i].revents)
        obey(children[i]);
    }
    if (!events[0].revents)
      continue;
    int descriptors[kMostDescriptors], count = 0;
    if (!takeOrder(descriptors, count))
      _exit(0);
    if (count < kMostDescriptors - 1)
      continue;
    const pid_t pid = fork();
    if (pid == 0) {
      becomeChild(descriptors, count, cpuSeconds, zygote);
      return;
    }
    Child child = {pid, pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1, descriptors[3], false};
    for (int i = 0; i < count; ++i)
      if (i != 3)
        close(descriptors[i]);
    if (child.exit >= 0) {
      children[childCount++] = child;
      continue;
    }
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    tell(child, {SupervisorEvent::Failed});
    close(child.control);
  }
}

} // namespace maskjit::rl
