// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a low-rank adapter adds to the products of experts. Many tokens: kernels between the products make the first
// factors' results, and the second factors are multiplied on top of a tile's sums.
#pragma once
#include "dependents.cuh"
#include "experts_args.h"
#include "experts_schedules.h"
#include "fourbit.cuh"
#include "linear/adapter.cuh"

namespace maskjit::device {

/// The sum of eight products, both factors in the same order.
template <class T> __device__ float eight_products(uint4 factor, uint4 x) {
  const u32 a[4] = {factor.x, factor.y, factor.z, factor.w}, b[4] = {x.x, x.y, x.z, x.w};
  float sum = 0.f;
#pragma unroll
  for (int k = 0; k < 4; ++k)
    sum += low_half<T>(a[k]) * low_half<T>(b[k]) + high_half<T>(a[k]) * high_half<T>(b[k]);
  return sum;
}
/// Over the lanes, in a fixed order; all get it.
__device__ inline float warp_sum(float x) {
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    x += __shfl_xor_sync(~0u, x, other);
  return x;
}

/// One row of a first factor times activations, by a warp: `read(c)` gives features 8c .. 8c + 7 in the order of
/// pairs_of_eight. kTogether loads are asked for at a time.
template <class T, int kColumns, int kTogether, class Read>
__device__ float low_product(const u16 *row, Read read, int lane) {
  constexpr int kChunks = kColumns / 8;
  float sum = 0.f;
#pragma unroll kTogether
  for (int c = lane; c < kChunks; c += kWarp)
    sum += eight_products<T>(pairs_of_eight(*reinterpret_cast<const uint4 *>(row + 8 * c)), read(c));
  return warp_sum(sum);
}

/// Row `row` of expert `expert`'s first factor.
__device__ inline const u16 *low_row(const ExpertsAdapter &adapter, int rank, int expert, int row, int columns) {
  return static_cast<const u16 *>(adapter.a) + (static_cast<long long>(expert) * rank + row) * columns;
}
/// Elements slice + 4t .. slice + 4t + 3 of row `row` of all second factors, one expert's rows after the other's.
__device__ inline uint2 factor_slice(const ExpertsAdapter &adapter, int rank, long long row, int slice, int t) {
  return read_factor(static_cast<const u16 *>(adapter.b) + row * rank + slice + 4 * t);
}
/// The same of row `row` of the first factors' results, as they are stored.
__device__ inline uint2 low_slice(const ExpertsAdapter &adapter, int rank, int row, int slice, int t) {
  return read_low(static_cast<const u16 *>(adapter.low) + static_cast<long long>(row) * rank + slice + 4 * t);
}

/// low[pair] = a x[token of the pair], x in natural order; warps first .. of the grid.
template <class Shape, class T> __device__ void low_of_tokens(const ExpertsArgs &a, int first_block) {
  constexpr int kWarps = kRouteThreads / kWarp;
  const ExpertsAdapter &adapter = a.gate_up_adapter;
  const int lane = lane_index(), rank = a.adapter_rank, units = a.tokens * Shape::kTopK * rank;
  for (int i = blockIdx.x - first_block + warp_index() * (gridDim.x - first_block); i < units;
       i += kWarps * (gridDim.x - first_block)) {
    const int pair = i / rank, row = i % rank, expert = a.experts[pair];
    if (expert < 0)
      continue;
    const uint4 *const x =
        static_cast<const uint4 *>(a.x) + static_cast<long long>(pair / Shape::kTopK) * (Shape::kHidden / 8);
    const float sum = low_product<T, Shape::kHidden, 4>(
        low_row(adapter, rank, expert, row, Shape::kHidden), [&](int c) { return pairs_of_eight(x[c]); }, lane);
    if (lane == 0)
      store_low<T>(adapter.low, static_cast<long long>(pair) * rank + row, sum);
  }
}

/// low[p] = a h[p] of the sorted pairs, h in pair order. A block a pair, kLowThreads threads, grid = pairs.
template <class Shape, class T> __device__ void experts_low(const ExpertsArgs &a) {
  start_dependents();
  wait_for_earlier();
  const ExpertPlan &plan = *a.plan;
  const int p = blockIdx.x, lane = lane_index(), rank = a.adapter_rank;
  if (plan.tiles == 0 || p >= plan.tile[plan.tiles - 1].first + plan.tile[plan.tiles - 1].count)
    return; // pairs without an expert are not sorted
  const int expert = a.experts[a.sorted[p]];
  const u32 *const h = static_cast<const u32 *>(a.h) + static_cast<long long>(p) * (Shape::kIntermediate / 2);
  for (int row = warp_index(); row < rank; row += kLowThreads / kWarp) {
    const float sum = low_product<T, Shape::kIntermediate, 12>(
        low_row(a.down_adapter, rank, expert, row, Shape::kIntermediate),
        [&](int c) { // word c % 4 of each 16 bytes of its 32 features
          const u32 *const from = h + c / 4 * 16 + c % 4;
          return make_uint4(from[0], from[4], from[8], from[12]);
        },
        lane);
    if (lane == 0)
      store_low<T>(a.down_adapter.low, static_cast<long long>(p) * rank + row, sum);
  }
}

/// Brings what add_adapter will read of the second factors into the L2 cache.
template <class S, class WeightRow>
__device__ void fetch_factor(const ExpertsAdapter &adapter, int rank, long long first_row, int rows,
                             WeightRow weight_row) {
  if constexpr (S::kTokens > 64)
    return; // all registers are taken
  const int lane = lane_index();
#pragma unroll
  for (int m = 0; m < S::kRowTiles; ++m) {
    const int row = min(weight_row((warp_index() * S::kRowTiles + m) * 16 + lane % 16), rows - 1);
    if (lane < 16)
      asm volatile("prefetch.global.L2 [%0];" ::"l"(static_cast<const u16 *>(adapter.b) + (first_row + row) * rank));
  }
}

/// acc += b times the first factor's results, for a tile as experts_product leaves it: `weight_row(r)` as there,
/// `low(n)` the row of the results that is token n's.
template <class S, class T, class WeightRow, class Low>
__device__ void add_adapter(float (&acc)[S::kRowTiles][S::kTokens / 8][4], const ExpertsAdapter &adapter, int rank,
                            long long first_row, int rows, int tokens, WeightRow weight_row, Low low) {
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  for (int slice = 0; slice < rank; slice += kRankSlice) {
    uint2 b[S::kRowTiles][2];
#pragma unroll
    for (int m = 0; m < S::kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = min(weight_row((warp * S::kRowTiles + m) * 16 + 8 * half + g), rows - 1);
        b[m][half] = factor_slice(adapter, rank, first_row + row, slice, t);
      }
#pragma unroll
    for (int j = 0; j < S::kTokens / 8; ++j) {
      if (8 * j >= tokens)
        break;
      const int n = 8 * j + g;
      // Of a launch before: plain loads go together, if there are registers.
      uint2 x = {kLowZero, kLowZero};
      if (n < tokens)
        x = S::kTokens > 64 ? low_slice(adapter, rank, low(n), slice, t)
                            : *reinterpret_cast<const uint2 *>(static_cast<const u16 *>(adapter.low) +
                                                               static_cast<long long>(low(n)) * rank + slice + 4 * t);
#pragma unroll
      for (int m = 0; m < S::kRowTiles; ++m)
        add_slice<typename S::Arch, T>(acc[m][j], b[m][0], b[m][1], x);
    }
  }
}

} // namespace maskjit::device
