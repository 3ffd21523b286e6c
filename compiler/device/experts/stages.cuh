// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Many tokens: how weights and one expert's tokens come into shared memory, 64 features a stage.
//
// A stage: weights [2 blocks of 32][kRows][16 bytes], so that the words of a warp are one line; then tokens in pair
// order [kTokens][128 bytes], chunk c of row n at c ^ (n % 8), as matrix loads and wgmma want them.
#pragma once
#include "dependents.cuh"
#include "experts_args.h"
#include "experts_schedules.h"
#include "fourbit.cuh"

namespace maskjit::device {

constexpr int kTokenRowBytes = kStepK * 2;

/// 16 bytes, zeros where they do not exist.
template <class Arch> __device__ inline void copy_or_zero(u32 to, const void *from, bool exists) {
  if constexpr (Arch::kAsyncCopy)
    copy_async(to, from, exists);
  else
    shared_write(to, exists ? *static_cast<const uint4 *>(from) : make_uint4(0, 0, 0, 0));
}

/// What a thread copies in every stage: kRowTiles pieces of weights, some of tokens. kColumns: features of a row.
template <class S, int kColumns> struct Stages {
  using Arch = typename S::Arch;
  static constexpr int kBlocks = kColumns / 32, kSteps = ceil_div(kColumns, kStepK);
  static constexpr bool kHalfStep = kBlocks % 2 == 1; // the last stage is half a one
  static constexpr int kWeightBytes = S::kRows * kStepK / 2, kTokenBytes = S::kTokens * kTokenRowBytes;
  static constexpr int kBytes = kWeightBytes + kTokenBytes;
  static constexpr int kTokensApart = S::kThreads / 8, kPieces = ceil_div(S::kTokens, kTokensApart);

  u32 ring;
  int tokens; // that exist
  const u8 *weight_from[S::kRowTiles];
  const u8 *token_from[kPieces];

  /// `weight_row(r)` is the row of the matrix behind row r of A, clamped here to the `rows` that exist; `token_row(n)`
  /// the address of token n's features in pair order.
  template <class WeightRow, class TokenRow>
  __device__ Stages(u32 ring, const u8 *blocks, long long first_row, int rows, int tokens, WeightRow weight_row,
                    TokenRow token_row)
      : ring(ring), tokens(tokens) {
    const int row = threadIdx.x >> 1, block = threadIdx.x & 1, token = threadIdx.x >> 3, chunk = threadIdx.x & 7;
#pragma unroll
    for (int i = 0; i < S::kRowTiles; ++i)
      weight_from[i] =
          blocks + ((first_row + min(weight_row(row + i * S::kThreads / 2), rows - 1)) * kBlocks + block) * 16;
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      const int n = token + i * kTokensApart;
      token_from[i] = reinterpret_cast<const u8 *>(token_row(n < tokens ? n : 0)) + chunk * 16;
    }
  }

  /// Step `step` of the sum, `ahead` of where the pointers are, into stage `stage`.
  __device__ void load(int step, int ahead, int stage) const {
    const int row = threadIdx.x >> 1, block = threadIdx.x & 1, token = threadIdx.x >> 3, chunk = threadIdx.x & 7;
    const u32 to = ring + stage * kBytes;
#pragma unroll
    for (int i = 0; i < S::kRowTiles; ++i)
      copy_or_zero<Arch>(to + block * (S::kRows * 16) + (row + i * S::kThreads / 2) * 16,
                         weight_from[i] + ahead * (kStepK / 2), !kHalfStep || 2 * step + block < kBlocks);
    const bool inside = !kHalfStep || 2 * step + (chunk >> 2) < kBlocks;
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      const int n = token + i * kTokensApart;
      if ((i + 1) * kTokensApart <= S::kTokens || n < S::kTokens)
        copy_or_zero<Arch>(to + kWeightBytes + n * kTokenRowBytes + ((chunk ^ n) & 7) * 16,
                           token_from[i] + ahead * kTokenRowBytes, inside && n < tokens);
    }
  }
  __device__ void advance(int steps) {
#pragma unroll
    for (int i = 0; i < S::kRowTiles; ++i)
      weight_from[i] += steps * (kStepK / 2);
#pragma unroll
    for (int i = 0; i < kPieces; ++i)
      token_from[i] += steps * kTokenRowBytes;
  }

  /// Scales of the whole tile at once: rows of 90 bytes suit no 16-byte copy by stage, but all rows are contiguous.
  __device__ static void load_scales(u32 to, const u8 *scales, long long first_row, int rows) {
    for (int i = threadIdx.x; i < rows * kBlocks / 16; i += S::kThreads)
      copy_or_zero<Arch>(to + i * 16, scales + first_row * kBlocks + i * 16, true);
  }
};

__device__ inline u32 shared_read_word(u32 address) {
  u32 v;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(address) : "memory");
  return v;
}
__device__ inline u32 shared_read_u16(u32 address) {
  u16 v;
  asm volatile("ld.shared.u16 %0, [%1];" : "=h"(v) : "r"(address) : "memory");
  return v;
}
__device__ inline u32 shared_read_byte(u32 address) {
  u16 v;
  asm volatile("ld.shared.u8 %0, [%1];" : "=h"(v) : "r"(address) : "memory");
  return v;
}

} // namespace maskjit::device
