// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CISPO: the weight is clamped from above and detached, so that every token keeps a gradient.
#include "rl/losses/PolicyTerm.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace maskjit::rl {

// -sg(min(w, epsilon_high)) A lp. The bound is epsilon_high itself, not 1 + it (arXiv:2506.13585 has no lower bound).
at::Tensor cispoTerm(const PolicyInputs &in, const LossOptions &options, Metrics &metrics) {
  double bound = options.upperEpsilon();
  at::Tensor weight = in.weight.detach();
  at::Tensor clipped = ((weight > bound) & (in.advantages > 0)).to(weight.scalar_type());
  metrics.set("cispo_clip_ratio", maskedMean(clipped, in.mask));
  return -weight.clamp_max(bound) * in.advantages * in.logps;
}

} // namespace maskjit::rl
