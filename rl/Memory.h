// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The most memory that the process has held.
#pragma once
#include <c10/core/Device.h>
#include <cstdint>

namespace maskjit::rl {

/// Bytes: on CUDA of tensors on that device, on the CPU of the whole process.
int64_t peakMemory(at::Device device);

} // namespace maskjit::rl
