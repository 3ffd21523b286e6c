// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A queue of workers that warm up by themselves.
#include "rl/sandbox/WorkerPool.h"
#include <fmt/format.h>

namespace maskjit::rl {

Result<std::unique_ptr<WorkerPool>> WorkerPool::create(SandboxOptions options, int warm) {
  if (warm < 1)
    return Error{fmt::format("a pool of workers needs at least one warm worker, not {}", warm)};
  Result<SandboxTemplate> kind = SandboxTemplate::create(std::move(options));
  if (!kind)
    return kind.error();
  std::unique_ptr<WorkerPool> pool(new WorkerPool(std::move(*kind)));
  for (int i = 0; i < warm; ++i) {
    Result<SandboxedProcess> worker = SandboxedProcess::start(pool->kind);
    if (!worker)
      return worker.error();
    pool->workers.push_back(std::move(*worker));
  }
  return pool;
}

Result<SandboxedProcess> WorkerPool::take() {
  Result<SandboxedProcess> next = SandboxedProcess::start(kind);
  if (!next)
    return next;
  std::lock_guard<std::mutex> lock(mutex);
  workers.push_back(std::move(*next));
  SandboxedProcess first = std::move(workers.front());
  workers.pop_front();
  return first;
}

} // namespace maskjit::rl
