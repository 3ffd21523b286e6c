// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// dX = dY W from the packed bytes of W: the sum runs over W's rows, its scales along the other axis. The weights are
// bit by bit those of the forward product.
//
// A = W^T: rows are columns of W, K are rows of W. Lane 4g + t takes word g (columns 8g .. 8g + 7 of the warp's 64) of
// rows 2t, 2t + 1, 2t + 8, 2t + 9. Half words of two rows side by side hold the same nibbles 16 bits apart, which is
// what mxfp4_decode pairs: nibble i becomes row g and nibble i + 4 row g + 8 of A tile i. So tile i holds the columns
// 8g + i and 8g + i + 4, and a lane ends with eight neighbouring columns of one token: 16 bytes to store. B = dY in
// shared memory, K-major as it is.
#pragma once
#include "experts/route.cuh"
#include "experts/stages.cuh"

namespace maskjit::device {

/// What a block of the gradient moves. kMatrixColumns: columns of W. A stage: tokens [kTokens][64 rows of W], swizzled
/// as in experts/stages.cuh; weights [64][columns / 2 + 16 bytes]; scales [64][columns / 32].
template <class S, int kMatrixRows, int kMatrixColumns> struct GradientStages {
  using Arch = typename S::Arch;
  static constexpr int kSteps = ceil_div(kMatrixRows, kStepK), kScaleRow = kMatrixColumns / 32;
  static constexpr bool kHalfStep = kMatrixRows % kStepK != 0;
  static constexpr int kTokenBytes = S::kTokens * kTokenRowBytes, kWeightRow = S::kColumns / 2 + 16;
  static constexpr int kWeightBytes = kStepK * kWeightRow, kScalesOfRow = S::kColumns / 32;
  static constexpr int kBytes = kTokenBytes + kWeightBytes + kStepK * kScalesOfRow;
  // Bytes of scales go two at a time where rows start at even ones.
  static constexpr int kScaleUnit = kScaleRow % 2 == 0 ? 2 : 1;
  static constexpr int kScaleLoads = ceil_div(kStepK * kScalesOfRow / kScaleUnit, S::kThreads);

  u32 ring;
  const u8 *blocks, *scales; // of this expert's matrix, from the block's first column
  int columns, tokens;       // that exist
  const u16 *const *token_rows;

  __device__ void load(int step, int stage) const {
    const u32 to = ring + stage * kBytes;
    constexpr int kTokenPieces = S::kTokens * 8;
#pragma unroll
    for (int k = 0; k < ceil_div(kTokenPieces, S::kThreads); ++k) {
      const int i = k * S::kThreads + threadIdx.x, n = i >> 3, chunk = i & 7;
      if (kTokenPieces % S::kThreads != 0 && i >= kTokenPieces)
        break;
      const bool exists = n < tokens && (!kHalfStep || step * kStepK + chunk * 8 < kMatrixRows);
      copy_or_zero<Arch>(to + n * kTokenRowBytes + ((chunk ^ n) & 7) * 16,
                         token_rows[n] + (exists ? step * kStepK + chunk * 8 : 0), exists);
    }
    constexpr int kPiecesOfRow = S::kColumns / 32, kPieces = kStepK * kPiecesOfRow;
#pragma unroll
    for (int k = 0; k < ceil_div(kPieces, S::kThreads); ++k) {
      const int i = k * S::kThreads + threadIdx.x, r = i / kPiecesOfRow, c = i % kPiecesOfRow;
      if (kPieces % S::kThreads != 0 && i >= kPieces)
        break;
      const bool exists = c * 32 < columns && (!kHalfStep || step * kStepK + r < kMatrixRows);
      const long long row = exists ? step * kStepK + r : 0;
      copy_or_zero<Arch>(to + kTokenBytes + r * kWeightRow + c * 16,
                         blocks + row * (kMatrixColumns / 2) + (exists ? c * 16 : 0), exists);
    }
  }

  /// Scales pass through registers: their rows start at multiples of two bytes.
  __device__ void load_scales(int step, u16 (&held)[kScaleLoads]) const {
#pragma unroll
    for (int k = 0; k < kScaleLoads; ++k) {
      const int i = (k * S::kThreads + threadIdx.x) * kScaleUnit, r = i / kScalesOfRow, c = i % kScalesOfRow;
      held[k] = 0;
      if (r >= kStepK || c * 32 >= columns || step * kStepK + r >= kMatrixRows)
        continue;
      const u8 *from = scales + static_cast<long long>(step * kStepK + r) * kScaleRow + c;
      held[k] = kScaleUnit == 2 ? *reinterpret_cast<const u16 *>(from) : *from;
    }
  }
  __device__ void store_scales(int stage, const u16 (&held)[kScaleLoads]) const {
    const u32 to = ring + stage * kBytes + kTokenBytes + kWeightBytes;
#pragma unroll
    for (int k = 0; k < kScaleLoads; ++k) {
      const int i = (k * S::kThreads + threadIdx.x) * kScaleUnit;
      if (i >= kStepK * kScalesOfRow)
        continue;
      if constexpr (kScaleUnit == 2)
        shared_write_u16(to + i, held[k]);
      else
        asm volatile("st.shared.u8 [%0], %1;" ::"r"(to + i), "h"(held[k]) : "memory");
    }
  }
};

/// A tiles of 16 rows of W and this warp's 64 columns, from a stage's weights and scales.
template <class T, int kWeightRow, int kScalesOfRow>
__device__ void gradient_operand(u32 (&a)[4][4], u32 weights, u32 scales, int g, int t) {
  u32 word[4], scale[4];
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const int row = 2 * t + (k & 1) + (k >> 1) * 8;
    word[k] = shared_read_word(weights + row * kWeightRow + g * 4);
    scale[k] = shared_read_byte(scales + row * kScalesOfRow + (g >> 2));
  }
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    const u32 factors = mxfp4_factors<T>(scale[2 * k], scale[2 * k + 1]);
    const Pairs low = mxfp4_decode<T>(__byte_perm(word[2 * k], word[2 * k + 1], 0x5410), factors);
    const Pairs high = mxfp4_decode<T>(__byte_perm(word[2 * k], word[2 * k + 1], 0x7632), factors);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      a[i][2 * k] = low.p[i], a[i][2 * k + 1] = high.p[i];
  }
}

