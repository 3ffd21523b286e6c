// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens are sorted by expert, so that each expert multiplies one contiguous block of rows.
#include "model/Experts.h"
#include "model/PackedExperts.h"
#include "model/RowProducts.h"
#include "model/Rows.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

namespace maskjit {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Keeps the products alone; gate, sigmoid and clamps are computed again for the gradient.
struct ClampedSwiglu : torch::autograd::Function<ClampedSwiglu> {
  struct Parts {
    at::Tensor gate, up, sigmoid; // fp32, clamped
  };
  static Parts parts(const at::Tensor &gateUp, double alpha, double limit) {
    const at::Tensor pairs = gateUp.view({gateUp.size(0), -1, 2});
    Parts p;
    p.gate = pairs.select(2, 0).to(at::kFloat).clamp_max(limit);
    p.up = pairs.select(2, 1).to(at::kFloat).clamp(-limit, limit);
    p.sigmoid = (p.gate * alpha).sigmoid_();
    return p;
  }

  static at::Tensor forward(AutogradContext *context, const at::Tensor &gateUp, double alpha, double limit) {
    context->save_for_backward({gateUp});
    context->saved_data["alpha"] = alpha;
    context->saved_data["limit"] = limit;
    Parts p = parts(gateUp, alpha, limit);
    return p.up.add_(1).mul_(p.gate).mul_(p.sigmoid).to(gateUp.scalar_type());
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const at::Tensor gateUp = context->get_saved_variables()[0], dh = gradients[0].to(at::kFloat);
    const double alpha = context->saved_data["alpha"].toDouble(), limit = context->saved_data["limit"].toDouble();
    const Parts p = parts(gateUp, alpha, limit);
    const at::Tensor pairs = gateUp.view({gateUp.size(0), -1, 2});
    const at::Tensor swish = p.gate * p.sigmoid;
    // d(g sigmoid(a g))/dg = s (1 + a g (1 - s)); a clamp that holds stops the gradient.
    const at::Tensor dgate = (1 - p.sigmoid).mul_(p.gate).mul_(alpha).add_(1).mul_(p.sigmoid).mul_(p.up + 1).mul_(dh);
    const at::Tensor dup = swish * dh;
    dgate.mul_(pairs.select(2, 0) <= limit);
    dup.mul_(pairs.select(2, 1).abs() <= limit);
    return {at::stack({dgate, dup}, 2).view(gateUp.sizes()).to(gateUp.scalar_type()), {}, {}};
  }
};

/// Rows sorted by expert, `counts` of them each, times their expert's weights.
at::Tensor multiplyByExpert(const at::Tensor &rows, const std::vector<int64_t> &counts, const Matrix &weight,
                            const at::Tensor &bias, const LoraPair *lora, double scaling) {
  const at::Tensor y = multiplyGroups(rows, weight, bias, counts);
  if (!lora)
    return y;
  const int64_t experts = weight.matrices(), rank = lora->a.size(0) / experts;
  const at::Tensor a = lora->a.to(rows.scalar_type()).view({experts, rank, -1}).transpose(1, 2);    // [E, in, r]
  const at::Tensor b = lora->b.to(rows.scalar_type()).view({-1, rank, experts}).permute({2, 1, 0}); // [E, r, out]
  return at::add(y, multiplyGroups(multiplyGroups(rows, a, {}, counts), b, {}, counts), scaling);
}

} // namespace

at::Tensor clampedSwiglu(const at::Tensor &gateUp, double alpha, double limit) {
  return ClampedSwiglu::apply(gateUp, alpha, limit);
}

Routing route(const at::Tensor &x, const LayerWeights &weights, int64_t expertsPerToken) {
  Routing routing;
  const Matrix &router = weights.routerWeight;
  const at::Tensor bias = weights.routerBias.to(at::kFloat);
  routing.logits =
      router.packed() ? multiplyRows(x, router, bias) : multiplyRows(x, router.dense().to(at::kFloat), bias);
  auto [best, experts] = routing.logits.topk(expertsPerToken, 1);
  routing.experts = experts;
  routing.scores = best.softmax(1);
  return routing;
}

at::Tensor runExperts(const at::Tensor &x, const Routing &routing, const LayerWeights &weights, const Config &config,
                      const ExpertLora &lora) {
  if (takesPackedExperts(x, weights))
    return packedExperts(x, routing, weights, config, lora);
  const int64_t perToken = routing.experts.size(1);
  const at::Tensor chosen = routing.experts.flatten();
  const at::Tensor order = std::get<1>(chosen.sort(/*stable=*/true, 0, false));
  const at::Tensor inverse = at::empty_like(order).index_copy_(0, order, at::arange(order.size(0), order.options()));
  const at::Tensor perExpert = at::bincount(chosen, {}, config.experts).to(at::kCPU);
  const std::vector<int64_t> counts(perExpert.const_data_ptr<int64_t>(),
                                    perExpert.const_data_ptr<int64_t>() + config.experts);

  const at::Tensor rows = permuteRows(x, order, inverse, perToken);
  const at::Tensor gateUp =
      multiplyByExpert(rows, counts, weights.gateUp, weights.gateUpBias, lora.gateUp, lora.scaling);
  const at::Tensor hidden = clampedSwiglu(gateUp, config.swigluAlpha, config.swigluLimit);
  const at::Tensor y = multiplyByExpert(hidden, counts, weights.down, weights.downBias, lora.down, lora.scaling);
  return (permuteRows(y, inverse, order, 1).view({x.size(0), perToken, -1}) * routing.scores.unsqueeze(2)).sum(1);
}

} // namespace maskjit
