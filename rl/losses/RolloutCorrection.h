// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Importance weights between the trainer's and the sampler's numerics, and the metrics of their agreement.
#pragma once
#include "rl/Metrics.h"
#include <ATen/core/Tensor.h>
#include <optional>
#include <string_view>

namespace maskjit::rl {

enum class CorrectionMode { TokenTruncate, TokenMask, SequenceTruncate, SequenceMask };
/// "token_truncate", "token_mask", "sequence_truncate" or "sequence_mask".
CorrectionMode parseCorrectionMode(std::string_view name);

struct CorrectionOptions {
  CorrectionMode mode = CorrectionMode::SequenceMask;
  double clipMax = 3.0;
  std::optional<double> clipMin;
};

/// exp(old - sampling) by token [B, T], or of the sum a sequence [B, 1]; truncated to the bounds or zeroed outside.
/// A NaN sampler log-probability (it could not score the token) counts as equal. Records
/// sampling/sampling_logp_difference/{mean,max} and sampling/importance_sampling_ratio/{min,mean,max}.
at::Tensor rolloutCorrection(const at::Tensor &oldLogps, const at::Tensor &samplingLogps, const at::Tensor &mask,
                             const CorrectionOptions &options, Metrics &metrics);

/// Only sampling/sampling_logp_difference/{mean,max}.
void recordLogpDifference(const at::Tensor &oldLogps, const at::Tensor &samplingLogps, const at::Tensor &mask,
                          Metrics &metrics);

} // namespace maskjit::rl
