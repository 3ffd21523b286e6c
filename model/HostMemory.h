// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Host memory that the kernels of a GPU read over the bus.
#pragma once
#include <ATen/core/Tensor.h>
#include <vector>

namespace maskjit {

/// Pinned memory as two tensors: one for the CPU, one that operations on the GPU take as theirs. Each keeps it alive.
struct HostMemory {
  at::Tensor host, device;

  /// Uninitialised. Throws c10::Error if so much cannot be pinned.
  HostMemory(const std::vector<int64_t> &shape, at::ScalarType dtype, at::Device device);
};

} // namespace maskjit
