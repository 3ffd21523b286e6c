// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The clipped surrogate that grpo, bnpo, dr_grpo, dapo and luspo share.
#include "rl/losses/PolicyTerm.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace maskjit::rl {

/// Share of a sequence's tokens that `clipped` marks: [B].
static at::Tensor bySequence(const at::Tensor &clipped, const at::Tensor &mask) {
  if (clipped.size(1) == 1)
    return clipped.squeeze(1);
  return (clipped * mask).sum(1) / mask.sum(1).clamp_min(1);
}

// -min(w A, clamp(w, 1 - low, 1 + high) A). With delta the first branch uses min(w, delta), so that tokens with A < 0
// and a large weight stay bounded too; the clip metrics then see the bounded weight.
at::Tensor clippedTerm(const PolicyInputs &in, const LossOptions &options, Metrics &metrics) {
  double low = 1 - options.epsilon, high = 1 + options.upperEpsilon();
  at::Tensor clamped = in.weight.clamp(low, high);
  at::Tensor weight = options.delta ? in.weight.clamp_max(*options.delta) : in.weight;
  const at::Tensor &a = in.advantages;

  at::Tensor seen = weight.detach();
  at::Tensor isLow = ((seen < low) & (a < 0)).to(seen.scalar_type());
  at::Tensor isHigh = ((seen > high) & (a > 0)).to(seen.scalar_type());
  metrics.set("clip_ratio/low_mean", maskedMean(isLow, in.mask));
  metrics.set("clip_ratio/high_mean", maskedMean(isHigh, in.mask));
  metrics.set("clip_ratio/region_mean", maskedMean(isLow + isHigh, in.mask));
  metrics.set("clip_ratio/low_min", bySequence(isLow, in.mask).min());
  metrics.set("clip_ratio/high_max", bySequence(isHigh, in.mask).max());
  return -at::minimum(weight * a, clamped * a);
}

} // namespace maskjit::rl
