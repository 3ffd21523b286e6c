// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attention half of a layer: projections, rope, the compiled kernel of the layer's mask, output projection.
#pragma once
#include "model/Rope.h"
#include "model/Rows.h"
#include "model/Weights.h"

namespace maskjit {

/// The masks of both kinds of layers: gpt_oss_full(q_offset, left_pad, kv_len), gpt_oss_sliding(window, q_offset,
/// left_pad, kv_len).
inline constexpr const char *kFullMask = "gpt_oss_full", *kSlidingMask = "gpt_oss_sliding";

/// What all layers of one forward pass share.
class AttentionPlan {
public:
  AttentionPlan(const Rows &rows, const Rope &rope, const Config &config, at::Device device, KvCache *cache);

  /// x [N, hidden], normalised -> [N, hidden]. With a cache the layer's keys and values are appended to it.
  at::Tensor run(const at::Tensor &x, int64_t layer, const LayerWeights &weights, const Lora *lora) const;
  /// Counts the tokens that all layers have appended.
  void finish(const Batch &batch) const;

private:
  /// Where the layers of one kind have their keys.
  struct Places {
    at::Tensor pageTable;
    std::pair<at::Tensor, at::Tensor> fresh; // of the new tokens
  };
  /// The keys that a later piece of one prompt sees, taken out of their pages.
  struct Gathered {
    at::Tensor pages;   // undefined: keys are read where they are
    int64_t length = 0; // keys
  };
  Places placesOf(const at::Tensor &pageTable) const;
  Gathered gathered(const at::Tensor &pageTable, int64_t first) const;
  at::Tensor attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, int64_t layer,
                    const at::Tensor &sinks) const;

  const Rows &rows;
  const Config &config;
  KvCache *cache;
  RopeAngles angles;
  std::string fullMask, slidingMask;
  std::vector<at::Tensor> fullParams, slidingParams;
  at::Tensor lengths; // [B] keys in the cache, the new ones counted
  Places fullPlaces, slidingPlaces;
  bool fresh = false; // there is a cache, and nothing is in it yet
  Gathered fullKeys, slidingKeys;
};

/// x W^T + b, and scaling * x A^T B^T where there are factors.
at::Tensor project(const at::Tensor &x, const Matrix &weight, const at::Tensor &bias, const LoraPair *lora,
                   double scaling);

} // namespace maskjit
