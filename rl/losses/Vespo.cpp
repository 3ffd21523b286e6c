// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// VESPO: a smooth weight a sequence, the density of a gamma distribution in the sequence's importance weight.
#include "rl/losses/PolicyTerm.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace maskjit::rl {

// -phi A lp with phi = exp(lambda + k s - lambda exp(s)), detached. s is the log of the sequence's weight; the bounds
// keep exp(s) and 1 / exp(s) finite in fp32.
at::Tensor vespoTerm(const PolicyInputs &in, const LossOptions &options, Metrics &metrics) {
  constexpr double kTokenBound = 20, kUpper = 20;
  const double lower = std::log(1e-8);
  at::Tensor s = (in.logRatio.detach().clamp(-kTokenBound, kTokenBound) * in.mask).sum(1, true);
  if (in.correction.defined())
    s = s + in.correction.log().clamp(lower, kUpper).sum(1, true);
  s = s.clamp(lower, kUpper);
  at::Tensor one = at::ones_like(in.advantages), positive = in.advantages >= 0;
  at::Tensor k = at::where(positive, one * options.vespoKPos, one * options.vespoKNeg);
  at::Tensor lambda = at::where(positive, one * options.vespoLambdaPos, one * options.vespoLambdaNeg);
  at::Tensor phi = at::nan_to_num((lambda + k * s - lambda * s.exp()).exp());
  metrics.set("vespo/phi_seq_mean", phi.mean());
  return -phi * in.advantages * in.logps;
}

} // namespace maskjit::rl
