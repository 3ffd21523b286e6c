// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradients of keys and values by mma.sync: dv = p^T do and dk = scale ds^T q, summed over all queries of all query
// heads of a key head by one block a key tile, in a fixed order and without atomics.
//
// Everything is transposed, rows are keys: S^T = K Q^T and dP^T = V dO^T in registers, P^T and dS^T from them as
// register operands of dV += P^T dO and dK += dS^T Q. Shared memory: K | V | (Q dO stats) of stage 0 | the same of
// stage 1.
#pragma once
#include "attention/backward.cuh"
#include "attention/forward.cuh"

namespace maskjit::device {

/// The query tiles that a tile of keys sees: for each head unit, ascending.
template <class S, class Mask, int kPack> struct QueryTiles {
  const Mask &mask;
  Range keys, queries, full;
  __device__ QueryTiles(const Mask &mask, Range keys, int len_q)
      : mask(mask), keys(keys), queries(nothing()), full(nothing()) {
    if (keys.empty()) // past kv_len
      return;
    queries = mask.queries(keys).within(0, len_q);
    full = mask.full_queries(keys).within(0, len_q);
  }
  /// Packed rows; the positions of a tile of them.
  __device__ int end() const { return queries.end * kPack; }
  __device__ Range positions(int row) const { return {row / kPack, (row + S::kTileQ - 1) / kPack + 1}; }
  __device__ int first() const { return next(queries.begin * kPack); }
  __device__ int next(int row) const {
    if constexpr (!Mask::kColumnIntervals)
      while (row < end() && mask.classify(positions(row), keys) == kEmpty)
        row += S::kTileQ;
    return row;
  }
  __device__ bool is_full(int row) const {
    if (keys.size() < S::kTileK || row + S::kTileQ > end())
      return false; // zeros past the end must not count where a score makes something of them
    const Range q = positions(row);
    if (full.contains(q))
      return true;
    if constexpr (Mask::kColumnIntervals)
      return false;
    else
      return mask.classify(q, keys) == kFull;
  }
};

/// What the mask says of the keys that this thread holds: rows (g, g + 8) of each 16.
template <class Mask, int kM, int kPack> struct KeyLines {
  const Mask &mask;
  float scale;
  int end; // of the packed rows
  int key[kM][2];
  Range attended[kM][2]; // packed rows: those of the key's queries if kColumnIntervals, else all

  __device__ void place(int first, int keys_end) {
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        key[m][half] = first + 16 * m + 8 * half + lane_index() / 4;
        Range queries = {0, end / kPack};
        if constexpr (Mask::kColumnIntervals)
          queries = mask.column(key[m][half]).within(0, end / kPack);
        attended[m][half] = key[m][half] < keys_end ? Range{queries.begin * kPack, queries.end * kPack} : nothing();
      }
  }
  __device__ bool attends(int m, int half, int row) const {
    const bool inside = row >= attended[m][half].begin && row < attended[m][half].end;
    if constexpr (Mask::kColumnIntervals)
      return inside;
    else
      return inside && mask.attends(row / kPack, key[m][half]);
  }
  /// Products S^T and dP^T become P^T and dS^T in place. `stats`: (lse, row sum) of each query of the tile at `row`.
  template <bool kMasked, int kColumns>
  __device__ void gradients(float (&s)[kM][kColumns / 8][4], float (&dp)[kM][kColumns / 8][4], u32 stats,
                            int row) const {
    const float unit_log2 = (Mask::kHasScore ? 1.f : scale) * kLog2e;
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
      const int column = 8 * n + lane_index() % 4 * 2;
      const uint4 pair = shared_read(stats + 8 * column); // of two neighbouring queries
      const float lse[2] = {__int_as_float(pair.x), __int_as_float(pair.z)};
      const float sum[2] = {__int_as_float(pair.y), __int_as_float(pair.w)};
#pragma unroll
      for (int m = 0; m < kM; ++m)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int half = i / 2, packed = row + column + i % 2;
          const float product = s[m][n][i];
          float score = product, slope = 1.f;
          if constexpr (Mask::kHasScore) {
            score = mask.score(product * scale, packed / kPack, key[m][half]);
            slope = mask.score_grad(product * scale, packed / kPack, key[m][half]);
          }
          const float p = exp2_fast(fmaf(score, unit_log2, -lse[i % 2]));
          const float ds = p * (dp[m][n][i] - sum[i % 2]) * slope;
          const bool exists = !kMasked || attends(m, half, packed);
          s[m][n][i] = exists ? p : 0.f;
          dp[m][n][i] = exists ? ds : 0.f;
        }
    }
  }
};

