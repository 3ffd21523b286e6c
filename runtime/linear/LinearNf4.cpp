// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses the kernel for a number of rows and launches it. Reads no device memory and never waits.
#include "runtime/linear/LinearNf4.h"
#include "compiler/device/LinearNf4Table.h"
#include "compiler/device/linear_nf4_args.h"
#include "runtime/launch/LoadedKernel.h"
#include "runtime/launch/TensorMap.h"
#include <fmt/format.h>

namespace maskjit {
namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

Result<void> check(const LinearNf4Call &call) {
  if (!linearNf4Serves(call.in, call.features))
    return Error{fmt::format("an NF4 linear layer on CUDA has input features in multiples of 64 and output features in "
                             "multiples of 8, got {} and {}",
                             call.in, call.features)};
  for (const void *pointer : {call.x, call.weight.codes, static_cast<const void *>(call.out)})
    if (reinterpret_cast<uintptr_t>(pointer) % 16)
      return Error{"an NF4 linear layer on CUDA takes x, codes and out at multiples of 16 bytes; copy them"};
  return {};
}

/// Rows of 16-bit elements, in a matrix of codes four of them, in boxes of `width` x `rows`.
device::TensorMapShape mapOf(const void *base, int64_t elements, int64_t rows, unsigned width, unsigned boxRows,
                             int swizzle) {
  const auto pitch = static_cast<unsigned long long>(2 * elements);
  return {const_cast<void *>(base),
          4,
          {static_cast<unsigned long long>(elements), static_cast<unsigned long long>(rows), 1, 1},
          {pitch, pitch * static_cast<unsigned long long>(rows), pitch * static_cast<unsigned long long>(rows)},
          {width, boxRows, 1, 1},
          swizzle};
}

LinearNf4Spec specOf(int64_t in, int64_t features, DType dtype, bool gradient, const cuda::Device &device,
                     const std::string &arch) {
  LinearNf4Spec spec;
  spec.gradient = gradient;
  spec.in = static_cast<int>(in);
  spec.features = static_cast<int>(features);
  spec.multiprocessors = device.multiprocessors;
  spec.dtype = dtype;
  spec.arch = arch;
  return spec;
}

} // namespace

bool linearNf4Serves(int64_t in, int64_t features) {
  return in > 0 && in % 64 == 0 && features > 0 && features % 8 == 0;
}

bool linearNf4GradientServes(int64_t in, int64_t features, DType dtype) {
  const Result<cuda::DeviceTarget> here = cuda::currentTarget();
  return here && linearNf4Serves(in, features) &&
         bool(linearNf4Rows(specOf(in, features, dtype, true, here->device, here->target.arch), 1));
}

KernelRequest linearNf4Request(const LinearNf4Spec &spec) {
  KernelRequest request;
  request.name = "linear_nf4";
  request.structure = fmt::format("linear nf4 {} -> {} class {} {} {} {} of {}", spec.gradient ? " gradient" : "",
                                  spec.in, spec.features, spec.rows, spec.nested ? "nested" : "fp32",
                                  spec.dtype == DType::F16 ? "f16" : "bf16", spec.arch, spec.multiprocessors);
  request.spec.arch = spec.arch;
  request.spec.dtype = spec.dtype;
  request.key = [spec] { return cudaKey(spec); };
  request.emit = [spec] { return emitCuda(spec); };
  return request;
}

Result<void> linearNf4Cuda(const LinearNf4Call &call, void *stream) {
  if (Result<void> fits = check(call); !fits)
    return fits;
  const Result<cuda::DeviceTarget> here = cuda::currentTarget();
  if (!here)
    return here.error();
  LinearNf4Spec spec = specOf(call.in, call.features, call.dtype, call.gradient, here->device, here->target.arch);
  spec.nested = call.weight.nestedTable != nullptr;
  Result<int> rows = linearNf4Rows(spec, call.rows);
  if (!rows)
    return rows.error();
  if (call.rows == 0)
    return {};
  spec.rows = *rows;
  Result<std::shared_ptr<const cuda::LoadedKernel>> kernel =
      cuda::LoadedKernel::find(linearNf4Request(spec), here->target.kind, here->device);
  if (!kernel)
    return kernel.error();

  const Nf4View &w = call.weight;
  const int64_t summed = call.gradient ? call.features : call.in, columns = call.gradient ? call.in : call.features;
  device::LinearNf4Args args{
      call.x,
      {static_cast<const unsigned char *>(w.codes), w.table, w.absmax, w.nestedTable, w.nestedAbsmax, w.nestedOffset},
      call.gradient ? nullptr : call.bias,
      call.out,
      static_cast<int>(call.rows),
      static_cast<int>(columns)};
  const Result<LinearNf4Schedule> schedule = linearNf4Schedule(spec);
  if (!schedule)
    return schedule.error();
  const cuda::Grid grid{schedule->cluster * ceilDiv(columns, schedule->tileFeatures),
                        ceilDiv(call.rows, schedule->tileRows), 1};
  const auto on = reinterpret_cast<cuda::Stream>(stream);
  if (!schedule->maps) {
    void *arguments[] = {&args};
    return (*kernel)->launch(0, grid, on, arguments, call.frozen);
  }
  cuda::TensorMap maps[2];
  const auto each = static_cast<unsigned>(schedule->tileFeatures / schedule->cluster),
             rowsEach = static_cast<unsigned>(schedule->tileRows / schedule->cluster);
  const device::TensorMapShape shapes[2] = {mapOf(call.x, summed, call.rows, 64, rowsEach, 128),
                                            call.gradient ? mapOf(w.codes, call.in / 4, call.features, each / 4, 64, 64)
                                                          : mapOf(w.codes, call.in / 4, call.features, 16, each, 32)};
  for (int i = 0; i < 2; ++i) {
    Result<cuda::TensorMap> map = cuda::encodeTensorMap(shapes[i], call.dtype);
    if (!map)
      return map.error();
    maps[i] = *map;
  }
  void *arguments[] = {maps, &args};
  return (*kernel)->launch(0, grid, on, arguments, call.frozen);
}

} // namespace maskjit
