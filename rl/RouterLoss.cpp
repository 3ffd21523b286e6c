// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The load-balancing loss of a mixture of experts.
#include "rl/RouterLoss.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

namespace maskjit::rl {

at::Tensor routerLoss(const std::vector<at::Tensor> &routerLogits, const at::Tensor &attentionMask,
                      int64_t expertsPerToken) {
  TORCH_CHECK(!routerLogits.empty(), "the router's loss needs router logits of at least one layer");
  int64_t experts = routerLogits[0].size(-1);
  std::vector<at::Tensor> layers;
  for (const at::Tensor &logits : routerLogits)
    layers.push_back(logits.reshape({-1, experts}));
  at::Tensor probabilities = at::softmax(at::cat(layers), -1, at::kFloat); // [L * B * T, E]
  at::Tensor counted = attentionMask.defined()
                           ? attentionMask.reshape({-1}).to(at::kFloat).repeat({int64_t(routerLogits.size())})
                           : at::ones({probabilities.size(0)}, probabilities.options());
  at::Tensor chosen = std::get<1>(probabilities.topk(expertsPerToken, -1)); // [L * B * T, k]
  at::Tensor sent = at::zeros_like(probabilities).scatter(1, chosen, 1.0);
  at::Tensor tokens = counted.sum().clamp_min(1);
  at::Tensor share = (sent * counted.unsqueeze(1)).sum(0) / tokens;
  at::Tensor mean = (probabilities * counted.unsqueeze(1)).sum(0) / tokens;
  return double(experts) * (share * mean).sum();
}

} // namespace maskjit::rl
