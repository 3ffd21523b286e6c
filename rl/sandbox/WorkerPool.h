// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Warm workers of one kind, each for one candidate.
#pragma once
#include "rl/sandbox/Zygote.h"
#include <deque>
#include <mutex>

namespace maskjit::rl {

/// Keeps `warm` workers starting or ready. take() hands one out and starts the next; what is handed out never comes
/// back. Workers are forked from a zygote, or started one by one where that is not possible (no seccomp, threads
/// allowed, no channel of messages). Any thread may call take().
class WorkerPool {
public:
  static Result<std::unique_ptr<WorkerPool>> create(const SandboxOptions &options, int warm);

  /// A worker that nobody has used, the one that was started first. It may still be warming up: send() waits for that.
  Result<SandboxedProcess> take();

private:
  explicit WorkerPool(const SandboxOptions &options) : options(options) {}
  Result<void> prepare();
  Result<SandboxedProcess> startOne();

  const SandboxOptions options;
  std::mutex mutex; // of all below
  std::unique_ptr<Zygote> zygote;
  std::unique_ptr<SandboxTemplate> kind; // without a zygote
  std::deque<SandboxedProcess> workers;
};

} // namespace maskjit::rl
