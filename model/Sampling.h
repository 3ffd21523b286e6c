// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws the next tokens from logits. A draw depends on (seed, sequence, position) and its own row, never on the batch.
#pragma once
#include <ATen/core/Tensor.h>
#include <array>
#include <cstdint>
#include <vector>

namespace maskjit {

struct SamplingOptions {
  double temperature = 1;       // 0: greedy
  int64_t topK = 0;             // keep the k most likely tokens; 0: all
  double topP = 1;              // keep the fewest tokens whose probabilities sum to at least this
  double minP = 0;              // drop tokens less likely than this share of the most likely one
  double repetitionPenalty = 1; // divides positive and multiplies negative logits of tokens seen before
  uint64_t seed = 0;

  /// Throws std::runtime_error naming the option that is out of its range.
  void validate() const;
  bool greedy() const { return temperature == 0; }
};

struct Sample {
  std::vector<int64_t> tokens;
  /// log softmax(logits / temperature) at the token over the whole vocabulary, which is what a trainer computes from
  /// the same logits: no filter and no penalty. Greedy: temperature 1.
  std::vector<float> logProbs;
};

/// `logits` [n, vocabulary] fp32. Row i continues sequence `sequences[i]` at position `positions[i]` (the number of
/// tokens that it holds). `seen` [n, vocabulary] bool: tokens that the penalty applies to; undefined: no penalty.
Sample sample(const at::Tensor &logits, const SamplingOptions &options, const std::vector<uint64_t> &sequences,
              const std::vector<int64_t> &positions, const at::Tensor &seen = {});

/// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);
/// Uniform in [0, 1), 53 bits, of (seed, sequence, position).
double uniform(uint64_t seed, uint64_t sequence, uint64_t position);

} // namespace maskjit
