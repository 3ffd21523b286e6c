// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hopper's product of many rows with an NF4 matrix: weights decoded into the A registers of wgmma, input rows as B in
// shared memory, in the order in which they come.
//
// One producer thread keeps a ring of stages filled through the copy engine; each consumer warpgroup owns 64 features
// and goes its own way through the ring, so that one decodes while another's wgmma runs. A stage is one block of 64
// input features: input rows [kRows][128 bytes], chunk c of 16 bytes at c ^ (row % 8), then codes [kFeatures][32
// bytes], chunk c at c ^ (row / 4 % 2). Of every 16 features a lane needs the pairs t and t + 4: byte t of two words,
// so the four lanes of a row read the same 16 bytes at once and shift by 8 t.
#pragma once
#include "hopper.cuh"
#include "nf4.cuh"
#include "wgmma_wide.cuh"

namespace maskjit::device {

/// input: boxes of 64 features, kRows rows, swizzled by 128 bytes. codes, as 16-bit elements: boxes of 16, kFeatures
/// rows, swizzled by 32 bytes.
struct LinearNf4Maps {
  TensorMap input, codes;
};

template <class S, class T> __device__ void linear_nf4_wide(const LinearNf4Maps &maps, const LinearNf4Args &args) {
  static_assert(T::kBf16, "made for bf16; fp16 takes the portable kernel");
  constexpr int kTile = S::kRows / 8;
  extern __shared__ __align__(1024) char nf4_wide_shared[];
  __shared__ u64 barriers[2 * S::kStages];
  const u32 ring = (shared_address(nf4_wide_shared) + 1023u) & ~1023u, table = ring + S::kStages * S::kStageBytes;
  const u32 full = shared_address(barriers), empty = full + 8 * S::kStages;
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const int first_feature = blockIdx.x * S::kFeatures, first_row = blockIdx.y * S::kRows;
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kStages; ++i)
      barrier_init(full + 8 * i, 1), barrier_init(empty + 8 * i, 4 * S::kWarpgroups);
    barrier_init_done();
  }
  nf4_fill_table(table, args.weight.table);
  __syncthreads();

  if (warp == 4 * S::kWarpgroups) { // producer
    if (lane == 0) {
      RingIndex<S::kStages> at;
      for (int step = 0; step < S::kSteps; ++step, at.advance()) {
        const u32 to = ring + at.stage * S::kStageBytes, bar = full + 8 * at.stage;
        barrier_wait(empty + 8 * at.stage, at.parity ^ 1);
        barrier_expect(bar, S::kStageBytes);
        tma_load(to, maps.input, bar, kEvictLast, step * kNf4Block, first_row, 0, 0);
        tma_load(to + S::kInputBytes, maps.codes, bar, kEvictFirst, step * (kNf4Block / 4), first_feature, 0, 0);
      }
    }
    return;
  }

  const int a_row = warp * 16 + g;
  const long long block_low = static_cast<long long>(min(first_feature + a_row, args.features - 1)) * S::kSteps;
  const long long block_high = static_cast<long long>(min(first_feature + a_row + 8, args.features - 1)) * S::kSteps;
  const u32 lane_table = nf4_lane_table(table), shift = 8 * t;
  auto codes_at = [&](int row, int half) { // 16 bytes of a row of codes, as the copy engine swizzles them
    return S::kInputBytes + row * 32 + (half ^ (row >> 2 & 1)) * 16;
  };
  const u32 offset[2][2] = {{static_cast<u32>(codes_at(a_row, 0)), static_cast<u32>(codes_at(a_row + 8, 0))},
                            {static_cast<u32>(codes_at(a_row, 1)), static_cast<u32>(codes_at(a_row + 8, 1))}};
  float acc[kTile][4];
