// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two lists of system calls of a sandbox, as programs for seccomp.
#pragma once
#include "rl/sandbox/Sandbox.h"

namespace maskjit::rl {

/// Arrays of struct sock_filter. `start` holds from before the program is executed; `final` is added by the lock-down.
/// Filters only ever narrow: a call must pass both. What no honest program does (sockets, processes, signals to others,
/// mounts, kernel interfaces) raises SIGSYS; the rest that is not listed fails with EPERM. A zygote's `start` also lets
/// it fork and reap its children, which get `final` like any other worker.
struct Filters {
  std::string start, final;
};
Result<Filters> buildFilters(const SandboxOptions &options, bool zygote);

/// Name of a system call of this machine; empty: unknown.
std::string systemCallName(int number);

} // namespace maskjit::rl
