// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operators on CPU tensors, with as many threads as LibTorch uses.
#include "runtime/torch/Bodies.h"
#include <ATen/Parallel.h>
#include <torch/library.h>

namespace maskjit::torch_ops {
namespace {

Result<void> runForward(const Mask &mask, const AttentionArgs &args) {
  return attentionForwardCpu(mask, args, at::get_num_threads());
}
Result<void> runBackward(const Mask &mask, const AttentionArgs &args) {
  return attentionBackwardCpu(mask, args, at::get_num_threads());
}

std::tuple<at::Tensor, at::Tensor> attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                             const std::optional<at::Tensor> &sinks, c10::string_view mask,
                                             at::TensorList params, std::optional<double> scale) {
  return forward(q, k, v, sinks, {mask, params, scale}, runForward);
}

std::tuple<at::Tensor, at::Tensor> attentionCached(const at::Tensor &q, const at::Tensor &kPages,
                                                   const at::Tensor &vPages, const at::Tensor &pageTable,
                                                   const at::Tensor &kvLen, const std::optional<at::Tensor> &sinks,
                                                   c10::string_view mask, at::TensorList params,
                                                   std::optional<double> scale) {
  return forwardCached(q, kPages, vPages, pageTable, kvLen, sinks, {mask, params, scale}, runForward);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
attentionBackward(const at::Tensor &dout, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  const std::optional<at::Tensor> &sinks, const at::Tensor &out, const at::Tensor &lse,
                  c10::string_view mask, at::TensorList params, std::optional<double> scale) {
  return backward(dout, q, k, v, sinks, out, lse, {mask, params, scale}, runBackward);
}

} // namespace

TORCH_LIBRARY_IMPL(maskjit, CPU, m) {
  m.impl("attention", &attention);
  m.impl("attention_cached", &attentionCached);
  m.impl("attention_backward", &attentionBackward);
}

} // namespace maskjit::torch_ops
