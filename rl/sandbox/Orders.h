// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Words between the parent and whoever stands beside a worker: maskjit-sandbox or a zygote. Only libc.
#pragma once
#include <cstdint>
#include <ctime>
#include <sys/types.h>

namespace maskjit::rl {

/// From whoever stands beside a worker, on its control socket: one packet each. `Failed` carries its text behind it.
struct SupervisorEvent {
  enum Kind : int32_t { Failed = 1, Ended, CpuTime };
  enum Excess : int32_t { None, TooMuchMemory, TooManyThreads };
  int32_t kind;
  int32_t status = 0;          // Ended: as waitpid gives it
  int64_t cpuMicroseconds = 0; // Ended, CpuTime: what the worker used
  int32_t excess = None;       // Ended: why the supervisor killed it, see supervisor/Watch.h
};

/// To it. When the parent closes its side the worker is killed and reaped.
struct SupervisorOrder {
  enum Kind : int32_t { Pin = 1, Fork, CpuTime };
  int32_t kind;
  int32_t value; // Pin: the processor. Fork, to a zygote: unused; brings the ends of the new worker's channel along
};

/// What process `pid` and its threads have used so far, of the kernel's accounts; -1: it is gone.
inline int64_t cpuMicrosecondsOf(pid_t pid) {
  clockid_t clock;
  timespec used;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
    return -1;
  return used.tv_sec * INT64_C(1000000) + used.tv_nsec / 1000;
}

} // namespace maskjit::rl
