// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loss of one micro-batch of completions, as TRL 1.16's GRPOTrainer._compute_loss defines it.
#pragma once
#include "rl/Metrics.h"
#include "rl/losses/LossOptions.h"
#include <ATen/core/Tensor.h>

namespace maskjit::rl {

/// B sequences of T completion tokens; what masked columns hold does not matter (NaN included).
struct LossInputs {
  at::Tensor logps;         // [B, T] under the current weights, requires gradients
  at::Tensor entropies;     // [B, T]; requires gradients only for an entropy bonus
  at::Tensor mask;          // [B, T], 1 on completion tokens that count
  at::Tensor advantages;    // [B]
  at::Tensor oldLogps;      // [B, T]; undefined: the rollout came from the current weights
  at::Tensor refLogps;      // [B, T]; needed if beta is not 0
  at::Tensor samplingLogps; // [B, T]; undefined: oldLogps stand in for them
  at::Tensor correction;    // rollout correction, [B, T] or [B, 1]; undefined: none
  at::Tensor itemsInBatch;  // scalar: completion tokens of the whole step, for dapo, cispo and vespo
};

/// Returns the scalar loss, ready for backward(), and records `kl`, `entropy`, `clip_ratio/*` and the families' own
/// metrics. Order of the terms: policy, off-policy mask, entropy mask, rollout correction, then + beta * KL.
at::Tensor policyLoss(const LossInputs &in, const LossOptions &options, Metrics &metrics);

} // namespace maskjit::rl
