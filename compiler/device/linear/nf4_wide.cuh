// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hopper's product of many rows with an NF4 matrix, and the gradient of its input: weights decoded into the A registers
// of wgmma, input rows (of a gradient: those of dY) as B in shared memory, in the order in which they come.
//
// What bounds it is the second-level cache, at some 20 bytes a cycle and multiprocessor: each block of a cluster brings
// its part of the input rows to all of them. One producer thread a block keeps a ring of stages filled through the copy
// engine; each consumer warpgroup owns 64 features and goes its own way through the ring, so that one decodes while
// another's wgmma runs. A stage is free when the consumers of all blocks are through with it. It holds 64 of the summed
// features: input rows [kRows][128 bytes], chunk c of 16 bytes at c ^ (row % 8), then codes as linear/nf4_operands.cuh
// reads them.
#pragma once
#include "cluster.cuh"
#include "dependents.cuh"
#include "linear/nf4_operands.cuh"
#include "wgmma_wide.cuh"

namespace maskjit::device {

/// input: boxes of 64 features, kRows / kCluster rows, swizzled by 128 bytes. codes, as 16-bit elements: boxes of 16,
/// kFeatures rows, swizzled by 32 bytes; of a gradient boxes of 32, 64 rows, swizzled by 64 bytes.
struct LinearNf4Maps {
  TensorMap input, codes;
};

template <class S> __device__ void linear_nf4_wide_fill(const LinearNf4Maps &maps, u32 ring, u32 full, u32 empty) {
  constexpr int kRowsEach = S::kRows / S::kCluster;
  const int part = cluster_rank(), first_feature = blockIdx.x * S::kFeatures, first_row = blockIdx.y * S::kRows;
  RingIndex<S::kStages> at;
  for (int step = 0; step < S::kSteps; ++step, at.advance()) {
    const u32 to = ring + at.stage * S::kStageBytes, bar = full + 8 * at.stage;
    barrier_wait(empty + 8 * at.stage, at.parity ^ 1);
    barrier_expect(bar, S::kStageBytes);
    tma_load_shared(to + part * kRowsEach * kRowBytes, maps.input, bar, kEvictLast, (1 << S::kCluster) - 1,
                    step * kNf4Block, first_row + part * kRowsEach, 0, 0);
    if constexpr (S::kGradient)
      tma_load(to + S::kInputBytes, maps.codes, bar, kEvictFirst, first_feature / 4, step * kNf4Block, 0, 0);
    else
      tma_load(to + S::kInputBytes, maps.codes, bar, kEvictFirst, step * (kNf4Block / 4), first_feature, 0, 0);
  }
}

template <class S, class T> __device__ void linear_nf4_wide(const LinearNf4Maps &maps, const LinearNf4Args &args) {
  static_assert(T::kBf16, "made for bf16; fp16 takes the portable kernel");
  constexpr int kTile = S::kRows / 8;
  extern __shared__ __align__(1024) char nf4_wide_shared[];
  __shared__ u64 barriers[2 * S::kStages];
  const u32 ring = (shared_address(nf4_wide_shared) + 1023u) & ~1023u, table = ring + S::kStages * S::kStageBytes;
  const u32 full = shared_address(barriers), empty = full + 8 * S::kStages;
  const int lane = lane_index(), warp = warp_index(), t = lane & 3;
  const int first_feature = blockIdx.x * S::kFeatures, first_row = blockIdx.y * S::kRows;
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kStages; ++i)
      barrier_init(full + 8 * i, 1), barrier_init(empty + 8 * i, S::kCluster * 4 * S::kWarpgroups);
    barrier_init_done();
  }
  start_dependents();
  Nf4TableFill<S::kThreads>(args.weight.table).store(table);
  wait_for_earlier();
  __syncthreads();          // the table
  cluster_arrive_relaxed(); // the barriers of all blocks
  cluster_wait();

  if (warp < 4 * S::kWarpgroups) {
    float acc[kTile][4];
#pragma unroll
    for (int j = 0; j < kTile; ++j)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        acc[j][k] = 0.f;
    u32 a[2][4][4]; // left operands of a step and of the next
    typename Nf4Operand<S::kGradient>::template Of<S> weights(args, table, first_feature);
    auto decode = [&](u32(&to)[4][4], u32 stage, int which) {
      weights.template decode<T>(to, stage + S::kInputBytes, which);
#pragma unroll
      for (int k = 0; k < 4; ++k) // here, while wgmma runs, not where it is used
        asm volatile("" : "+r"(to[k][0]), "+r"(to[k][1]), "+r"(to[k][2]), "+r"(to[k][3])::"memory");
    };
    RingIndex<S::kStages> now;
    weights.fetch(0, 0);
    weights.fetch(1, 1);
    barrier_wait(full, 0);
    decode(a[0], ring, 0);

    auto turn = [&](u32(&left)[4][4], u32(&next)[4][4], int which, int step) { // which: of the next step
      const u64 b = k_major(ring + now.stage * S::kStageBytes);
      mma_fence();
#pragma unroll
      for (int k = 0; k < 4; ++k)
        mma_wide(acc, left[k], k_step(b, k, 0));
      mma_commit();
      const u32 done = empty + 8 * now.stage;
      now.advance();
      if (step + 1 < S::kSteps) {
        weights.fetch(which ^ 1, step + 2);
        barrier_wait(full + 8 * now.stage, now.parity);
        decode(next, ring + now.stage * S::kStageBytes, which);
      }
      mma_wait<0>();
      if (lane < S::kCluster)
        cluster_barrier_arrive(done, lane); // its codes became operands before its wgmma began
    };
#pragma unroll 1
    for (int step = 0; step < S::kSteps; step += 2) {
      turn(a[0], a[1], 1, step);
      if (step + 1 < S::kSteps)
        turn(a[1], a[0], 0, step + 1);
    }

    // Through shared memory, so that whole rows of features go out: [kRows][kFeatures], over stages that every block
    // has filled and this one has read.
    named_sync(1, S::kConsumers);
    constexpr int kRowOut = S::kFeatures * 2 + 16;
    const u16 *const bias = static_cast<const u16 *>(args.bias);
    const int low = weights.low_feature(), high = weights.high_feature();
    const float low_bias = bias ? low_half<T>(bias[min(first_feature + low, args.features - 1)]) : 0.f;
    const float high_bias = bias ? low_half<T>(bias[min(first_feature + high, args.features - 1)]) : 0.f;
#pragma unroll
    for (int j = 0; j < kTile; ++j) {
      const float (&d)[4] = acc[j];
      const u32 first = pack<T>(d[0] + low_bias, d[1] + low_bias), second = pack<T>(d[2] + high_bias, d[3] + high_bias);
      const u32 row = ring + (8 * j + 2 * t) * kRowOut;
      shared_write_u16(row + low * 2, first), shared_write_u16(row + kRowOut + low * 2, first >> 16);
      shared_write_u16(row + high * 2, second), shared_write_u16(row + kRowOut + high * 2, second >> 16);
    }
    named_sync(1, S::kConsumers);
    constexpr int kPiecesOut = S::kFeatures / 8;
    for (int i = threadIdx.x; i < S::kRows * kPiecesOut; i += S::kConsumers) {
      const int n = i / kPiecesOut, c = i % kPiecesOut;
      if (first_row + n < args.rows && first_feature + c * 8 < args.features)
        *reinterpret_cast<uint4 *>(static_cast<u16 *>(args.out) +
                                   static_cast<long long>(first_row + n) * args.features + first_feature + c * 8) =
            shared_read(ring + n * kRowOut + c * 16);
    }
  } else if (lane == 0)
    linear_nf4_wide_fill<S>(maps, ring, full, empty);
  __syncwarp();
  cluster_arrive_relaxed(); // no block is done while another may arrive on its barriers
  cluster_wait();
}

} // namespace maskjit::device
