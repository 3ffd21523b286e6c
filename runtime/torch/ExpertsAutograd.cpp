// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradients of 4-bit experts, in activations and scores: the weights are frozen and are read from the same bytes.
#include "runtime/torch/ExpertsOperators.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace maskjit::torch_ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What autograd need not look into.
struct Frozen {
  PackedExperts gateUp, down;
  double alpha, limit;
};

/// Pairs of a row added up in the order of its slots: [pairs, n] -> [pairs / perRow, n].
at::Tensor addPairs(const at::Tensor &pairs, int64_t perRow) {
  return perRow == 1 ? pairs : pairs.view({-1, perRow, pairs.size(1)}).sum(1);
}

struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &chosen,
                            const PackedExperts &matrix, int64_t perRow) {
    at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({chosen, matrix.blocks, matrix.scales});
    ctx->saved_data["per_row"] = perRow;
    return experts_linear(x, chosen, matrix, perRow);
  }
  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor pairs = callGradient(gradients[0].contiguous(), saved[0], {saved[1], saved[2], {}}, 1);
    return {addPairs(pairs, ctx->saved_data["per_row"].toInt()), {}, {}, {}};
  }
};

struct Experts : torch::autograd::Function<Experts> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &chosen,
                            const at::Tensor &scores, const Frozen &w) {
    at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({x, chosen, scores, w.gateUp.blocks, w.gateUp.scales, w.gateUp.bias, w.down.blocks,
                            w.down.scales, w.down.bias});
    ctx->saved_data["alpha"] = w.alpha;
    ctx->saved_data["limit"] = w.limit;
    return maskjit::experts(x, chosen, scores, w.gateUp, w.down, w.alpha, w.limit);
  }

  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &chosen = saved[1], &scores = saved[2];
    const PackedExperts gateUp{saved[3], saved[4], saved[5]}, down{saved[6], saved[7], saved[8]};
    const double alpha = ctx->saved_data["alpha"].toDouble(), limit = ctx->saved_data["limit"].toDouble();
    const int64_t perRow = chosen.size(1);
    const at::Tensor pairs = chosen.flatten(), dout = gradients[0].contiguous();

    // What the forward pass kept in no tensor.
    const at::Tensor both = experts_linear(x, pairs, gateUp, perRow).view({pairs.size(0), -1, 2});
    const at::Tensor rawGate = both.select(2, 0), rawUp = both.select(2, 1);
    const at::Tensor gate = rawGate.to(at::kFloat).clamp_max_(limit);
    const at::Tensor up = rawUp.to(at::kFloat).clamp_(-limit, limit).add_(1);
    const at::Tensor sigmoid = (gate * alpha).sigmoid_(), swish = gate * sigmoid;

    // Through the second product first without the score, which is then the score's own gradient.
    const at::Tensor dh = callGradient(dout.to(x.scalar_type()), pairs, down, perRow).to(at::kFloat);
    at::Tensor dx, dscores;
    if (ctx->needs_input_grad(2)) {                                         // among the tensors: x, chosen, scores
      const at::Tensor biases = at::mm(dout, down.bias.to(at::kFloat).t()); // of every expert
      dscores = (swish * up).to(x.scalar_type()).to(at::kFloat).mul_(dh).sum(1).view_as(scores) +
                biases.gather(1, chosen.to(at::kLong));
    }
    if (ctx->needs_input_grad(0)) {
      dh.mul_(scores.reshape({-1, 1}));
      // d(g sigmoid(a g))/dg = s (1 + a g (1 - s)); a clamp that holds stops the gradient.
      at::Tensor dBoth = at::empty(both.sizes(), both.options());
      dBoth.select(2, 1).copy_((swish * dh).mul_(rawUp.abs() <= limit));
      const at::Tensor slope = (1 - sigmoid).mul_(gate).mul_(alpha).add_(1).mul_(sigmoid);
      dBoth.select(2, 0).copy_(slope.mul_(up).mul_(dh).mul_(rawGate <= limit));
      dx = addPairs(callGradient(dBoth.view({pairs.size(0), -1}), pairs, gateUp, 1), perRow);
    }
    return {dx, {}, dscores, {}};
  }
};

bool recorded(const at::Tensor &x) { return at::GradMode::is_enabled() && x.requires_grad(); }

void refuse(const at::Tensor &tensor, const char *name) {
  TORCH_CHECK(!recorded(tensor), "maskjit: ", name, " requires a gradient, and 4-bit experts are frozen; detach() it");
}

at::Tensor experts(const at::Tensor &x, const at::Tensor &chosen, const at::Tensor &scores, const at::Tensor &b1,
                   const at::Tensor &s1, const at::Tensor &bias1, const at::Tensor &b2, const at::Tensor &s2,
                   const at::Tensor &bias2, double alpha, double limit) {
  const Frozen frozen{{b1, s1, bias1}, {b2, s2, bias2}, alpha, limit};
  refuse(bias1, "gate_up_bias");
  refuse(bias2, "down_bias");
  if (recorded(x) || recorded(scores))
    return Experts::apply(x, chosen, scores, frozen);
  at::AutoDispatchBelowADInplaceOrView below;
  return maskjit::experts(x, chosen, scores, frozen.gateUp, frozen.down, alpha, limit);
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &chosen, const at::Tensor &blocks, const at::Tensor &scales,
                  const std::optional<at::Tensor> &bias, int64_t perRow) {
  const PackedExperts matrix{blocks, scales, bias.value_or(at::Tensor())};
  if (matrix.bias.defined())
    refuse(matrix.bias, "bias");
  if (recorded(x))
    return Linear::apply(x, chosen, matrix, perRow);
  at::AutoDispatchBelowADInplaceOrView below;
  return experts_linear(x, chosen, matrix, perRow);
}

at::Tensor gradient(const at::Tensor &dy, const at::Tensor &chosen, const at::Tensor &blocks, const at::Tensor &scales,
                    int64_t perRow) {
  TORCH_CHECK(!recorded(dy),
              "maskjit: 4-bit experts can be differentiated once; a gradient of their gradient was asked "
              "for (create_graph=True)");
  at::AutoDispatchBelowADInplaceOrView below;
  return callGradient(dy, chosen, {blocks, scales, {}}, perRow);
}

} // namespace

TORCH_LIBRARY_IMPL(maskjit, Autograd, m) {
  m.impl("experts", &experts);
  m.impl("experts_linear", &linear);
  m.impl("experts_linear_gradient", &gradient);
}

} // namespace maskjit::torch_ops
