// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LibTorch's own pinned memory comes in powers of two and is never given back: this is allocated as large as it is.
#include "model/HostMemory.h"
#include <ATen/Functions.h>
#include <algorithm>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/util/accumulate.h>
#include <cuda_runtime_api.h>
#include <memory>

namespace maskjit {

HostMemory::HostMemory(const std::vector<int64_t> &shape, at::ScalarType dtype, at::Device onDevice) {
  const c10::cuda::CUDAGuard guard(onDevice);
  C10_CUDA_CHECK(cudaSetDevice(onDevice.index()));
  const size_t bytes = c10::multiply_integers(shape) * c10::elementSize(dtype);
  void *memory = nullptr;
  C10_CUDA_CHECK(cudaHostAlloc(&memory, std::max<size_t>(bytes, 1), cudaHostAllocPortable | cudaHostAllocMapped));
  const std::shared_ptr<void> owner(memory, [](void *p) { cudaFreeHost(p); }); // at the process's end it may fail
  void *address = nullptr; // the same number on every 64-bit system with unified addresses
  C10_CUDA_CHECK(cudaHostGetDevicePointer(&address, memory, 0));
  host = at::from_blob(memory, shape, [owner](void *) {}, at::TensorOptions(dtype));
  device = at::from_blob(address, shape, [owner](void *) {}, at::TensorOptions(dtype).device(onDevice), onDevice);
}

} // namespace maskjit
