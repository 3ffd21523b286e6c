// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RMSNorm.
#pragma once
#include <ATen/core/Tensor.h>

namespace maskjit {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension of x [N, hidden], in fp32, cast to x's dtype at the end.
at::Tensor rmsNorm(const at::Tensor &x, const at::Tensor &weight, double eps);

} // namespace maskjit
