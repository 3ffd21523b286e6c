// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// linear_rows for Hopper and more rows than a tile of mma takes: each weight is read once for up to 256 rows.
//
// Two warpgroups of a block own a tile of 64 features each, weights are the left operand of wgmma and the rows the
// right one; both come through the copy engine. One more warp keeps a ring of stages of 64 input features filled, and
// asks for a ring of weights before the kernel waits for its input. Where tiles are few, the kSplit blocks of a cluster
// share the input features of a pair of tiles, and each adds up its part of the rows; where they are many, blocks stay.
//
// A map of a matrix orders rows as LinearTile::feature does: features half a head apart lie 8 rows apart, so that one
// thread has both. An adapter's second factor and the results of its first, which an earlier launch has left, are more
// input features of the last part.
//
// Stage: rows [kRows][128 bytes] | tiles [2][64][128 bytes], chunk c of 16 bytes at c ^ (row % 8). Sums of a cluster
// take the ring's place at the end.
#pragma once
#include "cluster.cuh"
#include "linear/rows.cuh"
#include "linear_rows_schedules.h"
#include "wgmma_wide.cuh"

namespace maskjit::device {

/// Boxes of 64 input features. Of rows: kRows of them. Of a matrix: (features; 8 rows; their two halves; blocks of 16
/// of a head; heads), 64 rows in all.
struct LinearMaps {
  TensorMap input, weight[kMostMatrices];
  TensorMap low[kMostMatrices], second[kMostMatrices]; // of an adapter
};

/// Which pairs of tiles a block has, one a turn, and which of their input features.
template <class S, bool kAdapter> struct LinearWork {
  using Tile = LinearTile<S, false>;
  const LinearArgs &args;
  const int part = S::kSplit > 1 ? cluster_rank() : 0, tiles = args.first_tile[kMostMatrices];
  const int first_step = part * S::kSteps, steps = min(S::kSteps, S::kAllSteps - first_step);
  const int first_pair = blockIdx.x / S::kSplit, stride = gridDim.x / S::kSplit;
  const int first_row = blockIdx.y * S::kRows;

  __device__ explicit LinearWork(const LinearArgs &args) : args(args) {}
  __device__ int turns() const { return ((tiles + 1) / 2 - first_pair + stride - 1) / stride; }
  /// A last pair may lack its second tile: that repeats the last, and is not stored.
  __device__ int index(int turn, int warpgroup) const { return 2 * (first_pair + turn * stride) + warpgroup; }
  __device__ Tile tile(int index) const { return Tile(args, min(index, tiles - 1)); }
  /// Tiles of a pair are of one matrix where there is an adapter.
  __device__ int steps_of(int turn) const {
    if constexpr (kAdapter)
      if (part == S::kSplit - 1 && args.adapter.b[tile(index(turn, 0)).matrix])
        return steps + (args.adapter.rank + kLinearStep - 1) / kLinearStep;
    return steps;
  }
};

template <class S, bool kAdapter>
__device__ void linear_rows_fill(const LinearMaps &maps, const LinearArgs &args, u32 ring, u32 full, u32 empty) {
  constexpr int kPerHead = (S::kHead > 0 ? S::kHead : 16) / 16;
  const LinearWork<S, kAdapter> work(args);
  struct Place {
    int turn = 0, step = 0, steps;
    __device__ void advance(const LinearWork<S, kAdapter> &work) {
      if (++step == steps)
        step = 0, ++turn, steps = turn < work.turns() ? work.steps_of(turn) : 0;
    }
  };
  auto weights = [&](const Place &at, int stage) {
    const bool low = kAdapter && at.step >= work.steps;
    const int feature = (low ? at.step - work.steps : work.first_step + at.step) * kLinearStep;
    barrier_expect(full + 8 * stage, S::kStageBytes);
#pragma unroll
    for (int w = 0; w < S::kWarpgroups; ++w) {
      const auto tile = work.tile(work.index(at.turn, w));
      const int block = tile.tile * S::kTiles;
      tma_load(ring + stage * S::kStageBytes + S::kInputBytes + w * S::kTileBytes,
               low ? maps.second[tile.matrix] : maps.weight[tile.matrix], full + 8 * stage, kEvictFirst, feature, 0, 0,
               block % kPerHead, block / kPerHead);
    }
  };
  auto rows = [&](const Place &at, int stage) {
    const bool low = kAdapter && at.step >= work.steps;
    const int feature = (low ? at.step - work.steps : work.first_step + at.step) * kLinearStep;
    tma_load(ring + stage * S::kStageBytes, low ? maps.low[work.tile(work.index(at.turn, 0)).matrix] : maps.input,
             full + 8 * stage, kEvictLast, feature, work.first_row, 0, 0);
  };
  const int turns = work.turns();
  Place first{0, 0, work.steps_of(0)};
  int early = 0;
  for (Place at = first; early < S::kStages && at.turn < turns; ++early, at.advance(work))
    weights(at, early);
  wait_for_earlier();
  Place at = first;
  for (int stage = 0; stage < early; ++stage, at.advance(work))
    rows(at, stage);
  for (RingIndex<S::kStages> to; at.turn < turns; to.advance(), at.advance(work)) {
    barrier_wait(empty + 8 * to.stage, to.parity);
    weights(at, to.stage);
    rows(at, to.stage);
  }
}

template <class S, class T, class Out, bool kAdapter = false>
__device__ void linear_rows_sm90(const LinearArgs &args, const LinearMaps &maps) {
  static_assert(T::kBf16, "made for bf16; fp16 takes linear_rows");
  constexpr int kGroups = S::kGroups, kEach = S::kGroupsEach;
  extern __shared__ __align__(1024) char linear_ring[];
  __shared__ u64 barriers[2 * S::kStages];
  const u32 ring = (shared_address(linear_ring) + 1023u) & ~1023u;
  const u32 full = shared_address(barriers), empty = full + 8 * S::kStages;
  const int lane = lane_index(), warp = warp_index(), g = lane / 4, t = lane % 4;
  const int warpgroup = warp / 4, part_of_tile = warp % 4;
  const bool consumes = warp < 4 * S::kWarpgroups;
  const LinearWork<S, kAdapter> work(args);
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kStages; ++i)
      barrier_init(full + 8 * i, 1), barrier_init(empty + 8 * i, 4 * S::kWarpgroups);
    barrier_init_done();
  }
  if constexpr (S::kHead == 0)
    start_dependents();
  __syncthreads();
  if (!consumes && lane == 0)
    linear_rows_fill<S, kAdapter>(maps, args, ring, full, empty);
  else
    wait_for_earlier();
  if constexpr (S::kHead > 0)
    start_dependents(); // attention, which reads all but this kernel's results before it waits

  float sums[kGroups][4];
  RingIndex<S::kStages> now;
  auto multiply = [&](int turn) {
#pragma unroll
    for (int j = 0; j < kGroups; ++j)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        sums[j][k] = 0.f;
    u32 before = 0;
    auto release = [&] {
      if (lane == 0)
        barrier_arrive(empty + 8 * before);
    };
    const int steps = work.steps_of(turn);
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      const u32 at = ring + now.stage * S::kStageBytes;
      barrier_wait(full + 8 * now.stage, now.parity);
      const u64 a = k_major(at + S::kInputBytes + warpgroup * S::kTileBytes), b = k_major(at);
      mma_fence();
#pragma unroll
      for (int k = 0; k < kLinearStep / 16; ++k)
        mma_wide(sums, k_step(a, k, 0), k_step(b, k, 0));
      mma_commit();
      mma_wait<1>();
      if (step > 0)
        release();
      before = now.stage;
      now.advance();
    }
    mma_wait<0>();
    release();
