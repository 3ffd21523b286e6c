// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What each language's worker is started as.
#include "rl/judge/Workshop.h"
#include "compiler/EmbeddedFile.h"
#include "rl/judge/runner/Protocol.h"
#include <fmt/format.h>
#include <unistd.h>

namespace maskjit {
extern const EmbeddedFile judgeRunners[];
}

namespace maskjit::rl {

constexpr int kWarmWorkers = 1;
constexpr int kDriverThreads = 64;
constexpr double kReferenceSeconds = 60; // a call of the reference, however busy the machine is
constexpr double kNoLimit = 1e6;         // seconds: of a reference worker, which is the judge's own

Result<std::string> findRunner(const std::string &name) {
  std::string self(4096, 0);
  ssize_t length = readlink("/proc/self/exe", self.data(), self.size());
  self.resize(length > 0 ? size_t(length) : 0);
  std::string beside = self.substr(0, self.rfind('/') + 1) + name;
  for (const std::string &file : {beside, std::string(MASKJIT_BUILD_BIN) + "/" + name})
    if (access(file.c_str(), X_OK) == 0)
      return file;
  return Error{fmt::format("{} is not there; it is installed beside maskjit-rl", beside)};
}

static Result<void> fillNative(SandboxOptions &sandbox, const std::string &program, const MatmulShape &s) {
  Result<std::string> runner = findRunner(program);
  if (!runner)
    return runner.error();
  auto m = size_t(s.m), n = size_t(s.n), k = size_t(s.k);
  sandbox.argv = {*runner};
  sandbox.profile = SandboxProfile::Native;
  sandbox.mapsAfterFirstRequest = true;
  sandbox.sharedBytes =
      protocol::SharedLayout(m * k * sizeof(float), k * n * sizeof(float), m * n * sizeof(float)).total;
  return {};
}

static Result<void> fillPython(SandboxOptions &sandbox) {
  Result<PythonRuntime> python = findPython();
  if (!python)
    return python.error();
  sandbox.argv = {python->program, "-I", "-S", "-B", "-c", std::string(judgeRunners[0].data, judgeRunners[0].size)};
  sandbox.files = python->files;
  sandbox.hidden = python->hidden;
  sandbox.profile = SandboxProfile::Interpreter;
  return {};
}

/// The driver wants its devices, threads, the /proc of its own process numbers, and more address space than any machine
/// has memory. What runs in the process is the judge's own; the foreign code is on the GPU.
static void allowGpu(SandboxOptions &sandbox) {
  sandbox.layers = {SandboxLayer::NoNewPrivileges};
  sandbox.limits.memoryBytes = 0;
  sandbox.limits.processes = kDriverThreads;
}

Result<std::unique_ptr<Workshop>> Workshop::create(const JudgeOptions &options, int cpu,
                                                   const std::set<SandboxLayer> &layers) {
  std::unique_ptr<Workshop> shop(new Workshop(options));
  SandboxOptions &sandbox = shop->sandbox;
  Result<void> filled = options.language == Language::Python ? fillPython(sandbox)
                        : options.language == Language::C ? fillNative(sandbox, "maskjit-kernel-runner", options.shape)
                                                          : fillNative(sandbox, "maskjit-cuda-runner", options.shape);
  if (!filled)
    return filled.error();
  sandbox.limits.memoryBytes = options.memoryBytes;
  sandbox.limits.wallSeconds = sandbox.limits.cpuSeconds = options.timeoutSeconds * (options.trials + 2);
  sandbox.cpu = cpu;
  sandbox.layers = layers;
  if (options.language == Language::C) {
    Result<CCompiler> compiler = CCompiler::create(layers, cpu, options.timeoutSeconds);
    if (!compiler)
      return compiler.error();
    shop->compiler = std::move(*compiler);
  }
  if (options.language == Language::Cuda) {
    allowGpu(sandbox);
    Result<CudaCompiler> compiler = CudaCompiler::create(layers, options.timeoutSeconds);
    if (!compiler)
      return compiler.error();
    shop->cudaCompiler = std::move(*compiler);
    return shop;
  }
  Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(sandbox, kWarmWorkers);
  if (!pool)
    return pool.error();
  shop->pool = std::move(*pool);
  return shop;
}

Prepared Workshop::load(Result<SandboxedProcess> process, const std::string &source, const CounterMeasures &measures,
                        double seconds) {
  if (!process)
    return {nullptr, {Verdict::Error, 0, process.error().message}};
  std::string program = source;
  if (compiler) {
    CCompiler::Outcome outcome = compiler->compile(source);
    if (outcome.object.empty())
      return {nullptr, {outcome.timeout ? Verdict::Timeout : Verdict::Invalid, 0, outcome.fault}};
    program = std::move(outcome.object);
  }
  if (cudaCompiler) {
    CudaCompiler::Outcome outcome = cudaCompiler->compile(source);
    if (outcome.program.empty())
      return {nullptr, {outcome.timeout ? Verdict::Timeout : Verdict::Invalid, 0, outcome.fault}};
    program = std::move(outcome.program);
  }
  auto worker = std::make_unique<Worker>(std::move(*process), options.language, options.shape, measures, seconds);
  if (std::optional<Fault> fault = worker->load(program))
    return {nullptr, *fault};
  return {std::move(worker), {}};
}

Prepared Workshop::prepare(const std::string &source) {
  // Before the compiler runs: the pool starts the next worker, which is ready when this one is timed.
  return load(pool ? pool->take() : SandboxedProcess::start(sandbox), source, options.counterMeasures,
              options.timeoutSeconds);
}

Prepared Workshop::prepareReference(const std::string &source) {
  SandboxOptions own = sandbox;
  own.limits.wallSeconds = own.limits.cpuSeconds = kNoLimit;
  return load(SandboxedProcess::start(own), source, CounterMeasures{}, kReferenceSeconds);
}

} // namespace maskjit::rl
