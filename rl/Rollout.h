// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Completions of one generation batch as tensors, with what the loss needs to know about them.
#pragma once
#include "rl/Metrics.h"
#include <ATen/core/Tensor.h>
#include <map>
#include <string>
#include <vector>

namespace maskjit::rl {

/// N rows: prompts padded on the left to P, completions on the right to C.
struct Rollout {
  at::Tensor promptIds, promptMask;         // [N, P] int64
  at::Tensor completionIds, completionMask; // [N, C] int64; the mask is 1 on real tokens
  at::Tensor lossMask;                      // [N, C] int64: completionMask less what must not be learned from
  at::Tensor samplingLogps;                 // [N, C] fp32, as the sampler saw them
  at::Tensor advantages;                    // [N] fp32
  at::Tensor oldLogps, refLogps;            // [N, C] fp32; may be undefined
  at::Tensor correction;                    // [N, C] or [N, 1] fp32; may be undefined
  at::Tensor itemsInBatch;                  // scalar: counted completion tokens of the whole batch

  int64_t rows() const { return completionIds.size(0); }
  /// Rows [begin, begin + count); itemsInBatch stays the whole batch's.
  Rollout slice(int64_t begin, int64_t count) const;
  /// Rows in the order of `order` [N] int64.
  Rollout permuted(const at::Tensor &order) const;
  /// Prompt and completion side by side: ids and attention mask [N, P + C].
  std::pair<at::Tensor, at::Tensor> joined() const;

  std::map<std::string, at::Tensor> tensors() const;
  static Rollout fromTensors(const std::map<std::string, at::Tensor> &tensors);
};

/// Pads rows of ids to one width, on the left or on the right: ids and mask [N, longest].
std::pair<at::Tensor, at::Tensor> padRows(const std::vector<std::vector<int64_t>> &rows, int64_t padId, bool left);

/// [N] bool: completions whose last token is one of `stopAndPadIds`.
at::Tensor terminated(const at::Tensor &ids, const at::Tensor &mask, const std::vector<int64_t> &stopAndPadIds);

/// Records completions/{mean,min,max}_length, completions/clipped_ratio and completions/*_terminated_length.
void recordLengths(const at::Tensor &completionMask, const at::Tensor &terminated, Metrics &metrics);

} // namespace maskjit::rl
