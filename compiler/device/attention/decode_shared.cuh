// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of one query a sequence where sequences begin with the same pages: those are attended once for all of them.
//
// Flow: a tile of kRows packed rows, (sequence, head) pairs of one key head, stays in shared memory; tiles of the
// shared keys pass through a ring that all warps read, each for 16 of the rows. What a row gets is written as some more
// splits of it. Blocks of the same launch attend the sequences' own keys (attention/decode.cuh); the merge joins both.
// Shared memory: Q | K V of each stage.
#pragma once
#include "attention/decode.cuh"

namespace maskjit::device {

/// Rows of several sequences: row r is head r % kGroup of sequence slots[r / kGroup].
template <int kGroup> struct MemberRows {
  u16 *base;
  long long batch_stride, head_stride;
  const int *slots;
  bool aligned;
  __device__ MemberRows(const Tensor &x, const int *slots, int head)
      : base(static_cast<u16 *>(x.data) + head * x.head_stride), batch_stride(x.batch_stride),
        head_stride(x.head_stride), slots(slots), aligned(rows_are_aligned(x)) {}
  template <int kRows> static constexpr bool kEven = false;
  __device__ u16 *at(int row) const { return base + slots[row / kGroup] * batch_stride + row % kGroup * head_stride; }
};

/// One part of a prefix for one key head.
template <class S, class T, int kGroup, class Mask>
__device__ void attend_prefix(const AttentionArgs &args, const Param *params, const SharedPrefix &prefix, int kv_head,
                              int split, int splits) {
  using Arch = typename S::Arch;
  constexpr int kHeadDim = S::kHeadDim, kTileK = S::kTileK, kStages = S::kStages, kKeyBytes = 2 * kHeadDim * kTileK;
  static_assert(S::kTileQ == kSharedRows);
  static_assert(Mask::kIntervals && !Mask::kUsesHead && !Mask::kHasScore, "rows of different sequences, one tile");
  extern __shared__ __align__(128) char shared[];
  const SharedTile<kHeadDim> q_tile = {shared_address(shared)};
  const u32 ring = q_tile.base + 2 * kHeadDim * S::kTileQ;
  const int thread = threadIdx.x, warp_row = 16 * warp_index(), lane = lane_index();
  const int rows_count = prefix.members * kGroup, head = kv_head * kGroup;
  const int each = (prefix.keys + splits - 1) / splits, share = (each + kTileK - 1) / kTileK * kTileK;
  const Range keys = {min(split * share, prefix.keys), min((split + 1) * share, prefix.keys)};

  load_tile<Arch, kHeadDim, S::kTileQ, S::kThreads>(q_tile, MemberRows<kGroup>(args.q, prefix.slots, head), 0,
                                                    {0, rows_count}, thread);
  const KeyRows k_rows(args.k, args, prefix.slots[0], kv_head), v_rows(args.v, args, prefix.slots[0], kv_head);
  auto k_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + 2 * stage * kKeyBytes}; };
  auto v_tile = [&](int stage) { return SharedTile<kHeadDim>{ring + (2 * stage + 1) * kKeyBytes}; };
  auto load = [&](int key, int stage) {
    if (key < keys.end) {
      load_tile<Arch, kHeadDim, kTileK, S::kThreads>(k_tile(stage), k_rows, key, keys, thread);
      load_tile<Arch, kHeadDim, kTileK, S::kThreads>(v_tile(stage), v_rows, key, keys, thread);
    }
    copy_commit<Arch>();
  };
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage)
    load(keys.begin + stage * kTileK, stage);

  // What each row attends of these keys; rows that do not exist are like any other.
  const Mask first = Mask::at(params, prefix.slots[0], head);
  QueryRows<Mask, 1> rows = {first, args.scale, keys.end, {{0, 0}}, {{keys, keys}}};
  Range all = keys; // every row of the warp attends these
