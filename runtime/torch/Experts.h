// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The LibTorch operators of 4-bit experts on CUDA, as C++ functions with autograd.
#pragma once
#include <ATen/core/Tensor.h>

namespace maskjit {

/// One matrix an expert in MXFP4 and its bias, frozen: blocks u8 [E, rows, columns / 32, 16], scales u8
/// [E, rows, columns / 32], at most 128, bias [E, rows] of the activations' dtype.
struct PackedExperts {
  at::Tensor blocks, scales, bias;
};

/// sum over s of scores[i, s] * down_e(swiglu(gate_up_e(x[i]))) with e = chosen[i, s], fp32 [N, hidden].
/// x [N, hidden] fp16 or bf16; chosen [N, K] int32, scores [N, K] fp32. Rows of gate_up: gate even, up odd;
/// swiglu(g, u) = g sigmoid(alpha g) (u + 1), g at most `limit`, u within +-`limit`. Runs on the current stream, never
/// waits for it. Differentiable once, in x and scores; the gradient computes gate and up anew.
[[gnu::visibility("default")]] at::Tensor experts(const at::Tensor &x, const at::Tensor &chosen,
                                                  const at::Tensor &scores, const PackedExperts &gateUp,
                                                  const PackedExperts &down, double alpha, double limit);

/// y[p] = matrix of expert chosen[p] times x[p / perRow] plus its bias: [P, rows] of x's dtype. x [P / perRow,
/// columns], chosen [P] int32, none below 0. Differentiable once, in x.
[[gnu::visibility("default")]] at::Tensor experts_linear(const at::Tensor &x, const at::Tensor &chosen,
                                                         const PackedExperts &matrix, int64_t perRow);

} // namespace maskjit
