// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Blocks of a cluster: their rank, their barrier, writes into each other's shared memory.
#pragma once
#include "instructions.cuh"

namespace maskjit::device {

__device__ inline u32 cluster_rank() {
  u32 rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
/// Every thread of every block of the cluster arrives and waits in turn; what was written before the arrival is seen
/// after the wait. No block may write to another that may not have begun, or that may have ended.
__device__ inline void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
/// The same, but nothing need be seen: does not wait for the thread's loads and copies that are under way.
__device__ inline void cluster_arrive_relaxed() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ inline void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

/// Two numbers to where `address` lies in the shared memory of block `rank`.
__device__ inline void cluster_write(u32 address, u32 rank, float a, float b) {
  asm volatile("{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1; "
               "st.shared::cluster.v2.f32 [there], {%2, %3}; }" ::"r"(address),
               "r"(rank), "f"(a), "f"(b)
               : "memory");
}

/// Where `address` lies in the shared memory of block `rank`.
__device__ inline u32 cluster_address(u32 address, u32 rank) {
  u32 there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}
/// Four numbers to a cluster_address that is a multiple of 16.
__device__ inline void cluster_write(u32 there, const float (&x)[4]) {
  asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(there), "f"(x[0]), "f"(x[1]), "f"(x[2]),
               "f"(x[3])
               : "memory");
}

/// Arrives on the barrier that lies at `bar` in block `rank`, in the order of this block's memory only: for what has
/// been read, not for what was written.
__device__ inline void cluster_barrier_arrive(u32 bar, u32 rank) {
  asm volatile("{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1; "
               "mbarrier.arrive.shared::cluster.b64 _, [there]; }" ::"r"(bar),
               "r"(rank)
               : "memory");
}

} // namespace maskjit::device
