// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Few tokens: a warp's view of the routing, and the barrier of a resident grid.
#pragma once
#include "instructions.cuh"

namespace maskjit::device {

/// lane = token * kTopK + slot.
template <class S> struct RoutedExperts {
  static constexpr int kTopK = S::Shape::kTopK;
  int id;     // this lane's expert, -1 for none
  u32 firsts; // lanes that name an expert for the first time
  int rank;   // of a lane in `firsts`: how many experts have lower numbers; else -1
  __device__ RoutedExperts(const int *ids, int tokens, int lane) {
    id = lane < tokens * kTopK ? ids[lane] : -1;
    const u32 same = __match_any_sync(~0u, id); // not inside the && below: every lane must take part
    firsts = __ballot_sync(~0u, id >= 0 && __ffs(same) - 1 == lane);
    // By number, not by who names them first: then a token's experts are summed in an order of its own.
    int lower = 0;
#pragma unroll
    for (int other = 0; other < kWarp; ++other)
      lower += __shfl_sync(~0u, id, other) < id && (firsts >> other & 1);
    rank = firsts >> lane & 1 ? lower : -1;
  }
  __device__ int count() const { return __popc(firsts); }
  __device__ int nth(int u) const { return __shfl_sync(~0u, id, __ffs(__ballot_sync(~0u, rank == u)) - 1); }
  __device__ u32 pairs_of(int expert) const { return __ballot_sync(~0u, id == expert); }
  /// Slots of one token among the lanes `routed`.
  __device__ static u32 slots_of(u32 routed, int token) {
    return token * kTopK < kWarp ? routed >> (token * kTopK) & ((1u << kTopK) - 1) : 0;
  }
};

/// Waits for all blocks of a resident grid: their arrivals add up to 2^31, so that the word's highest bit changes when
/// the last one comes and the others are as they were.
__device__ inline void grid_barrier(u32 *word) {
  const u32 arrival = blockIdx.x == 0 ? 0x80000000u - (gridDim.x - 1) : 1u;
  u32 before, now;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(word), "r"(arrival) : "memory");
  do
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(word) : "memory");
  while (((now ^ before) & 0x80000000u) == 0);
}

} // namespace maskjit::device
