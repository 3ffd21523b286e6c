// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Filters and draws by inverting the cumulative distribution at a counter-based random number.
#include "model/Sampling.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <fmt/format.h>
#include <stdexcept>

namespace maskjit {
namespace {

void require(bool holds, const char *option, const char *expected, double value) {
  if (!holds)
    throw std::runtime_error(fmt::format("{}: expected {}, got {}", option, expected, value));
}

/// Tokens of each row in the order of `probabilities`' columns, and their probabilities with what is filtered set to 0.
struct Candidates {
  at::Tensor tokens; // undefined: column = token
  at::Tensor probabilities;
};

Candidates filter(const at::Tensor &scores, const SamplingOptions &options) {
  const int64_t vocabulary = scores.size(1);
  const bool cut = options.topK > 0 && options.topK < vocabulary;
  if (!cut && options.topP >= 1 && options.minP <= 0)
    return {{}, scores.softmax(1)};
  auto [sorted, tokens] = cut ? scores.topk(options.topK, 1) : scores.sort(/*stable=*/true, 1, /*descending=*/true);
  at::Tensor p = sorted.softmax(1); // of what top_k leaves
  at::Tensor keep = p >= p.narrow(1, 0, 1) * options.minP;
  if (options.topP < 1) // a token stays while those before it have not reached top_p; the first always does
    keep = keep.logical_and(p.cumsum(1, at::kDouble) - p < options.topP);
  keep.select(1, 0).fill_(true);
  return {tokens, p * keep};
}

at::Tensor draw(const Candidates &candidates, const std::vector<double> &uniforms) {
  const at::Tensor cumulative = candidates.probabilities.cumsum(1, at::kDouble);
  const at::Tensor total = cumulative.narrow(1, cumulative.size(1) - 1, 1);
  const at::Tensor at = at::tensor(uniforms, at::kDouble).to(cumulative.device()).unsqueeze(1) * total;
  // The first column whose cumulative probability is above the point, so never one of probability 0.
  const at::Tensor column = at::searchsorted(cumulative, at, false, /*right=*/true).clamp_max(cumulative.size(1) - 1);
  return candidates.tokens.defined() ? candidates.tokens.gather(1, column) : column;
}

} // namespace

void SamplingOptions::validate() const {
  require(temperature >= 0 && std::isfinite(temperature), "temperature", "0 (greedy) or more", temperature);
  require(topK >= 0, "top_k", "0 (all) or more", topK);
  require(topP > 0 && topP <= 1, "top_p", "a number above 0 and up to 1", topP);
  require(minP >= 0 && minP <= 1, "min_p", "a number in 0..1", minP);
  require(repetitionPenalty > 0 && std::isfinite(repetitionPenalty), "repetition_penalty", "a number above 0",
          repetitionPenalty);
}

Sample sample(const at::Tensor &logits, const SamplingOptions &options, const std::vector<uint64_t> &sequences,
              const std::vector<int64_t> &positions, const at::Tensor &seen) {
  TORCH_CHECK(logits.dim() == 2 && logits.scalar_type() == at::kFloat && size_t(logits.size(0)) == sequences.size() &&
                  sequences.size() == positions.size(),
              "logits: expected fp32 [n, vocabulary] with a number and a position for each row, got ", logits.sizes(),
              ", ", sequences.size(), " numbers and ", positions.size(), " positions");
  at::Tensor scores = logits;
  if (seen.defined())
    scores = at::where(
        seen, at::where(logits > 0, logits / options.repetitionPenalty, logits * options.repetitionPenalty), logits);
  const double temperature = options.greedy() ? 1 : options.temperature;
  at::Tensor chosen; // [n, 1]
  if (options.greedy()) {
    chosen = scores.argmax(1, /*keepdim=*/true);
  } else {
    std::vector<double> uniforms;
    for (size_t i = 0; i < sequences.size(); ++i)
      uniforms.push_back(uniform(options.seed, sequences[i], positions[i]));
    chosen = draw(filter(scores / temperature, options), uniforms);
  }
  const at::Tensor tempered = logits / temperature;
  const at::Tensor logProbs = (tempered.gather(1, chosen).squeeze(1) - tempered.logsumexp(1)).to(at::kCPU);
  const at::Tensor tokens = chosen.squeeze(1).to(at::kCPU);
  TORCH_CHECK(logProbs.isfinite().all().item<bool>(), "the model's logits are not finite; nothing can be drawn");
  const int64_t n = tokens.numel();
  return {{tokens.const_data_ptr<int64_t>(), tokens.const_data_ptr<int64_t>() + n},
          {logProbs.const_data_ptr<float>(), logProbs.const_data_ptr<float>() + n}};
}

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> x, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = kMultiplier0 * x[0], b = kMultiplier1 * x[2];
    x = {uint32_t(b >> 32) ^ x[1] ^ key[0], uint32_t(b), uint32_t(a >> 32) ^ x[3] ^ key[1], uint32_t(a)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return x;
}

double uniform(uint64_t seed, uint64_t sequence, uint64_t position) {
  const std::array<uint32_t, 4> bits =
      philox({uint32_t(position), uint32_t(position >> 32), uint32_t(sequence), uint32_t(sequence >> 32)},
             {uint32_t(seed), uint32_t(seed >> 32)});
  return std::ldexp(double((uint64_t(bits[0]) << 21) ^ (bits[1] >> 11)), -53);
}

} // namespace maskjit
