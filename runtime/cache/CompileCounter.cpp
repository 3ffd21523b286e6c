// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The counter of compilations.
#include "runtime/cache/CompileCounter.h"
#include <atomic>

namespace maskjit {

static std::atomic<int64_t> count{0};

void countCompilation() { count.fetch_add(1, std::memory_order_relaxed); }
int64_t compilations() { return count.load(std::memory_order_relaxed); }

} // namespace maskjit
