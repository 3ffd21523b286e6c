// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Words between the parent and whoever stands beside a worker: maskjit-sandbox or a zygote. Only libc.
#pragma once
#include <cstdint>

namespace maskjit::rl {

/// From whoever stands beside a worker, on its control socket: one packet each. `Failed` carries its text behind it.
struct SupervisorEvent {
  enum Kind : int32_t { Failed = 1, Ended };
  int32_t kind;
  int32_t status = 0;          // Ended: as waitpid gives it
  int64_t cpuMicroseconds = 0; // Ended: what the worker used
};

/// To it. When the parent closes its side the worker is killed and reaped.
struct SupervisorOrder {
  enum Kind : int32_t { Pin = 1, Fork };
  int32_t kind;
  int32_t value; // Pin: the processor. Fork, to a zygote: unused; brings the ends of the new worker's channel along
};

} // namespace maskjit::rl
