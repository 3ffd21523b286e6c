// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The LibTorch operators maskjit::attention and maskjit::attention_cached, as C++ functions with autograd.
#pragma once
#include <ATen/core/Tensor.h>
#include <optional>
#include <string_view>
#include <tuple>

namespace maskjit {

/// Returns softmax(scale * q k^T, sinks) v over the pairs that `mask` attends, and each row's log-sum-exp.
/// q [B, Hq, Sq, D]; k, v [B, Hkv, Sk, D]; fp32 (CPU), fp16 or bf16, any strides with unit stride in D, Hq a multiple
/// of Hkv. sinks [Hq] fp32 (or q's dtype), a logit in nats, not scaled. out as q; lse [B, Hq, Sq] fp32, nats, sink
/// included. A row without keys: out 0, lse = sink or -inf, gradients 0.
/// `mask`: reference as Mask::find takes it. `params`: int32 tensors on q's device in the mask's order (trailing ones
/// with defaults may be left out): 0-d or [B] for a scalar, [n] or [B, n] for an array; fp32 for fp32 parameters.
/// `scale` defaults to 1/sqrt(D). Runs on the current stream. Throws c10::Error, launching nothing, if an argument does
/// not fit. Differentiable once, in q, k, v and sinks through out (lse carries no gradient). Formula: online softmax
/// (arXiv:1805.02867) started at m = sink, l = 1.
[[gnu::visibility("default")]] std::tuple<at::Tensor, at::Tensor>
attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const std::optional<at::Tensor> &sinks,
          std::string_view mask, at::TensorList params, std::optional<double> scale = std::nullopt);

/// The same with keys in pages, without gradients: k_pages, v_pages [pages, Hkv, page_size, D], page_size a power of
/// two; page_table [B, max_pages] int32; kv_len [B] int32, keys at and after it do not exist.
[[gnu::visibility("default")]] std::tuple<at::Tensor, at::Tensor>
attention_cached(const at::Tensor &q, const at::Tensor &k_pages, const at::Tensor &v_pages,
                 const at::Tensor &page_table, const at::Tensor &kv_len, const std::optional<at::Tensor> &sinks,
                 std::string_view mask, at::TensorList params, std::optional<double> scale = std::nullopt);

} // namespace maskjit
