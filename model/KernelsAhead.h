// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attention kernels that a model is going to need, compiled while its weights are read.
#pragma once
#include "model/Config.h"
#include "runtime/cache/CompileAhead.h"
#include <ATen/core/Tensor.h>
#include <memory>

namespace maskjit {

/// Starts to compile, for the GPU `device`, the kernels of both of the model's masks: decode first, then prefill, then
/// training's. Null on the CPU, whose kernels take milliseconds.
std::unique_ptr<CompileAhead> compileKernelsAhead(const Config &config, at::Device device, at::ScalarType dtype);

} // namespace maskjit
