// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// C to an object file by clang, in a sandboxed process for each program: a compiler that reads hostile text is not
// trusted.
#pragma once
#include "rl/sandbox/SandboxTemplate.h"
#include "rl/sandbox/SandboxedProcess.h"

namespace maskjit::rl {

class CCompiler {
public:
  /// Finds clang 22 ($MASKJIT_CLANG, clang-22, clang) and what it needs to see. `layers`: of the sandbox. Runs on
  /// `cpu`.
  static Result<CCompiler> create(const std::set<SandboxLayer> &layers, int cpu, double timeoutSeconds);

  struct Outcome {
    std::string object; // empty: it failed
    bool timeout = false;
    std::string fault; // the compiler's first words, or how it ended
  };
  /// -O3 for the machine at hand, position-independent, strict floating point. The headers stdlib.h, string.h and
  /// math.h are a few declarations; those of the compiler (immintrin.h, stdint.h, ...) are there as they are; there are
  /// no others.
  Outcome compile(const std::string &source) const;

private:
  explicit CCompiler(SandboxTemplate kind) : kind(std::move(kind)) {}

  SandboxTemplate kind;
};

/// Replaces `#include` lines of stdlib.h, string.h and math.h by the declarations of what a kernel needs of them.
std::string withDeclarations(const std::string &source);

} // namespace maskjit::rl
