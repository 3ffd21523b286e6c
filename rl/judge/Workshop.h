// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes workers with a program in them: compiles where the language wants it, and takes a warm sandboxed process.
#pragma once
#include "rl/judge/CompileC.h"
#include "rl/judge/CompileCuda.h"
#include "rl/judge/Worker.h"
#include "rl/sandbox/WorkerPool.h"

namespace maskjit::rl {

/// A loaded program, or why there is none.
struct Prepared {
  std::unique_ptr<Worker> worker;
  Fault fault;
};

/// Of one core. Not for two threads at once.
class Workshop {
public:
  static Result<std::unique_ptr<Workshop>> create(const JudgeOptions &options, int cpu,
                                                  const std::set<SandboxLayer> &layers);
  Prepared prepare(const std::string &source);
  /// The same for a program of the judge's own, which lives as long as the judge.
  Prepared prepareReference(const std::string &source);

private:
  explicit Workshop(const JudgeOptions &options) : options(options) {}
  Prepared load(Result<SandboxedProcess> process, const std::string &source, const CounterMeasures &measures,
                double seconds);

  const JudgeOptions &options;
  SandboxOptions sandbox;
  std::optional<CCompiler> compiler;
  std::optional<CudaCompiler> cudaCompiler;
  std::unique_ptr<WorkerPool> pool; // none for CUDA, whose driver survives no fork
};

/// The program `name` of the judge's own, beside the running program or where the build left it.
Result<std::string> findRunner(const std::string &name);

} // namespace maskjit::rl
