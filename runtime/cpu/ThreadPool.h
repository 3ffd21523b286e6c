// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The process-wide threads of the CPU target.
#pragma once
#include <cstdint>
#include <functional>

namespace maskjit {

/// Threads that work at once, the calling one included: the cores this process may run on, or MASKJIT_THREADS.
int threadCount();

/// Calls fn(begin, end) on ranges that cover [0, n), on at most `threads` threads (0: all), and returns when all are
/// done. Which thread works which range is chance: results must not depend on it. From within fn it runs in place.
/// Several callers take turns. fn must not throw.
void parallelFor(int64_t n, const std::function<void(int64_t begin, int64_t end)> &fn, int threads = 0);

} // namespace maskjit
