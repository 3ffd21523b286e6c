// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bounds that no rlimit holds: threads where workers share a user, and memory where address space has no bound.
#pragma once
#include "rl/sandbox/Spec.h"

namespace maskjit::rl {

constexpr int kWatchMilliseconds = 50;

/// Whether the supervisor has to look now and then.
bool needsWatch(const SandboxSpec &spec);
/// What process `pid` has too much of; SupervisorEvent::None: nothing.
SupervisorEvent::Excess findExcess(const SandboxSpec &spec, int pid);

} // namespace maskjit::rl
