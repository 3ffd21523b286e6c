// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The life of the program maskjit-sandbox: a supervisor with one worker.
#pragma once
#include "rl/sandbox/Spec.h"

namespace maskjit::rl {

struct StartedWorker {
  int pid, pidfd;
};
/// A process with the spec's layers that has become the spec's program.
Result<StartedWorker> startWorker(const SandboxSpec &spec);

/// Starts the worker that the descriptors of SupervisorDescriptor describe; returns when it has ended or was ended.
int supervise();

/// The layers of this machine, tried one by one.
SandboxReport probeLayers();

} // namespace maskjit::rl