#pragma unroll
  for (int j = 0; j < kTile; ++j)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      acc[j][k] = 0.f;

  u32 a[2][4][4]; // left operands of a step and of the next
  auto decode = [&](u32(&to)[4][4], u32 at, float low_absmax, float high_absmax) {
    const uint4 codes[2][2] = {{shared_read(at + offset[0][0]), shared_read(at + offset[0][1])},
                               {shared_read(at + offset[1][0]), shared_read(at + offset[1][1])}};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 &l = codes[half][0], &h = codes[half][1];
      const u32 low[4] = {l.x >> shift, l.y >> shift, l.z >> shift, l.w >> shift};
      const u32 high[4] = {h.x >> shift, h.y >> shift, h.z >> shift, h.w >> shift};
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        to[2 * half + i][0] = nf4_pair<T, 0>(low[2 * i], lane_table, low_absmax);
        to[2 * half + i][1] = nf4_pair<T, 0>(high[2 * i], lane_table, high_absmax);
        to[2 * half + i][2] = nf4_pair<T, 0>(low[2 * i + 1], lane_table, low_absmax);
        to[2 * half + i][3] = nf4_pair<T, 0>(high[2 * i + 1], lane_table, high_absmax);
      }
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) // here, while wgmma runs, not where it is used
      asm volatile("" : "+r"(to[k][0]), "+r"(to[k][1]), "+r"(to[k][2]), "+r"(to[k][3])::"memory");
  };
  auto absmax_of = [&](long long first, int step) {
    return nf4_absmax<S::kNested>(args.weight, first + min(step, S::kSteps - 1));
  };
  float low_absmax[2] = {absmax_of(block_low, 1), absmax_of(block_low, 2)}; // of the next steps, in turn
  float high_absmax[2] = {absmax_of(block_high, 1), absmax_of(block_high, 2)};
  RingIndex<S::kStages> now;
  barrier_wait(full, 0);
  decode(a[0], ring, absmax_of(block_low, 0), absmax_of(block_high, 0));

  auto turn = [&](u32(&left)[4][4], u32(&next)[4][4], int which, int step) {
    const u64 b = k_major(ring + now.stage * S::kStageBytes);
    mma_fence();
#pragma unroll
    for (int k = 0; k < 4; ++k)
      mma_wide(acc, left[k], k_step(b, k, 0));
    mma_commit();
    const u32 done = empty + 8 * now.stage;
    now.advance();
    if (step + 1 < S::kSteps) {
      const float low = low_absmax[which], high = high_absmax[which];
      low_absmax[which] = absmax_of(block_low, step + 3), high_absmax[which] = absmax_of(block_high, step + 3);
      barrier_wait(full + 8 * now.stage, now.parity);
      decode(next, ring + now.stage * S::kStageBytes, low, high);
    }
    mma_wait<0>();
    if (lane == 0)
      barrier_arrive(done); // its codes became operands before its wgmma began
  };
#pragma unroll 1
  for (int step = 0; step < S::kSteps; step += 2) {
    turn(a[0], a[1], 0, step);
    if (step + 1 < S::kSteps)
      turn(a[1], a[0], 1, step + 1);
  }

  // Through shared memory, so that whole rows of features go out: [kRows][kFeatures].
  named_sync(1, S::kConsumers);
  constexpr int kRowOut = S::kFeatures * 2 + 16;
  const u16 *const bias = static_cast<const u16 *>(args.bias);
  const float low_bias = bias ? low_half<T>(bias[min(first_feature + a_row, args.features - 1)]) : 0.f;
  const float high_bias = bias ? low_half<T>(bias[min(first_feature + a_row + 8, args.features - 1)]) : 0.f;
#pragma unroll
  for (int j = 0; j < kTile; ++j) {
    const float (&d)[4] = acc[j];
    const u32 first = pack<T>(d[0] + low_bias, d[1] + low_bias), second = pack<T>(d[2] + high_bias, d[3] + high_bias);
    const u32 to = ring + (8 * j + 2 * t) * kRowOut + a_row * 2;
    shared_write_u16(to, first), shared_write_u16(to + kRowOut, first >> 16);
    shared_write_u16(to + 16, second), shared_write_u16(to + kRowOut + 16, second >> 16);
  }
  named_sync(1, S::kConsumers);
  constexpr int kPiecesOut = S::kFeatures / 8;
  for (int i = threadIdx.x; i < S::kRows * kPiecesOut; i += S::kConsumers) {
    const int n = i / kPiecesOut, c = i % kPiecesOut;
    if (first_row + n < args.rows && first_feature + c * 8 < args.features)
      *reinterpret_cast<uint4 *>(static_cast<u16 *>(args.out) + static_cast<long long>(first_row + n) * args.features +
                                 first_feature + c * 8) = shared_read(ring + n * kRowOut + c * 16);
  }
}

} // namespace maskjit::device
