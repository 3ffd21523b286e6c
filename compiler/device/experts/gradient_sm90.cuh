// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hopper's dX = dY W from the packed bytes of W: columns of W are the rows of wgmma, decoded into its A registers,
// tokens are B in shared memory. Four warps keep a ring filled, two warpgroups multiply: one decodes while the other's
// wgmma runs.
//
// A warpgroup owns 128 columns, two m64 tiles with the same B, a warp 32 of them: one block of MXFP4. Lane 4g + t takes
// half word g (columns 4g .. 4g + 3) of rows 2t, 2t + 1, 2t + 8, 2t + 9. Half words of two rows side by side hold the
// same nibbles 16 bits apart, which is what mxfp4_decode pairs: nibble i becomes row g of A tile i, nibble i + 2 its
// row g + 8. So a lane ends with four neighbouring columns of a token.
#pragma once
#include "experts/route.cuh"
#include "experts/stages.cuh"
#include "wgmma_wide.cuh"

namespace maskjit::device {

__device__ inline uint2 gradient_read_factors(u32 address) {
  uint2 v;
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "r"(address) : "memory");
  return v;
}
/// Arrives once this thread's copies so far are there, as one of the arrivals that `bar` counts.
__device__ inline void barrier_arrive_copies(u32 bar) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(bar) : "memory");
}

/// What the blocks that a launch has do in turn: every tile of tokens with every kColumns columns, columns fastest.
template <class S, int kMatrixColumns> struct GradientItems {
  static constexpr int kAcross = ceil_div(kMatrixColumns, S::kColumns);
  int item, items;
  __device__ GradientItems(const ExpertPlan *plan)
      : item(blockIdx.y * gridDim.x + blockIdx.x), items(plan->tiles * kAcross) {}
  __device__ bool more() const { return item < items; }
  __device__ void advance() { item += gridDim.x * gridDim.y; }
  __device__ int tile() const { return item / kAcross; }
  __device__ int column() const { return item % kAcross * S::kColumns; }
};

/// Keeps the ring filled; one warpgroup. A stage: tokens [kTokens][64 rows of W], then weights [64][kColumns / 2
/// bytes], 16-byte chunk c of row r at c ^ (r % 8); then factors, of rows that are neighbours: [4 steps of 16 rows][8
/// blocks of columns][4 lanes of a quad][rows 2t, 2t + 1; rows 2t + 8, 2t + 9].
template <class S, class T, int kMatrixRows, int kMatrixColumns>
__device__ void gradient_fill(const ExpertsLinearArgs &a, u32 ring, u32 full, u32 empty) {
  constexpr int kSteps = ceil_div(kMatrixRows, kStepK), kScaleRow = kMatrixColumns / 32,
                kWeightRow = kMatrixColumns / 2;
  constexpr bool kHalfStep = kMatrixRows % kStepK != 0;
  constexpr int kApart = kWarpgroup / 8, kPieces = S::kTokens / kApart; // rows between a thread's copies
  const int thread = threadIdx.x % kWarpgroup, row = thread >> 3, chunk = thread & 7;
  const int two = thread >> 2, blocks = 2 * (thread & 3); // of scales: rows 2 two and 2 two + 1, two blocks
  const u32 copies_at = row * kTokenRowBytes + ((chunk ^ row) & 7) * 16;
  const u32 factors_at =
      S::kTokenBytes + S::kWeightBytes + (two >> 3) * 256 + blocks * 32 + (two & 3) * 8 + (two >> 2 & 1) * 4;
  RingIndex<S::kStages> at;
  for (GradientItems<S, kMatrixColumns> item(a.plan); item.more(); item.advance()) {
    const ExpertTile tile = a.plan->tile[item.tile()];
    const int first_column = item.column();
    u32 token_from[kPieces]; // in 16 bytes
#pragma unroll
    for (int k = 0; k < kPieces; ++k) {
      const int n = row + k * kApart;
      token_from[k] =
          static_cast<u32>(a.sorted[tile.first + (n < tile.count ? n : 0)] / a.per_row) * (kMatrixRows / 8) + chunk;
    }
    const uint4 *x = static_cast<const uint4 *>(a.x);
    const long long first_row = static_cast<long long>(tile.expert) * kMatrixRows;
    const bool inside = first_column + chunk * 32 < kMatrixColumns;
    const bool scale_inside = first_column + blocks * 32 < kMatrixColumns;
    const u8 *weights = a.matrix.blocks + (first_row + row) * kWeightRow + (inside ? first_column / 2 + chunk * 16 : 0);
    const u8 *scales =
        a.matrix.scales + (first_row + 2 * two) * kScaleRow + (scale_inside ? first_column / 32 + blocks : 0);
    auto fetch_scales = [&](int step, u32(&held)[2]) {
#pragma unroll
      for (int k = 0; k < 2; ++k)
        held[k] = scale_inside && (!kHalfStep || step * kStepK + 2 * two < kMatrixRows)
                      ? *reinterpret_cast<const u16 *>(scales + (step * kStepK + k) * kScaleRow)
                      : 0;
    };
    auto fill = [&](int step, u32(&held)[2]) {
      const u32 stage = ring + at.stage * S::kStageBytes, to = stage + copies_at, bar = full + 8 * at.stage;
      barrier_wait(empty + 8 * at.stage, at.parity ^ 1);
      shared_write(stage + factors_at, mxfp4_factors<T>(held[0] & 255, held[1] & 255));
      shared_write(stage + factors_at + 32, mxfp4_factors<T>(held[0] >> 8, held[1] >> 8));
      barrier_arrive(bar);
#pragma unroll
      for (int k = 0; k < kStepK / kApart; ++k) {
        const bool exists = inside && (!kHalfStep || step * kStepK + row + k * kApart < kMatrixRows);
        copy_async(to + S::kTokenBytes + k * kApart * (S::kColumns / 2),
                   weights + (exists ? k * kApart * kWeightRow : 0), exists);
      }
      const bool token_exists = !kHalfStep || step * kStepK + chunk * 8 < kMatrixRows;
#pragma unroll
      for (int k = 0; k < kPieces; ++k)
        if (row + k * kApart < tile.count) // what wgmma makes of the rows behind them goes nowhere
          copy_async(to + k * kApart * kTokenRowBytes, x + (token_exists ? token_from[k] + step * (kStepK / 8) : 0u),
                     token_exists);
      barrier_arrive_copies(bar);
      if (step + 2 < kSteps)
        fetch_scales(step + 2, held);
      weights += kStepK * kWeightRow;
      at.advance();
    };
    u32 even[2], odd[2]; // scales are fetched two steps ahead, in registers of their own: moving them would wait
    fetch_scales(0, even);
    if (kSteps > 1)
      fetch_scales(1, odd);
#pragma unroll 1
    for (int step = 0; step < kSteps; step += 2) {
      fill(step, even);
      if (step + 1 < kSteps)
        fill(step + 1, odd);
    }
  }
}