/// Grid (columns of W / kColumns rounded up, upper bound of tiles). y[p] = x[p / per_row] W.
template <class S, class T, int kMatrixRows, int kMatrixColumns>
__device__ void experts_gradient(const ExpertsLinearArgs &a) {
  using Arch = typename S::Arch;
  using Ring = GradientStages<S, kMatrixRows, kMatrixColumns>;
  constexpr int kAhead = S::kStages - 1;
  if (static_cast<int>(blockIdx.y) >= a.plan->tiles)
    return;
  extern __shared__ __align__(1024) char gradient_shared[];
  __shared__ const u16 *token_rows[S::kTokens];
  const ExpertTile tile = a.plan->tile[blockIdx.y];
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const int first_column = blockIdx.x * S::kColumns;
  for (int n = threadIdx.x; n < S::kTokens; n += S::kThreads)
    token_rows[n] = static_cast<const u16 *>(a.x) +
                    static_cast<long long>(a.sorted[tile.first + (n < tile.count ? n : 0)] / a.per_row) * kMatrixRows;
  __syncthreads();
  const long long first_row = static_cast<long long>(tile.expert) * kMatrixRows;
  const Ring stages = {(shared_address(gradient_shared) + 1023u) & ~1023u,
                       a.matrix.blocks + (first_row * kMatrixColumns + first_column) / 2,
                       a.matrix.scales + (first_row * kMatrixColumns + first_column) / 32,
                       kMatrixColumns - first_column,
                       tile.count,
                       token_rows};
  u16 held[Ring::kScaleLoads];
#pragma unroll
  for (int s = 0; s < kAhead; ++s) {
    if (s < Ring::kSteps) {
      stages.load(s, s);
      stages.load_scales(s, held);
      stages.store_scales(s, held);
    }
    copy_commit<Arch>();
  }
  float acc[4][S::kTokens / 8][4] = {};
  int stage = 0;
#pragma unroll 1
  for (int step = 0; step < Ring::kSteps; ++step) {
    copy_wait<Arch, kAhead - 1>();
    __syncthreads(); // this step's data is there for all, and everyone has read the stage that is filled next
    const int next = stage == 0 ? kAhead : stage - 1;
    const bool more = step + kAhead < Ring::kSteps;
    if (more) {
      stages.load(step + kAhead, next);
      stages.load_scales(step + kAhead, held);
    }
    copy_commit<Arch>();

    const u32 at = stages.ring + stage * Ring::kBytes, weights = at + Ring::kTokenBytes + warp * 32;
    const u32 scales = at + Ring::kTokenBytes + Ring::kWeightBytes + warp * 2;
    const int row = (lane & 7) + (lane >> 4) * 8, half = lane >> 3 & 1; // what this lane names to matrix loads
#pragma unroll
    for (int k = 0; k < kStepK / 16; ++k) {
      u32 operand[4][4];
      gradient_operand<T, Ring::kWeightRow, Ring::kScalesOfRow>(operand, weights + k * 16 * Ring::kWeightRow,
                                                                scales + k * 16 * Ring::kScalesOfRow, g, t);
#pragma unroll
      for (int j = 0; j < S::kTokens / 8; j += 2) {
        u32 b[4]; // tokens 8j .. 8j + 7: both halves of 16 rows; then the next eight
        load_matrices(b, at + (8 * j + row) * kTokenRowBytes + (((2 * k + half) ^ row) & 7) * 16);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          mma<Arch, T>(acc[i][j], operand[i], b[0], b[1]);
          mma<Arch, T>(acc[i][j + 1], operand[i], b[2], b[3]);
        }
      }
    }
    if (more)
      stages.store_scales(next, held);
    if (++stage == S::kStages)
      stage = 0;
  }
  copy_wait<Arch, 0>();

  const int column = first_column + warp * kGradientColumns + 8 * g;
  if (column >= kMatrixColumns)
    return;
#pragma unroll
  for (int j = 0; j < S::kTokens / 8; ++j)
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const int n = 8 * j + 2 * t + k;
      if (n >= tile.count)
        continue;
      const uint4 eight = make_uint4(
          pack_finite<T>(acc[0][j][k], acc[1][j][k]), pack_finite<T>(acc[2][j][k], acc[3][j][k]),
          pack_finite<T>(acc[0][j][k + 2], acc[1][j][k + 2]), pack_finite<T>(acc[2][j][k + 2], acc[3][j][k + 2]));
      u16 *to = static_cast<u16 *>(a.y) + static_cast<long long>(a.sorted[tile.first + n]) * kMatrixColumns + column;
      *reinterpret_cast<uint4 *>(to) = eight;
    }
}

} // namespace maskjit::device
