// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a low-rank adapter adds to a product, B (A x): the first factor's few rows are made by some blocks of the same
// launch, and the others wait for them as late as they can.
//
// An element of A x is stored inverted, and zero says that it is not there yet: rounding gives no NaN of all ones. So
// what is waited for needs no flag beside it; its memory is zero before a launch that waits. Whoever waits must be
// resident together with those it waits for, or come after them in the grid.
#pragma once
#include "instructions.cuh"

namespace maskjit::device {

/// The second factor is multiplied in slices of this rank, a warp each; ranks are padded to a multiple of it.
constexpr int kRankSlice = 16;

template <class T> __device__ void store_low(void *low, long long at, float value) {
  const u16 inverted = static_cast<u16>(~pack<T>(value, 0.f));
  asm volatile("st.relaxed.gpu.global.u16 [%0], %1;" ::"l"(static_cast<u16 *>(low) + at), "h"(inverted) : "memory");
}
/// Four elements as they are stored, perhaps of this launch.
__device__ inline uint2 read_low(const u16 *from) {
  uint2 v;
  asm volatile("ld.relaxed.gpu.global.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(from) : "memory");
  return v;
}
/// Whether the whole warp has all of its elements.
__device__ inline bool are_there(uint2 low) {
  return __all_sync(~0u, (low.x & 0xffffu) && low.x >> 16 && (low.y & 0xffffu) && low.y >> 16);
}
constexpr unsigned kLowZero = ~0u; // two elements of value 0

/// Four elements of a factor.
__device__ inline uint2 read_factor(const u16 *from) {
  uint2 v;
  asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(from));
  return v;
}

/// sums += one slice of B times A x: `low` and `high` are B's elements 4t .. 4t + 3 of rows g and g + 8, `x` those of
/// column g of A x as read_low gives them. The order of the summed elements is free, so a lane has neighbours.
template <class Arch, class T> __device__ void add_slice(float (&sums)[4], uint2 low, uint2 high, uint2 x) {
  mma<Arch, T>(sums, {low.x, high.x, low.y, high.y}, ~x.x, ~x.y);
}

} // namespace maskjit::device
