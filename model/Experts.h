// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The mixture of experts: router, clamped SwiGLU, and the experts' products over routed tokens only.
#pragma once
#include "model/Config.h"
#include "model/Lora.h"
#include "model/Weights.h"

namespace maskjit {

struct Routing {
  at::Tensor logits;  // [N, E]
  at::Tensor experts; // [N, K] int64, best first
  at::Tensor scores;  // [N, K], softmax over the chosen K, in the dtype of the logits
};
Routing route(const at::Tensor &x, const LayerWeights &weights, int64_t expertsPerToken);

/// Factors that are added to the experts' weights; null: none.
struct ExpertLora {
  const LoraPair *gateUp = nullptr, *down = nullptr;
  double scaling = 0;
};

/// x [N, hidden] -> sum over the chosen experts of score * expert(x).
at::Tensor runExperts(const at::Tensor &x, const Routing &routing, const LayerWeights &weights, const Config &config,
                      const ExpertLora &lora);

/// gateUp [M, 2 I], gate in even columns -> [M, I]: g * sigmoid(alpha * g) * (u + 1), g = min(gate, limit),
/// u = clamp(up, -limit, limit).
at::Tensor clampedSwiglu(const at::Tensor &gateUp, double alpha, double limit);

} // namespace maskjit
