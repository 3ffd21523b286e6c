// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Preloaded into a worker: installs the final system call filter when the program reads its first request. Only libc.
#include "rl/sandbox/OwnSignals.h"
#include "rl/sandbox/lockdown/ForkWorkers.h"
#include "rl/sandbox/lockdown/Protocol.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

using namespace maskjit::rl;

constexpr size_t kMostInstructions = 4096; // the kernel's BPF_MAXINSNS
sock_filter filter[kMostInstructions];
size_t filterLength = 0;
LockdownHeader header;
bool locked = false;

[[noreturn]] void fail(const char *text) {
  (void)!syscall(SYS_write, STDERR_FILENO, text, std::strlen(text));
  _exit(126);
}

void mark() {
  if (syscall(SYS_write, kReplies, &kLockedMark, 1) != 1)
    _exit(126);
}

/// Names the call on standard error and ends the process. SIGSYS comes only from the filters.
void onForbidden(int, siginfo_t *info, void *) {
  char text[sizeof MASKJIT_FORBIDDEN_PREFIX + 12] = MASKJIT_FORBIDDEN_PREFIX;
  char *end = text + sizeof MASKJIT_FORBIDDEN_PREFIX - 1;
  char digits[10];
  int count = 0;
  for (int number = info->si_syscall; count == 0 || number > 0; number /= 10)
    digits[count++] = static_cast<char>('0' + number % 10);
  while (count > 0)
    *end++ = digits[--count];
  *end++ = '\n';
  (void)!syscall(SYS_write, STDERR_FILENO, text, static_cast<size_t>(end - text));
  _exit(kForbiddenExit);
}

size_t readAll(int descriptor, void *into, size_t size) {
  size_t bytes = 0;
  for (ssize_t got; bytes < size; bytes += static_cast<size_t>(got)) {
    got = syscall(SYS_read, descriptor, static_cast<char *>(into) + bytes, size - bytes);
    if (got <= 0)
      break;
  }
  return bytes;
}

/// Before main(): takes the filter from its descriptor, leaves an empty environment.
__attribute__((constructor)) void prepare() {
  unsetenv("LD_PRELOAD");
  unsetenv("LD_ORIGIN_PATH");
  const size_t head = readAll(kLockdown, &header, sizeof header);
  const size_t bytes = readAll(kLockdown, filter, sizeof filter);
  if (head != sizeof header || bytes == 0 || bytes % sizeof(sock_filter) != 0)
    fail("maskjit-sandbox: the lock-down library found no filter on its descriptor\n");
  close(kLockdown);
  filterLength = bytes / sizeof(sock_filter);
  struct sigaction action = {};
  action.sa_sigaction = onForbidden;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
}

void lockDown() {
  locked = true;
  if (header.zygote) {
    mark();
    forkWorkers(header.cpuSeconds); // returns in each child
    if (allowOnlyOwnSignals() != 0)
      fail("maskjit-sandbox: the kernel refuses a filter\n");
  }
  if (installFilter(filter, filterLength) != 0)
    fail("maskjit-sandbox: the kernel refuses the final filter\n");
  mark();
}

} // namespace

/// read(2) of libc, with the lock-down before the first read of a request.
extern "C" __attribute__((visibility("default"))) ssize_t read(int descriptor, void *buffer, size_t size) {
  if (descriptor == kRequests && !locked)
    lockDown();
  return syscall(SYS_read, descriptor, buffer, size);
}
