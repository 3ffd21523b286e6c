// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensor maps of Hopper's copy engine, encoded by the driver.
#pragma once
#include "compiler/Compiler.h"
#include "compiler/device/sm90_maps.h"
#include "runtime/launch/Driver.h"

namespace maskjit::cuda {

/// As a kernel takes it: cuda.h's CUtensorMap.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

/// Of a bf16 or fp16 tensor.
Result<TensorMap> encodeTensorMap(const device::TensorMapShape &shape, DType dtype);

} // namespace maskjit::cuda
