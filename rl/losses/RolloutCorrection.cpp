// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Importance weights between the trainer's and the sampler's numerics.
#include "rl/losses/RolloutCorrection.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <stdexcept>
#include <string>

namespace maskjit::rl {

CorrectionMode parseCorrectionMode(std::string_view name) {
  if (name == "token_truncate")
    return CorrectionMode::TokenTruncate;
  if (name == "token_mask")
    return CorrectionMode::TokenMask;
  if (name == "sequence_truncate")
    return CorrectionMode::SequenceTruncate;
  if (name == "sequence_mask")
    return CorrectionMode::SequenceMask;
  throw std::runtime_error("rollout correction mode '" + std::string(name) +
                           "' is unknown; use token_truncate, token_mask, sequence_truncate or sequence_mask");
}

/// old - sampling, 0 at masked columns and where the sampler gave no number.
static at::Tensor difference(const at::Tensor &oldLogps, const at::Tensor &samplingLogps, const at::Tensor &mask) {
  at::Tensor d = oldLogps - samplingLogps;
  return at::where(mask.to(at::kBool) & ~samplingLogps.isnan(), d, at::zeros({}, d.options()));
}

static void record(const at::Tensor &d, const at::Tensor &scored, Metrics &metrics) {
  at::Tensor chosen = d.abs().masked_select(scored);
  at::Tensor zero = at::zeros({}, d.options());
  metrics.set("sampling/sampling_logp_difference/mean", chosen.numel() ? chosen.mean() : zero);
  metrics.set("sampling/sampling_logp_difference/max", chosen.numel() ? chosen.max() : zero);
}

void recordLogpDifference(const at::Tensor &oldLogps, const at::Tensor &samplingLogps, const at::Tensor &mask,
                          Metrics &metrics) {
  record(difference(oldLogps, samplingLogps, mask), mask.to(at::kBool) & ~samplingLogps.isnan(), metrics);
}

at::Tensor rolloutCorrection(const at::Tensor &oldLogps, const at::Tensor &samplingLogps, const at::Tensor &mask,
                             const CorrectionOptions &options, Metrics &metrics) {
  at::Tensor counted = mask.to(at::kBool);
  at::Tensor d = difference(oldLogps, samplingLogps, mask);
  record(d, counted & ~samplingLogps.isnan(), metrics);

  bool bySequence = options.mode == CorrectionMode::SequenceTruncate || options.mode == CorrectionMode::SequenceMask;
  bool truncate = options.mode == CorrectionMode::TokenTruncate || options.mode == CorrectionMode::SequenceTruncate;
  at::Tensor ratio = (bySequence ? d.sum(1, true) : d).exp();
  if (truncate) {
    ratio = ratio.clamp_max(options.clipMax);
    if (options.clipMin)
      ratio = ratio.clamp_min(*options.clipMin);
  } else {
    at::Tensor outside = ratio > options.clipMax;
    if (options.clipMin)
      outside = outside | (ratio < *options.clipMin);
    ratio = ratio.masked_fill(outside, 0);
  }
  at::Tensor chosen = bySequence ? ratio.flatten() : ratio.masked_select(counted);
  if (chosen.numel()) {
    metrics.set("sampling/importance_sampling_ratio/min", chosen.min());
    metrics.set("sampling/importance_sampling_ratio/mean", chosen.mean());
    metrics.set("sampling/importance_sampling_ratio/max", chosen.max());
  }
  return ratio;
}

} // namespace maskjit::rl
