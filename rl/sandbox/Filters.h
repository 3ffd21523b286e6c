// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two lists of system calls of a sandbox, as programs for seccomp.
#pragma once
#include "rl/sandbox/Sandbox.h"

namespace maskjit::rl {

/// Arrays of struct sock_filter. `start` holds from before the program is executed; `final` is added by the lock-down.
/// Filters only ever narrow: a call must pass both. What no honest program does (sockets, processes, signals to others,
/// mounts, kernel interfaces) raises SIGSYS; the rest that is not listed fails with EPERM.
struct Filters {
  std::string start, final;
};
Result<Filters> buildFilters(const SandboxOptions &options);

/// Name of a system call of this machine; empty: unknown.
std::string systemCallName(int number);

} // namespace maskjit::rl
