// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hopper (sm_90a) building blocks: barriers, bulk copies by tensor maps, operands of wgmma, register reallocation.
// Shared memory is addressed by its 32-bit address throughout, since every instruction below wants that form.
#pragma once
#include "instructions.cuh"

namespace maskjit::device {

constexpr int kWarpgroup = 128; // the unit that issues wgmma and owns 64 rows of a tile

/// A tensor map made by cuTensorMapEncodeTiled; pass it as `const __grid_constant__ TensorMap`, never through memory.
struct alignas(64) TensorMap {
  char opaque[128];
};

__device__ inline int warpgroup_index() { return __shfl_sync(~0u, static_cast<int>(threadIdx.x) / kWarpgroup, 0); }

__device__ inline void shared_write_int(u32 address, int value) {
  asm volatile("st.shared.s32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}
__device__ inline int shared_read_int(u32 address) {
  int value;
  asm volatile("ld.shared.s32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
  return value;
}

// ---- mbarrier: a phase ends when all arrivals AND all announced bytes have come; waiting is by phase parity ----

__device__ inline void barrier_init(u32 bar, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(bar), "r"(arrivals) : "memory");
}
/// Makes initialised barriers visible to the copy engine; follow with __syncthreads().
__device__ inline void barrier_init_done() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

__device__ inline void barrier_arrive(u32 bar) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(bar) : "memory");
}
/// One arrival that also announces `bytes` of bulk copies; call it before the copies.
__device__ inline void barrier_expect(u32 bar, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(bytes) : "memory");
}
__device__ inline bool barrier_try(u32 bar, u32 parity) {
  u32 done;
  asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
               : "=r"(done)
               : "r"(bar), "r"(parity)
               : "memory");
  return done;
}
/// Waits until the phase of this parity is over. On a fresh barrier parity 1 passes at once: how producers start.
__device__ inline void barrier_wait(u32 bar, u32 parity) {
  while (!barrier_try(bar, parity)) {
  }
}

/// Position in a ring of kStages buffers; the parity flips each time round.
template <int kStages> struct RingIndex {
  int stage = 0;
  u32 parity = 0;
  __device__ void advance() {
    if (++stage == kStages)
      stage = 0, parity ^= 1;
  }
};

// ---- named barriers (0 is __syncthreads): hand a turn from some warps to others, or sync one warpgroup ----

__device__ inline void named_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ inline void named_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ---- register reallocation: every warp of the warpgroup runs it; needs __launch_bounds__(threads, 1) ----

template <int kRegisters> __device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters> __device__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// ---- bulk copies: one thread issues, the copy engine swizzles, clips at the tensor's borders, fills with zeros ----

/// L2 eviction hints, as `createpolicy.fractional` makes them for the whole access.
constexpr u64 kEvictFirst = 0x12F0000000000000, kEvictLast = 0x14F0000000000000;

/// Contiguous bytes, read once a launch: they leave the L2 cache before anything else does. Completes on `bar`.
__device__ inline void bulk_copy(u32 to, const void *from, u32 bytes, u32 bar) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], "
               "%4;" ::"r"(to),
               "l"(from), "r"(bytes), "r"(bar), "l"(kEvictFirst)
               : "memory");
}

/// Global to shared memory, 4 or 5 coordinates, innermost first; outside the tensor zeros are read. Completes on `bar`.
template <class... Coords>
__device__ void tma_load(u32 dst, const TensorMap &map, u32 bar, u64 hint, Coords... coords) {
  static_assert(sizeof...(coords) == 4 || sizeof...(coords) == 5);
  const int c[] = {coords...};
  if constexpr (sizeof...(coords) == 4)
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
                 " [%0], [%1, {%4, %5, %6, %7}], [%2], %3;" ::"r"(dst),
                 "l"(&map), "r"(bar), "l"(hint), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3])
                 : "memory");
  else
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
                 " [%0], [%1, {%4, %5, %6, %7, %8}], [%2], %3;" ::"r"(dst),
                 "l"(&map), "r"(bar), "l"(hint), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]), "r"(c[4])
                 : "memory");
}

