// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Norm, router and choice of experts of a row in one block: a warp an expert, everything in fp32.
//
// Flow: a warp's first router weights -> registers before the row is there; row -> norm -> shared memory, and rounded
// to memory for the experts; products; one warp chooses the best, ties by the lower number, and weighs them. Shared
// memory: the row, fp32 | logits | a float a warp.
#pragma once
#include "step_rows.cuh"

namespace maskjit::device {

/// Asks for `share` of `shares` parts of what a later kernel reads; waits for nothing.
__device__ inline void fetch_ahead(const RouteArgs &args, int share, int shares) {
#if __CUDA_ARCH__ >= 900
  constexpr long long kPiece = 4096;
#pragma unroll
  for (int m = 0; m < kMostMatrices; ++m)
    for (long long piece = static_cast<long long>(threadIdx.x) * shares + share; piece * kPiece < args.ahead_bytes[m];
         piece += static_cast<long long>(kRouterThreads) * shares) {
      const char *const from = static_cast<const char *>(args.ahead[m]) + piece * kPiece;
      const u32 bytes = static_cast<u32>(min(kPiece, args.ahead_bytes[m] - piece * kPiece)) & ~15u;
      asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
    }
#endif
}

template <class T, int kFeatures, int kExperts, int kTop, bool kNorm>
__device__ void route_rows(const RouteArgs &args) {
  constexpr int kChunks = (kFeatures + 8 * kWarp - 1) / (8 * kWarp), kWarps = kRouterThreads / kWarp;
  static_assert(kFeatures % 8 == 0 && kTop <= kExperts);
  extern __shared__ __align__(16) float route_shared[];
  float *const row_values = route_shared, *const logits = route_shared + kFeatures, *const sums = logits + kExperts;
  const int warp = warp_index(), lane = lane_index(), row = blockIdx.x;
  const long long at = static_cast<long long>(row) * kFeatures;
  start_dependents();
  if (row >= args.rows) {
    fetch_ahead(args, row - args.rows, static_cast<int>(gridDim.x) - args.rows);
    return;
  }

  auto weights = [&](int expert, int chunk) {
    const int feature = (chunk * kWarp + lane) * 8;
    if (expert >= kExperts || feature >= kFeatures)
      return uint4{0, 0, 0, 0};
    return *reinterpret_cast<const uint4 *>(static_cast<const u16 *>(args.weight) +
                                            static_cast<long long>(expert) * kFeatures + feature);
  };
  uint4 w[kChunks];
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk)
    w[chunk] = weights(warp, chunk);
  wait_for_earlier();

  float square = 0.f;
  for (int i = threadIdx.x; i < kFeatures; i += kRouterThreads) {
    const float x = args.input[at + i];
    row_values[i] = x, square += x * x;
  }
  const float scale = kNorm ? rsqrtf(block_sum<kRouterThreads>(square, sums) / kFeatures + args.eps) : 1.f;
  if constexpr (kNorm)
    for (int i = threadIdx.x; i < kFeatures; i += kRouterThreads) { // each thread its own values
      const float normal = row_values[i] * scale * element<T>(args.norm, i);
      row_values[i] = normal;
      set_element<T>(args.normal, at + i, normal);
    }
  __syncthreads();

  for (int expert = warp; expert < kExperts; expert += kWarps) {
    float sum = 0.f;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const int feature = (chunk * kWarp + lane) * 8;
      if (feature >= kFeatures)
        continue;
      const float4 a = *reinterpret_cast<const float4 *>(row_values + feature),
                   b = *reinterpret_cast<const float4 *>(row_values + feature + 4);
      const uint4 x = w[chunk];
      sum = fmaf(a.x, low_half<T>(x.x), sum), sum = fmaf(a.y, high_half<T>(x.x), sum);
      sum = fmaf(a.z, low_half<T>(x.y), sum), sum = fmaf(a.w, high_half<T>(x.y), sum);
      sum = fmaf(b.x, low_half<T>(x.z), sum), sum = fmaf(b.y, high_half<T>(x.z), sum);
      sum = fmaf(b.z, low_half<T>(x.w), sum), sum = fmaf(b.w, high_half<T>(x.w), sum);
    }
#pragma unroll
    for (int other = 1; other < kWarp; other *= 2)
      sum += __shfl_xor_sync(~0u, sum, other);
    if (lane == 0)
      logits[expert] = sum + element<T>(args.bias, expert);
    if (expert + kWarps < kExperts)
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        w[chunk] = weights(expert + kWarps, chunk);
  }
  __syncthreads();
  if (warp != 0)
    return;

  constexpr int kEach = (kExperts + kWarp - 1) / kWarp;
  float mine[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i)
    mine[i] = i * kWarp + lane < kExperts ? logits[i * kWarp + lane] : -kInfinity;
  float best_logit = 0.f, total = 0.f, chosen_weight = 0.f; // of lane k: the k-th chosen
  int chosen = 0;
#pragma unroll
  for (int k = 0; k < kTop; ++k) {
    float best = -kInfinity;
    int number = kExperts;
#pragma unroll
    for (int i = 0; i < kEach; ++i)
      if (mine[i] > best)
        best = mine[i], number = i * kWarp + lane;
#pragma unroll
    for (int other = 1; other < kWarp; other *= 2) {
      const float value = __shfl_xor_sync(~0u, best, other);
      const int from = __shfl_xor_sync(~0u, number, other);
      if (value > best || (value == best && from < number))
        best = value, number = from;
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i)
      if (i * kWarp + lane == number)
        mine[i] = -kInfinity;
    if (k == 0)
      best_logit = best;
    const float weight = exp2_fast((best - best_logit) * kLog2e);
    total += weight;
    if (lane == k)
      chosen = number, chosen_weight = weight;
  }
  if (lane < kTop) {
    const bool empty = args.positions[row] < 0;
    args.experts[row * kTop + lane] = empty ? -1 : chosen;
    args.scores[row * kTop + lane] = empty ? 0.f : chosen_weight / total;
  }
}

} // namespace maskjit::device
