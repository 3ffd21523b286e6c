// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which mask a layer runs, with which parameters, in training, prefill, decode and packed rows.
#include "model/SelfAttention.h"
#include "model/RowProducts.h"
#include "runtime/torch/Attention.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>

namespace maskjit {

at::Tensor project(const at::Tensor &x, const Matrix &weight, const at::Tensor &bias, const LoraPair *lora,
                   double scaling) {
  const at::Tensor y = multiplyRows(x, weight, bias);
  if (!lora)
    return y;
  const at::ScalarType dtype = x.scalar_type();
  return at::add(y, multiplyRows(multiplyRows(x, lora->a.to(dtype)), lora->b.to(dtype)), scaling);
}

AttentionPlan::AttentionPlan(const Rows &rows, const Rope &rope, const Config &config, at::Device device,
                             KvCache *cache)
    : rows(rows), config(config), cache(cache), angles(rope.angles(rows.positions)) {
  const at::Tensor window = at::full({}, config.slidingWindow, at::TensorOptions(at::kInt).device(device));
  if (rows.documents.defined()) {
    fullMask = "packed_documents", slidingMask = "packed_window";
    fullParams = {rows.documents}, slidingParams = {window, rows.documents};
    return;
  }
  // Rows hold no left padding, and what stands past their end is behind every real query.
  fullMask = kFullMask, slidingMask = kSlidingMask;
  slidingParams = {window};
  if (!cache)
    return;
  // On Hopper the kernel that reads no pages is twice as fast. A prompt's first tokens have their keys at hand; for its
  // later ones a layer's are copied, as long as that takes little memory.
  fresh = device.is_cuda() && rows.mostCached == 0;
  constexpr int64_t kFewTokens = 64, kMostKeys = 32768; // 64 MiB of keys and values of gpt-oss
  const int64_t size = cache->pageSize(), total = rows.mostCached + rows.added[0],
                first = std::max<int64_t>(0, rows.mostCached - config.slidingWindow + 1) / size * size;
  const bool copies =
      device.is_cuda() && !fresh && rows.added.size() == 1 && rows.added[0] > kFewTokens && total <= kMostKeys;
  if (!fresh)
    fullParams = {rows.cached}, slidingParams = {window, copies ? rows.cached - first : rows.cached};
  lengths = rows.cached + rows.lengths;
  for (int64_t layer = 0; layer < config.layers; ++layer)
    if (Places &places = config.sliding[layer] ? slidingPlaces : fullPlaces; !places.pageTable.defined())
      places = placesOf(cache->pageTable(layer));
  if (copies)
    fullKeys = gathered(fullPlaces.pageTable, 0), slidingKeys = gathered(slidingPlaces.pageTable, first);
}

AttentionPlan::Gathered AttentionPlan::gathered(const at::Tensor &pageTable, int64_t first) const {
  if (!pageTable.defined()) // no layer of this kind
    return {};
  const int64_t size = cache->pageSize(), end = rows.mostCached + rows.added[0];
  // A ring's first page may hold newer tokens in place of those that no query sees any more: the mask leaves them out.
  return {pageTable[0].slice(0, first / size, (end + size - 1) / size).to(at::kLong), end - first};
}

AttentionPlan::Places AttentionPlan::placesOf(const at::Tensor &pageTable) const {
  const at::Tensor table = rows.ofSlots(pageTable);
  return {table, cache->locate(table, rows.sequences, rows.places)};
}

at::Tensor AttentionPlan::attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, int64_t layer,
                                 const at::Tensor &sinks) const {
  const std::string &mask = config.sliding[layer] ? slidingMask : fullMask;
  const std::vector<at::Tensor> &params = config.sliding[layer] ? slidingParams : fullParams;
  if (!cache)
    return std::get<0>(attention(rows.align(q), rows.align(k), rows.align(v), sinks, mask, params));
  const Places &places = config.sliding[layer] ? slidingPlaces : fullPlaces;
  cache->write(layer, k, v, places.fresh);
  if (fresh)
    return std::get<0>(attention(rows.align(q), rows.align(k), rows.align(v), sinks, mask, params));
  if (const Gathered &keys = config.sliding[layer] ? slidingKeys : fullKeys; keys.pages.defined()) {
    const auto take = [&](const at::Tensor &pages) { // [pages, Hkv, size, D] -> [1, Hkv, keys, D]
      return pages.transpose(0, 1).index_select(1, keys.pages).flatten(1, 2).narrow(1, 0, keys.length).unsqueeze(0);
    };
    return std::get<0>(attention(rows.align(q), take(cache->k[layer]), take(cache->v[layer]), sinks, mask, params));
  }
  return std::get<0>(attention_cached(rows.align(q), cache->k[layer], cache->v[layer], places.pageTable, lengths, sinks,
                                      mask, params));
}

at::Tensor AttentionPlan::run(const at::Tensor &x, int64_t layer, const LayerWeights &weights, const Lora *lora) const {
  const auto factors = [&](const char *target) { return lora ? lora->find(layer, target) : nullptr; };
  const double scaling = lora ? lora->scaling() : 0;
  const int64_t n = x.size(0), dim = config.headDim;
  const at::Tensor q = project(x, weights.qWeight, weights.qBias, factors("q_proj"), scaling);
  const at::Tensor k = project(x, weights.kWeight, weights.kBias, factors("k_proj"), scaling);
  const at::Tensor v = project(x, weights.vWeight, weights.vBias, factors("v_proj"), scaling);
  const auto [turnedQ, turnedK] = rotate(q.view({n, config.headsQ, dim}), k.view({n, config.headsKv, dim}), angles);
  const at::Tensor out = attend(turnedQ, turnedK, v.view({n, config.headsKv, dim}), layer, weights.sinks);
  return project(rows.flatten(out), weights.oWeight, weights.oBias, factors("o_proj"), scaling);
}

void AttentionPlan::finish(const Batch &batch) const {
  if (!cache)
    return;
  rows.toSlots(cache->length, lengths);
  for (size_t row = 0; row < rows.added.size(); ++row)
    cache->advance(batch.slots.empty() ? int64_t(row) : batch.slots[row], rows.added[row]);
}

} // namespace maskjit
