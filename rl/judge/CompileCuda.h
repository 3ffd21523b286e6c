// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CUDA C++ to a cubin by NVRTC, in a sandboxed process for each program.
#pragma once
#include "rl/judge/runner/Protocol.h"
#include "rl/sandbox/SandboxTemplate.h"
#include <optional>

namespace maskjit::rl {

class CudaCompiler {
public:
  /// For the GPU of this machine. Errors: there is none, or no NVRTC.
  static Result<CudaCompiler> create(const std::set<SandboxLayer> &layers, double timeoutSeconds);
  /// The same for an architecture by name ("sm_90"), which needs no GPU.
  static Result<CudaCompiler> createFor(const std::string &arch, const std::set<SandboxLayer> &layers,
                                        double timeoutSeconds);

  struct Outcome {
    std::string program; // a launch shape and a cubin; empty: it failed
    bool timeout = false;
    std::string fault;
  };
  Outcome compile(const std::string &source) const;

private:
  explicit CudaCompiler(SandboxTemplate kind) : kind(std::move(kind)) {}

  SandboxTemplate kind;
};

/// How a program wants its kernel launched, by a line of its source:
///   // launch: block 32 8, tile 64 128, shared 65536
/// A block of 32 x 8 threads for each tile of 64 rows and 128 columns of C; blockIdx.x counts tiles along a row.
/// `shared` bytes are dynamic. Without it a block of 16 x 16 threads has a tile of 16 x 16. std::nullopt: out of the
/// hardware's limits.
std::optional<protocol::LaunchShape> launchShapeOf(const std::string &source);

} // namespace maskjit::rl
