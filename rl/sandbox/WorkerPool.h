// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Warm workers of one kind, each for one candidate.
#pragma once
#include "rl/sandbox/SandboxTemplate.h"
#include "rl/sandbox/SandboxedProcess.h"
#include <deque>
#include <mutex>

namespace maskjit::rl {

/// Keeps `warm` workers starting or ready. take() hands one out and starts the next; what is handed out never comes
/// back. Any thread may call it.
class WorkerPool {
public:
  static Result<std::unique_ptr<WorkerPool>> create(SandboxOptions options, int warm);

  /// A worker that nobody has used, the one that was started first. It may still be warming up: send() waits for that.
  Result<SandboxedProcess> take();

private:
  explicit WorkerPool(SandboxTemplate kind) : kind(std::move(kind)) {}

  const SandboxTemplate kind;
  std::mutex mutex;
  std::deque<SandboxedProcess> workers;
};

} // namespace maskjit::rl