#pragma unroll
    for (int j = 0; j < kGroups; ++j)
      pin(sums[j]);
  };
  auto row_of = [&](int group, int i) { return work.first_row + 8 * group + 2 * t + i; }; // i: 0 or 1

  if constexpr (S::kSplit == 1) {
    if (!consumes)
      return;
    for (int turn = 0; turn < work.turns(); ++turn) {
      multiply(turn);
      const int index = work.index(turn, warpgroup);
      if (index >= work.tiles)
        break;
      const auto tile = work.tile(index);
      const int low = tile.feature(part_of_tile, g), high = tile.feature(part_of_tile, g + 8);
#pragma unroll
      for (int j = 0; j < kGroups; ++j)
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (const int row = row_of(j, i); row < args.rows)
            finish_pair<S, T, Out, true>(args, tile, low, high, row, sums[j][i], sums[j][2 + i]);
    }
  } else {
    // Sums of group j go to the block of part j / kEach, where they lie by part, warpgroup, group and thread.
    constexpr u32 kGroupBytes = 16 * kWarpgroup;
    auto place = [&](int part) {
      return ring + (part * S::kWarpgroups + warpgroup) * kEach * kGroupBytes + 16 * (threadIdx.x % kWarpgroup);
    };
    if (consumes)
      multiply(0);
    __syncwarp();
    cluster_arrive(); // every block is through with its ring
    cluster_wait();
    if (consumes)
#pragma unroll
      for (int part = 0; part < S::kSplit; ++part) {
        const u32 to = cluster_address(place(work.part), part);
#pragma unroll
        for (int j = 0; j < kEach; ++j)
          if (const int group = part * kEach + j; group < kGroups)
            cluster_write(to + j * kGroupBytes, sums[group]);
      }
    // What results need besides sums is asked for together, in the registers of what has been sent.
    constexpr int kBatch = kEach < 8 ? kEach : 8;
    const int index = work.index(0, warpgroup), first_group = work.part * kEach;
    const auto tile = work.tile(index);
    const int low = tile.feature(part_of_tile, g), high = tile.feature(part_of_tile, g + 8);
    const int features = features_of<S>(args, tile.matrix);
    PairEnds ends[kBatch][2];
    auto find_ends = [&](int first) {
#pragma unroll
      for (int j = 0; j < kBatch; ++j)
#pragma unroll
        for (int i = 0; i < 2; ++i)
          load_ends<S, Out, true>(ends[j][i], args, tile.matrix, features, low, high,
                                  min(row_of(first_group + first + j, i), args.rows - 1));
    };
    if (consumes)
      find_ends(0);
    __syncwarp();
    cluster_arrive();
    cluster_wait();
    if (!consumes || index >= work.tiles)
      return;
    PairEnds bias; // the same for all rows
    load_bias<T>(bias, args, tile.matrix, low, high);
#pragma unroll
    for (int first = 0; first < kEach; first += kBatch) {
      if (first > 0)
        find_ends(first);
#pragma unroll
      for (int j = first; j < kEach && j < first + kBatch; ++j) {
        const int group = first_group + j;
        if (group >= kGroups)
          break;
        float sum[4] = {};
#pragma unroll
        for (int part = 0; part < S::kSplit; ++part) {
          const uint4 x = shared_read(place(part) + j * kGroupBytes);
          sum[0] += __uint_as_float(x.x), sum[1] += __uint_as_float(x.y);
          sum[2] += __uint_as_float(x.z), sum[3] += __uint_as_float(x.w);
        }
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (const int row = row_of(group, i); row < args.rows) {
            PairEnds &end = ends[j - first][i];
            end.bias[0] = bias.bias[0], end.bias[1] = bias.bias[1];
            place_pair<S, T, Out>(args, end, tile.matrix, features, low, high, row, sum[i], sum[2 + i]);
          }
      }
    }
  }
}

} // namespace maskjit::device
