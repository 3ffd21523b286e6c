// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Log-probabilities and entropies of tokens from hidden states, a chunk of rows at a time.
#pragma once
#include "model/GptOss.h"
#include <ATen/core/Tensor.h>
#include <utility>

namespace maskjit::rl {

struct LogProbOptions {
  double temperature = 1;
  bool entropyGradient = false; // else entropies are detached
  int64_t chunkRows = 1024;     // rows of logits alive at once: chunkRows * vocabulary * 4 bytes, a few times over
};

/// hidden [N, H], tokens [N] int64 -> log softmax(logits / temperature) at the tokens [N] and the entropy of that
/// distribution [N], fp32. Differentiable in `hidden` and in the model's output weights; with more than one chunk the
/// backward pass recomputes the logits, so that no two chunks' logits exist at the same time.
std::pair<at::Tensor, at::Tensor> tokenLogProbs(const GptOss &model, const at::Tensor &hidden, const at::Tensor &tokens,
                                                const LogProbOptions &options);

} // namespace maskjit::rl
