// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From products to probabilities: which elements of a tile exist, their scores, and the softmax over passing key tiles.
#pragma once
#include "attention/tiles.cuh"

namespace maskjit::device {

/// The key tiles that a tile of queries sees, ascending, from its first key on: unaligned, a window fits fewer so.
template <class Mask, int kTileK> struct KeyTiles {
  const Mask &mask;
  Range queries, keys, full;
  __device__ KeyTiles(const Mask &mask, Range queries, int key_count)
      : mask(mask), queries(queries), keys(mask.keys(queries).within(0, key_count)),
        full(mask.full_keys(queries).within(0, key_count)) {}
  __device__ int first() const { return next(keys.begin); }
  /// The first tile at or after `key`, a multiple of kTileK from the first, that is not known to be empty.
  __device__ int next(int key, int step = kTileK) const {
    if constexpr (!Mask::kIntervals) // with one interval a row there is no hole to skip
      while (key < keys.end && mask.classify(queries, {key, key + kTileK}) == kEmpty)
        key += step;
    return key;
  }
  __device__ bool is_full(int key) const {
    const Range tile = {key, key + kTileK};
    if (full.contains(tile))
      return true;
    if constexpr (Mask::kIntervals)
      return false;
    else
      return tile.end <= keys.end && mask.classify(queries, tile) == kFull;
  }
};

/// What the mask says of the rows of a query tile that this thread holds: rows (g, g + 8) of each 16.
template <class Mask, int kM> struct QueryRows {
  const Mask &mask;
  float scale;
  int key_count;
  int position[kM][2];
  Range attended[kM][2]; // the row's keys, if kIntervals

  /// `row`: the first packed row of this warp; rows past `rows` take the last one's position.
  template <int kPack> __device__ void place(int row, int rows) {
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        position[m][half] = min(row + 16 * m + 8 * half + lane_index() / 4, rows - 1) / kPack;
        if constexpr (Mask::kIntervals)
          attended[m][half] = mask.row(position[m][half]).within(0, key_count);
      }
  }
  __device__ bool attends(int m, int half, int key) const {
    if constexpr (Mask::kIntervals)
      return key >= attended[m][half].begin && key < attended[m][half].end;
    else
      return key < key_count && mask.attends(position[m][half], key);
  }
  /// In the unit of unit_log2(): nats if the mask scores, else as the product left it.
  __device__ float score(float s, int m, int half, int key) const {
    if constexpr (Mask::kHasScore)
      return mask.score(s * scale, position[m][half], key);
    else
      return s;
  }
  __device__ float unit_nats() const { return Mask::kHasScore ? 1.f : scale; }
  __device__ float unit_log2() const { return unit_nats() * kLog2e; }
};

/// Maximum and sum of each row so far. The sum is this thread's share; four threads hold a row.
template <int kM> struct OnlineSoftmax {
  float maximum[kM][2], sum[kM][2];

  __device__ OnlineSoftmax() {
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        maximum[m][half] = -kInfinity, sum[m][half] = 0.f;
  }
  /// Products of the tile at `key` become probabilities in place; `correction` is the factor for what was summed
  /// before.
  template <bool kMasked, int kColumns, class Rows>
  __device__ void step(float (&s)[kM][kColumns / 8][4], float (&correction)[kM][2], const Rows &rows, int key) {
    const float unit = rows.unit_log2();
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = maximum[m][half];
#pragma unroll
        for (int i = 0; i < kColumns / 4; ++i) {
          float &x = s[m][i / 2][2 * half + i % 2];
          const int column = key + i / 2 * 8 + lane_index() % 4 * 2 + i % 2;
          x = rows.score(x, m, half, column);
          if (kMasked)
            x = rows.attends(m, half, column) ? x : -kInfinity;
          top = fmaxf(top, x);
        }
        top = quad_max(top);
        const float base = top == -kInfinity ? 0.f : top * unit;
        correction[m][half] = exp2_fast(fmaf(maximum[m][half], unit, -base));
        maximum[m][half] = top;
        float total = sum[m][half] * correction[m][half];
#pragma unroll
        for (int i = 0; i < kColumns / 4; ++i) {
          float &x = s[m][i / 2][2 * half + i % 2];
          x = exp2_fast(fmaf(x, unit, -base));
          total += x;
        }
        sum[m][half] = total;
      }
  }
};

template <int kM, int kColumns> __device__ void rescale(float (&d)[kM][kColumns][4], const float (&factor)[kM][2]) {
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        d[m][n][i] *= factor[m][i / 2];
}

/// A finished row: the sink joins, as one more key of that score and value 0.
struct RowEnd {
  float lse;    // nats
  float factor; // of the row's sum of values
  /// `maximum` in nats, `sum` relative to it, `sink` -inf if there is none.
  __device__ RowEnd(float maximum, float sum, float sink) {
    const float top = fmaxf(maximum, sink), base = top == -kInfinity ? 0.f : top;
    const float shrink = exp2_fast((maximum - base) * kLog2e);
    const float total = sum * shrink + exp2_fast((sink - base) * kLog2e);
    factor = total > 0.f ? shrink / total : 0.f;
    lse = total > 0.f ? base + logf(total) : -kInfinity;
  }
};

} // namespace maskjit::device
