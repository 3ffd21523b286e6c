// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses the kernel for a number of rows and launches it. Reads no device memory and never waits.
#include "runtime/linear/LinearNf4.h"
#include "compiler/device/linear_nf4_args.h"
#include "runtime/launch/LoadedKernel.h"
#include "runtime/launch/TensorMap.h"
#include <fmt/format.h>

namespace maskjit {
namespace {

constexpr int kFewRows = 32; // classes above are Hopper's wide kernel

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

/// Rows of 16-bit elements in boxes of `width` x `rows`.
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

} // namespace

bool linearNf4Serves(int64_t in, int64_t features) {
  return in > 0 && in % 64 == 0 && features > 0 && features % 8 == 0;
}

KernelRequest linearNf4Request(const LinearNf4Spec &spec) {
  KernelRequest request;
  request.name = "linear_nf4";
  request.structure =
      fmt::format("linear nf4 {} class {} {} {} {}", spec.in, spec.rows, spec.nested ? "nested" : "fp32",
                  spec.dtype == DType::F16 ? "f16" : "bf16", spec.arch);
  request.spec.arch = spec.arch;
  request.spec.dtype = spec.dtype;
  request.key = [spec] { return cudaKey(spec); };
  request.emit = [spec] { return emitCuda(spec); };
  return request;
}

Result<void> linearNf4Cuda(const LinearNf4Call &call, void *stream) {
  if (Result<void> fits = check(call); !fits)
    return fits;
  Result<cuda::Device> device = cuda::Device::current();
  if (!device)
    return device.error();
  Result<cuda::Target> target = cuda::targetOf(device->major, device->minor);
  if (!target)
    return target.error();
  LinearNf4Spec spec;
  spec.in = static_cast<int>(call.in);
  spec.nested = call.weight.nestedTable != nullptr;
  spec.dtype = call.dtype;
  spec.arch = target->arch;
  Result<int> rows = linearNf4Rows(spec, call.rows);
  if (!rows)
    return rows.error();
  if (call.rows == 0)
    return {};
  spec.rows = *rows;
  Result<std::shared_ptr<const cuda::LoadedKernel>> kernel =
      cuda::LoadedKernel::find(linearNf4Request(spec), target->kind, *device);
  if (!kernel)
    return kernel.error();

  const Nf4View &w = call.weight;
  device::LinearNf4Args args{
      call.x,
      {static_cast<const unsigned char *>(w.codes), w.table, w.absmax, w.nestedTable, w.nestedAbsmax, w.nestedOffset},
      call.bias,
      call.out,
      static_cast<int>(call.rows),
      static_cast<int>(call.features)};
  const CudaKernel::Entry &entry = (*kernel)->entry(0);
  const cuda::Grid grid{ceilDiv(call.features, entry.tileQueries), ceilDiv(call.rows, entry.tileKeys), 1};
  const auto on = reinterpret_cast<cuda::Stream>(stream);
  if (spec.rows <= kFewRows) {
    void *arguments[] = {&args};
    return (*kernel)->launch(0, grid, on, arguments);
  }
  cuda::TensorMap maps[2];
  const device::TensorMapShape shapes[2] = {
      mapOf(call.x, call.in, call.rows, 64, static_cast<unsigned>(entry.tileKeys), 128),
      mapOf(w.codes, call.in / 4, call.features, 16, static_cast<unsigned>(entry.tileQueries), 32)};
  for (int i = 0; i < 2; ++i) {
    Result<cuda::TensorMap> map = cuda::encodeTensorMap(shapes[i], call.dtype);
    if (!map)
      return map.error();
    maps[i] = *map;
  }
  void *arguments[] = {maps, &args};
  return (*kernel)->launch(0, grid, on, arguments);
}

} // namespace maskjit
