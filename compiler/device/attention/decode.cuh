// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention for few queries: keys are split over blocks and again over the warps of a block, then merged.
//
// Flow: tiles of older keys -> rings, while the kernel before still runs; Q tile of 16 packed rows -> registers of
// every warp; each warp streams its own K and V tiles through its own ring and keeps its own softmax; warps merge in
// shared memory, in order; blocks merge in attention_decode_merge.
//
// The kernel before writes Q and the newest keys alone, and lets this one start only when it has waited itself: all
// else is there from the beginning. Shared memory: Q | rings of the warps, reused for the merge.
#pragma once
#include "attention/forward.cuh"
#include "dependents.cuh"

namespace maskjit::device {

/// Partial results of a row: its splits, and room for those of a prefix that it shares.
__device__ inline int split_stride(const AttentionArgs &args) { return args.splits + args.shared_splits; }

/// Asks for a tile's keys and values, for the L2 cache alone.
template <int kHeadDim, int kTileK>
__device__ void fetch_tile(const KeyRows &keys, const KeyRows &values, int first, int end, int lane) {
  constexpr int kLine = 64; // elements of 128 bytes
  for (int row = first + lane; row < min(first + kTileK, end); row += kWarp)
#pragma unroll
    for (int from = 0; from < kHeadDim; from += kLine) {
      asm volatile("prefetch.global.L2 [%0];" ::"l"(keys.at(row) + from));
      asm volatile("prefetch.global.L2 [%0];" ::"l"(values.at(row) + from));
    }
}
constexpr int kEarlyTiles = 4; // of a warp

/// One split of a sequence's keys from `first_key` on. Waits for the kernel before.
template <class S, class T, int kGroup, class Mask>
__device__ void attend_split(const AttentionArgs &args, const Param *params, int batch, int first_key) {
  using Arch = typename S::Arch;
  constexpr int kHeadDim = S::kHeadDim, kTileK = S::kTileK, kWarps = S::kWarps, kStages = S::kStages;
  constexpr int kKeyBytes = 2 * kHeadDim * kTileK, kPack = QueryTile<S, kGroup, Mask>::kPack;
  extern __shared__ __align__(128) char shared[];
  const SharedTile<kHeadDim> q_tile = {shared_address(shared)};
  const int warp = warp_index(), lane = lane_index(), thread = threadIdx.x;
  const u32 ring = q_tile.base + 2 * kHeadDim * S::kTileQ + warp * kStages * 2 * kKeyBytes;

  const int row_tiles = (args.len_q * kPack + S::kTileQ - 1) / S::kTileQ;
  const QueryTile<S, kGroup, Mask> at(args, blockIdx.y / row_tiles, blockIdx.y % row_tiles, batch);
  const Mask mask = Mask::at(params, at.batch, at.head);
  const int keys_end = key_count(args, at.batch), split = blockIdx.x, splits = gridDim.x;
  KeyTiles<Mask, kTileK> tiles(mask, at.positions, keys_end);
  tiles.keys.begin = max(tiles.keys.begin, first_key);
  {
    constexpr int kStep = kTileK * kWarps; // a block's share is whole steps of all its warps
    const int each = (max(tiles.keys.size(), 0) + splits - 1) / splits, share = (each + kStep - 1) / kStep * kStep;
    const long long begin = tiles.keys.begin + static_cast<long long>(split) * share;
    tiles.keys = tiles.keys.within(clamped(begin), clamped(begin + share));
  }
  if (args.sinks && thread < kPack)
    asm volatile("prefetch.global.L1 [%0];" ::"l"(args.sinks + at.head + thread));
  const KeyRows k_rows(args.k, args, at.batch, at.kv_head), v_rows(args.v, args, at.batch, at.kv_head);
  auto k_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + 2 * stage * kKeyBytes}; };
  auto v_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + (2 * stage + 1) * kKeyBytes}; };
  auto load = [&](int key, int stage) {
    if (key < tiles.keys.end) {
      load_tile<Arch, kHeadDim, kTileK, kWarp>(k_tile(stage), k_rows, key, tiles.keys, lane);
      load_tile<Arch, kHeadDim, kTileK, kWarp>(v_tile(stage), v_rows, key, tiles.keys, lane);
    }
    copy_commit<Arch>();
  };

  // Tiles of this warp: every kWarps-th. `ahead` is the next to load, kStages - 1 before the one in use.
  constexpr int kStride = kTileK * kWarps;
  int key = tiles.next(tiles.keys.begin + warp * kTileK, kStride), ahead = key;
  // Later kernels fill the memory's queues with what they read ahead: tiles that are not loaded now are in the cache.
  for (int i = 0, early = key; i < kEarlyTiles && early < tiles.keys.end;
       ++i, early = tiles.next(early + kStride, kStride))
    fetch_tile<kHeadDim, kTileK>(k_rows, v_rows, early, tiles.keys.end, lane);
  const int old_end = keys_end - args.len_q;
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) {
    if (ahead < tiles.keys.end && ahead + kTileK > old_end)
      wait_for_earlier();
    load(ahead, stage);
    ahead = tiles.next(ahead + kStride, kStride);
  }
  wait_for_earlier();
  load_tile<Arch, kHeadDim, S::kTileQ, S::kThreads>(q_tile, PackedRows<kPack>(args.q, at.batch, at.head), at.row,
                                                    {0, at.rows}, thread);
  copy_commit<Arch>();
  copy_wait<Arch, 0>();
  __syncthreads();                         // Q has come
  constexpr bool kKeepQ = kHeadDim <= 128; // in registers; more would not fit beside the output
  u32 q[kKeepQ ? kHeadDim / 16 : 1][4];
