// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names and signatures of the operators of 4-bit experts, and the calls through the dispatcher.
#include "runtime/torch/Experts.h"
#include "runtime/torch/ExpertsOperators.h"
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

namespace maskjit {

namespace torch_ops {
namespace {
template <class Signature> auto findOperator(const char *name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

/// Shapes without data, for tracing.
at::Tensor metaExperts(const at::Tensor &x, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                       const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                       const at::Tensor &, double, double) {
  return at::empty_symint(x.sym_sizes(), x.options().dtype(at::kFloat));
}
at::Tensor metaLinear(const at::Tensor &x, const at::Tensor &chosen, const at::Tensor &blocks, const at::Tensor &,
                      const std::optional<at::Tensor> &, int64_t) {
  return at::empty_symint({chosen.sym_size(0), blocks.sym_size(1)}, x.options());
}
at::Tensor metaGradient(const at::Tensor &dy, const at::Tensor &chosen, const at::Tensor &blocks, const at::Tensor &,
                        int64_t) {
  return at::empty_symint({chosen.sym_size(0), blocks.sym_size(2) * 32}, dy.options());
}
} // namespace

at::Tensor callGradient(const at::Tensor &dy, const at::Tensor &chosen, const PackedExperts &matrix, int64_t perRow) {
  static const auto op =
      findOperator<at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &, int64_t)>(
          "maskjit::experts_linear_gradient");
  return op.call(dy, chosen, matrix.blocks, matrix.scales, perRow);
}

TORCH_LIBRARY_FRAGMENT(maskjit, m) {
  m.def("experts(Tensor x, Tensor chosen, Tensor scores, Tensor gate_up_blocks, Tensor gate_up_scales, "
        "Tensor gate_up_bias, Tensor down_blocks, Tensor down_scales, Tensor down_bias, float alpha, float limit) "
        "-> Tensor");
  m.def("experts_linear(Tensor x, Tensor chosen, Tensor blocks, Tensor scales, Tensor? bias, int per_row) -> Tensor");
  // The gradient of experts_linear by pairs: [pairs, columns].
  m.def("experts_linear_gradient(Tensor dy, Tensor chosen, Tensor blocks, Tensor scales, int per_row) -> Tensor");
}
TORCH_LIBRARY_IMPL(maskjit, Meta, m) {
  m.impl("experts", &metaExperts);
  m.impl("experts_linear", &metaLinear);
  m.impl("experts_linear_gradient", &metaGradient);
}
} // namespace torch_ops

at::Tensor experts(const at::Tensor &x, const at::Tensor &chosen, const at::Tensor &scores, const PackedExperts &gateUp,
                   const PackedExperts &down, double alpha, double limit) {
  static const auto op =
      torch_ops::findOperator<at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                                         const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                                         const at::Tensor &, double, double)>("maskjit::experts");
  return op.call(x, chosen, scores, gateUp.blocks, gateUp.scales, gateUp.bias, down.blocks, down.scales, down.bias,
                 alpha, limit);
}

at::Tensor experts_linear(const at::Tensor &x, const at::Tensor &chosen, const PackedExperts &matrix, int64_t perRow) {
  static const auto op =
      torch_ops::findOperator<at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                                         const std::optional<at::Tensor> &, int64_t)>("maskjit::experts_linear");
  return op.call(x, chosen, matrix.blocks, matrix.scales,
                 matrix.bias.defined() ? std::optional<at::Tensor>(matrix.bias) : std::nullopt, perRow);
}

} // namespace maskjit
