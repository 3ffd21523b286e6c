// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The LibTorch operator maskjit::linear_nf4 as a C++ function.
#pragma once
#include <ATen/core/Tensor.h>
#include <optional>

namespace maskjit {

/// x [rows, in] times the transpose of an NF4 matrix [features, in], plus bias: what
/// `x @ dequantize(weight).to(x.dtype).T + bias` gives up to the order of fp32 sums, without the dequantized matrix.
/// bf16 or fp16 on CUDA, contiguous; codes u8 [features * in / 2]; table fp32 [16]; absmax fp32 or u8, one for 64
/// weights; `nested`: empty, or fp32 table [256], absmax (one for 256 blocks) and offset [1]; in a multiple of 64,
/// features of 8. Runs on the current stream. Throws c10::Error, launching nothing, if an argument does not fit. Not
/// differentiable by itself: the weight is frozen, and the gradient of x is a product of its own.
[[gnu::visibility("default")]] at::Tensor linear_nf4(const at::Tensor &x, const at::Tensor &codes,
                                                     const at::Tensor &table, const at::Tensor &absmax,
                                                     at::TensorList nested, int64_t features,
                                                     const std::optional<at::Tensor> &bias);

} // namespace maskjit
