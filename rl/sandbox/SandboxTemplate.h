// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What all workers of one kind share: checked options, filters, and the specification that maskjit-sandbox reads.
#pragma once
#include "rl/sandbox/Sandbox.h"
#include <memory>

namespace maskjit::rl {

class SandboxTemplate {
public:
  /// Adds what every worker needs to options.files: the program, its shared libraries, the lock-down library.
  /// `zygote`: of a worker that forks others, see Zygote.h.
  static Result<SandboxTemplate> create(SandboxOptions options, bool zygote = false);

  const SandboxOptions &options() const { return shared->options; }
  const std::string &program() const { return shared->program; } // maskjit-sandbox
  int file() const { return shared->file; }                      // the specification, read-only by convention

private:
  struct Shared {
    SandboxOptions options;
    std::string program;
    int file = -1;
    ~Shared();
  };
  std::shared_ptr<const Shared> shared;
};

} // namespace maskjit::rl
