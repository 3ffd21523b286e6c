// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Starts maskjit-sandbox with a worker.
#pragma once
#include "rl/sandbox/WorkerLink.h"

namespace maskjit::rl {

/// `zygoteOrders`: the socket that a zygote listens on; -1: an ordinary worker.
Result<std::unique_ptr<WorkerLink>> spawnSupervised(const SandboxTemplate &kind, int zygoteOrders = -1);

} // namespace maskjit::rl