#pragma unroll
  for (int half = 0; half < 2; ++half)
    if (const int row = warp_row + lane / 4 + 8 * half; row < rows_count) {
      const int slot = prefix.slots[row / kGroup];
      const Range attended =
          Mask::at(params, slot, head).row(0).within(keys.begin, min(keys.end, key_count(args, slot)));
      rows.attended[0][half] = attended;
      all = all.within(attended.begin, attended.end);
    }
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    all = all.within(__shfl_xor_sync(~0u, all.begin, other), __shfl_xor_sync(~0u, all.end, other));

  OnlineSoftmax<1> softmax;
  float out[1][kHeadDim / 8][4];
  clear(out);
  const bool has_rows = warp_row < rows_count; // of this warp, as all of it knows
  for (int key = keys.begin, stage = 0; key < keys.end; key += kTileK) {
    if constexpr (kStages == 1) {
      __syncthreads(); // no warp reads the buffer any more
      load(key, 0);
      copy_wait<Arch, 0>();
      __syncthreads();
    } else {
      copy_wait<Arch, kStages - 2>();
      __syncthreads(); // this tile has come, and no warp reads the one before it
      load(key + (kStages - 1) * kTileK, stage == 0 ? kStages - 1 : stage - 1);
    }
    if (has_rows) {
      float s[1][kTileK / 8][4], correction[1][2];
      clear(s);
      multiply_transposed<Arch, T, 1, kTileK>(s, q_tile, warp_row, k_tile(stage));
      if (all.contains({key, key + kTileK}))
        softmax.template step<false, kTileK>(s, correction, rows, key);
      else
        softmax.template step<true, kTileK>(s, correction, rows, key);
      rescale(out, correction);
      u32 probabilities[1][kTileK / 16][4];
      as_left<T, 1, kTileK>(probabilities, s);
      multiply<Arch, T, 1, kTileK, kHeadDim>(out, probabilities, v_tile(stage), 0);
    }
    if constexpr (kStages > 1)
      stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  copy_wait<Arch, 0>();
  __syncthreads(); // all buffers may be filled again

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = warp_row + lane / 4 + 8 * half;
    const RowEnd end(softmax.maximum[0][half] * rows.unit_nats(), quad_sum(softmax.sum[0][half]), -kInfinity);
    if (row >= rows_count)
      continue;
    const long long stats = static_cast<long long>(prefix.slots[row / kGroup]) * args.heads_q + head + row % kGroup;
    const long long at = stats * split_stride(args) + args.splits + split;
    if (lane % 4 == 0)
      args.split_lse[at] = end.lse;
    if (end.factor > 0.f) // the merge reads no others
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; ++n)
        *reinterpret_cast<float2 *>(args.split_out + at * kHeadDim + 8 * n + lane % 4 * 2) = {
            out[0][n][2 * half] * end.factor, out[0][n][2 * half + 1] * end.factor};
  }
}

/// Grid: x and y as attention_decode, z = the batch and before it layers of blocks that attend prefixes:
/// args.shared_layers of them.
template <class S, class Own, class T, int kGroup, class Mask>
__device__ void attention_decode_shared(const AttentionArgs &args, const Param *params) {
  start_dependents();
  wait_for_earlier();
  const int layers = args.shared_layers;
  if (static_cast<int>(blockIdx.z) >= layers) {
    const int batch = blockIdx.z - layers;
    attend_split<Own, T, kGroup, Mask>(args, params, batch, args.first_key[batch]);
    return;
  }
  const int splits = args.shared_header[1], items = args.shared_header[0] * args.heads_kv * splits;
  const int blocks = layers * gridDim.x * gridDim.y;
  for (int item = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x; item < items; item += blocks) {
    const int prefix = item / splits / args.heads_kv;
    attend_prefix<S, T, kGroup, Mask>(args, params, args.prefixes[prefix], item / splits % args.heads_kv, item % splits,
                                      splits);
  }
}

} // namespace maskjit::device
