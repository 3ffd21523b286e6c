// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Many tokens: pairs sorted by expert, activations in pair order, and the weighted sum at the end.
#pragma once
#include "dependents.cuh"
#include "experts/adapter.cuh"
#include "experts_args.h"
#include "experts_schedules.h"
#include "fourbit.cuh"

namespace maskjit::device {

/// Pieces of 32 features, `pieces` of them, into pair order; a thread each, blocks first .. gridDim.x - 1.
__device__ inline void permute_pieces(const void *from, void *to, long long pieces, int first_block) {
  for (long long i = static_cast<long long>(blockIdx.x - first_block) * blockDim.x + threadIdx.x; i < pieces;
       i += static_cast<long long>(gridDim.x - first_block) * blockDim.x) {
    const uint4 *in = static_cast<const uint4 *>(from) + i * 4;
    uint4 *out = static_cast<uint4 *>(to) + i * 4;
    uint4 q[4]; // of features 8q .. 8q + 7: the pairs (r, r + 4)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      q[k] = pairs_of_eight(in[k]);
    out[0] = make_uint4(q[0].x, q[1].x, q[2].x, q[3].x);
    out[1] = make_uint4(q[0].y, q[1].y, q[2].y, q[3].y);
    out[2] = make_uint4(q[0].z, q[1].z, q[2].z, q[3].z);
    out[3] = make_uint4(q[0].w, q[1].w, q[2].w, q[3].w);
  }
}

/// One block: sorted[p] = pair, by expert and inside an expert ascending; plan = tiles of at most kTokens of them.
/// Warps count and place segments of their own, so no order depends on timing.
template <int kTokens>
__device__ void sort_pairs(const int *ids, int pairs, int experts, ExpertPlan *plan, int *sorted) {
  constexpr int kWarps = kRouteThreads / kWarp, kEach = kMostExperts / kWarp, kBatch = 4;
  __shared__ int before[kWarps][kMostExperts]; // pairs of an expert in the segments before a warp's
  __shared__ int count[kMostExperts], start[kMostExperts], tile_at[kMostExperts];
  const int lane = lane_index(), warp = warp_index();
  for (int e = lane; e < kMostExperts; e += kWarp)
    before[warp][e] = 0;
  __syncwarp();
  const int segment = ceil_div(ceil_div(pairs, kWarps), kWarp) * kWarp;
  const int begin = min(warp * segment, pairs), end = min(begin + segment, pairs);
  for (int i = begin; i < end; i += kBatch * kWarp) {
    int batch[kBatch]; // loaded together: each alone would wait for memory
#pragma unroll
    for (int k = 0; k < kBatch; ++k)
      batch[k] = i + k * kWarp + lane < end ? ids[i + k * kWarp + lane] : -1;
#pragma unroll
    for (int k = 0; k < kBatch; ++k) {
      const u32 same = __match_any_sync(~0u, batch[k]);
      if (batch[k] >= 0 && __ffs(same) - 1 == lane)
        before[warp][batch[k]] += __popc(same);
      __syncwarp();
    }
  }
  __syncthreads();
  if (threadIdx.x < kMostExperts) { // counts of segments to sums before them
    int sum = 0;
    const int used = ceil_div(pairs, segment);
    for (int w = 0; w < used; ++w) {
      const int here = before[w][threadIdx.x];
      before[w][threadIdx.x] = sum;
      sum += here;
    }
    count[threadIdx.x] = sum;
  }
  __syncthreads();
  if (warp == 0) { // rows and tiles of kEach experts a lane, summed over the lanes before
    int rows = 0, tiles = 0;
    for (int j = 0; j < kEach; ++j) {
      const int c = count[lane * kEach + j];
      rows += c;
      tiles += ceil_div(c, kTokens);
    }
    int row_end = rows, tile_end = tiles;
    for (int d = 1; d < kWarp; d *= 2) {
      const int r = __shfl_up_sync(~0u, row_end, d), u = __shfl_up_sync(~0u, tile_end, d);
      if (lane >= d)
        row_end += r, tile_end += u;
    }
    if (lane == kWarp - 1)
      plan->tiles = tile_end;
    rows = row_end - rows;
    tiles = tile_end - tiles;
    for (int j = 0; j < kEach; ++j) {
      const int e = lane * kEach + j, c = count[e];
      start[e] = rows;
      tile_at[e] = tiles;
      rows += c;
      tiles += ceil_div(c, kTokens);
    }
  }
  __syncthreads();
  if (threadIdx.x < experts) {
    const int c = count[threadIdx.x], first = start[threadIdx.x];
    const int each = c > 0 ? ceil_div(c, ceil_div(c, kTokens)) : 1; // of equal size: what is left over would be padded
    for (int k = 0; k * each < c; ++k)
      plan->tile[tile_at[threadIdx.x] + k] = {static_cast<int>(threadIdx.x), first + k * each, min(each, c - k * each),
                                              0};
  }
  for (int i = begin; i < end; i += kBatch * kWarp) {
    int batch[kBatch];
#pragma unroll
    for (int k = 0; k < kBatch; ++k)
      batch[k] = i + k * kWarp + lane < end ? ids[i + k * kWarp + lane] : -1;
#pragma unroll
    for (int k = 0; k < kBatch; ++k) {
      const int id = batch[k];
      const u32 same = __match_any_sync(~0u, id);
      if (id >= 0)
        sorted[start[id] + before[warp][id] + __popc(same & ((1u << lane) - 1))] = i + k * kWarp + lane;
      __syncwarp();
      if (id >= 0 && __ffs(same) - 1 == lane)
        before[warp][id] += __popc(same);
      __syncwarp();
    }
  }
}

/// The gradient of a single product. One block: sorts the pairs. kRouteThreads threads.
template <class S> __device__ void experts_gradient_route(const ExpertsLinearArgs &a) {
  sort_pairs<S::kTokens>(a.experts, a.pairs, a.expert_count, a.plan, a.sorted);
}

/// Block 0 sorts; the others bring x into pair order and multiply it by an adapter's first factors. kRouteThreads
/// threads, at least two blocks.
template <class S, class T> __device__ void experts_route(const ExpertsArgs &a) {
  using Shape = typename S::Shape;
  start_dependents();
  wait_for_earlier();
  if (blockIdx.x == 0)
    return sort_pairs<S::kTokens>(a.experts, a.tokens * Shape::kTopK, a.expert_count, a.plan, a.sorted);
  permute_pieces(a.x, a.x_pairs, static_cast<long long>(a.tokens) * (Shape::kHidden / 32), 1);
  if (a.gate_up_adapter.a)
    low_of_tokens<Shape, T>(a, 1);
}

/// out (+)= the sum over a token's slots, in slot order, of weight * y. Eight features a thread.
template <class Shape, class T> __device__ void experts_combine(const ExpertsArgs &a) {
  constexpr int kPieces = Shape::kHidden / 8;
  start_dependents();
  wait_for_earlier();
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= static_cast<long long>(a.tokens) * kPieces)
    return;
  const long long token = i / kPieces, at = i % kPieces * 8;
  float4 *to = reinterpret_cast<float4 *>(a.out + token * Shape::kHidden + at);
  float sum[8] = {};
  if (a.accumulate) {
    const float4 low = to[0], high = to[1];
    sum[0] = low.x, sum[1] = low.y, sum[2] = low.z, sum[3] = low.w;
    sum[4] = high.x, sum[5] = high.y, sum[6] = high.z, sum[7] = high.w;
  }
#pragma unroll
  for (int s = 0; s < Shape::kTopK; ++s) {
    const long long pair = token * Shape::kTopK + s;
    if (a.experts[pair] < 0)
      continue; // nobody wrote its y
    const float w = a.weights[pair];
    const uint4 v = *reinterpret_cast<const uint4 *>(static_cast<const u16 *>(a.y) + pair * Shape::kHidden + at);
    const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      sum[2 * k] += w * low_half<T>(words[k]);
      sum[2 * k + 1] += w * high_half<T>(words[k]);
    }
  }
  to[0] = make_float4(sum[0], sum[1], sum[2], sum[3]);
  to[1] = make_float4(sum[4], sum[5], sum[6], sum[7]);
}

} // namespace maskjit::device
