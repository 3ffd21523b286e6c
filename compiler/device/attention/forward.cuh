// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention forward by mma.sync: out = softmax(scale q k^T, sinks) v over the pairs a mask attends, with log-sum-exp.
//
// Flow: Q tile -> shared memory, once; K and V tiles -> a ring in shared memory; S = Q K^T in registers; softmax there;
// O += P V with P as register operand; O through Q's buffer to global memory. A warp owns 16 or 32 rows of the tile.
// Shared memory: Q | K V of stage 0 | K V of stage 1.
#pragma once
#include "attention/scores.cuh"
#include "schedules.h"

namespace maskjit::device {

/// The tile of query rows that a block works on: packed rows of kPack heads of one key head.
template <class S, int kGroup, class Mask> struct QueryTile {
  static constexpr int kPack = Mask::kUsesHead ? 1 : kGroup;
  int batch, head, kv_head, rows, row; // first head, number of packed rows, first of the tile
  Range positions;
  __device__ QueryTile(const AttentionArgs &args, int unit, int tile, int batch = blockIdx.z)
      : batch(batch), head(unit * kPack), kv_head(unit * kPack / kGroup), rows(args.len_q * kPack),
        row(tile * S::kTileQ) {
    positions = {row / kPack, min(row + S::kTileQ, rows) / kPack};
    if (positions.end * kPack < min(row + S::kTileQ, rows))
      ++positions.end;
  }
  /// Where a row's statistics lie in [B, Hq, Sq].
  __device__ long long stats(const AttentionArgs &args, int packed_row) const {
    return (static_cast<long long>(batch) * args.heads_q + head + packed_row % kPack) * args.len_q + packed_row / kPack;
  }
};

template <class S, class T, int kGroup, class Mask>
__device__ void attention_forward(const AttentionArgs &args, const Param *params) {
  using Arch = typename S::Arch;
  constexpr int kHeadDim = S::kHeadDim, kTileQ = S::kTileQ, kTileK = S::kTileK, kThreads = S::kThreads;
  constexpr int kM = S::kRowsPerWarp / 16, kKeyBytes = 2 * kHeadDim * kTileK;
  constexpr int kPack = QueryTile<S, kGroup, Mask>::kPack;
  extern __shared__ __align__(128) char shared[];
  const SharedTile<kHeadDim> q_tile = {shared_address(shared)};
  const u32 ring = q_tile.base + 2 * kHeadDim * kTileQ;

  // The last tiles first: under causal masks they are the longest.
  const QueryTile<S, kGroup, Mask> at(args, blockIdx.y, gridDim.x - 1 - blockIdx.x);
  const Mask mask = Mask::at(params, at.batch, at.head);
  const int keys_end = key_count(args, at.batch), thread = threadIdx.x, warp_row = warp_index() * S::kRowsPerWarp;
  const KeyTiles<Mask, kTileK> tiles(mask, at.positions, keys_end);
  const PackedRows<kPack> q_rows(args.q, at.batch, at.head);
  const KeyRows k_rows(args.k, args, at.batch, at.kv_head), v_rows(args.v, args, at.batch, at.kv_head);

  auto k_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + 2 * stage * kKeyBytes}; };
  auto v_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + (2 * stage + 1) * kKeyBytes}; };
  auto load_k = [&](int key, int stage) {
    if (key < tiles.keys.end)
      load_tile<Arch, kHeadDim, kTileK, kThreads>(k_tile(stage), k_rows, key, tiles.keys, thread);
  };
  auto load_v = [&](int key, int stage) {
    if (key < tiles.keys.end)
      load_tile<Arch, kHeadDim, kTileK, kThreads>(v_tile(stage), v_rows, key, tiles.keys, thread);
  };

  int key = tiles.first(), stage = 0;
  load_tile<Arch, kHeadDim, kTileQ, kThreads>(q_tile, q_rows, at.row, {0, at.rows}, thread);
  load_k(key, 0);
  if (S::kStages == 2)
    load_v(key, 0);
  copy_commit<Arch>();

  QueryRows<Mask, kM> rows = {mask, args.scale, keys_end};
  rows.template place<kPack>(at.row + warp_row, at.rows);
  OnlineSoftmax<kM> softmax;
  float out[kM][kHeadDim / 8][4];
  clear(out);

  for (int next; key < tiles.keys.end; key = next) {
    next = tiles.next(key + kTileK);
    copy_wait<Arch, 0>();
    __syncthreads(); // this tile's keys have come, and no warp reads the buffer that is filled now
    if constexpr (S::kStages == 2) {
      load_k(next, stage ^ 1);
      load_v(next, stage ^ 1);
    } else {
      load_v(key, 0);
    }
    copy_commit<Arch>();

    float s[kM][kTileK / 8][4], correction[kM][2];
    clear(s);
    multiply_transposed<Arch, T, kM, kTileK>(s, q_tile, warp_row, k_tile(stage));
    if (tiles.is_full(key))
      softmax.template step<false, kTileK>(s, correction, rows, key);
    else
      softmax.template step<true, kTileK>(s, correction, rows, key);
    rescale(out, correction);
    u32 probabilities[kM][kTileK / 16][4];
    as_left<T, kM, kTileK>(probabilities, s);

    if constexpr (S::kStages == 1) {
      copy_wait<Arch, 0>();
      __syncthreads(); // the values have come, and no warp reads the keys any more
      load_k(next, 0);
      copy_commit<Arch>();
    }
    multiply<Arch, T, kM, kTileK, kHeadDim>(out, probabilities, v_tile(stage), 0);
    if constexpr (S::kStages == 2)
      stage ^= 1;
  }

  float factor[kM][2];
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = at.row + warp_row + 16 * m + 8 * half + lane_index() / 4;
      const bool exists = row < at.rows;
      const float sink = args.sinks && exists ? args.sinks[at.head + row % kPack] : -kInfinity;
      const RowEnd end(softmax.maximum[m][half] * rows.unit_nats(), quad_sum(softmax.sum[m][half]), sink);
      factor[m][half] = end.factor;
      if (exists && lane_index() % 4 == 0)
        args.lse[at.stats(args, row)] = end.lse;
    }
  copy_wait<Arch, 0>();
  __syncthreads(); // Q's buffer is free, even if there was no key
  write_tile<T, kM, kHeadDim>(q_tile, warp_row, 0, out, factor);
  __syncthreads();
  store_tile<kHeadDim, kTileQ, kThreads>(q_tile, PackedRows<kPack>(args.out, at.batch, at.head), at.row, at.rows,
                                         thread);
}

} // namespace maskjit::device
