// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hopper's grouped product: weights decoded into the A registers of wgmma, tokens as B in shared memory. While one
// warpgroup decodes, the other's wgmma runs.
#pragma once
#include "experts/stages.cuh"
#include "wgmma_wide.cuh"

namespace maskjit::device {

/// As experts_product of experts/product.cuh.
template <class S, class T, int kColumns, class WeightRow, class TokenRow>
__device__ void experts_product(float (&acc)[1][S::kTokens / 8][4], u32 ring, const u8 *blocks, const u8 *scales,
                                long long first_row, int rows, int tokens, WeightRow weight_row, TokenRow token_row) {
  static_assert(T::kBf16, "this product is made for bf16; fp16 takes the portable one");
  using Arch = typename S::Arch;
  using Ring = Stages<S, kColumns>;
  constexpr int kAhead = S::kStages - 2; // stages in flight; wgmma reads the two others
  constexpr int kRounds = Ring::kSteps / S::kStages;
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const u32 scales_at = ring + S::kStages * Ring::kBytes;
  Ring stages(ring, blocks, first_row, rows, tokens, weight_row, token_row);
  Ring::load_scales(scales_at, scales, first_row, rows);
#pragma unroll
  for (int s = 0; s < kAhead; ++s) {
    stages.load(s, s, s);
    copy_commit<Arch>();
  }

  const int a_row = warp * 16 + g;
  const u32 words_at = a_row * 16 + t * 4;
  u32 scale_low = scales_at + min(weight_row(a_row), rows - 1) * Ring::kBlocks;
  u32 scale_high = scales_at + min(weight_row(a_row + 8), rows - 1) * Ring::kBlocks;
#pragma unroll
  for (int j = 0; j < S::kTokens / 8; ++j)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      acc[0][j][k] = 0.f;

#pragma unroll 1
  for (int round = 0; round < kRounds; ++round) { // one turn of the ring: every shared address is a constant
#pragma unroll
    for (int s = 0; s < S::kStages; ++s) {
      copy_wait<Arch, kAhead - 1>();
      store_fence();   // what cp.async wrote, for wgmma: the async proxy
      __syncthreads(); // this step's data is there for all; wgmma of two steps ago is over, its stage is free
      if (s < S::kStages - kAhead || round < kRounds - 1)
        stages.load(0, s + kAhead, (s + kAhead) % S::kStages);
      copy_commit<Arch>();

      const u32 at = ring + s * Ring::kBytes;
      const u64 b = k_major(at + Ring::kWeightBytes);
      const u32 s_low = shared_read_u16(scale_low + 2 * s), s_high = shared_read_u16(scale_high + 2 * s);
#pragma unroll
      for (int block = 0; block < 2; ++block) {
        const u32 low = shared_read_word(at + words_at + block * (S::kRows * 16));
        const u32 high = shared_read_word(at + words_at + block * (S::kRows * 16) + 128);
        const Pairs w = mxfp4_decode<T>(low, mxfp4_factor<T>(block ? s_low >> 8 : s_low & 255u));
        const Pairs v = mxfp4_decode<T>(high, mxfp4_factor<T>(block ? s_high >> 8 : s_high & 255u));
        const u32 first[4] = {w.p[0], v.p[0], w.p[1], v.p[1]}, second[4] = {w.p[2], v.p[2], w.p[3], v.p[3]};
        mma_fence();
        mma_wide(acc[0], first, k_step(b, 2 * block, 0));
        mma_wide(acc[0], second, k_step(b, 2 * block + 1, 0));
        mma_commit();
        mma_wait<1>(); // the group before this one: its A registers are rewritten next
      }
    }
    scale_low += 2 * S::kStages, scale_high += 2 * S::kStages;
    stages.advance(S::kStages);
  }
  mma_wait<0>();
  copy_wait<Arch, 0>();
  __syncthreads();
}

} // namespace maskjit::device
