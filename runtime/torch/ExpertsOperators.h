// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operator that only autograd calls, as a function.
#pragma once
#include "runtime/torch/Experts.h"

namespace maskjit::torch_ops {

/// maskjit::experts_linear_gradient through the dispatcher: dy[p / perRow] times the matrix of expert chosen[p].
at::Tensor callGradient(const at::Tensor &dy, const at::Tensor &chosen, const PackedExperts &matrix, int64_t perRow);

} // namespace maskjit::torch_ops
