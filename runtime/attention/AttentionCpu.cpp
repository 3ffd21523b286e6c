// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention on the CPU: finds the kernels of a structure and runs their items on the threads of the process.
#include "compiler/device/cpu/CpuAttention.h"
#include "runtime/attention/Attention.h"
#include "runtime/cpu/CpuKernels.h"
#include "runtime/cpu/ThreadPool.h"
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace maskjit {
namespace {

/// Values outside their declared range would break what the compiler proved: the width of integers, the ranges of keys.
Result<void> checkValues(const Mask &mask, const AttentionArgs &args) {
  for (size_t i = 0; i < args.params.size(); ++i) {
    const ParamInfo &info = mask.params()[i];
    const ParamValues &values = args.params[i];
    if (info.isFloat)
      continue;
    for (int64_t b = 0; b < (values.batchStride ? args.batch : std::min<int64_t>(args.batch, 1)); ++b) {
      const int32_t *data = static_cast<const int32_t *>(values.data) + b * values.batchStride;
      for (int64_t j = 0; j < values.size; ++j) {
        if (data[j] < info.min || data[j] > info.max)
          return Error{fmt::format("error: '{}' of mask '{}' must lie in {}..{}, got {} (sequence {}, element {})",
                                   info.name, mask.name(), info.min, info.max, data[j], b, j)};
        if (info.isSorted && j > 0 && data[j] < data[j - 1])
          return Error{
              fmt::format("error: '{}' of mask '{}' is declared sorted, but sequence {} has {} after {} (element {})",
                          info.name, mask.name(), b, data[j], data[j - 1], j)};
      }
    }
  }
  return {};
}

/// Memory of one thread, kept between calls.
void *threadScratch(int64_t bytes) {
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local int64_t size = 0;
  if (size < bytes) {
    size = (bytes + 63) / 64 * 64;
    memory.reset(std::aligned_alloc(64, size));
  }
  return memory.get();
}

cpu::Tensor tensor(const TensorView &view) { return {view.data, view.batchStride, view.headStride, view.seqStride}; }

cpu::Attention kernelArgs(const AttentionArgs &args, const std::vector<cpu::Param> &params, int threads) {
  cpu::Attention a{};
  a.batch = args.batch, a.headsQ = args.headsQ, a.headsKv = args.headsKv, a.lenQ = args.lenQ, a.lenK = args.lenK;
  a.scale = args.scale;
  a.q = tensor(args.q), a.k = tensor(args.k), a.v = tensor(args.v), a.out = tensor(args.out);
  a.dout = tensor(args.dout), a.dq = tensor(args.dq), a.dk = tensor(args.dk), a.dv = tensor(args.dv);
  a.lse = args.lse, a.sinks = args.sinks, a.dsinks = args.dsinks, a.kvLen = args.kvLen;
  a.pageTable = args.pages.table, a.tableStride = args.pages.tableStride, a.pageSize = args.pages.pageSize;
  a.params = params.data();

  // Large items share packed keys among more rows; small ones occupy more threads. A row's result depends on neither.
  const int64_t group = args.headsQ / args.headsKv;
  a.queriesPerItem = std::clamp<int64_t>(args.lenQ, 1, 64);
  a.headsPerItem = std::min(group, cpu::kItemRows / a.queriesPerItem);
  const int64_t wanted = 2 * int64_t(threads > 0 ? std::min(threads, threadCount()) : threadCount());
  while (cpu::itemCount(a) < wanted && a.headsPerItem > 1)
    a.headsPerItem = (a.headsPerItem + 1) / 2;
  while (cpu::itemCount(a) < wanted && a.queriesPerItem > cpu::kRowTile)
    a.queriesPerItem = (a.queriesPerItem + 1) / 2;
  return a;
}

/// Threads worth waking: none besides the caller's where it is done within tens of microseconds, as a decode step is.
int usefulThreads(const AttentionArgs &args, int threads) {
  constexpr double operationsWorthWaking = 4e6;
  const double most = 4.0 * args.batch * args.headsQ * args.lenQ * args.lenK * args.headDim;
  return most < operationsWorthWaking ? 1 : threads;
}

/// Runs an entry's items on the threads; each has memory of its own.
void runEntry(CpuKernel::Entry entry, const cpu::Attention &args, int64_t items, int64_t headDim, int threads) {
  parallelFor(
      items,
      [&](int64_t begin, int64_t end) {
        cpu::Attention own = args;
        own.scratch = threadScratch(cpu::scratchBytes(headDim));
        entry(&own, begin, end);
      },
      threads);
}

/// What both directions do before a kernel runs.
struct Prepared {
  std::shared_ptr<const CpuKernel> kernel;
  std::vector<cpu::Param> params;
};
Result<Prepared> prepare(const Mask &mask, const AttentionArgs &args, Phase phase) {
  if (Result<void> fits = checkArgs(mask, args, isBackward(phase)); !fits)
    return fits.error();
  if (Result<void> inRange = checkValues(mask, args); !inRange)
    return inRange.error();
  KernelSpec spec;
  spec.phase = phase, spec.dtype = args.dtype, spec.headDim = int(args.headDim);
  auto kernel = cpuKernel(mask, spec);
  if (!kernel)
    return kernel.error();
  Prepared prepared{*kernel, {}};
  for (const ParamValues &values : args.params)
    prepared.params.push_back({values.data, values.batchStride, values.size});
  return prepared;
}

} // namespace

Result<void> attentionForwardCpu(const Mask &mask, const AttentionArgs &args, int threads) {
  auto prepared = prepare(mask, args, Phase::Forward);
  if (!prepared)
    return prepared.error();
  threads = usefulThreads(args, threads);
  const cpu::Attention a = kernelArgs(args, prepared->params, threads);
  runEntry(prepared->kernel->entry("forward"), a, cpu::itemCount(a), args.headDim, threads);
  return {};
}

Result<void> attentionBackwardCpu(const Mask &mask, const AttentionArgs &args, int threads) {
  auto prepared = prepare(mask, args, Phase::BackwardDq);
  if (!prepared)
    return prepared.error();
  threads = usefulThreads(args, threads);
  cpu::Attention a = kernelArgs(args, prepared->params, threads);
  std::vector<float> delta(args.batch * args.headsQ * args.lenQ);
  a.delta = delta.data();
  auto run = [&](const char *name, int64_t items) {
    runEntry(prepared->kernel->entry(name), a, items, args.headDim, threads);
  };
  run("backward_rows", args.batch * args.headsQ);
  if (args.dsinks)
    run("backward_sinks", args.headsQ);
  run("backward_queries", cpu::itemCount(a));
  run("backward_keys", args.batch * args.headsKv * cpu::keyTiles(a));
  return {};
}

} // namespace maskjit
