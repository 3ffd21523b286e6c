// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Few tokens, a product as a line of rounds: which experts are hit, which rounds a block has, and where it leaves its
// share of a sum that others go on with.
#pragma once
#include "experts/rows_routing.cuh"
#include "experts_args.h"
#include "experts_schedules.h"

namespace maskjit::device {

/// Past L1: written by other multiprocessors in this launch.
__device__ inline uint4 load_shared_result(const uint4 *from) {
  uint4 x;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "l"(from)
               : "memory");
  return x;
}
__device__ inline uint2 load_shared_result(const uint2 *from) {
  uint2 x;
  asm volatile("ld.global.cg.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(from) : "memory");
  return x;
}
__device__ inline float4 load_shared_result(const float4 *from) {
  float4 x;
  asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w)
               : "l"(from)
               : "memory");
  return x;
}
__device__ inline void add(float4 &sum, const float4 &x) { sum.x += x.x, sum.y += x.y, sum.z += x.z, sum.w += x.w; }

/// Experts that are hit, in the order of their numbers, and the pairs (token * top_k + slot) of each.
template <class S> struct LineRouting {
  int count, expert[kWarp];
  u32 pairs[kWarp];
  __device__ void fill(const int *ids, int tokens) { // by one warp
    const int lane = lane_index();
    const RoutedExperts<S> routed(ids, tokens, lane);
    if (lane == 0)
      count = routed.count();
    for (int u = 0; u < routed.count(); ++u) {
      const int id = routed.nth(u);
      const u32 of = routed.pairs_of(id);
      if (lane == 0)
        expert[u] = id, pairs[u] = of;
    }
  }
  /// The pair of a token at expert number `u`; a token routed elsewhere repeats a valid one.
  __device__ int pair(int u, int token) const {
    const u32 slots = RoutedExperts<S>::slots_of(pairs[u], token);
    return slots ? token * S::Shape::kTopK + __ffs(slots) - 1 : __ffs(pairs[u]) - 1;
  }
  __device__ bool takes(int u, int token) const { return RoutedExperts<S>::slots_of(pairs[u], token) != 0; }
};

/// One product of all experts as a line of rounds: by expert, each tile for itself, or by tile, whose experts follow
/// each other and are one sum. A stretch of the line that is one sum is a `segment`.
/// kByTile: the second product, whose inputs are results of this launch.
template <class S, int kIn_, int kOut_, bool kByTile_> struct ExpertsLine {
  static constexpr int kIn = kIn_, kOut = kOut_;
  static constexpr bool kByTile = kByTile_;
  static constexpr int kTiles = ceil_div(kOut, S::kTileOut), kRounds = ceil_div(kIn, S::kRoundIn); // of an expert
  static_assert(kIn % S::kStepIn == 0 && kOut % 8 == 0);
  static_assert(1024LL * kWarp * kTiles * kRounds < 1LL << 32, "a GPU's blocks times all rounds are 32 bits");
  unsigned count, total, workers; // experts, rounds, blocks with work

  __device__ explicit ExpertsLine(int experts)
      : count(experts), total(count * kTiles * kRounds), workers(min(gridDim.x, total)) {}
  __device__ int segment_rounds() const { return kByTile ? count * kRounds : kRounds; }
  __device__ int begin(unsigned block) const { return block < workers ? block * total / workers : total; }
  /// The block that has a round.
  __device__ int block_of(int round) const {
    const int block = static_cast<unsigned>(round) * workers / total;
    return begin(block + 1) <= round ? block + 1 : block;
  }
  __device__ int expert(unsigned round) const { return kByTile ? round / kRounds % count : round / (kRounds * kTiles); }
  __device__ int tile(unsigned round) const { return kByTile ? round / (kRounds * count) : round / kRounds % kTiles; }

  /// First of a warp's kStepIn inputs in `round`; kIn or more past the last.
  __device__ int input(int round, int share) const { return (round % kRounds * S::kShares + share) * S::kStepIn; }
  /// First of the lane's 8 outputs; kOut or more past the last.
  __device__ int output(int round, int block) const {
    return tile(round) * S::kTileOut + block * 64 + lane_index() / 4 * 8;
  }
};

/// Shares of a segment: a block has room for two, of the segment that it begins with and of the one that it ends with.
template <class S> struct LineShares {
  float4 *memory;
  __device__ float4 *of(int block, bool begins_with, int item) const {
    return memory + ((2 * block + (begins_with ? 0 : 1)) * S::kItems + item) * kWarp + lane_index();
  }
  /// All shares of a segment that starts at round `first`, in ascending order of the blocks that have one.
  template <class Line>
  __device__ float4 gather(const Line &line, int first, int first_block, int last_block, int item) {
    constexpr int kTogether = 4; // loads under way
    float4 sum = {0.f, 0.f, 0.f, 0.f};
    for (int block = first_block; block <= last_block; block += kTogether) {
      float4 part[kTogether];
#pragma unroll
      for (int k = 0; k < kTogether; ++k)
        if (block + k <= last_block)
          part[k] = load_shared_result(of(block + k, line.begin(block + k) >= first, item));
#pragma unroll
      for (int k = 0; k < kTogether; ++k)
        if (block + k <= last_block)
          add(sum, part[k]);
    }
    return sum;
  }
};

} // namespace maskjit::device
