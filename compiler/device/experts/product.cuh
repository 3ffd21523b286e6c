// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The portable grouped product: weights decoded into the A operand of mma.sync, tokens as B.
#pragma once
#include "experts/stages.cuh"

namespace maskjit::device {

/// acc = weights . tokens^T for one tile, acc[m][j] = rows 16 (kRowTiles warp + m) + (g, g, g+8, g+8), columns
/// 8j + 2t + (0, 1, 0, 1). Ends with a barrier: the ring may be used for something else.
template <class S, class T, int kColumns, class WeightRow, class TokenRow>
__device__ void experts_product(float (&acc)[S::kRowTiles][S::kTokens / 8][4], u32 ring, const u8 *blocks,
                                const u8 *scales, long long first_row, int rows, int tokens, WeightRow weight_row,
                                TokenRow token_row) {
  using Arch = typename S::Arch;
  using Ring = Stages<S, kColumns>;
  constexpr int kAhead = S::kStages - 1;
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const u32 scales_at = ring + S::kStages * Ring::kBytes;
  Ring stages(ring, blocks, first_row, rows, tokens, weight_row, token_row);
  Ring::load_scales(scales_at, scales, first_row, rows);
#pragma unroll
  for (int s = 0; s < kAhead; ++s) {
    if (s < Ring::kSteps)
      stages.load(s, s, s);
    copy_commit<Arch>();
  }

  u32 scale_low[S::kRowTiles], scale_high[S::kRowTiles];
#pragma unroll
  for (int m = 0; m < S::kRowTiles; ++m) {
    const int row = (warp * S::kRowTiles + m) * 16 + g;
    scale_low[m] = scales_at + min(weight_row(row), rows - 1) * Ring::kBlocks;
    scale_high[m] = scales_at + min(weight_row(row + 8), rows - 1) * Ring::kBlocks;
#pragma unroll
    for (int j = 0; j < S::kTokens / 8; ++j)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        acc[m][j][k] = 0.f;
  }

  int stage = 0;
#pragma unroll 1
  for (int step = 0; step < Ring::kSteps; ++step) {
    copy_wait<Arch, kAhead - 1>();
    __syncthreads(); // this step's data is there for all, and everyone has read the stage that is filled next
    if (step + kAhead < Ring::kSteps)
      stages.load(step + kAhead, kAhead, stage == 0 ? kAhead : stage - 1);
    copy_commit<Arch>();
    stages.advance(1);

    const u32 at = ring + stage * Ring::kBytes, tokens_at = at + Ring::kWeightBytes + (lane & 7) * kTokenRowBytes;
#pragma unroll
    for (int block = 0; block < 2; ++block) {
      if (Ring::kHalfStep && 2 * step + block >= Ring::kBlocks)
        break;
      u32 first[S::kRowTiles][4], second[S::kRowTiles][4];
#pragma unroll
      for (int m = 0; m < S::kRowTiles; ++m) {
        const u32 words = at + block * (S::kRows * 16) + ((warp * S::kRowTiles + m) * 16 + g) * 16 + t * 4;
        const Pairs w = mxfp4_decode<T>(shared_read_word(words),
                                        mxfp4_factor<T>(shared_read_byte(scale_low[m] + 2 * step + block)));
        const Pairs v = mxfp4_decode<T>(shared_read_word(words + 128),
                                        mxfp4_factor<T>(shared_read_byte(scale_high[m] + 2 * step + block)));
        first[m][0] = w.p[0], first[m][1] = v.p[0], first[m][2] = w.p[1], first[m][3] = v.p[1];
        second[m][0] = w.p[2], second[m][1] = v.p[2], second[m][2] = w.p[3], second[m][3] = v.p[3];
      }
#pragma unroll
      for (int j = 0; j < S::kTokens / 8; ++j) {
        u32 b[4];
        load_matrices(b, tokens_at + j * (8 * kTokenRowBytes) + (((block * 4 + (lane >> 3)) ^ lane) & 7) * 16);
#pragma unroll
        for (int m = 0; m < S::kRowTiles; ++m) {
          mma<Arch, T>(acc[m][j], first[m], b[0], b[1]);
          mma<Arch, T>(acc[m][j], second[m], b[2], b[3]);
        }
      }
    }
    if (++stage == S::kStages)
      stage = 0;
  }
  copy_wait<Arch, 0>();
  __syncthreads();
}

} // namespace maskjit::device
