// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of up to 8 rows with matrices that a block has a small share of, on Hopper: most of the share is on its way
// before the input is there.
//
// A block owns a stretch of units of 8 features. A producer warp streams their matrix rows, half the input features at
// a time, into a ring of slots by bulk copies. It waits for no earlier kernel, so what the ring holds is read while
// that one still runs. Consumer warps share the input features and keep their part of the input in registers. Product:
// mma m16n8k16 whose left operand has 8 rows of weights and 8 of zeros; the order of the summed features is free as
// long as both operands agree: lane (g, t) takes 8 consecutive features of matrix row g and of input row g. Sums of a
// round of units are added up together, warps in ascending order: a round is all that a block has, on most GPUs.
//
// Rope needs features i and i + D / 2 of a head: a unit is four such pairs.
// Shared memory: slots of 8 rows, padded so that two rows start on opposite halves of the banks.
#pragma once
#include "hopper.cuh"
#include "linear/rows.cuh"
#include "linear_few_schedules.h"

namespace maskjit::device {

/// kHead: 0, or the head dimension whose halves are paired.
template <int kIn_, int kWarps_, int kSlots_, int kRound_, int kHead_> struct LinearFew {
  static constexpr int kIn = kIn_, kWarps = kWarps_, kSlots = kSlots_, kRound = kRound_, kHead = kHead_;
  static constexpr int kThreads = 32 * (kWarps + 1), kFeatures = kFewFeatures;
  static constexpr int kBoundThreads = 512; // to compile for: a block of decode attention finds registers beside it
  static constexpr int kPartIn = kIn / kFewParts, kStepIn = 32;
  static constexpr int kSteps = (kPartIn + kStepIn * kWarps - 1) / (kStepIn * kWarps); // of a warp in a part
  static constexpr int kRowBytes = 2 * kPartIn, kStride = linear_few_stride(kIn);
  static constexpr int kSlotBytes = linear_few_slot_bytes(kIn), kSharedBytes = kSlots * kSlotBytes;
  static constexpr bool kWhole = kSteps * kStepIn * kWarps == kPartIn; // no lane is past the end
  static_assert(kIn % 16 == 0 && kHead % 8 == 0 && kWarps >= kRound && kThreads <= kBoundThreads);
};

/// Eight features of one of the matrices.
template <class S> struct FewUnit {
  int matrix = 0, unit;
  __device__ FewUnit(const LinearArgs &args, int index) : unit(index) {
#pragma unroll
    for (int m = 1; m < kMostMatrices; ++m)
      if (index >= args.first_tile[m])
        matrix = m, unit = index - args.first_tile[m];
  }
  __device__ int features(const LinearArgs &args) const {
    return (args.first_tile[matrix + 1] - args.first_tile[matrix]) * S::kFeatures;
  }
  /// Of row `r`; rows r and r + 4 are a pair.
  __device__ int feature(int r) const {
    if constexpr (S::kHead == 0) {
      return unit * 8 + r;
    } else {
      constexpr int kUnits = S::kHead / 8;
      return unit / kUnits * S::kHead + unit % kUnits * 4 + r % 4 + r / 4 * (S::kHead / 2);
    }
  }
};

/// Where copies of a slot arrive and from whom it comes back.
template <class S> struct FewRing {
  u32 slots, full, empty; // shared addresses: the slots, and a barrier of each kind a slot
  RingIndex<S::kSlots> at;
  __device__ u32 address() const { return slots + at.stage * S::kSlotBytes; }
  __device__ u32 full_barrier() const { return full + 8 * at.stage; }
  __device__ u32 empty_barrier() const { return empty + 8 * at.stage; }
};

/// The producer warp: lane 4g copies row g.
template <class S> __device__ void produce_few(const LinearArgs &args, FewRing<S> ring, int begin, int end) {
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  for (int index = begin; index < end; ++index) {
    const FewUnit<S> unit(args, index);
    const char *const row =
        static_cast<const char *>(args.weight[unit.matrix]) + static_cast<long long>(unit.feature(g)) * (2 * S::kIn);
    for (int part = 0; part < kFewParts; ++part) {
      if (lane == 0) {
        barrier_wait(ring.empty_barrier(), ring.at.parity ^ 1);
        barrier_expect(ring.full_barrier(), kFewFeatures * S::kRowBytes);
      }
      __syncwarp();
      if (t == 0)
        bulk_copy(ring.address() + g * S::kStride, row + part * S::kRowBytes, S::kRowBytes, ring.full_barrier());
      ring.at.advance();
    }
  }
  wait_for_earlier();
}

template <class S, class T, bool kNorm, class Out> __device__ void linear_few(const LinearArgs &args) {
  constexpr int kSteps = S::kSteps, kWarps = S::kWarps, kRound = S::kRound;
  extern __shared__ __align__(128) char few_slots[];
  __shared__ u64 barriers[2 * S::kSlots];
  __shared__ float2 sums[kRound][kWarps][kWarp]; // a lane's own: feature g, rows 2t and 2t + 1
  __shared__ float squares_of[kWarps][kFewRows];
  const int warp = warp_index(), lane = lane_index(), g = lane / 4, t = lane % 4;
  FewRing<S> ring = {shared_address(few_slots), shared_address(barriers), shared_address(barriers + S::kSlots)};
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kSlots; ++i) {
      barrier_init(ring.full + 8 * i, 1);
      barrier_init(ring.empty + 8 * i, kWarps);
    }
    barrier_init_done();
  }
  if constexpr (S::kHead == 0)
    start_dependents();
  const int units = args.first_tile[kMostMatrices];
  auto first_unit = [&](int block) {
    return static_cast<int>(static_cast<long long>(units) * block / static_cast<int>(gridDim.x));
  };
  const int begin = first_unit(blockIdx.x), end = first_unit(blockIdx.x + 1);
  __syncthreads();
  if (warp == kWarps)
    return produce_few<S>(args, ring, begin, end);

  // Warp w finishes unit w of a round: a lane features `pair` and `pair` + 4 of one row.
  const int pair = lane % 4, row = lane / 4;
  auto begin_ends = [&](PairEnds &ends, const FewUnit<S> &unit) {
    load_bias<T>(ends, args, unit.matrix, unit.feature(pair), unit.feature(pair + 4));
  };
  const bool finishes = warp < kRound && row < args.rows;
  PairEnds ends;
  if (finishes && begin + warp < end)
    begin_ends(ends, FewUnit<S>(args, begin + warp));
  auto feature = [&](int step) { return (warp * kSteps + step) * S::kStepIn + 8 * t; }; // of a part
  auto inside = [&](int step) { return S::kWhole || feature(step) < S::kPartIn; };
  const u16 *const norm = static_cast<const u16 *>(args.norm) + feature(0);
  if constexpr (kNorm)
    for (int i = 0; i < kFewParts * kSteps; ++i)
      if (inside(i % kSteps))
        asm volatile("prefetch.global.L2 [%0];" ::"l"(norm + i / kSteps * S::kPartIn + i % kSteps * S::kStepIn));
  wait_for_earlier();
  if constexpr (S::kHead > 0)
    start_dependents(); // attention, which reads all but this kernel's results before it waits
  uint4 x[kFewParts][kSteps];
  float square = 0.f;
  const long long at = static_cast<long long>(min(g, args.rows - 1)) * S::kIn;
