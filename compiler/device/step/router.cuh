// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Norm, router and choice of experts of a row in one block, everything in fp32.
//
// A warp has kRouterExperts experts at a time over a part of the features, so that shared memory is read once for all
// of them. Flow: what no earlier kernel writes (a warp's first weights, norm, bias) -> registers before the row is
// there; row -> norm -> shared memory, and rounded to memory for the experts; products; one warp adds the parts in
// order, chooses the best, ties by the lower number, and weighs them. Shared memory: the row in fp32, features 0 .. 3
// of every 8 before features 4 .. 7, so that neighbouring lanes read neighbouring banks | sums of each part | a float a
// warp.
#pragma once
#include "step/rows.cuh"

namespace maskjit::device {

/// Of all lanes, which take part.
__device__ inline int warp_min(int x) {
#if __CUDA_ARCH__ >= 800
  asm volatile("redux.sync.min.s32 %0, %0, 0xffffffff;" : "+r"(x));
#else
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    x = min(x, __shfl_xor_sync(~0u, x, other));
#endif
  return x;
}
__device__ inline float warp_max(float x) {
#if __CUDA_ARCH__ >= 800
  // As integers floats below 0 are in the opposite order.
  int bits = __float_as_int(x + 0.f); // -0 is 0
  bits ^= bits < 0 ? 0x7fffffff : 0;
  asm volatile("redux.sync.max.s32 %0, %0, 0xffffffff;" : "+r"(bits));
  return __int_as_float(bits ^ (bits < 0 ? 0x7fffffff : 0));
#else
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    x = fmaxf(x, __shfl_xor_sync(~0u, x, other));
  return x;
#endif
}

template <class T, int kFeatures, int kExperts, int kTop, bool kNorm>
__device__ void route_rows(const RouteArgs &args) {
  constexpr int kWarps = kRouterThreads / kWarp, kOctets = kFeatures / 8, kHalf = 4 * kOctets;
  constexpr int kPartOctets = (kOctets + kRouterParts - 1) / kRouterParts, kChunks = (kPartOctets + kWarp - 1) / kWarp;
  static_assert(kFeatures % 8 == 0 && kTop <= kExperts);
  extern __shared__ __align__(16) float route_shared[];
  float *const row_values = route_shared, *const partial = route_shared + kFeatures,
               *const sums = partial + kRouterParts * kExperts;
  const int warp = warp_index(), lane = lane_index(), row = blockIdx.x;
  const int part = warp % kRouterParts, first_expert = warp / kRouterParts * kRouterExperts;
  const long long at = static_cast<long long>(row) * kFeatures;
  start_dependents();

  auto octet = [&](int chunk) { return part * kPartOctets + chunk * kWarp + lane; };
  auto inside = [&](int chunk) { return chunk * kWarp + lane < kPartOctets && octet(chunk) < kOctets; };
  uint4 w[kRouterExperts][kChunks];
  auto load_weights = [&](int first) {
#pragma unroll
    for (int e = 0; e < kRouterExperts; ++e)
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        w[e][chunk] =
            first + e < kExperts && inside(chunk)
                ? *reinterpret_cast<const uint4 *>(static_cast<const u16 *>(args.weight) +
                                                   static_cast<long long>(first + e) * kFeatures + 8 * octet(chunk))
                : uint4{0, 0, 0, 0};
  };
  load_weights(first_expert);
  constexpr int kEach = (kFeatures + kRouterThreads - 1) / kRouterThreads; // features of a thread
  float x[kEach], norm[kEach];
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int i = threadIdx.x + k * kRouterThreads;
    norm[k] = kNorm && i < kFeatures ? element<T>(args.norm, i) : 1.f;
  }
  constexpr int kLogits = (kExperts + kWarp - 1) / kWarp; // of a lane of the warp that chooses
  float mine[kLogits];
#pragma unroll
  for (int i = 0; i < kLogits; ++i)
    mine[i] = warp == 0 && i * kWarp + lane < kExperts ? element<T>(args.bias, i * kWarp + lane) : -kInfinity;
  wait_for_earlier();
  const int position = args.positions[row];

