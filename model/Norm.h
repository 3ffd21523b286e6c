// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RMSNorm, and the residual sum before it.
#pragma once
#include <ATen/core/Tensor.h>

namespace maskjit {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension of x [N, hidden], in fp32, cast to x's dtype at the end.
at::Tensor rmsNorm(const at::Tensor &x, const at::Tensor &weight, double eps);

/// A norm in the dtype that was asked for, and in fp32 where that was.
struct Normal {
  at::Tensor rows, wide;
};
/// Adds `addend` to the residual stream x [N, hidden] fp32 and normalises the sum. `addend` may be undefined, and is so
/// afterwards. Without gradients on CUDA one kernel does it, in the memory of x.
Normal addNorm(at::Tensor &x, at::Tensor &addend, const at::Tensor &weight, double eps, at::ScalarType dtype,
               bool wide);

} // namespace maskjit
