// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The zygote's loop: a warm program that forks one worker a candidate.
#pragma once
#include <cstdint>

namespace maskjit::rl {

/// Serves orders on kZygote until that socket closes, then ends the process. Returns only in the children, which have
/// their own channel in place, nothing else open, and `cpuSeconds` to live.
void forkWorkers(uint32_t cpuSeconds);

} // namespace maskjit::rl