/// One item, with a product of kTokens columns. `at`: where the ring stands; `pairs`: room for those of both
/// warpgroups.
template <class S, class T, int kTokens, int kMatrixRows, int kMatrixColumns>
__device__ void gradient_product(const ExpertsLinearArgs &a, const ExpertTile &tile, int first_column, u32 ring,
                                 u32 full, u32 empty, RingIndex<S::kStages> &at, int *pairs) {
  constexpr int kSteps = ceil_div(kMatrixRows, kStepK), kTile = kTokens / 8, kColumnsEach = S::kColumns / 2;
  constexpr int kWeightRow = S::kColumns / 2; // bytes of a stage
  const int lane = lane_index(), warp = warp_index() & 3, group = warpgroup_index(), g = lane >> 2, t = lane & 3;
  const int thread = threadIdx.x % kWarpgroup;
  int own[2];
#pragma unroll
  for (int k = 0; k < 2; ++k)
    own[k] = k * kWarpgroup + thread < tile.count ? a.sorted[tile.first + k * kWarpgroup + thread] : 0;
  const int chunk = group * 4 + warp; // rows 2t and 2t + 8 have it in one place, rows 2t + 1 and 2t + 9 in another
  const u32 even_at = S::kTokenBytes + 2 * t * kWeightRow + ((chunk ^ 2 * t) & 7) * 16 + g * 2;
  const u32 odd_at = S::kTokenBytes + (2 * t + 1) * kWeightRow + ((chunk ^ (2 * t + 1)) & 7) * 16 + g * 2;
  const u32 factors_at = S::kTokenBytes + S::kWeightBytes + chunk * 32 + t * 8;
  float acc[2][kTile][4];
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < kTile; ++j)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        acc[i][j][k] = 0.f;
  if (first_column + group * kColumnsEach >= kMatrixColumns) { // no column: the other has the tensor cores
    for (int step = 0; step < kSteps; ++step, at.advance()) {
      barrier_wait(full + 8 * at.stage, at.parity);
      if (lane == 0)
        barrier_arrive(empty + 8 * at.stage);
    }
    return;
  }
  u32 operand[2][2][4]; // of a step of 16 rows and of the next: two A tiles
  auto decode = [&](u32(&to)[2][4], u32 stage, int k) {
    const u32 even = stage + even_at + k * 16 * kWeightRow, odd = stage + odd_at + k * 16 * kWeightRow;
    const u32 low = __byte_perm(shared_read_u16(even), shared_read_u16(odd), 0x5410);
    const u32 high = __byte_perm(shared_read_u16(even + 8 * kWeightRow), shared_read_u16(odd + 8 * kWeightRow), 0x5410);
    const uint2 factors = gradient_read_factors(stage + factors_at + k * 256);
    const Pairs p = mxfp4_decode<T>(low, factors.x), q = mxfp4_decode<T>(high, factors.y);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      to[i][0] = p.p[i], to[i][1] = p.p[i + 2], to[i][2] = q.p[i], to[i][3] = q.p[i + 2];
      // Here, while wgmma runs, not where it is used.
      asm volatile("" : "+r"(to[i][0]), "+r"(to[i][1]), "+r"(to[i][2]), "+r"(to[i][3])::"memory");
    }
  };
  auto arrived = [&] {
    barrier_wait(full + 8 * at.stage, at.parity);
    store_fence(); // what cp.async wrote, for wgmma: the async proxy
  };
  arrived();
  decode(operand[0], ring + at.stage * S::kStageBytes, 0);
