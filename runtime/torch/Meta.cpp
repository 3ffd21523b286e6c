// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operators on tensors without data, for tracing: shapes from shapes, no guard on any length.
#include "runtime/torch/Arguments.h"
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

namespace maskjit::torch_ops {
namespace {

at::Tensor emptyLse(const at::Tensor &q) {
  return at::empty_symint({q.sym_size(0), q.sym_size(1), q.sym_size(2)}, q.options().dtype(at::kFloat));
}

std::tuple<at::Tensor, at::Tensor> attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                             const std::optional<at::Tensor> &sinks, c10::string_view mask,
                                             at::TensorList params, std::optional<double>) {
  checkKinds(KnownMask::find(mask), q, k, v, sinks, params);
  return {at::empty_like(q), emptyLse(q)};
}

std::tuple<at::Tensor, at::Tensor> attentionCached(const at::Tensor &q, const at::Tensor &kPages,
                                                   const at::Tensor &vPages, const at::Tensor &pageTable,
                                                   const at::Tensor &kvLen, const std::optional<at::Tensor> &sinks,
                                                   c10::string_view mask, at::TensorList params,
                                                   std::optional<double>) {
  checkKinds(KnownMask::find(mask), q, kPages, vPages, sinks, params);
  checkPageKinds(q, pageTable, kvLen);
  return {at::empty_like(q), emptyLse(q)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
attentionBackward(const at::Tensor &, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  const std::optional<at::Tensor> &sinks, const at::Tensor &, const at::Tensor &, c10::string_view mask,
                  at::TensorList params, std::optional<double>) {
  checkKinds(KnownMask::find(mask), q, k, v, sinks, params);
  const bool hasSinks = sinks && sinks->defined();
  return {at::empty_like(q), at::empty_like(k), at::empty_like(v),
          at::empty_symint({hasSinks ? q.sym_size(1) : c10::SymInt(0)},
                           q.options().dtype(hasSinks ? sinks->scalar_type() : at::kFloat))};
}

} // namespace

TORCH_LIBRARY_IMPL(maskjit, Meta, m) {
  m.impl("attention", &attention);
  m.impl("attention_cached", &attentionCached);
  m.impl("attention_backward", &attentionBackward);
}

} // namespace maskjit::torch_ops
