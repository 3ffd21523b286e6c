// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file descriptor that closes itself, and the pipes of a worker.
#pragma once
#include "compiler/Result.h"
#include <utility>

namespace maskjit::rl {

struct Descriptor {
  int number = -1;

  Descriptor() = default;
  explicit Descriptor(int number) : number(number) {}
  Descriptor(Descriptor &&other) noexcept : number(std::exchange(other.number, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(number, other.number);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset();
};

/// The parent's ends, which do not block, and the worker's.
struct WorkerEnds {
  Descriptor requests, replies, text, control, shared;
};
struct WorkerPipes {
  WorkerEnds ours, theirs; // shared memory: one file, in `ours`
};
/// All closed on exec. `sharedBytes` of sealed shared memory, 0: none.
Result<WorkerPipes> makeWorkerPipes(size_t sharedBytes);

/// "<what>: <text of errno>".
Error systemError(const char *what);

} // namespace maskjit::rl