#pragma unroll
  for (int step = 0; kKeepQ && step < kHeadDim / 16; ++step)
    load_left(q[step], q_tile, 0, step);

  QueryRows<Mask, 1> rows = {mask, args.scale, keys_end};
  rows.template place<kPack>(at.row, at.rows);
  OnlineSoftmax<1> softmax;
  float out[1][kHeadDim / 8][4];
  clear(out);

  for (int stage = 0; key < tiles.keys.end; key = tiles.next(key + kStride, kStride)) {
    if constexpr (kStages == 1) {
      load(key, 0);
      copy_wait<Arch, 0>();
      __syncwarp();
    } else {
      copy_wait<Arch, kStages - 2>();
      __syncwarp(); // this tile has come, and no lane reads the one before it
      load(ahead, stage == 0 ? kStages - 1 : stage - 1);
      ahead = tiles.next(ahead + kStride, kStride);
    }
    float s[1][kTileK / 8][4], correction[1][2];
    clear(s);
    if constexpr (kKeepQ)
      multiply_transposed<Arch, T, kTileK>(s, q, k_tile(stage));
    else
      multiply_transposed<Arch, T, 1, kTileK>(s, q_tile, 0, k_tile(stage));
    if (tiles.is_full(key) && key + kTileK <= tiles.keys.end)
      softmax.template step<false, kTileK>(s, correction, rows, key);
    else
      softmax.template step<true, kTileK>(s, correction, rows, key);
    rescale(out, correction);
    u32 probabilities[1][kTileK / 16][4];
    as_left<T, 1, kTileK>(probabilities, s);
    multiply<Arch, T, 1, kTileK, kHeadDim>(out, probabilities, v_tile(stage), 0);
    if constexpr (kStages == 1)
      __syncwarp();
    else
      stage = stage + 1 == kStages ? 0 : stage + 1;
  }

  // Warps put their rows side by side, then every thread merges some of the columns of a row.
  copy_wait<Arch, 0>();
  __syncthreads(); // no ring is in use
  float *const merge = reinterpret_cast<float *>(shared + 2 * kHeadDim * S::kTileQ);
  float *const maxima = merge + kWarps * S::kTileQ * kHeadDim, *const sums = maxima + kWarps * S::kTileQ;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane / 4 + 8 * half, slot = warp * S::kTileQ + row;
    const float sum = quad_sum(softmax.sum[0][half]);
    if (lane % 4 == 0)
      maxima[slot] = softmax.maximum[0][half] * rows.unit_nats(), sums[slot] = sum;
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; ++n)
      *reinterpret_cast<float2 *>(merge + slot * kHeadDim + 8 * n + lane % 4 * 2) = {out[0][n][2 * half],
                                                                                     out[0][n][2 * half + 1]};
  }
  __syncthreads();
  const PackedRows<kPack> out_rows(args.out, at.batch, at.head);
  constexpr int kChunks = kHeadDim / 8;
  for (int i = thread; i < S::kTileQ * kChunks; i += S::kThreads) {
    const int row = i / kChunks, column = i % kChunks * 8, packed = at.row + row;
    if (packed >= at.rows)
      continue;
    float top = -kInfinity, sum = 0.f, value[8] = {};
    for (int w = 0; w < kWarps; ++w)
      top = fmaxf(top, maxima[w * S::kTileQ + row]);
    const float base = top == -kInfinity ? 0.f : top;
    for (int w = 0; w < kWarps; ++w) {
      const float weight = exp2_fast((maxima[w * S::kTileQ + row] - base) * kLog2e);
      sum += sums[w * S::kTileQ + row] * weight;
#pragma unroll
      for (int c = 0; c < 8; ++c)
        value[c] = fmaf(merge[(w * S::kTileQ + row) * kHeadDim + column + c], weight, value[c]);
    }
    const bool last = split_stride(args) == 1;
    const float sink = last && args.sinks ? args.sinks[at.head + packed % kPack] : -kInfinity;
    const RowEnd end(top, sum, sink);
    const long long stats = at.stats(args, packed);
    if (last) {
      u32 x[4];
#pragma unroll
      for (int c = 0; c < 4; ++c)
        x[c] = pack<T>(value[2 * c] * end.factor, value[2 * c + 1] * end.factor);
      write_chunk(out_rows.at(packed) + column, {x[0], x[1], x[2], x[3]}, out_rows.aligned);
      if (column == 0)
        args.lse[stats] = end.lse;
    } else {
      float4 *const to =
          reinterpret_cast<float4 *>(args.split_out + (stats * split_stride(args) + split) * kHeadDim + column);
      to[0] = {value[0] * end.factor, value[1] * end.factor, value[2] * end.factor, value[3] * end.factor};
      to[1] = {value[4] * end.factor, value[5] * end.factor, value[6] * end.factor, value[7] * end.factor};
      if (column == 0)
        args.split_lse[stats * split_stride(args) + split] = end.lse;
    }
  }
}

