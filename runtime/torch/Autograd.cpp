// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradients: attention once, in q, k, v and sinks; attention_cached not at all.
#include "runtime/torch/Attention.h"
#include "runtime/torch/Operators.h"
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace maskjit::torch_ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What autograd need not look into: it would count the parameters among the differentiable inputs.
struct MaskArguments {
  std::string mask;
  std::vector<at::Tensor> params;
  std::optional<double> scale;
};

bool needsGradient(const at::Tensor &tensor) { return tensor.defined() && tensor.requires_grad(); }
bool needsGradient(const std::optional<at::Tensor> &tensor) { return tensor && needsGradient(*tensor); }

struct AttentionBackward : torch::autograd::Function<AttentionBackward> {
  static variable_list forward(AutogradContext *, const at::Tensor &dout, const at::Tensor &q, const at::Tensor &k,
                               const at::Tensor &v, const std::optional<at::Tensor> &sinks, const at::Tensor &out,
                               const at::Tensor &lse, const MaskArguments &arguments) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [dq, dk, dv, dsinks] =
        callBackward(dout, q, k, v, sinks, out, lse, arguments.mask, arguments.params, arguments.scale);
    return {dq, dk, dv, dsinks};
  }
  static variable_list backward(AutogradContext *, variable_list) {
    TORCH_CHECK(false, "maskjit: attention can be differentiated once; a gradient of its gradient was asked for "
                       "(create_graph=True): use another attention for that");
  }
};

struct Attention : torch::autograd::Function<Attention> {
  static variable_list forward(AutogradContext *ctx, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                               const std::optional<at::Tensor> &sinks, const MaskArguments &arguments) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [out, lse] = maskjit::attention(q, k, v, sinks, arguments.mask, arguments.params, arguments.scale);
    variable_list saved{q, k, v, sinks.value_or(at::Tensor()), out, lse};
    saved.insert(saved.end(), arguments.params.begin(), arguments.params.end());
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["mask"] = arguments.mask;
    ctx->saved_data["scale"] = arguments.scale;
    ctx->mark_non_differentiable({lse});
    ctx->set_materialize_grads(false);
    return {out, lse};
  }

  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &sinks = saved[3];
    // One for each argument of forward that is a tensor; absent sinks count as a plain argument.
    variable_list result(5);
    if (!gradients[0].defined())
      return result;
    const std::optional<at::Tensor> optionalSinks = sinks.defined() ? std::make_optional(sinks) : std::nullopt;
    auto [dq, dk, dv, dsinks] =
        callBackward(gradients[0], saved[0], saved[1], saved[2], optionalSinks, saved[4], saved[5],
                     ctx->saved_data["mask"].toStringRef(), at::TensorList(saved).slice(6),
                     ctx->saved_data["scale"].toOptional<double>());
    result[0] = dq;
    result[1] = dk;
    result[2] = dv;
    if (sinks.defined())
      result[3] = dsinks;
    return result;
  }
};

std::tuple<at::Tensor, at::Tensor> attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                             const std::optional<at::Tensor> &sinks, c10::string_view mask,
                                             at::TensorList params, std::optional<double> scale) {
  const bool recorded = at::GradMode::is_enabled();
  for (const at::Tensor &param : params)
    TORCH_CHECK(
        !recorded || !needsGradient(param),
        "maskjit: a mask's parameter requires a gradient, and attention has none in its parameters; detach() it");
  if (!recorded || !(needsGradient(q) || needsGradient(k) || needsGradient(v) || needsGradient(sinks))) {
    at::AutoDispatchBelowADInplaceOrView below;
    return maskjit::attention(q, k, v, sinks, mask, params, scale);
  }
  const variable_list results = Attention::apply(q, k, v, sinks, MaskArguments{std::string(mask), params.vec(), scale});
  return {results[0], results[1]};
}

std::tuple<at::Tensor, at::Tensor> attentionCached(const at::Tensor &q, const at::Tensor &kPages,
                                                   const at::Tensor &vPages, const at::Tensor &pageTable,
                                                   const at::Tensor &kvLen, const std::optional<at::Tensor> &sinks,
                                                   c10::string_view mask, at::TensorList params,
                                                   std::optional<double> scale) {
  TORCH_CHECK(!at::GradMode::is_enabled() ||
                  !(needsGradient(q) || needsGradient(kPages) || needsGradient(vPages) || needsGradient(sinks)),
              "maskjit: attention_cached has no gradient and one of its tensors requires one; call it under "
              "torch.no_grad() (at::NoGradGuard), or use attention");
  at::AutoDispatchBelowADInplaceOrView below;
  return maskjit::attention_cached(q, kPages, vPages, pageTable, kvLen, sinks, mask, params, scale);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
attentionBackward(const at::Tensor &dout, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  const std::optional<at::Tensor> &sinks, const at::Tensor &out, const at::Tensor &lse,
                  c10::string_view mask, at::TensorList params, std::optional<double> scale) {
  const variable_list results =
      AttentionBackward::apply(dout, q, k, v, sinks, out, lse, MaskArguments{std::string(mask), params.vec(), scale});
  return {results[0], results[1], results[2], results[3]};
}

} // namespace

TORCH_LIBRARY_IMPL(maskjit, Autograd, m) {
  m.impl("attention", &attention);
  m.impl("attention_cached", &attentionCached);
  m.impl("attention_backward", &attentionBackward);
}

} // namespace maskjit::torch_ops
