// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// SAPO: a sigmoid gate instead of a hard clip, with its own temperature for positive and negative advantages.
#include "rl/losses/PolicyTerm.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace maskjit::rl {

// -(4 / tau) sigmoid(tau (w - 1)) A: slope 1 in w at w = 1, whatever tau.
at::Tensor sapoTerm(const PolicyInputs &in, const LossOptions &options) {
  at::Tensor one = at::ones_like(in.advantages);
  at::Tensor tau = at::where(in.advantages > 0, one * options.sapoTemperaturePos, one * options.sapoTemperatureNeg);
  return -(4.0 / tau) * at::sigmoid(tau * (in.weight - 1)) * in.advantages;
}

} // namespace maskjit::rl
