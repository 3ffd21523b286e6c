// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The policy term of each loss family, by token, before masks and aggregation.
#pragma once
#include "rl/Metrics.h"
#include "rl/losses/LossOptions.h"
#include <ATen/core/Tensor.h>

namespace maskjit::rl {

/// What every family reads. B sequences of T completion tokens; masked columns hold zeros.
struct PolicyInputs {
  at::Tensor logps;      // [B, T], requires gradients
  at::Tensor logRatio;   // [B, T] logps - old_logps, 0 at masked columns
  at::Tensor weight;     // [B, T], or [B, 1] at sequence level: exp of the (mean) log ratio
  at::Tensor advantages; // [B, 1]
  at::Tensor mask;       // [B, T] of logps' dtype
  at::Tensor correction; // rollout correction [B, T] or [B, 1]; may be undefined
};

/// Returns the term [B, T] or [B, 1] and records the family's own metrics.
at::Tensor clippedTerm(const PolicyInputs &in, const LossOptions &options, Metrics &metrics);
at::Tensor cispoTerm(const PolicyInputs &in, const LossOptions &options, Metrics &metrics);
at::Tensor sapoTerm(const PolicyInputs &in, const LossOptions &options);
at::Tensor vespoTerm(const PolicyInputs &in, const LossOptions &options, Metrics &metrics);

/// Mean over counted tokens; of a value a sequence ([B, 1]): over all sequences, as TRL logs it.
at::Tensor maskedMean(const at::Tensor &value, const at::Tensor &mask);

} // namespace maskjit::rl
