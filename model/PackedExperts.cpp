// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Without adapters one operator does the whole layer. With them each product is one, and what the adapter adds to it is
// two dense products: by the factors A of all experts at once, all but the routed expert's columns set to zero, then by
// the factors B of all. At rank 8 that is 256 columns for 32 experts, a twentieth of the layer's arithmetic, with no
// sorting, no counts on the host and sums of a fixed order.
#include "model/PackedExperts.h"
#include "runtime/torch/Experts.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace maskjit {
namespace {

PackedExperts packed(const Matrix &weight, const at::Tensor &bias) {
  return {weight.mxfp4()->blocks, weight.mxfp4()->scales, bias};
}

/// B A x of each pair's expert: x [N, in] -> [N * perRow, out]. `routed` [pairs, E, 1]: 1 at the pair's expert.
at::Tensor adapterTerm(const at::Tensor &x, const at::Tensor &routed, const LoraPair &lora) {
  const int64_t pairs = routed.size(0), experts = routed.size(1), perRow = pairs / x.size(0);
  const at::Tensor low = at::mm(x, lora.a.to(x.scalar_type()).t()).view({x.size(0), 1, experts, -1});
  const at::Tensor own = low.expand({-1, perRow, -1, -1}).reshape({pairs, experts, -1}) * routed;
  // B's columns run over the rank first, then over the experts: PEFT's layout.
  return at::mm(own.transpose(1, 2).reshape({pairs, -1}), lora.b.to(x.scalar_type()).t());
}

at::Tensor product(const at::Tensor &x, const at::Tensor &chosen, const at::Tensor &routed, const PackedExperts &matrix,
                   const LoraPair *lora, double scaling) {
  const at::Tensor y = experts_linear(x, chosen, matrix, chosen.size(0) / x.size(0));
  return lora ? at::add(y, adapterTerm(x, routed, *lora), scaling) : y;
}

} // namespace

bool takesPackedExperts(const at::Tensor &x, const LayerWeights &weights) {
  constexpr int64_t kMostExperts = 128; // of the kernels
  return x.is_cuda() && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf) && weights.gateUp.mxfp4() &&
         weights.down.mxfp4() && weights.gateUp.matrices() <= kMostExperts && !weights.gateUpBias.requires_grad() &&
         !weights.downBias.requires_grad();
}

at::Tensor packedExperts(const at::Tensor &x, const Routing &routing, const LayerWeights &weights, const Config &config,
                         const ExpertLora &lora) {
  const at::Tensor chosen = routing.experts.to(at::kInt);
  const PackedExperts gateUp = packed(weights.gateUp, weights.gateUpBias),
                      down = packed(weights.down, weights.downBias);
  if (!lora.gateUp && !lora.down)
    return experts(x, chosen, routing.scores.contiguous(), gateUp, down, config.swigluAlpha, config.swigluLimit);
  const at::Tensor pairs = chosen.flatten();
  const at::Tensor routed = at::one_hot(routing.experts.flatten(), config.experts).to(x.scalar_type()).unsqueeze(2);
  const at::Tensor h = clampedSwiglu(product(x, pairs, routed, gateUp, lora.gateUp, lora.scaling), config.swigluAlpha,
                                     config.swigluLimit);
  const at::Tensor y = product(h, pairs, routed, down, lora.down, lora.scaling);
  return (y.view({x.size(0), -1, y.size(1)}) * routing.scores.unsqueeze(2)).sum(1);
}

} // namespace maskjit