/// The same to the same place of every block of the cluster whose bit is set in `blocks`; completes on each one's
/// `bar`.
__device__ inline void tma_load_shared(u32 dst, const TensorMap &map, u32 bar, u64 hint, u16 blocks, int c0, int c1,
                                       int c2, int c3) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster"
               ".L2::cache_hint [%0], [%1, {%5, %6, %7, %8}], [%2], %4, %3;" ::"r"(dst),
               "l"(&map), "r"(bar), "l"(hint), "h"(blocks), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
               : "memory");
}

/// Shared to global memory; rows past the tensor's border are not written. store_fence() first, in every writing
/// thread.
__device__ inline void tma_store(const TensorMap &map, u32 src, int c0, int c1, int c2, int c3, int c4) {
  asm volatile("cp.async.bulk.tensor.5d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(&map),
               "r"(src), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4)
               : "memory");
}

__device__ inline void store_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/// Until at most kPending groups of this thread still read shared memory: then it may be written again.
template <int kPending> __device__ void store_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kPending) : "memory");
}
template <int kPending> __device__ void store_wait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(kPending) : "memory");
}
/// Orders this thread's ordinary shared-memory writes before later reads by the copy engine or wgmma (the async proxy).
/// It also waits for this thread's global stores: issue those after it.
__device__ inline void store_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/// Gives a slot of a ring back, one arrival a warp. Loads of the slot may still be under way when the arrival is
/// issued, and the next bulk copy (async proxy) is not ordered behind them: without the fence results were wrong now
/// and then.
__device__ inline void release_slot(u32 bar, int lane) {
  store_fence();
  __syncwarp();
  if (lane == 0)
    barrier_arrive(bar);
}

// ---- wgmma: 64 rows a warpgroup, A from shared memory (SS) or registers (RS), B from shared memory ----

__device__ inline void mma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void mma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending> __device__ void mma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
/// Stops the compiler from moving reads of accumulators above the mma_wait that precedes this; costs no instruction.
template <int kCount> __device__ void pin(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i)
    asm volatile("" : "+f"(d[i])::"memory");
}

/// Both layouts below are rows of 128 bytes (64 elements), swizzled by the copy engine in blocks of 8 rows (1024 bytes,
/// which is also the alignment of a tile): 16-byte chunk c of row r lies at chunk c ^ (r % 8).
constexpr int kRowBytes = 128, kRowElements = 64, kSwizzleBlock = 8 * kRowBytes;

constexpr u64 kSwizzle128 = 1ull << 62;
__device__ inline u64 descriptor(u32 address, u32 leading_bytes, u32 stride_bytes) {
  return kSwizzle128 | static_cast<u64>(stride_bytes >> 4) << 32 | static_cast<u64>(leading_bytes >> 4) << 16 |
         static_cast<u64>((address & 0x3FFFF) >> 4);
}
/// K-major (the summed dimension runs along the row): Q and K of Q K^T. The stride joins blocks of 8 rows.
__device__ inline u64 k_major(u32 tile) { return descriptor(tile, 16, kSwizzleBlock); }
/// MN-major (rows are the summed dimension): V of P V. `column_bytes` joins column groups of 64, if there are several.
__device__ inline u64 mn_major(u32 tile, u32 column_bytes) { return descriptor(tile, column_bytes, kSwizzleBlock); }
/// Next 16 of the summed dimension. K-major: 32 bytes along the row, every 64 elements a new tile of `tile_rows` rows.
__device__ inline u64 k_step(u64 desc, int step, int tile_rows) {
  return desc + (step / 4 * tile_rows * kRowBytes + step % 4 * 32 >> 4);
}
__device__ inline u64 mn_step(u64 desc, int step) { return desc + (step * 16 * kRowBytes >> 4); }

// Where a thread's accumulators `float d[N / 2]` lie in the warpgroup's 64 x N tile, with r = 16 warp + lane / 4:
// d[4j .. 4j+3] = rows (r, r, r+8, r+8), columns 8j + 2 (lane % 4) + (0, 1, 0, 1); four lanes share a row.

/// Four 8x8 matrices of 16-bit elements, one register each, to the rows whose addresses lanes 0-7, 8-15, .. hold.
__device__ inline void store_matrices(u32 address, u32 a, u32 b, u32 c, u32 d) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(a), "r"(b),
               "r"(c), "r"(d)
               : "memory");
}

} // namespace maskjit::device
