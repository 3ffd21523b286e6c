// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A queue of workers that warm up by themselves.
#include "rl/sandbox/WorkerPool.h"
#include <fmt/format.h>

namespace maskjit::rl {

Result<void> WorkerPool::prepare() {
  if (options.channel == SandboxChannel::Messages && options.limits.processes == 1 &&
      options.layers.count(SandboxLayer::Seccomp) && (options.sharedBytes == 0 || options.mapsAfterFirstRequest)) {
    Result<std::unique_ptr<Zygote>> started = Zygote::start(options);
    if (!started)
      return started.error();
    zygote = std::move(*started);
    return {};
  }
  Result<SandboxTemplate> prepared = SandboxTemplate::create(options);
  if (!prepared)
    return prepared.error();
  kind = std::make_unique<SandboxTemplate>(std::move(*prepared));
  return {};
}

Result<SandboxedProcess> WorkerPool::startOne() {
  if (!zygote)
    return SandboxedProcess::start(*kind);
  Result<SandboxedProcess> worker = zygote->fork();
  if (worker)
    return worker;
  // Killed from outside, by the kernel when memory ran out for example: one more try with another.
  if (Result<void> prepared = prepare(); !prepared)
    return prepared.error();
  return zygote->fork();
}

Result<std::unique_ptr<WorkerPool>> WorkerPool::create(const SandboxOptions &options, int warm) {
  if (warm < 1 || warm > 100)
    return Error{fmt::format("a pool keeps 1 to 100 warm workers, not {}", warm)};
  std::unique_ptr<WorkerPool> pool(new WorkerPool(options));
  if (Result<void> prepared = pool->prepare(); !prepared)
    return prepared.error();
  for (int i = 0; i < warm; ++i) {
    Result<SandboxedProcess> worker = pool->startOne();
    if (!worker)
      return worker.error();
    pool->workers.push_back(std::move(*worker));
  }
  return pool;
}

Result<SandboxedProcess> WorkerPool::take() {
  std::lock_guard<std::mutex> lock(mutex);
  Result<SandboxedProcess> next = startOne();
  if (!next)
    return next;
  workers.push_back(std::move(*next));
  SandboxedProcess first = std::move(workers.front());
  workers.pop_front();
  return first;
}

} // namespace maskjit::rl
