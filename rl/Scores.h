// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the current weights think of completions: the trainer's forward pass.
#pragma once
#include "model/GptOss.h"
#include "rl/LogProbs.h"
#include "rl/Rollout.h"

namespace maskjit::rl {

struct Scores {
  at::Tensor logps, entropies; // [N, C] fp32, 0 at padding
  at::Tensor routerLoss;       // scalar; undefined unless asked for
};

/// Differentiable in whatever of the model learns.
Scores scoreCompletions(const GptOss &model, const Rollout &rollout, const LogProbOptions &options,
                        bool withRouterLoss);

/// Only the log-probabilities, without gradients, `batchRows` rows at a time.
at::Tensor completionLogps(const GptOss &model, const Rollout &rollout, const LogProbOptions &options,
                           int64_t batchRows);

} // namespace maskjit::rl
