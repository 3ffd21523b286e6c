// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Few tokens, within the one launch: rows of an adapter's first factors are dealt out to teams of warps of all blocks.
#pragma once
#include "experts/adapter.cuh"
#include "hopper.cuh"

namespace maskjit::device {

constexpr int kLowWarps = 4; // that share a row of a first factor
/// Their shares of its products with the tokens of an expert.
template <class S> using LowShares = float[S::kWarps / kLowWarps][kLowWarps][8];

/// low[pair] = a x[pair] for all pairs, a row of one expert's factor kLowWarps warps; `read(pair, c)` gives features
/// 8c .. 8c + 7 of x in the order of pairs_of_eight. All consumer warps of the grid.
template <class S, class T, int kColumns, class Routed, class Read>
__device__ void make_low(const ExpertsAdapter &adapter, int rank, const Routed &experts, int warp, int lane,
                         LowShares<S> &shares, Read read) {
  constexpr int kTeams = S::kWarps / kLowWarps, kChunks = kColumns / 8, kEach = ceil_div(kChunks, kLowWarps * kWarp);
  constexpr int kFirstBarrier = 4; // those before it are the tiles'
  const int team = warp / kLowWarps, part = warp % kLowWarps, rows = experts.count() * rank;
  if (S::kWarps % kLowWarps != 0 && team >= kTeams)
    return; // warps that are no team
  for (int i = blockIdx.x + team * gridDim.x; i < rows; i += kTeams * gridDim.x) {
    const int expert = experts.nth(i / rank), row = i % rank;
    const u16 *const from = low_row(adapter, rank, expert, row, kColumns);
    uint4 factor[kEach];
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      const int c = (k * kLowWarps + part) * kWarp + lane;
      factor[k] = c < kChunks ? *reinterpret_cast<const uint4 *>(from + 8 * c) : make_uint4(0, 0, 0, 0);
    }
    const u32 routed = experts.pairs_of(expert);
    int n = 0;
    for (u32 pairs = routed; pairs; pairs &= pairs - 1, ++n) {
      float sum = 0.f;
#pragma unroll
      for (int k = 0; k < kEach; ++k) {
        const int c = (k * kLowWarps + part) * kWarp + lane;
        if (c < kChunks)
          sum += eight_products<T>(pairs_of_eight(factor[k]), read(__ffs(pairs) - 1, c));
      }
      sum = warp_sum(sum);
      if (lane == 0)
        shares[team][part][n] = sum;
    }
    named_sync(kFirstBarrier + team, kLowWarps * kWarp);
    if (part == 0 && routed >> lane & 1) { // a lane a pair
      const int at = __popc(routed & ((1u << lane) - 1));
      store_low<T>(adapter.low, lane * rank + row,
                   shares[team][0][at] + shares[team][1][at] + (shares[team][2][at] + shares[team][3][at]));
    }
    named_sync(kFirstBarrier + team, kLowWarps * kWarp); // the shares have been read
  }
}

/// Forgets the results of all pairs; a thread of `threads` a block each.
__device__ inline void clear_low(const ExpertsAdapter &adapter, int rank, int pairs, int threads) {
  const int i = blockIdx.x * threads + threadIdx.x; // two elements; a grid has more threads than there are
  if (i < pairs * rank / 2)
    static_cast<u32 *>(adapter.low)[i] = 0;
}

/// Brings the rows that make_low will read into the L2 cache.
template <class S, int kColumns, class Routed>
__device__ void fetch_low(const ExpertsAdapter &adapter, int rank, const Routed &experts, int warp, int lane) {
  constexpr int kTeams = S::kWarps / kLowWarps, kLine = 64; // elements of 128 bytes
  const int team = warp / kLowWarps, part = warp % kLowWarps, rows = experts.count() * rank;
  if (S::kWarps % kLowWarps != 0 && team >= kTeams)
    return;
  for (int i = blockIdx.x + team * gridDim.x; i < rows; i += kTeams * gridDim.x) {
    const u16 *const row = low_row(adapter, rank, experts.nth(i / rank), i % rank, kColumns);
    for (int at = (part * kWarp + lane) * kLine; at < kColumns; at += kLowWarps * kWarp * kLine)
      asm volatile("prefetch.global.L2 [%0];" ::"l"(row + at));
  }
}

/// The same of `rows` rows of the second factors from row `row`, by one thread.
__device__ inline void fetch_factor_rows(const ExpertsAdapter &adapter, int rank, long long row, int rows) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(static_cast<const u16 *>(adapter.b) + row * rank),
               "r"(rows * rank * 2)
               : "memory");
}

} // namespace maskjit::device
