// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Forward: out and lse of an item's rows by online softmax over key tiles (arXiv:1805.02867), started at the sink.
#pragma once
#include "compiler/device/cpu/Items.h"
#include "compiler/device/cpu/MatrixProduct.h"

namespace maskjit::cpu {

/// Of one row: maximum so far, and the sum of exp(score - maximum) by lane.
struct Softmax {
  float maximum;
  float sums[kLanes];
};

/// Replaces a row's scores by exp(score - maximum), and rescales what the row has summed if the maximum rises.
MASKJIT_INLINE void accumulateRow(Softmax &row, float *scores, float *out) {
  constexpr int64_t vecs = kKeyTile / kLanes;
  Vec v[vecs];
  for (int64_t j = 0; j < vecs; ++j)
    v[j] = load(scores + j * kLanes);
  float tile = horizontalMax(max(max(v[0], v[1]), max(v[2], v[3])));
  Vec sums = load(row.sums);
  if (tile > row.maximum) {
    float factor = exp(row.maximum - tile); // of -inf: 0, and what it scales is 0
    sums *= factor;
    for (int64_t d = 0; d < maskjit_head_dim(); d += kLanes)
      store(out + d, load(out + d) * factor);
    row.maximum = tile;
  }
  float base = row.maximum == -kInfinity ? 0.f : row.maximum; // nothing attended yet: all scores are -inf
  for (int64_t j = 0; j < vecs; ++j) {
    v[j] = exp(v[j] - base);
    store(scores + j * kLanes, v[j]);
  }
  store(row.sums, sums + ((v[0] + v[1]) + (v[2] + v[3])));
}

inline void forwardItem(const Attention &args, const Item &item) {
  const int64_t dim = maskjit_head_dim(), rows = item.rows(), count = keyCount(args, item.b);
  Scratch scratch{static_cast<char *>(args.scratch)};
  float *queries = scratch.take<float>(kItemRows * dim), *sums = scratch.take<float>(kItemRows * dim);
  float *values = scratch.take<float>(kKeyTile * dim), *keys = scratch.take<float>(kKeyTile * dim);
  float *keysT = scratch.take<float>(kKeyTile * dim), *scores = scratch.take<float>(kRowTile * kKeyTile);
  Softmax *state = scratch.take<Softmax>(kItemRows);
  Interval *intervals = scratch.take<Interval>(kItemRows);

  for (int64_t r = 0; r < rows; ++r) {
    copyRow(queries + r * dim, rowAt(args.q, item.b, item.head(r), item.query(r)));
    clearRow(sums + r * dim);
    float sink = args.sinks ? args.sinks[item.head(r)] : -kInfinity;
    state[r] = {sink, {sink == -kInfinity ? 0.f : 1.f}};
    if (mask_has_row() && count > 0)
      intervals[r] = clip(mask_row(args.params, item.b, item.head(r), item.query(r)), 0, count);
  }

  Interval all = count > 0 ? keysOf(args, item, count) : Interval{0, 0};
  for (int64_t k0 = all.begin & -kKeyTile; k0 < all.end; k0 += kKeyTile) {
    const int64_t low = max(k0, all.begin), high = min(k0 + kKeyTile, all.end);
    bool packed = false;
    for (int64_t r0 = 0; r0 < rows; r0 += kRowTile) {
      const int64_t r1 = min(r0 + kRowTile, rows);
      const int32_t tile = classifyRows(args, item, r0, r1, low, high);
      if (!(tile & kAny))
        continue;
      if (!packed) {
        packKeys(args, args.k, item.b, item.kvHead, k0, low, high, keys);
        transposeTile(keys, keysT);
        packKeys(args, args.v, item.b, item.kvHead, k0, low, high, values);
        packed = true;
      }
      product({queries + r0 * dim, dim, 1}, keysT, kKeyTile, scores, kKeyTile, r1 - r0, kKeyTile, dim, false);
      const bool test = !(tile & kAll) || high - low < kKeyTile;
      for (int64_t r = r0; r < r1; ++r) {
        float *row = scores + (r - r0) * kKeyTile;
        scoresOf(args, {item.b, item.head(r), item.query(r), k0, low, high, intervals[r], test}, row, row, nullptr);
        accumulateRow(state[r], row, sums + r * dim);
      }
      product({scores + (low - k0), kKeyTile, 1}, values + (low - k0) * dim, dim, sums + r0 * dim, dim, r1 - r0, dim,
              high - low, true);
    }
  }

  for (int64_t r = 0; r < rows; ++r) {
    const float sum = horizontalSum(load(state[r].sums)), inverse = sum > 0 ? 1 / sum : 0;
    char *out = rowAt(args.out, item.b, item.head(r), item.query(r));
    for (int64_t d = 0; d < dim; d += kLanes)
      storeElements(out + d * elementBytes(), load(sums + r * dim + d) * inverse);
    args.lse[item.rowIndex(args, r)] = state[r].maximum + log(sum);
  }
}

} // namespace maskjit::cpu