template <class S, class T, int kGroup, class Mask>
__device__ void attention_decode(const AttentionArgs &args, const Param *params) {
  start_dependents();
  attend_split<S, T, kGroup, Mask>(args, params, blockIdx.z, 0);
}

/// Joins the splits of each row, in order, and the sink: one warp a row.
template <class T, int kHeadDim> __device__ void attention_decode_merge(const AttentionArgs &args) {
  start_dependents();
  wait_for_earlier();
  const long long row = static_cast<long long>(blockIdx.x) * kMergeRows + warp_index();
  if (row >= static_cast<long long>(args.batch) * args.heads_q * args.len_q)
    return;
  const int lane = lane_index(), stride = split_stride(args), position = row % args.len_q;
  const int head = row / args.len_q % args.heads_q, batch = row / args.len_q / args.heads_q;
  const int splits = args.splits + (args.shared_splits > 0 && args.first_key[batch] > 0 ? args.shared_header[1] : 0);
  const float *const lse = args.split_lse + row * stride;
  float top = -kInfinity, sum = 0.f, value[kHeadDim / kWarp] = {};
  for (int i = lane; i < splits; i += kWarp)
    top = fmaxf(top, lse[i]);
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    top = fmaxf(top, __shfl_xor_sync(~0u, top, other));
  const float base = top == -kInfinity ? 0.f : top;
  for (int first = 0; first < splits; first += kWarp) {
    const int mine = first + lane, count = min(kWarp, splits - first);
    const float weight = mine < splits ? exp2_fast((lse[mine] - base) * kLog2e) : 0.f;
    sum += weight;
#pragma unroll 8
    for (int i = 0; i < count; ++i) {
      const float factor = __shfl_sync(~0u, weight, i);
      if (factor > 0.f) // a split without keys has written nothing
#pragma unroll
        for (int c = 0; c < kHeadDim / kWarp; ++c)
          value[c] = fmaf(args.split_out[(row * stride + first + i) * kHeadDim + c * kWarp + lane], factor, value[c]);
    }
  }
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    sum += __shfl_xor_sync(~0u, sum, other);
  const RowEnd end(top, sum, args.sinks ? args.sinks[head] : -kInfinity);
  u16 *const out = PackedRows<1>(args.out, batch, head).at(position);
#pragma unroll
  for (int c = 0; c < kHeadDim / kWarp; ++c)
    out[c * kWarp + lane] = static_cast<u16>(pack<T>(value[c] * end.factor, 0.f));
  if (lane == 0)
    args.lse[row] = end.lse;
}

} // namespace maskjit::device
