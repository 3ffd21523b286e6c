// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operator that only autograd calls, as a function.
#pragma once
#include <ATen/core/Tensor.h>
#include <optional>
#include <string_view>
#include <tuple>

namespace maskjit::torch_ops {

/// maskjit::attention_backward through the dispatcher: dq, dk, dv, dsinks (no elements where there are no sinks).
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
callBackward(const at::Tensor &dout, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
             const std::optional<at::Tensor> &sinks, const at::Tensor &out, const at::Tensor &lse,
             std::string_view mask, at::TensorList params, std::optional<double> scale);

} // namespace maskjit::torch_ops