#pragma unroll 1
  for (int step = 0; step < kSteps; ++step) {
    const u32 stage = ring + at.stage * S::kStageBytes, done = empty + 8 * at.stage;
    const u64 b = k_major(stage);
#pragma unroll
    for (int k = 0; k < kStepK / 16; ++k) {
      mma_fence();
      mma_wide(acc[0], operand[k & 1][0], k_step(b, k, 0));
      mma_wide(acc[1], operand[k & 1][1], k_step(b, k, 0));
      mma_commit();
      mma_wait<1>(); // the group before this one: its A registers are rewritten next
      if (k + 1 < kStepK / 16)
        decode(operand[(k + 1) & 1], stage, k + 1);
    }
    at.advance();
    if (step + 1 < kSteps) {
      arrived();
      decode(operand[0], ring + at.stage * S::kStageBytes, 0);
    }
    mma_wait<0>(); // or the compiler, which sees products of several widths, waits for every single one
    __syncwarp();
    if (lane == 0)
      barrier_arrive(done);
  }

  int *const mine = pairs + group * S::kTokens;
  named_sync(1 + group, kWarpgroup); // the item before is stored
#pragma unroll
  for (int k = 0; k < 2; ++k)
    if (k * kWarpgroup + thread < tile.count)
      mine[k * kWarpgroup + thread] = own[k];
  named_sync(1 + group, kWarpgroup);
  const int column = first_column + chunk * 32 + 4 * g;
  if (column >= kMatrixColumns)
    return;
#pragma unroll
  for (int j = 0; j < kTile; ++j)
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const int n = 8 * j + 2 * t + k;
      if (n >= tile.count)
        continue;
      const uint2 four =
          make_uint2(pack_finite<T>(acc[0][j][k], acc[1][j][k]), pack_finite<T>(acc[0][j][k + 2], acc[1][j][k + 2]));
      u16 *to = static_cast<u16 *>(a.y) + static_cast<long long>(mine[n]) * kMatrixColumns + column;
      *reinterpret_cast<uint2 *>(to) = four;
    }
}

/// The narrowest product that holds the tile.
template <class S, class T, int kTokens, int kMatrixRows, int kMatrixColumns>
__device__ void gradient_narrowest(const ExpertsLinearArgs &a, const ExpertTile &tile, int first_column, u32 ring,
                                   u32 full, u32 empty, RingIndex<S::kStages> &at, int *pairs) {
  constexpr int kNarrow = experts_gradient_narrow(kTokens);
  if constexpr (kNarrow < kTokens)
    if (tile.count <= kNarrow)
      return gradient_narrowest<S, T, kNarrow, kMatrixRows, kMatrixColumns>(a, tile, first_column, ring, full, empty,
                                                                            at, pairs);
  gradient_product<S, T, kTokens, kMatrixRows, kMatrixColumns>(a, tile, first_column, ring, full, empty, at, pairs);
}

/// Any grid. y[p] = x[p / per_row] W.
template <class S, class T, int kMatrixRows, int kMatrixColumns>
__device__ void experts_gradient(const ExpertsLinearArgs &a) {
  static_assert(T::kBf16, "this product is made for bf16; fp16 takes the portable one");
  static_assert(kMatrixColumns % 64 == 0, "scales are read two at a time");
  extern __shared__ char gradient_shared[];
  __shared__ u64 barriers[2 * S::kStages];
  __shared__ int pairs[2 * S::kTokens]; // of a warpgroup's tile
  const u32 ring = (shared_address(gradient_shared) + 1023u) & ~1023u;
  const u32 full = shared_address(barriers), empty = full + 8 * S::kStages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kStages; ++i)
      barrier_init(full + 8 * i, 2 * kWarpgroup), barrier_init(empty + 8 * i, 8);
    barrier_init_done();
  }
  __syncthreads();
  if (warpgroup_index() == 2) {
    give_registers<S::kFillRegisters>();
    gradient_fill<S, T, kMatrixRows, kMatrixColumns>(a, ring, full, empty);
  } else {
    take_registers<S::kProductRegisters>();
    RingIndex<S::kStages> at;
    for (GradientItems<S, kMatrixColumns> item(a.plan); item.more(); item.advance())
      gradient_narrowest<S, T, S::kTokens, kMatrixRows, kMatrixColumns>(a, a.plan->tile[item.tile()], item.column(),
                                                                        ring, full, empty, at, pairs);
  }
}

} // namespace maskjit::device
