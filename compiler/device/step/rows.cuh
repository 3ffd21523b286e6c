// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The small operations of a decode step as kernels of their own: what runs where no pass has fused them, and the
// beginning of the step. A block a row, kRowThreads threads, grid = rows.
#pragma once
#include "linear/rows.cuh"

namespace maskjit::device {

/// Sum over the block in a fixed order; every thread gets it. `shared` holds a float a warp.
template <int kThreads> __device__ float block_sum(float x, float *shared) {
#pragma unroll
  for (int other = 1; other < kWarp; other *= 2)
    x += __shfl_xor_sync(~0u, x, other);
  const int warp = warp_index(); // by a shuffle: of all lanes
  if (lane_index() == 0)
    shared[warp] = x;
  __syncthreads();
  float sum = 0.f;
#pragma unroll
  for (int w = 0; w < kThreads / kWarp; ++w)
    sum += shared[w];
  return sum;
}

template <class T> __device__ void embed_rows(const EmbedArgs &args) {
  start_dependents();
  wait_for_earlier();
  const int row = blockIdx.x, position = args.active[row] ? args.written[row] : -1;
  const long long token =
      position < 0 ? 0 : args.tokens[row]; // an empty slot computes on, with numbers that are finite
  for (int i = threadIdx.x; i < args.features; i += kRowThreads)
    args.out[static_cast<long long>(row) * args.features + i] = element<T>(args.table, token * args.features + i);
  for (int i = threadIdx.x; i < args.cleared_pieces; i += kRowThreads)
    static_cast<uint4 *>(args.cleared)[static_cast<long long>(row) * args.cleared_pieces + i] = uint4{0, 0, 0, 0};
  for (int i = threadIdx.x; args.turns && i < args.pairs; i += kRowThreads) {
    float sine, cosine;
    sincosf(static_cast<float>(position) * args.frequencies[i], &sine, &cosine);
    reinterpret_cast<float2 *>(args.turns)[row * args.pairs + i] = {cosine * args.rope_scale, sine * args.rope_scale};
  }
  if (threadIdx.x == 0)
    args.positions[row] = position, args.lengths[row] = position + 1;
}

template <class T, class Out> __device__ void rms_norm_rows(const NormArgs &args) {
  __shared__ float sums[kRowThreads / kWarp];
  start_dependents();
  wait_for_earlier();
  const long long at = static_cast<long long>(blockIdx.x) * args.features;
  float square = 0.f;
  for (int i = threadIdx.x; i < args.features; i += kRowThreads)
    square += args.input[at + i] * args.input[at + i];
  const float scale = rsqrtf(block_sum<kRowThreads>(square, sums) / args.features + args.eps);
  for (int i = threadIdx.x; i < args.features; i += kRowThreads) {
    const float normal = args.input[at + i] * scale * element<T>(args.weight, i);
    if constexpr (Out::kWide)
      static_cast<float *>(args.out)[at + i] = normal;
    else
      set_element<T>(args.out, at + i, normal);
  }
}

template <class T> __device__ void rope_rows(const RopeArgs &args) {
  start_dependents();
  wait_for_earlier();
  const long long at = static_cast<long long>(blockIdx.x) * args.features;
  const int half = args.head_dim / 2, position = args.positions[blockIdx.x];
  for (int i = threadIdx.x; i < args.features / 2; i += kRowThreads) {
    const int low = i / half * args.head_dim + i % half;
    const float a = element<T>(args.input, at + low), b = element<T>(args.input, at + low + half);
    float sine, cosine;
    sincosf(static_cast<float>(position) * args.frequencies[i % half], &sine, &cosine);
    sine *= args.scale, cosine *= args.scale;
    set_element<T>(args.out, at + low, a * cosine - b * sine);
    set_element<T>(args.out, at + low + half, b * cosine + a * sine);
  }
}

__device__ inline void append_rows(const AppendArgs &args) {
  wait_for_earlier();
  start_dependents(); // attention, which reads all but this kernel's results before it waits
  const int row = blockIdx.x, position = args.positions[row], features = args.heads * args.head_dim;
  if (position < 0)
    return;
  const long long page = args.cache.table[row * args.cache.table_stride + (position >> args.cache.page_shift)];
  const int slot = position & ((1 << args.cache.page_shift) - 1);
  for (int i = threadIdx.x; i < features; i += kRowThreads) {
    const long long head = page * args.heads + i / args.head_dim;
    const long long to = ((head << args.cache.page_shift) + slot) * args.head_dim + i % args.head_dim;
    const long long from = static_cast<long long>(row) * features + i;
    static_cast<u16 *>(args.cache.key)[to] = static_cast<const u16 *>(args.key)[from];
    static_cast<u16 *>(args.cache.value)[to] = static_cast<const u16 *>(args.value)[from];
  }
}

template <class T, class In> __device__ void add_rows(const AddArgs &args) {
  start_dependents();
  wait_for_earlier();
  const long long at = static_cast<long long>(blockIdx.x) * args.features;
  for (int i = threadIdx.x; i < args.features; i += kRowThreads) {
    float addend;
    if constexpr (In::kWide)
      addend = static_cast<const float *>(args.addend)[at + i];
    else
      addend = element<T>(args.addend, at + i);
    args.out[at + i] = args.residual[at + i] + addend;
  }
}

} // namespace maskjit::device
