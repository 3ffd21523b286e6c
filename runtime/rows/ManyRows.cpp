// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fills argument blocks and launches. Reads no device memory and never waits.
#include "runtime/rows/ManyRows.h"
#include "compiler/device/many_rows_args.h"
#include "runtime/launch/LoadedKernel.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit {
namespace {

Result<void> launch(ManyRowsSpec spec, const std::function<int64_t(int processors)> &blocks, void *args, void *stream) {
  Result<cuda::DeviceTarget> here = cuda::currentTarget();
  if (!here)
    return here.error();
  spec.arch = here->target.arch;
  Result<std::shared_ptr<const cuda::LoadedKernel>> kernel =
      cuda::LoadedKernel::find(manyRowsRequest(spec), here->target.kind, here->device);
  if (!kernel)
    return kernel.error();
  void *arguments[] = {args};
  return (*kernel)->launch(0, {blocks(here->device.multiprocessors), 1, 1}, reinterpret_cast<cuda::Stream>(stream),
                           arguments);
}

} // namespace

KernelRequest manyRowsRequest(const ManyRowsSpec &spec) {
  KernelRequest request;
  request.name = spec.kind == ManyRowsKind::Turn ? "turn" : "residual_norm";
  request.structure = fmt::format("many rows {} {} {} {}", request.name, spec.size,
                                  spec.dtype == DType::F16 ? "f16" : "bf16", spec.arch);
  request.spec.arch = spec.arch;
  request.spec.dtype = spec.dtype;
  request.key = [spec] { return cudaKey(spec); };
  request.emit = [spec] { return emitCuda(spec); };
  return request;
}

bool residualNormServes(int64_t features) {
  return features > 0 && features % 4 == 0 && features <= device::kMostFeatures;
}
bool turnServes(int64_t headDim) { return headDim > 0 && headDim % 16 == 0; }

Result<void> residualNormCuda(const ResidualNormCall &call, void *stream) {
  if (call.rows == 0)
    return {};
  ManyRowsSpec spec{ManyRowsKind::ResidualNorm, static_cast<int>(call.features), call.dtype, {}};
  device::ResidualNormArgs args{};
  args.residual = call.residual;
  if (call.wideAddend)
    args.wide_addend = static_cast<const float *>(call.addend);
  else
    args.addend = call.addend;
  args.weight = call.weight;
  args.out = call.out;
  args.wide_out = call.wideOut;
  args.scale = call.scale;
  args.eps = call.eps;
  return launch(spec, [&](int) { return call.rows; }, &args, stream);
}

Result<void> turnCuda(const TurnCall &call, void *stream) {
  const int64_t items = call.rows * (call.heads[0] + call.heads[1]) * (call.headDim / 16);
  if (items == 0)
    return {};
  ManyRowsSpec spec{ManyRowsKind::Turn, static_cast<int>(call.headDim), call.dtype, {}};
  device::TurnArgs args{};
  for (int i = 0; i < 2; ++i)
    args.x[i] = call.x[i], args.heads[i] = static_cast<int>(call.heads[i]);
  args.cosines = call.cosines, args.sines = call.sines;
  args.rows = static_cast<int>(call.rows);
  constexpr int64_t kBlocksPerProcessor = 8; // 2048 threads
  const auto blocks = [&](int processors) {
    return std::min((items + device::kManyRowsThreads - 1) / device::kManyRowsThreads,
                    kBlocksPerProcessor * processors);
  };
  return launch(spec, blocks, &args, stream);
}

} // namespace maskjit
