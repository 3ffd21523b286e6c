// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles kernels in the background of work that needs none yet, such as reading a model's weights.
#pragma once
#include "runtime/cache/KernelCache.h"
#include <atomic>
#include <thread>
#include <vector>

namespace maskjit {

/// Works off a list of kernels on threads of its own, first to last, into a cache. Whoever needs one of them meanwhile
/// waits for that one alone, or compiles it himself if it is not begun. A kernel that cannot be compiled is left to the
/// call that needs it, which reports the error.
class CompileAhead {
public:
  struct Job {
    Mask mask;
    KernelSpec spec;
    ImageKind kind = ImageKind::Cubin;
  };
  /// `threads` compile at a time; 0: half as many as there are processors, the rest being the caller's.
  explicit CompileAhead(std::vector<Job> jobs, int threads = 0, KernelCache &cache = KernelCache::ofProcess());
  /// Drops what is not begun and waits for what is: a second or two at most.
  ~CompileAhead();
  CompileAhead(const CompileAhead &) = delete;

  /// Until every kernel is compiled.
  void wait();

private:
  void work();

  std::vector<Job> jobs;
  KernelCache &cache;
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
};

} // namespace maskjit