#pragma unroll
  for (int part = 0; part < kFewParts; ++part)
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const long long from = at + part * S::kPartIn + feature(step);
      uint4 &v = x[part][step];
      if (!inside(step))
        v = {0, 0, 0, 0};
      else if constexpr (kNorm)
        v = normed_features<T>(static_cast<const float *>(args.input) + from,
                               *reinterpret_cast<const uint4 *>(norm + part * S::kPartIn + step * S::kStepIn), square);
      else
        v = *reinterpret_cast<const uint4 *>(static_cast<const u16 *>(args.input) + from);
    }
  if constexpr (kNorm) {
    square = quad_sum(square);
    if (t == 0)
      squares_of[warp][g] = square;
  }

  for (int round = begin; round < end; round += kRound) {
    const int count = min(end - round, kRound);
    const FewUnit<S> own(args, min(round + warp, units - 1));
    const int low = own.feature(pair), high = own.feature(pair + 4), features = own.features(args);
    const bool has = finishes && warp < count;
    if (has) {
      if (round != begin)
        begin_ends(ends, own);
      load_ends<S, Out>(ends, args, own.matrix, features, low, high, row);
    }
    for (int k = 0; k < count; ++k) {
      float a[4] = {}, b[4] = {}; // two chains: a product waits some 30 cycles for the one before it
#pragma unroll
      for (int part = 0; part < kFewParts; ++part) {
        barrier_wait(ring.full_barrier(), ring.at.parity);
        const u32 from = ring.address() + g * S::kStride;
#pragma unroll
        for (int step = 0; step < kSteps; ++step) { // past the end: any weights, times zero
          const uint4 w = shared_read(from + (inside(step) ? 2 * feature(step) : 0)), &v = x[part][step];
          mma<Sm80, T>(a, {w.x, 0u, w.y, 0u}, v.x, v.y);
          mma<Sm80, T>(b, {w.z, 0u, w.w, 0u}, v.z, v.w);
        }
        release_slot(ring.empty_barrier(), lane);
        ring.at.advance();
      }
      sums[k][warp][lane] = {a[0] + b[0], a[1] + b[1]};
    }
    named_sync(1, 32 * kWarps);
    if (has) {
      float a = 0.f, b = 0.f, all = 0.f;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        const float2 first = sums[warp][w][4 * pair + row / 2], second = sums[warp][w][4 * (pair + 4) + row / 2];
        a += row % 2 ? first.y : first.x, b += row % 2 ? second.y : second.x;
        if (kNorm)
          all += squares_of[w][row];
      }
      if (kNorm) {
        const float scale = rsqrtf(all / S::kIn + args.eps);
        a *= scale, b *= scale;
      }
      place_pair<S, T, Out>(args, ends, own.matrix, features, low, high, row, a, b);
    }
    if (round + kRound < end)
      named_sync(1, 32 * kWarps); // the sums may be written again
  }
}

} // namespace maskjit::device
