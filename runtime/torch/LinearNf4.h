// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The LibTorch operators maskjit::linear_nf4 and maskjit::linear_nf4_gradient as C++ functions.
#pragma once
#include <ATen/core/Tensor.h>
#include <optional>

namespace maskjit {

/// x [rows, in] times the transpose of an NF4 matrix [features, in], plus bias: what
/// `x @ dequantize(weight).to(x.dtype).T + bias` gives up to the order of fp32 sums, without the dequantized matrix.
/// bf16 or fp16 on CUDA, contiguous; codes u8 [features * in / 2]; table fp32 [16]; absmax fp32 or u8, one for 64
/// weights; `nested`: empty, or fp32 table [256], absmax (one for 256 blocks) and offset [1]; in a multiple of 64,
/// features of 8. `frozen`: the kernel before on the stream does not write the weight, which is then read while that
/// one ends. Runs on the current stream. Throws c10::Error, launching nothing, if an argument does not fit. Not
/// differentiable by itself: the weight is frozen, and the gradient of x is linear_nf4_gradient.
[[gnu::visibility("default")]] at::Tensor linear_nf4(const at::Tensor &x, const at::Tensor &codes,
                                                     const at::Tensor &table, const at::Tensor &absmax,
                                                     at::TensorList nested, int64_t features,
                                                     const std::optional<at::Tensor> &bias, bool frozen = false);

/// dy [rows, features] times the NF4 matrix [features, in]: the gradient of the x of linear_nf4, by the same weights
/// bit for bit, each element summed in one order. Arguments as there; bf16 on Hopper (sm_90a).
[[gnu::visibility("default")]] at::Tensor linear_nf4_gradient(const at::Tensor &dy, const at::Tensor &codes,
                                                              const at::Tensor &table, const at::Tensor &absmax,
                                                              at::TensorList nested, int64_t in, bool frozen = false);

/// Whether `dy`'s device and dtype have the kernel of linear_nf4_gradient for a matrix of `in` columns.
[[gnu::visibility("default")]] bool linear_nf4_gradient_serves(const at::Tensor &dy, int64_t in);

} // namespace maskjit
