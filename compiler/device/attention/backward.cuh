// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the backward kernels need of each row of out and dout first, and the gradient of the sinks.
//
// With p = softmax probabilities and o = p v:  dv = p^T do,  dp = do v^T,  d = rowsum(do * o),  ds = p * (dp - d),
// dq = scale ds k,  dk = scale ds^T q,  and, the sink being a key of value 0,  dsink = -sum p_sink d.
#pragma once
#include "attention/scores.cuh"

namespace maskjit::device {

/// Writes (lse in log2 units, d) of each row; a row without keys gets +inf, so that its probabilities become 0. Writes
/// this block's part of dsinks, summed in a fixed order.
template <class T, int kHeadDim> __device__ void backward_row_stats(const AttentionArgs &args) {
  constexpr int kChunks = kHeadDim / 8, kLanes = kChunks == 12 ? 16 : kChunks; // lanes that share a row
  const int batch = blockIdx.z, head = blockIdx.y, chunk = threadIdx.x % kLanes;
  const int end = min(kRowStatsRows * (static_cast<int>(blockIdx.x) + 1), args.len_q);
  const PackedRows<1> out(args.out, batch, head), dout(args.dout, batch, head);
  const long long first = (static_cast<long long>(batch) * args.heads_q + head) * args.len_q;
  const float sink = args.sinks ? args.sinks[head] : -kInfinity;
  float dsink = 0.f;
  for (int start = blockIdx.x * kRowStatsRows; start < end; start += kRowStatsThreads / kLanes) {
    const int row = start + static_cast<int>(threadIdx.x) / kLanes;
    float d = 0.f;
    if (row < end && chunk < kChunks) {
      const uint4 x = read_chunk(out.at(row) + chunk * 8, out.aligned);
      const uint4 y = read_chunk(dout.at(row) + chunk * 8, dout.aligned);
      const u32 a[4] = {x.x, x.y, x.z, x.w}, b[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
      for (int i = 0; i < 4; ++i)
        d += low_half<T>(a[i]) * low_half<T>(b[i]) + high_half<T>(a[i]) * high_half<T>(b[i]);
    }
#pragma unroll
    for (int other = 1; other < kLanes; other *= 2)
      d += __shfl_xor_sync(~0u, d, other);
    if (row < end && chunk == 0) {
      const float lse = args.lse[first + row];
      reinterpret_cast<float2 *>(args.row_stats)[first + row] = {lse == -kInfinity ? kInfinity : lse * kLog2e, d};
      if (lse != -kInfinity)
        dsink -= exp2_fast((sink - lse) * kLog2e) * d;
    }
  }
  if (!args.dsinks)
    return;
  __shared__ float parts[kRowStatsThreads];
  parts[threadIdx.x] = dsink;
  for (int half = kRowStatsThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half)
      parts[threadIdx.x] += parts[threadIdx.x + half];
  }
  if (threadIdx.x == 0)
    args.dsinks_partial[(static_cast<long long>(head) * args.batch + batch) * gridDim.x + blockIdx.x] = parts[0];
}

/// Adds up the parts of each head.
__device__ inline void backward_dsinks(const AttentionArgs &args) {
  const long long count = static_cast<long long>(args.batch) * row_stats_blocks(args.len_q);
  const float *const from = args.dsinks_partial + blockIdx.x * count;
  __shared__ float parts[kDsinksThreads];
  float sum = 0.f;
  for (long long i = threadIdx.x; i < count; i += kDsinksThreads)
    sum += from[i];
  parts[threadIdx.x] = sum;
  for (int half = kDsinksThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half)
      parts[threadIdx.x] += parts[threadIdx.x + half];
  }
  if (threadIdx.x == 0)
    args.dsinks[blockIdx.x] = parts[0];
}

} // namespace maskjit::device
