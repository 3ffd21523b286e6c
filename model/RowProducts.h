// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of rows with weight matrices. On the CPU a row's result does not depend, to the last bit, on how many rows
// there are beside it: sampling in steps and training on whole sequences compute the same numbers.
#pragma once
#include "model/Matrix.h"
#include <vector>

namespace maskjit {

/// rows [M, in] in groups of `counts` rows, group g times weight[g] [in, out], plus bias[g] [out] if `bias` is defined.
/// weight [G, in, out] with any strides. Differentiable in all three.
at::Tensor multiplyGroups(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias,
                          const std::vector<int64_t> &counts);

/// The same by a stack held in any way. A packed one gets no gradient, and is read as it is: on the CPU a few columns
/// at a time; on CUDA NF4 in bf16 from its codes, for the gradient of `rows` too on sm_90a; else a dense matrix is
/// made, one at a time.
at::Tensor multiplyGroups(const at::Tensor &rows, const Matrix &weight, const at::Tensor &bias,
                          const std::vector<int64_t> &counts);

/// rows [M, in] times weight [out, in] transposed, plus bias [out] if it is defined.
at::Tensor multiplyRows(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias = {});
at::Tensor multiplyRows(const at::Tensor &rows, const Matrix &weight, const at::Tensor &bias = {});

} // namespace maskjit