template <class S, class T, int kGroup, class Mask>
__device__ void backward_dkdv(const AttentionArgs &args, const Param *params) {
  using Arch = typename S::Arch;
  constexpr int kHeadDim = S::kHeadDim, kTileQ = S::kTileQ, kTileK = S::kTileK, kThreads = S::kThreads;
  constexpr int kM = S::kRowsPerWarp / 16, kQueryBytes = 2 * kHeadDim * kTileQ;
  constexpr int kPack = Mask::kUsesHead ? 1 : kGroup, kColumns = kHeadDim / S::kSplitD;
  extern __shared__ __align__(128) char shared[];
  const SharedTile<kHeadDim> k_tile = {shared_address(shared)}, v_tile = {k_tile.base + 2 * kHeadDim * kTileK};
  const u32 ring = v_tile.base + 2 * kHeadDim * kTileK;
  constexpr int kStageBytes = 2 * kQueryBytes + 8 * kTileQ; // (lse, row sum) of each query at the end

  const int batch = blockIdx.z, kv_head = blockIdx.y, thread = threadIdx.x, lane = lane_index();
  const int warps_of_keys = S::kWarps / S::kSplitD, warp_row = warp_index() % warps_of_keys * S::kRowsPerWarp;
  const int column = warp_index() / warps_of_keys * kColumns;
  const int keys_end = key_count(args, batch), tile = blockIdx.x * kTileK;
  const Range keys = {tile, min(tile + kTileK, keys_end)};
  const PackedRows<1> k_rows(args.k, batch, kv_head), v_rows(args.v, batch, kv_head);
  load_tile<Arch, kHeadDim, kTileK, kThreads>(k_tile, k_rows, tile, keys, thread);
  load_tile<Arch, kHeadDim, kTileK, kThreads>(v_tile, v_rows, tile, keys, thread);

  float dk[kM][kColumns / 8][4], dv[kM][kColumns / 8][4];
  clear(dk);
  clear(dv);

#pragma unroll 1
  for (int unit = 0; unit < kGroup / kPack; ++unit) {
    const int head = kv_head * kGroup + unit * kPack;
    const Mask mask = Mask::at(params, batch, head);
    const QueryTiles<S, Mask, kPack> tiles(mask, keys, args.len_q);
    const PackedRows<kPack> q_rows(args.q, batch, head), do_rows(args.dout, batch, head);
    const float2 *const all_stats = reinterpret_cast<const float2 *>(args.row_stats);

    auto q_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + stage * kStageBytes}; };
    auto do_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + stage * kStageBytes + kQueryBytes}; };
    auto stats_at = [&](int stage) { return ring + stage * kStageBytes + 2 * kQueryBytes; };
    auto load = [&](int row, int stage) {
      if (row < tiles.end()) {
        const Range exist = {0, tiles.end()};
        load_tile<Arch, kHeadDim, kTileQ, kThreads>(q_tile(stage), q_rows, row, exist, thread);
        load_tile<Arch, kHeadDim, kTileQ, kThreads>(do_tile(stage), do_rows, row, exist, thread);
        for (int i = thread; i < kTileQ; i += kThreads) {
          const int packed = row + i;
          float2 x = {kInfinity, 0.f}; // no probability
          if (packed < tiles.end())
            x = all_stats[(static_cast<long long>(batch) * args.heads_q + head + packed % kPack) * args.len_q +
                          packed / kPack];
          asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(stats_at(stage) + 8 * i), "f"(x.x), "f"(x.y)
                       : "memory");
        }
      }
      copy_commit<Arch>();
    };

    KeyLines<Mask, kM, kPack> lines = {mask, args.scale, tiles.end()};
    lines.place(tile + warp_row, keys.end);

    int row = tiles.first(), stage = 0;
    load(row, 0);
    for (int next; row < tiles.end(); row = next) {
      next = tiles.next(row + kTileQ);
      copy_wait<Arch, 0>();
      __syncthreads(); // this tile has come, and no warp reads the other buffer
      if constexpr (S::kStages == 2)
        load(next, stage ^ 1);

      float s[kM][kTileQ / 8][4], dp[kM][kTileQ / 8][4];
      clear(s);
      clear(dp);
      multiply_transposed<Arch, T, kM, kTileQ>(s, k_tile, warp_row, q_tile(stage));
      multiply_transposed<Arch, T, kM, kTileQ>(dp, v_tile, warp_row, do_tile(stage));
      if (tiles.is_full(row))
        lines.template gradients<false, kTileQ>(s, dp, stats_at(stage), row);
      else
        lines.template gradients<true, kTileQ>(s, dp, stats_at(stage), row);
      u32 left[kM][kTileQ / 16][4];
      as_left<T, kM, kTileQ>(left, s);
      multiply<Arch, T, kM, kTileQ, kColumns>(dv, left, do_tile(stage), column);
      as_left<T, kM, kTileQ>(left, dp);
      multiply<Arch, T, kM, kTileQ, kColumns>(dk, left, q_tile(stage), column);

      if constexpr (S::kStages == 2) {
        stage ^= 1;
      } else {
        __syncthreads();
        load(next, 0);
      }
    }
    copy_wait<Arch, 0>();
    __syncthreads(); // the next head starts with stage 0
  }

  float one[kM][2], scale[kM][2];
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      one[m][half] = 1.f, scale[m][half] = args.scale;
  write_tile<T, kM, kColumns>(k_tile, warp_row, column, dk, scale);
  write_tile<T, kM, kColumns>(v_tile, warp_row, column, dv, one);
  __syncthreads();
  store_tile<kHeadDim, kTileK, kThreads>(k_tile, PackedRows<1>(args.dk, batch, kv_head), tile, args.len_k, thread);
  store_tile<kHeadDim, kTileK, kThreads>(v_tile, PackedRows<1>(args.dv, batch, kv_head), tile, args.len_k, thread);
}

} // namespace maskjit::device
