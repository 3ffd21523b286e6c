// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of queries by mma.sync: dq = scale ds k, summed over the key tiles that a query tile sees.
//
// Flow: Q and dO tiles -> shared memory, once; K and V tiles -> a ring; S = Q K^T and dP = dO V^T in registers, dS from
// both there; dQ += dS K with dS as register operand. Shared memory: Q | dO | K V of stage 0 | K V of stage 1.
#pragma once
#include "attention/backward.cuh"
#include "attention/forward.cuh"

namespace maskjit::device {

/// Products S and dP become dS in place of S; row_stats as backward_row_stats writes them.
template <bool kMasked, class Mask, int kM, int kColumns>
__device__ void score_gradients(float (&s)[kM][kColumns / 8][4], const float (&dp)[kM][kColumns / 8][4],
                                const QueryRows<Mask, kM> &rows, const float2 (&stats)[kM][2], int key) {
  const float unit = rows.unit_log2();
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int half = i / 2, column = key + 8 * n + lane_index() % 4 * 2 + i % 2;
        const float product = s[m][n][i];
        const float p = exp2_fast(fmaf(rows.score(product, m, half, column), unit, -stats[m][half].x));
        float ds = p * (dp[m][n][i] - stats[m][half].y);
        if constexpr (Mask::kHasScore)
          ds *= rows.mask.score_grad(product * rows.scale, rows.position[m][half], column);
        s[m][n][i] = kMasked && !rows.attends(m, half, column) ? 0.f : ds;
      }
}

template <class S, class T, int kGroup, class Mask>
__device__ void backward_dq(const AttentionArgs &args, const Param *params) {
  using Arch = typename S::Arch;
  constexpr int kHeadDim = S::kHeadDim, kTileQ = S::kTileQ, kTileK = S::kTileK, kThreads = S::kThreads;
  constexpr int kM = S::kRowsPerWarp / 16, kKeyBytes = 2 * kHeadDim * kTileK;
  constexpr int kPack = QueryTile<S, kGroup, Mask>::kPack;
  extern __shared__ __align__(128) char shared[];
  const SharedTile<kHeadDim> q_tile = {shared_address(shared)}, do_tile = {q_tile.base + 2 * kHeadDim * kTileQ};
  const u32 ring = do_tile.base + 2 * kHeadDim * kTileQ;

  const QueryTile<S, kGroup, Mask> at(args, blockIdx.y, gridDim.x - 1 - blockIdx.x);
  const Mask mask = Mask::at(params, at.batch, at.head);
  const int keys_end = key_count(args, at.batch), thread = threadIdx.x, warp_row = warp_index() * S::kRowsPerWarp;
  const KeyTiles<Mask, kTileK> tiles(mask, at.positions, keys_end);
  const PackedRows<1> k_rows(args.k, at.batch, at.kv_head), v_rows(args.v, at.batch, at.kv_head);

  auto k_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + 2 * stage * kKeyBytes}; };
  auto v_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + (2 * stage + 1) * kKeyBytes}; };
  auto load_keys = [&](int key, int stage) {
    if (key < tiles.keys.end) {
      load_tile<Arch, kHeadDim, kTileK, kThreads>(k_tile(stage), k_rows, key, tiles.keys, thread);
      load_tile<Arch, kHeadDim, kTileK, kThreads>(v_tile(stage), v_rows, key, tiles.keys, thread);
    }
    copy_commit<Arch>();
  };

  int key = tiles.first(), stage = 0;
  load_tile<Arch, kHeadDim, kTileQ, kThreads>(q_tile, PackedRows<kPack>(args.q, at.batch, at.head), at.row,
                                              {0, at.rows}, thread);
  load_tile<Arch, kHeadDim, kTileQ, kThreads>(do_tile, PackedRows<kPack>(args.dout, at.batch, at.head), at.row,
                                              {0, at.rows}, thread);
  load_keys(key, 0);

  QueryRows<Mask, kM> rows = {mask, args.scale, keys_end};
  rows.template place<kPack>(at.row + warp_row, at.rows);
  float2 stats[kM][2];
  float factor[kM][2];
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = min(at.row + warp_row + 16 * m + 8 * half + lane_index() / 4, at.rows - 1);
      stats[m][half] = reinterpret_cast<const float2 *>(args.row_stats)[at.stats(args, row)];
      factor[m][half] = args.scale;
    }
  float dq[kM][kHeadDim / 8][4];
  clear(dq);

  for (int next; key < tiles.keys.end; key = next) {
    next = tiles.next(key + kTileK);
    copy_wait<Arch, 0>();
    __syncthreads(); // this tile has come, and no warp reads the other buffer
    if constexpr (S::kStages == 2)
      load_keys(next, stage ^ 1);

    float s[kM][kTileK / 8][4], dp[kM][kTileK / 8][4];
    clear(s);
    clear(dp);
    multiply_transposed<Arch, T, kM, kTileK>(s, q_tile, warp_row, k_tile(stage));
    multiply_transposed<Arch, T, kM, kTileK>(dp, do_tile, warp_row, v_tile(stage));
    if (tiles.is_full(key))
      score_gradients<false, Mask, kM, kTileK>(s, dp, rows, stats, key);
    else
      score_gradients<true, Mask, kM, kTileK>(s, dp, rows, stats, key);
    u32 ds[kM][kTileK / 16][4];
    as_left<T, kM, kTileK>(ds, s);
    multiply<Arch, T, kM, kTileK, kHeadDim>(dq, ds, k_tile(stage), 0);

    if constexpr (S::kStages == 2) {
      stage ^= 1;
    } else {
      __syncthreads();
      load_keys(next, 0);
    }
  }
  copy_wait<Arch, 0>();
  __syncthreads();
  write_tile<T, kM, kHeadDim>(q_tile, warp_row, 0, dq, factor);
  __syncthreads();
  store_tile<kHeadDim, kTileQ, kThreads>(q_tile, PackedRows<kPack>(args.dq, at.batch, at.head), at.row, at.rows,
                                         thread);
}

} // namespace maskjit::device