  float square = 0.f;
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int i = threadIdx.x + k * kRouterThreads;
    x[k] = i < kFeatures ? args.input[at + i] : 0.f;
    square += x[k] * x[k];
  }
  const float scale = kNorm ? rsqrtf(block_sum<kRouterThreads>(square, sums) / kFeatures + args.eps) : 1.f;
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int i = threadIdx.x + k * kRouterThreads;
    if (i >= kFeatures)
      continue;
    const float normal = x[k] * scale * norm[k];
    row_values[i / 8 * 4 + i % 4 + (i & 4 ? kHalf : 0)] = normal;
    if constexpr (kNorm)
      set_element<T>(args.normal, at + i, normal);
  }
  __syncthreads();

  for (int first = first_expert; first < kExperts; first += kWarps / kRouterParts * kRouterExperts) {
    float sum[kRouterExperts] = {};
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      if (!inside(chunk))
        continue;
      const float4 a = *reinterpret_cast<const float4 *>(row_values + 4 * octet(chunk)),
                   b = *reinterpret_cast<const float4 *>(row_values + kHalf + 4 * octet(chunk));
#pragma unroll
      for (int e = 0; e < kRouterExperts; ++e) {
        const uint4 v = w[e][chunk];
        sum[e] = fmaf(a.x, low_half<T>(v.x), sum[e]), sum[e] = fmaf(a.y, high_half<T>(v.x), sum[e]);
        sum[e] = fmaf(a.z, low_half<T>(v.y), sum[e]), sum[e] = fmaf(a.w, high_half<T>(v.y), sum[e]);
        sum[e] = fmaf(b.x, low_half<T>(v.z), sum[e]), sum[e] = fmaf(b.y, high_half<T>(v.z), sum[e]);
        sum[e] = fmaf(b.z, low_half<T>(v.w), sum[e]), sum[e] = fmaf(b.w, high_half<T>(v.w), sum[e]);
      }
    }
#pragma unroll
    for (int other = 1; other < kWarp; other *= 2)
#pragma unroll
      for (int e = 0; e < kRouterExperts; ++e)
        sum[e] += __shfl_xor_sync(~0u, sum[e], other);
    if (lane == 0)
#pragma unroll
      for (int e = 0; e < kRouterExperts; ++e)
        if (first + e < kExperts)
          partial[part * kExperts + first + e] = sum[e];
    if (first + kWarps / kRouterParts * kRouterExperts < kExperts)
      load_weights(first + kWarps / kRouterParts * kRouterExperts);
  }
  __syncthreads();
  if (warp != 0)
    return;

#pragma unroll
  for (int i = 0; i < kLogits; ++i)
    if (i * kWarp + lane < kExperts)
#pragma unroll
      for (int p = 0; p < kRouterParts; ++p)
        mine[i] += partial[p * kExperts + i * kWarp + lane];
  float best_logit = 0.f, total = 0.f, chosen_weight = 0.f; // of lane k: the k-th chosen
  int chosen = 0;
#pragma unroll
  for (int k = 0; k < kTop; ++k) {
    float best = -kInfinity;
    int number = kExperts;
#pragma unroll
    for (int i = 0; i < kLogits; ++i)
      if (mine[i] > best)
        best = mine[i], number = i * kWarp + lane;
    const float own = best;
    best = warp_max(best);
    number = warp_min(own == best ? number : kExperts);
#pragma unroll
    for (int i = 0; i < kLogits; ++i)
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
    const bool empty = position < 0;
    args.experts[row * kTop + lane] = empty ? -1 : chosen;
    args.scores[row * kTop + lane] = empty ? 0.f : chosen_weight / total;
  }
}

} // namespace maskjit::device
