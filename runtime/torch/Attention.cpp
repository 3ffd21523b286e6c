// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C++ functions: calls of the operators through the dispatcher, so that autograd and tracing see them.
#include "runtime/torch/Attention.h"
#include "runtime/torch/Operators.h"
#include <ATen/core/dispatch/Dispatcher.h>

namespace maskjit {

namespace torch_ops {
namespace {
template <class Signature> auto findOperator(const char *name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}
} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
callBackward(const at::Tensor &dout, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
             const std::optional<at::Tensor> &sinks, const at::Tensor &out, const at::Tensor &lse,
             std::string_view mask, at::TensorList params, std::optional<double> scale) {
  static const auto op = findOperator<std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>(
      const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &,
      const at::Tensor &, const at::Tensor &, c10::string_view, at::TensorList, std::optional<double>)>(
      "maskjit::attention_backward");
  return op.call(dout, q, k, v, sinks, out, lse, mask, params, scale);
}
} // namespace torch_ops

std::tuple<at::Tensor, at::Tensor> attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                             const std::optional<at::Tensor> &sinks, std::string_view mask,
                                             at::TensorList params, std::optional<double> scale) {
  static const auto op = torch_ops::findOperator<std::tuple<at::Tensor, at::Tensor>(
      const at::Tensor &, const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, c10::string_view,
      at::TensorList, std::optional<double>)>("maskjit::attention");
  return op.call(q, k, v, sinks, mask, params, scale);
}

std::tuple<at::Tensor, at::Tensor> attention_cached(const at::Tensor &q, const at::Tensor &k_pages,
                                                    const at::Tensor &v_pages, const at::Tensor &page_table,
                                                    const at::Tensor &kv_len, const std::optional<at::Tensor> &sinks,
                                                    std::string_view mask, at::TensorList params,
                                                    std::optional<double> scale) {
  static const auto op = torch_ops::findOperator<std::tuple<at::Tensor, at::Tensor>(
      const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
      const std::optional<at::Tensor> &, c10::string_view, at::TensorList, std::optional<double>)>(
      "maskjit::attention_cached");
  return op.call(q, k_pages, v_pages, page_table, kv_len, sinks, mask, params, scale);
}

} // namespace maskjit
